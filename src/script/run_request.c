// The methods of `ex` that concern the client: what it asked, and what it is answered.

#include <string.h>

#include "json_lua.h"
#include "px/crypto.h"
#include "px/http_url.h"
#include "px/log.h"
#include "request.h"
#include "run.h"

static int push_str(lua_State *L, struct px_str text)
{
    if (!text.ptr) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, text.ptr, text.len);
    }
    return 1;
}

static struct px_str check_text(lua_State *L, int arg)
{
    struct px_str text;
    text.ptr = luaL_checklstring(L, arg, &text.len);
    return text;
}

/// head(): method, path (as sent), query.
static int l_head(lua_State *L)
{
    struct run *run = px_run_check(L);
    push_str(L, px_exchange_head(run->ex)->method);
    push_str(L, px_exchange_path(run->ex));
    struct px_str query = px_exchange_query(run->ex);
    lua_pushlstring(L, query.len ? query.ptr : "", query.len);
    return 3;
}

/// header(name): the first value, or nil.
static int l_header(lua_State *L)
{
    struct run *run = px_run_check(L);
    return push_str(L, px_http_header_get(px_exchange_head(run->ex), check_text(L, 2)));
}

/// Adds a header to the table on top; a repeated one is joined by ", ".
static void add_header(lua_State *L, struct px_str name, struct px_str value)
{
    px_lua_push_lower(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, value.len ? value.ptr : "", value.len);
    } else {
        lua_pushliteral(L, ", ");
        lua_pushlstring(L, value.len ? value.ptr : "", value.len);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

/// headers(): a table of all, names in lower case.
static int l_headers(lua_State *L)
{
    const struct px_http_head *head = px_exchange_head(px_run_check(L)->ex);
    lua_createtable(L, 0, (int)head->count);
    for (size_t i = 0; i < head->count; i++) {
        add_header(L, head->headers[i].name, head->headers[i].value);
    }
    return 1;
}

static int l_peer(lua_State *L)
{
    lua_pushstring(L, px_exchange_peer(px_run_check(L)->ex));
    return 1;
}

/// query(name): a parameter's value, decoded; nil if there is none.
static int l_query(lua_State *L)
{
    struct run *run = px_run_check(L);
    struct px_buf *out = &run->vm->scratch;
    bool found = false;
    px_buf_reset(out);
    if (px_http_query_get(px_exchange_query(run->ex), check_text(L, 2), out, &found) || !found) {
        return 0;
    }
    lua_pushlstring(L, out->ptr ? out->ptr : "", out->len);
    return 1;
}

/// The key that the client presents, in whichever of the four places. Borrowed.
static struct px_str presented_key(struct run *run)
{
    const struct px_http_head *head = px_exchange_head(run->ex);
    struct px_str key = px_http_header_get(head, PX_STR("authorization"));
    if (key.len > 7 && px_http_same((struct px_str){ key.ptr, 7 }, PX_STR("Bearer "))) {
        return (struct px_str){ key.ptr + 7, key.len - 7 };
    }
    key = px_http_header_get(head, PX_STR("x-api-key"));
    if (key.len) {
        return key;
    }
    key = px_http_header_get(head, PX_STR("x-goog-api-key"));
    if (key.len || !px_exchange_query(run->ex).len) {
        return key;
    }
    struct px_buf *out = &run->vm->scratch;
    bool found = false;
    px_buf_reset(out);
    if (px_http_query_get(px_exchange_query(run->ex), PX_STR("key"), out, &found) || !found) {
        return (struct px_str){ 0 };
    }
    return px_buf_str(out);
}

/// client(): the name of the client whose key was presented; nil and whether there was a key.
static int l_client(lua_State *L)
{
    struct run *run = px_run_check(L);
    struct px_str key = presented_key(run);
    const char *name = NULL;
    for (size_t i = 0; i < run->vm->conf.client_count; i++) {
        const struct px_vm_client *client = &run->vm->conf.clients[i];
        struct px_str want = { client->key, strlen(client->key) };
        if (want.len && key.len && px_same_secret(key, want) && !name) {
            name = client->name;
        }
    }
    if (name) {
        lua_pushstring(L, name);
        return 1;
    }
    lua_pushnil(L);
    lua_pushboolean(L, key.len > 0);
    return 2;
}

/// body(): the body, or nil when there is none.
static int l_body(lua_State *L)
{
    struct run *run = px_run_check(L);
    struct px_block *body = px_exchange_body(run->ex);
    if (!body || !body->len) {
        return 0;
    }
    px_lua_push_body(L, body, &run->bodies);
    return 1;
}

/// release(): nobody needs the request's bytes again: its body and those made from it are freed.
static int l_release(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    px_body_release_all(&run->bodies);
    px_exchange_drop_body(run->ex);
    if (run->reply) {
        px_reply_drop_body(run->reply);
    }
    return 0;
}

static size_t read_headers(lua_State *L, int idx, struct px_http_header *out)
{
    struct px_fetch_header pairs[PX_LUA_HEADERS_MAX];
    size_t count = px_lua_read_headers(L, idx, pairs, PX_LUA_HEADERS_MAX);
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct px_http_header){ pairs[i].name, pairs[i].value };
    }
    return count;
}

#define PARTS_MAX 16  // Written at once.

static int check_status(lua_State *L, int arg)
{
    lua_Integer status = luaL_checkinteger(L, arg);
    luaL_argcheck(L, status >= 200 && status <= 599, arg, "must be a status of 200 to 599");
    return (int)status;
}

/// answer(status, headers, body): a whole answer; `body` is a string, a table that is written as
/// JSON, or nil.
static int l_answer(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    int status = check_status(L, 2);
    struct px_http_header headers[PX_LUA_HEADERS_MAX];
    size_t count = read_headers(L, 3, headers);
    if (lua_type(L, 4) == LUA_TTABLE) {
        px_exchange_answer(run->ex, status, headers, count, NULL, px_lua_json_text(L, 4));
        px_lua_json_text_end(L);
    } else {
        struct px_str body = lua_isnoneornil(L, 4) ? PX_STR("") : check_text(L, 4);
        px_exchange_answer(run->ex, status, headers, count, NULL, body);
    }
    return 0;
}

/// start(status, headers): an answer whose body follows in pieces.
static int l_start(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    int status = check_status(L, 2);
    struct px_http_header headers[PX_LUA_HEADERS_MAX];
    size_t count = read_headers(L, 3, headers);
    px_exchange_start(run->ex, status, headers, count, -1);
    return 0;
}

// The strings of the list at `idx` are one piece.
static void write_parts(lua_State *L, struct px_exchange *ex, int idx)
{
    struct px_str parts[PARTS_MAX];
    size_t count = lua_objlen(L, idx);
    for (size_t at = 0; at < count;) {
        size_t some = 0;
        for (; some < PARTS_MAX && at < count; some++) {
            lua_rawgeti(L, idx, (int)++at);
            luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, idx, "must be a list of strings");
            parts[some].ptr = lua_tolstring(L, -1, &parts[some].len);
            lua_pop(L, 1);  // The list holds it.
        }
        px_exchange_write_parts(ex, parts, some);
    }
}

/// write(text): a piece of the body, or a list of such, which go one behind the other; waits while
/// the client does not take what is queued.
static int l_write(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    if (lua_type(L, 2) == LUA_TTABLE) {
        write_parts(L, run->ex, 2);
    } else {
        px_exchange_write(run->ex, check_text(L, 2));
    }
    return px_exchange_full(run->ex) ? px_run_await(L, run, RUN_DRAIN, 0) : 0;
}

/// finish(): the body is complete.
static int l_finish(lua_State *L)
{
    px_exchange_finish(px_run_check_own(L)->ex);
    return 0;
}

/// abort(): the body cannot be completed; the connection is cut.
static int l_abort(lua_State *L)
{
    px_exchange_abort(px_run_check_own(L)->ex);
    return 0;
}

static int l_started(lua_State *L)
{
    lua_pushboolean(L, px_exchange_started(px_run_check(L)->ex));
    return 1;
}

static int l_sent(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)px_exchange_sent(px_run_check(L)->ex));
    return 1;
}

/// keep(record): gives the table to main.done() when the request is over.
static int l_keep(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_unref(L, LUA_REGISTRYINDEX, run->record_ref);
    run->record_ref = LUA_NOREF;
    run->record_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

void px_lua_open_run(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "abort", l_abort },   { "answer", l_answer },   { "body", l_body },
        { "client", l_client }, { "finish", l_finish },   { "head", l_head },
        { "header", l_header }, { "headers", l_headers }, { "keep", l_keep },
        { "peer", l_peer },     { "query", l_query },     { "release", l_release },
        { "sent", l_sent },     { "start", l_start },     { "started", l_started },
        { "write", l_write },   { NULL, NULL },
    };
    luaL_newmetatable(L, RUN_TYPE);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    px_run_add_reply_methods(L);
    px_run_add_upload_methods(L);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
