// Tasks: Lua coroutines that wait for the event loop.
//
// Two rules keep this file small. A task is resumed in one place only, run_ready(), which the loop
// calls from its top; so no script ever runs inside a callback of libuv or libcurl. And the host
// touches a Lua stack only inside lua_cpcall() or a running task; so no error, out of memory
// included, can jump past us.

#include <stdlib.h>

#include "px/clock.h"
#include "vm_private.h"

static void make_ready(struct px_task *task)
{
    struct px_vm *vm = task->vm;
    task->next_ready = NULL;
    *vm->ready_tail = task;
    vm->ready_tail = &task->next_ready;
    vm->ready_count++;
    px_loop_defer(vm->conf.loop, &vm->defer);
}

static void unready(struct px_task *task)
{
    struct px_vm *vm = task->vm;
    for (struct px_task **at = &vm->ready; *at; at = &(*at)->next_ready) {
        if (*at == task) {
            *at = task->next_ready;
            if (!*at) {
                vm->ready_tail = at;
            }
            vm->ready_count--;
            return;
        }
    }
}

static void unlink_task(struct px_task *task)
{
    struct px_vm *vm = task->vm;
    *(task->prev ? &task->prev->next : &vm->all) = task->next;
    if (task->next) {
        task->next->prev = task->prev;
    }
    vm->tasks--;
    if (vm->conf.tasks) {
        --*vm->conf.tasks;
    }
}

static void end_task(struct px_task *task, const struct px_error *error)
{
    struct px_vm *vm = task->vm;
    if (task->doomed) {
        px_guard_arm(vm);
    }
    lua_settop(task->co, 0);
    luaL_unref(vm->L, LUA_REGISTRYINDEX, task->ref);
    unlink_task(task);
    task->on_end(task->user, error);
    free(task);
}

const char *px_lua_error_text(lua_State *L)
{
    // Only a string is read: turning a number into text allocates, which may jump past us.
    return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(an error that is not a string)";
}

static int deliver(lua_State *L)
{
    struct px_task *task = lua_touserdata(L, 1);
    lua_settop(L, 0);
    task->nargs = task->op->finish(task->op, L);
    task->op = NULL;
    lua_xmove(L, task->co, task->nargs);
    return 0;
}

/// What a resumed task's return means.
static void settle(struct px_task *task, int rc)
{
    struct px_error error = { PX_OK, "" };
    if (task->canceled) {
        if (task->op) {
            task->op->cancel(task->op);
        }
        px_fail(&error, PX_ECANCELED, "canceled");
    } else if (task->doomed) {
        if (task->op) {
            task->op->cancel(task->op);
        }
        px_fail(&error, PX_ETOOBIG, "%s%s", task->place, task->doomed);
    } else if (rc == LUA_YIELD && task->op) {
        return;
    } else if (rc == LUA_YIELD && task->preempted) {
        task->preempted = false;
        task->nargs = 0;
        make_ready(task);
        return;
    } else if (rc == LUA_YIELD) {
        px_fail(&error, PX_EINVAL, "a task may not call coroutine.yield itself");
    } else if (rc) {
        px_fail(&error, rc == LUA_ERRMEM ? PX_ENOMEM : PX_EINVAL, "%s",
                px_lua_error_text(task->co));
    }
    end_task(task, error.status ? &error : NULL);
}

static void resume(struct px_task *task)
{
    struct px_vm *vm = task->vm;
    vm->running = task;
    task->slice_ns = px_clock_ns();
    task->cpu_ns = 0;
    if (task->op) {
        task->slices = 0;  // It waited: it has its time again.
        if (lua_cpcall(vm->L, deliver, task)) {
            struct px_error error;
            px_fail(&error, PX_ENOMEM, "%s", px_lua_error_text(vm->L));
            lua_pop(vm->L, 1);
            task->op->cancel(task->op);
            task->op = NULL;
            vm->running = NULL;
            end_task(task, &error);
            return;
        }
    }
    vm->nesting = 0;
    int rc = lua_resume(task->co, task->nargs);
    vm->running = NULL;
    settle(task, rc);
}

static void run_ready(void *user)
{
    struct px_vm *vm = user;
    for (size_t turns = vm->ready_count; turns && vm->ready; turns--) {
        struct px_task *task = vm->ready;
        vm->ready_count--;
        vm->ready = task->next_ready;
        if (!vm->ready) {
            vm->ready_tail = &vm->ready;
        }
        resume(task);
    }
}

void px_task_init(struct px_vm *vm)
{
    vm->ready_tail = &vm->ready;
    vm->defer = (struct px_defer){ .fn = run_ready, .user = vm };
}

struct px_task *px_task_check(lua_State *L)
{
    struct px_task *running = px_vm_of(L)->running;
    if (!running) {
        luaL_error(L, "this function waits, so it must be called from a task");
    } else if (running->co != L) {
        luaL_error(L, "this function waits, so it must not be called inside coroutine.wrap/create");
    } else if (!lua_isyieldable(L)) {
        luaL_error(L, "this function waits, so it must not be called from a sort or gsub callback");
    }
    return running;
}

int px_task_await(struct px_task *task, struct px_op *op)
{
    op->task = task;
    task->op = op;
    return lua_yield(task->co, 0);
}

void px_op_done(struct px_op *op)
{
    make_ready(op->task);
}

void px_task_cancel(struct px_task *task)
{
    if (task == task->vm->running) {
        task->canceled = true;
        return;
    }
    struct px_error error;
    px_fail(&error, PX_ECANCELED, "canceled");
    unready(task);
    if (task->op) {
        task->op->cancel(task->op);
        task->op = NULL;
    }
    end_task(task, &error);
}

struct start {
    struct px_task *task;
    const struct px_task_conf *conf;
};

static int do_start(lua_State *L)
{
    struct start *start = lua_touserdata(L, 1);
    struct px_task *task = start->task;
    task->co = lua_newthread(L);
    task->nargs = start->conf->push(L, task->co, start->conf->user);
    lua_pushvalue(L, 2);
    task->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

enum px_status px_task_start(struct px_vm *vm, const struct px_task_conf *conf,
                             struct px_task **out, struct px_error *err)
{
    struct px_task *task = calloc(1, sizeof(*task));
    if (!task) {
        return px_fail(err, PX_ENOMEM, "no memory for a task");
    }
    task->vm = vm;
    task->on_end = conf->on_end;
    task->user = conf->user;
    task->aside = conf->aside;
    task->max_slices = 25;
    task->share = 16u << 20;
    px_guard_allow(task, conf->body_bytes);

    struct start start = { task, conf };
    if (lua_cpcall(vm->L, do_start, &start)) {
        px_fail(err, PX_EINVAL, "%s", px_lua_error_text(vm->L));
        lua_pop(vm->L, 1);
        free(task);
        return PX_EINVAL;
    }
    task->next = vm->all;
    if (task->next) {
        task->next->prev = task;
    }
    vm->all = task;
    vm->tasks++;
    if (vm->conf.tasks) {
        ++*vm->conf.tasks;
    }
    make_ready(task);
    if (out) {
        *out = task;
    }
    return PX_OK;
}
