// px.transfer: one HTTP request of a script's own, below px.fetch.

#include <stdlib.h>

#include "px/reply.h"
#include "request.h"
#include "vm_private.h"

#define LIMIT_DEFAULT (8 << 20)

struct fetch_op {
    struct px_op op;
    struct px_vm *vm;
    struct px_reply *reply;
};

static void fetch_cancel(struct px_op *op)
{
    struct fetch_op *fetch = (struct fetch_op *)op;
    px_reply_free(fetch->reply);
    if (fetch->vm->conf.transfers) {
        --*fetch->vm->conf.transfers;
    }
    free(fetch);
}

static int fetch_finish(struct px_op *op, lua_State *L)
{
    struct fetch_op *fetch = (struct fetch_op *)op;
    const char *text;
    enum px_fetch_failure failure = px_reply_failure(fetch->reply, &text);
    if (failure != PX_FETCH_NONE || px_reply_truncated(fetch->reply)) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", px_lua_failure_name(failure),
                        failure ? text : "the answer is too large");
        fetch_cancel(op);
        return 2;
    }
    struct px_block *body = px_reply_body(fetch->reply);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, px_reply_status(fetch->reply));
    lua_setfield(L, -2, "status");
    px_lua_push_reply_headers(L, fetch->reply);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, body ? body->ptr : "", body ? body->len : 0);
    lua_setfield(L, -2, "body");
    fetch_cancel(op);
    return 1;
}

static void on_wake(void *user)
{
    px_op_done(user);
}

/// fetch(url, headers, body, options): waits. Gives { status, headers, body }, or nil and words.
static int l_fetch(lua_State *L)
{
    struct px_vm *vm = px_vm_of(L);
    struct px_fetch_header headers[PX_LUA_HEADERS_MAX];
    struct px_fetch_request request = { .headers = headers, .times = vm->conf.times };
    request.url.ptr = luaL_checklstring(L, 1, &request.url.len);
    request.header_count = px_lua_read_headers(L, 2, headers, PX_LUA_HEADERS_MAX);
    px_lua_read_options(L, 4, &request);
    struct px_str body = { 0 };
    if (!lua_isnoneornil(L, 3)) {
        body.ptr = luaL_checklstring(L, 3, &body.len);
    }
    struct px_task *task = px_task_check(L);

    struct fetch_op *fetch = calloc(1, sizeof(*fetch));
    if (!fetch || (body.ptr && !(request.body = px_block_copy(body)))) {
        free(fetch);
        return luaL_error(L, "not enough memory");
    }
    fetch->vm = vm;
    fetch->op = (struct px_op){ .cancel = fetch_cancel, .finish = fetch_finish, .task = task };
    struct px_error err = { PX_OK, "" };
    enum px_status st = px_reply_new(vm->conf.loop, vm->conf.fetcher, &request, on_wake, fetch,
                                     &fetch->reply, &err);
    px_block_drop(request.body);
    if (st) {
        free(fetch);
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    if (vm->conf.transfers) {
        ++*vm->conf.transfers;
    }
    px_reply_collect(fetch->reply, LIMIT_DEFAULT);
    px_reply_wait(fetch->reply, PX_REPLY_END);
    return px_task_await(task, &fetch->op);
}

void px_lua_open_fetch(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_fetch);
    lua_setfield(L, -2, "fetch");
    px_lua_add_media(L);
}
