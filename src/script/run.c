// The life of one request in a Lua state: start, failure, end, and what follows the end.

#include "run.h"

#include <stdio.h>
#include <stdlib.h>

#include "px/log.h"
#include "request.h"

static void end_run(struct run *run, const char *outcome);

struct run *px_run_check(lua_State *L)
{
    struct run **box = luaL_checkudata(L, 1, RUN_TYPE);
    if (!*box || !(*box)->ex) {
        luaL_error(L, "the request is over");
    }
    return *box;
}

struct run *px_run_check_own(lua_State *L)
{
    struct run *run = px_run_check(L);
    if (run->vm->running != run->task) {
        luaL_error(L, "only the request's own task may answer it");
    }
    return run;
}

// -- Waiting --------------------------------------------------------------------------------------

static void stop_waiting(struct run *run)
{
    run->wait.active = false;  // The timer stays armed: the next wait is often of the same length.
    if (run->reply) {
        px_reply_unwait(run->reply);
    }
}

static void wait_cancel(struct px_op *op)
{
    struct run_op *wait = (struct run_op *)op;
    stop_waiting((struct run *)((char *)wait - offsetof(struct run, wait)));
}

void px_run_wake(void *user)
{
    struct run *run = user;
    if (run->wait.active) {
        stop_waiting(run);
        px_op_done(&run->wait.op);
    }
}

/// The timer may have been armed for an earlier wait: then it goes on to the end of this one.
static void on_timeout(void *user)
{
    struct run *run = user;
    uint64_t now = px_loop_now(run->vm->conf.loop);
    if (!run->wait.active || !run->wait.until_ms) {
        return;
    }
    if (now >= run->wait.until_ms ||
        px_timer_start(run->vm->conf.loop, &run->wait.timer, run->wait.until_ms - now)) {
        px_run_wake(run);
    }
}

static int push_failure(struct run *run, lua_State *L)
{
    const char *text;
    enum px_fetch_failure failure = px_reply_failure(run->reply, &text);
    struct px_source *upload = run->ex ? px_exchange_upload(run->ex) : NULL;
    if (failure == PX_FETCH_UPLOAD && upload) {
        return px_run_push_upload_failure(L, upload);
    }
    lua_pushnil(L);
    lua_pushstring(L, px_reply_broken(run->reply) ? "protocol" : px_lua_failure_name(failure));
    lua_pushstring(L, text);
    return 3;
}

static int push_head(struct run *run, lua_State *L)
{
    int status = px_reply_status(run->reply);
    if (!status) {
        return push_failure(run, L);
    }
    lua_pushinteger(L, status);
    return 1;
}

static int push_event(struct run *run, lua_State *L)
{
    struct px_sse_event event;
    if (px_reply_next(run->reply, &event)) {
        lua_pushlstring(L, event.type.ptr, event.type.len);
        lua_pushlstring(L, event.data.ptr ? event.data.ptr : "", event.data.len);
        return 2;
    }
    if (px_reply_ended(run->reply)) {
        lua_pushnil(L);
    } else {
        lua_pushboolean(L, 0);
    }
    return 1;
}

static int push_body(struct run *run, lua_State *L)
{
    if (px_reply_failure(run->reply, NULL) != PX_FETCH_NONE) {
        return push_failure(run, L);
    }
    struct px_block *block = px_reply_body(run->reply);
    px_guard_allow(run->task, block ? block->len : 0);
    lua_pushlstring(L, block ? block->ptr : "", block ? block->len : 0);
    lua_pushboolean(L, px_reply_truncated(run->reply));
    return 2;
}

static int push_end(struct run *run, lua_State *L)
{
    if (px_reply_failure(run->reply, NULL) != PX_FETCH_NONE) {
        return push_failure(run, L);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int push_result(struct run *run, lua_State *L)
{
    switch (run->wait.what) {
    case RUN_HEAD: return push_head(run, L);
    case RUN_EVENT: return push_event(run, L);
    case RUN_BODY: return push_body(run, L);
    case RUN_RELAY: return push_end(run, L);
    default: lua_pushboolean(L, 1); return 1;
    }
}

static int wait_finish(struct px_op *op, lua_State *L)
{
    struct run_op *wait = (struct run_op *)op;
    return push_result((struct run *)((char *)wait - offsetof(struct run, wait)), L);
}

static bool has_come(struct run *run, enum run_wait what)
{
    switch (what) {
    case RUN_HEAD: return px_reply_wait(run->reply, PX_REPLY_HEAD);
    case RUN_EVENT: return px_reply_wait(run->reply, PX_REPLY_EVENT);
    case RUN_BODY:
    case RUN_RELAY: return px_reply_wait(run->reply, PX_REPLY_END);
    default: return !px_exchange_full(run->ex);
    }
}

int px_run_await(lua_State *L, struct run *run, enum run_wait what, uint64_t ms)
{
    run->wait.what = what;
    if (has_come(run, what)) {
        return push_result(run, L);
    }
    struct px_task *task = px_task_check(L);
    struct px_timer *timer = &run->wait.timer;
    run->wait.until_ms = ms ? px_loop_now(run->vm->conf.loop) + ms : 0;
    bool armed = timer->slot && timer->at <= run->wait.until_ms;
    if (ms && !armed && px_timer_start(run->vm->conf.loop, timer, ms)) {
        return luaL_error(L, "not enough memory");
    }
    run->wait.active = true;
    return px_task_await(task, &run->wait.op);
}

// -- The client -----------------------------------------------------------------------------------

static void on_gone(void *user)
{
    struct run *run = user;
    if (run->task) {
        px_task_cancel(run->task);
    }
}

static void on_drain(void *user)
{
    struct run *run = user;
    if (run->reply) {
        px_reply_resume(run->reply);
    }
    if (run->wait.active && run->wait.what == RUN_DRAIN) {
        px_run_wake(run);
    }
}

// -- Life -----------------------------------------------------------------------------------------

static void free_run(struct run *run)
{
    struct px_vm *vm = run->vm;
    *(run->prev ? &run->prev->next : &vm->runs) = run->next;
    if (run->next) {
        run->next->prev = run->prev;
    }
    vm->run_count--;
    if (run->box) {
        *run->box = NULL;
    }
    luaL_unref(vm->L, LUA_REGISTRYINDEX, run->box_ref);
    luaL_unref(vm->L, LUA_REGISTRYINDEX, run->record_ref);
    free(run);
}

static void on_done_end(void *user, const struct px_error *error)
{
    struct run *run = user;
    if (error && error->status != PX_ECANCELED) {
        px_log(PX_LOG_ERROR, "script", "after a request: %s", error->text);
    }
    free_run(run);
}

static int push_done(lua_State *L, lua_State *co, void *user)
{
    struct run *run = user;
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->vm->done_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->record_ref);
    lua_pushstring(L, run->failure);
    lua_xmove(L, co, 3);
    return 2;
}

void px_run_drop_reply(struct run *run)
{
    if (run->reply) {
        px_reply_free(run->reply);
        run->reply = NULL;
        if (run->vm->conf.transfers) {
            --*run->vm->conf.transfers;
        }
    }
}

/// The exchange is over; rules that look at ended requests may follow in a task of their own.
static void end_run(struct run *run, const char *outcome)
{
    run->task = NULL;
    px_timer_stop(run->vm->conf.loop, &run->wait.timer);
    px_run_drop_reply(run);
    px_body_release_all(&run->bodies);
    struct px_exchange *ex = run->ex;
    run->ex = NULL;
    px_exchange_end(ex);
    if (run->record_ref == LUA_NOREF) {
        free_run(run);
        return;
    }
    snprintf(run->failure, sizeof(run->failure), "%s", outcome);
    struct px_error err;
    struct px_task_conf conf = {
        .push = push_done, .on_end = on_done_end, .user = run, .aside = true
    };
    if (px_task_start(run->vm, &conf, &run->task, &err)) {
        px_log(PX_LOG_ERROR, "script", "after a request: %s", err.text);
        free_run(run);
    }
}

static void log_failure(const struct run *run, const char *text)
{
    struct px_str method = px_exchange_head(run->ex)->method, path = px_exchange_path(run->ex);
    px_log(PX_LOG_ERROR, "script", "%.*s %.*s: %s", (int)method.len, method.ptr, (int)path.len,
           path.ptr, text);
}

static int push_failed(lua_State *L, lua_State *co, void *user)
{
    struct run *run = user;
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->vm->failed_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->box_ref);
    lua_pushstring(L, run->failure);
    lua_xmove(L, co, 3);
    return 2;
}

static void on_task_end(void *user, const struct px_error *error)
{
    struct run *run = user;
    run->task = NULL;
    bool gone = px_exchange_gone(run->ex) && !px_exchange_complete(run->ex);
    if (!error) {
        end_run(run, run->failing ? "failed" : gone ? "left" : "ended");
        return;
    }
    if (gone || run->failing) {
        if (error->status != PX_ECANCELED) {
            log_failure(run, error->text);
        }
        end_run(run, gone ? "left" : "failed");
        return;
    }
    snprintf(run->failure, sizeof(run->failure), "%s", error->text);
    if (error->status != PX_ECANCELED) {
        log_failure(run, error->text);
    }
    px_run_drop_reply(run);
    run->failing = true;
    struct px_error err;
    struct px_task_conf conf = { .push = push_failed, .on_end = on_task_end, .user = run };
    if (px_task_start(run->vm, &conf, &run->task, &err)) {
        end_run(run, "failed");
    }
}

static int push_handle(lua_State *L, lua_State *co, void *user)
{
    struct run *run = user;
    struct run **box = lua_newuserdata(L, sizeof(*box));
    *box = NULL;
    luaL_getmetatable(L, RUN_TYPE);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    run->box_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    *box = run;
    run->box = box;
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->vm->handle_ref);
    lua_insert(L, -2);
    lua_xmove(L, co, 2);
    return 1;
}

void px_vm_serve(struct px_vm *vm, struct px_exchange *ex)
{
    static const struct px_exchange_fns fns = { on_gone, on_drain };
    struct run *run = calloc(1, sizeof(*run));
    if (!run) {
        px_exchange_end(ex);
        return;
    }
    run->vm = vm;
    run->ex = ex;
    run->box_ref = run->record_ref = LUA_NOREF;
    run->wait.op = (struct px_op){ .cancel = wait_cancel, .finish = wait_finish };
    run->wait.timer = (struct px_timer){ .fn = on_timeout, .user = run };
    run->next = vm->runs;
    if (run->next) {
        run->next->prev = run;
    }
    vm->runs = run;
    vm->run_count++;
    px_exchange_drive(ex, &fns, run);

    struct px_block *body = px_exchange_body(ex);
    struct px_error err;
    struct px_task_conf conf = {
        .push = push_handle, .on_end = on_task_end, .user = run, .body_bytes = body ? body->len : 0
    };
    if (px_task_start(vm, &conf, &run->task, &err)) {
        px_log(PX_LOG_ERROR, "script", "%s", err.text);
        end_run(run, "failed");
    }
}

void px_run_stop_all(struct px_vm *vm)
{
    // A canceled task becomes one that tells the client; what that one waits for is not waited for.
    for (struct run *run = vm->runs, *next; run; run = next) {
        next = run->next;
        if (run->task && !run->failing && run->ex) {
            px_task_cancel(run->task);
        }
    }
}
