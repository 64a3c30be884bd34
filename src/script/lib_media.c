// px.transfer.fetch_all: several files at once, for requests whose upstream wants the bytes. What
// comes is handed over in base64 and charged to nobody twice: the task may deal with so much more.

#include <stdlib.h>

#include "px/crypto.h"
#include "px/reply.h"
#include "request.h"
#include "vm_private.h"

/// Files of one call, and of one Lua state at the same time.
#define BATCH_MAX 8
#define RUNNING_MAX 64

#define SIZE_LIMIT ((lua_Number)(1 << 30))

struct media_op;

struct media_item {
    struct media_op *op;
    struct px_reply *reply;
    struct px_error err;  ///< Why it was not started.
};

struct media_op {
    struct px_op op;
    struct px_vm *vm;
    size_t count, pending;
    struct media_item items[BATCH_MAX];
};

static void media_cancel(struct px_op *op)
{
    struct media_op *media = (struct media_op *)op;
    struct px_vm *vm = media->vm;
    for (size_t i = 0; i < media->count; i++) {
        if (media->items[i].reply) {
            px_reply_free(media->items[i].reply);
            vm->media--;
            if (vm->conf.transfers) {
                --*vm->conf.transfers;
            }
        }
    }
    free(media);
}

/// Leaves { error = words } on the stack.
static void push_failure(lua_State *L, const char *words)
{
    lua_createtable(L, 0, 1);
    lua_pushstring(L, words);
    lua_setfield(L, -2, "error");
}

/// Leaves { status, headers, body } on the stack, the body in base64, with its size in `bytes`.
static void push_answer(lua_State *L, struct px_vm *vm, struct px_reply *reply)
{
    struct px_block *body = px_reply_body(reply);
    struct px_str bytes = body ? (struct px_str){ body->ptr, body->len } : PX_STR("");
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, px_reply_status(reply));
    lua_setfield(L, -2, "status");
    px_lua_push_reply_headers(L, reply);
    lua_setfield(L, -2, "headers");
    lua_pushinteger(L, (lua_Integer)bytes.len);
    lua_setfield(L, -2, "bytes");
    px_buf_reset(&vm->scratch);
    if (px_base64_encode(bytes, &vm->scratch)) {
        luaL_error(L, "not enough memory");
    }
    lua_pushlstring(L, vm->scratch.ptr ? vm->scratch.ptr : "", vm->scratch.len);
    lua_setfield(L, -2, "body");
}

static void push_item(lua_State *L, struct px_vm *vm, const struct media_item *item)
{
    const char *text = "";
    if (!item->reply) {
        push_failure(L, item->err.text);
    } else if (px_reply_truncated(item->reply)) {
        push_failure(L, "too large");
    } else if (px_reply_failure(item->reply, &text) != PX_FETCH_NONE) {
        push_failure(L, text);
    } else {
        push_answer(L, vm, item->reply);
    }
}

static int media_finish(struct px_op *op, lua_State *L)
{
    struct media_op *media = (struct media_op *)op;
    for (size_t i = 0; i < media->count; i++) {
        struct px_reply *reply = media->items[i].reply;
        struct px_block *body = reply ? px_reply_body(reply) : NULL;
        px_guard_allow(op->task, body ? body->len : 0);
    }
    lua_createtable(L, (int)media->count, 0);
    for (size_t i = 0; i < media->count; i++) {
        push_item(L, media->vm, &media->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    media_cancel(op);
    return 1;
}

static void on_wake(void *user)
{
    struct media_item *item = user;
    if (--item->op->pending == 0) {
        px_op_done(&item->op->op);
    }
}

static void start(struct media_op *media, const struct px_fetch_request *request, size_t limit)
{
    struct px_vm *vm = media->vm;
    struct media_item *item = &media->items[media->count++];
    item->op = media;
    if (px_reply_new(vm->conf.loop, vm->conf.fetcher, request, on_wake, item, &item->reply,
                     &item->err)) {
        item->reply = NULL;
        return;
    }
    vm->media++;
    if (vm->conf.transfers) {
        ++*vm->conf.transfers;
    }
    px_reply_collect(item->reply, limit);
    media->pending += !px_reply_wait(item->reply, PX_REPLY_END);
}

/// None was started: nothing to wait for. `errors` is memory that outlives the op.
static int push_none(lua_State *L, struct media_op *media, struct px_error *errors)
{
    size_t count = media->count;
    for (size_t i = 0; i < count; i++) {
        errors[i] = media->items[i].err;
    }
    media_cancel(&media->op);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_failure(L, errors[i].text);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/// Reads { url = guarded = } number `at` of the list at `idx`. Spans live in the list.
static void read_item(lua_State *L, int idx, size_t at, struct px_fetch_request *request)
{
    lua_rawgeti(L, idx, (int)at + 1);
    luaL_argcheck(L, lua_istable(L, -1), idx, "must be a list of tables");
    lua_getfield(L, -1, "url");
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, idx, "url must be a string");
    request->url.ptr = lua_tolstring(L, -1, &request->url.len);
    lua_getfield(L, -2, "guarded");
    request->guarded = lua_toboolean(L, -1);
    lua_pop(L, 3);
}

/// fetch_all(list, headers, limit, timeout): GETs up to 8 URLs at once, each { url =, guarded = }.
/// Waits for all. Gives a list of { status, headers, body, bytes } and { error }, or nil when too
/// many are under way already.
static int l_fetch_all(lua_State *L)
{
    struct px_vm *vm = px_vm_of(L);
    struct px_fetch_header headers[PX_LUA_HEADERS_MAX];
    struct px_fetch_request requests[BATCH_MAX];
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t count = lua_objlen(L, 1);
    luaL_argcheck(L, count > 0 && count <= BATCH_MAX, 1, "must be 1 to 8 URLs");
    size_t header_count = px_lua_read_headers(L, 2, headers, PX_LUA_HEADERS_MAX);
    lua_Number limit = luaL_checknumber(L, 3), timeout = luaL_checknumber(L, 4);
    luaL_argcheck(L, limit >= 1 && limit <= SIZE_LIMIT, 3, "must be 1 to 1073741824 bytes");
    luaL_argcheck(L, timeout > 0 && timeout <= 3600, 4, "must be 0 to 3600 seconds");
    for (size_t i = 0; i < count; i++) {
        requests[i] = (struct px_fetch_request){ .headers = headers,
                                                 .header_count = header_count,
                                                 .times = vm->conf.times };
        requests[i].times.total = (uint32_t)(timeout * 1000) + 1;
        read_item(L, 1, i, &requests[i]);
    }
    struct px_task *task = px_task_check(L);
    if (vm->media + count > RUNNING_MAX) {
        return 0;
    }
    struct px_error *unstarted = lua_newuserdata(L, count * sizeof(*unstarted));
    struct media_op *media = calloc(1, sizeof(*media));
    if (!media) {
        return luaL_error(L, "not enough memory");
    }
    media->op = (struct px_op){ .cancel = media_cancel, .finish = media_finish, .task = task };
    media->vm = vm;
    for (size_t i = 0; i < count; i++) {
        start(media, &requests[i], (size_t)limit);
    }
    return media->pending ? px_task_await(task, &media->op) : push_none(L, media, unstarted);
}

void px_lua_add_media(lua_State *L)
{
    lua_pushcfunction(L, l_fetch_all);
    lua_setfield(L, -2, "fetch_all");
}
