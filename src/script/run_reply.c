// The methods of `ex` that concern the upstream: a request to it, and the ways to take its answer.

#include <stdio.h>
#include <string.h>

#include "px/http.h"
#include "request.h"
#include "run.h"

#define HEADERS_MAX 200

static struct px_reply *check_reply(lua_State *L, struct run *run)
{
    if (!run->reply) {
        luaL_error(L, "nothing was sent to an upstream");
    }
    return run->reply;
}

/// The body argument: a px.body, a string or nil. The caller drops the block.
static struct px_block *check_body(lua_State *L, int arg)
{
    struct body *body = px_lua_to_body(L, arg);
    if (body && body->block) {
        return px_block_hold(body->block);
    }
    if (lua_isnoneornil(L, arg)) {
        return NULL;
    }
    struct px_str text;
    text.ptr = luaL_checklstring(L, arg, &text.len);
    struct px_block *block = px_block_copy(text);
    if (!block) {
        luaL_error(L, "not enough memory");
    }
    return block;
}

/// The client's upload as the body, from its beginning. NULL, with what send() gives pushed, when
/// it cannot be sent.
static struct px_source *take_upload(lua_State *L, struct run *run)
{
    struct px_source *source = px_exchange_upload(run->ex);
    if (!source) {
        luaL_error(L, "the request's body is no upload");
    }
    if (px_source_broken(source, NULL) || !px_source_rewind(source)) {
        px_run_push_upload_failure(L, source);
        return NULL;
    }
    return source;
}

/// send(url, headers, body, options): asks the upstream and waits for its head. The body `true` is
/// the client's upload. Gives the status, or nil, a code and words; of an upload that breaks off
/// also the status that says so.
static int l_send(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    px_task_check(L);
    struct px_fetch_header headers[PX_LUA_HEADERS_MAX];
    struct px_fetch_request request = { .headers = headers, .times = run->vm->conf.times };
    request.url.ptr = luaL_checklstring(L, 2, &request.url.len);
    request.header_count = px_lua_read_headers(L, 3, headers, PX_LUA_HEADERS_MAX);
    px_lua_read_options(L, 5, &request);
    px_run_drop_reply(run);
    if (lua_isboolean(L, 4) && lua_toboolean(L, 4)) {
        request.source = take_upload(L, run);
        if (!request.source) {
            return 4;
        }
    } else {
        request.body = check_body(L, 4);  // Nothing below raises before it is dropped.
    }

    struct px_error err = { PX_OK, "" };
    enum px_status st = px_reply_new(run->vm->conf.loop, run->vm->conf.fetcher, &request,
                                     px_run_wake, run, &run->reply, &err);
    px_block_drop(request.body);
    if (st) {
        lua_pushnil(L);
        lua_pushstring(L, "connect");
        lua_pushstring(L, err.text);
        return 3;
    }
    if (run->vm->conf.transfers) {
        ++*run->vm->conf.transfers;
    }
    return px_run_await(L, run, RUN_HEAD, 0);
}

/// reply_header(name): its first value, or nil.
static int l_reply_header(lua_State *L)
{
    struct run *run = px_run_check(L);
    struct px_str name;
    name.ptr = luaL_checklstring(L, 2, &name.len);
    struct px_str value = px_reply_header(check_reply(L, run), name);
    if (!value.ptr) {
        return 0;
    }
    lua_pushlstring(L, value.ptr, value.len);
    return 1;
}

/// reply_headers(): a table, names in lower case; of a repeated one the last.
static int l_reply_headers(lua_State *L)
{
    struct run *run = px_run_check(L);
    px_lua_push_reply_headers(L, check_reply(L, run));
    return 1;
}

/// collect(limit): waits for the whole body: the text and whether it was cut at the limit, or nil,
/// a code and words.
static int l_collect(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    lua_Integer limit = luaL_checkinteger(L, 2);
    luaL_argcheck(L, limit > 0, 2, "must be positive");
    px_reply_collect(check_reply(L, run), (size_t)limit);
    return px_run_await(L, run, RUN_BODY, 0);
}

/// What a body is made of: 'sse', 'lines', or nil for one whole.
static enum px_framing check_framing(lua_State *L, int arg)
{
    static const char *const names[] = { "whole", "sse", "lines", NULL };
    return (enum px_framing)luaL_checkoption(L, arg, "whole", names);
}

/// How a body is relayed: what it is made of, or 'json' or 'bytes', which are forms of one whole.
static void read_form(lua_State *L, int arg, struct px_relay_conf *conf)
{
    enum { JSON = PX_FRAMING_LINES + 1, BYTES };
    static const char *const names[] = { "whole", "sse", "lines", "json", "bytes", NULL };
    int form = luaL_checkoption(L, arg, "whole", names);
    conf->framing = form < JSON ? (enum px_framing)form : PX_FRAMING_NONE;
    conf->json = form == JSON;
    conf->at_once = form == BYTES;
}

/// events(framing, keep): from now on next() gives events; with `keep` relay() may still follow.
static int l_events(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    px_reply_events(check_reply(L, run), check_framing(L, 2), lua_toboolean(L, 3));
    return 0;
}

/// next(seconds): waits for an event: its type and data; false when none came in time, nil at the
/// end.
static int l_next(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    lua_Number seconds = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, seconds >= 0 && seconds <= 86400, 2, "must be 0 to 86400 seconds");
    check_reply(L, run);
    return px_run_await(L, run, RUN_EVENT, (uint64_t)(seconds * 1000));
}

/// ended(): true after a complete answer; nil, a code and words after one that failed.
static int l_ended(lua_State *L)
{
    struct run *run = px_run_check(L);
    const char *text;
    enum px_fetch_failure failure = px_reply_failure(check_reply(L, run), &text);
    if (failure == PX_FETCH_NONE && !px_reply_broken(run->reply)) {
        lua_pushboolean(L, px_reply_ended(run->reply));
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, px_lua_failure_name(failure));
    lua_pushstring(L, text);
    return 3;
}

/// Headers of the upstream that are not the client's business, or that the host writes itself.
static bool passes(struct px_str name)
{
    static const struct px_str kept_back[] = {
        PX_STR("content-length"),
        PX_STR("date"),
        PX_STR("set-cookie"),
        PX_STR("alt-svc"),
        PX_STR("server"),
        PX_STR("strict-transport-security"),
        PX_STR("via"),
        PX_STR("nel"),
        PX_STR("report-to"),
        PX_STR("access-control-allow-origin"),
    };
    for (size_t i = 0; i < sizeof(kept_back) / sizeof(*kept_back); i++) {
        if (px_http_same(name, kept_back[i])) {
            return false;
        }
    }
    return !px_http_header_is_hop(NULL, name);
}

/// Reads the list of member names at `idx` into the run, which outlives the relay.
static void read_taps(lua_State *L, int idx, struct run *run)
{
    run->tap_count = 0;
    if (lua_isnoneornil(L, idx)) {
        return;
    }
    luaL_checktype(L, idx, LUA_TTABLE);
    for (size_t i = 0; i < RUN_TAPS; i++) {
        lua_rawgeti(L, idx, (int)i + 1);
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        if (name) {
            snprintf(run->taps[i], sizeof(run->taps[i]), "%s", name);
            run->tap[i] = run->taps[i];
            run->tap_count = i + 1;
        }
        lua_pop(L, 1);
        if (!name) {
            break;
        }
    }
}

/// relay(status, headers, framing, taps, keepalive): passes the body to the client byte for byte,
/// with the upstream's headers and `headers` over them. The framing 'json' is 'whole', of what
/// looks like JSON alone; 'bytes' is 'whole', passed on as it comes. Waits for the end: true, or
/// nil, a code and words. The caller finishes the answer.
static int l_relay(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    px_task_check(L);
    struct px_reply *reply = check_reply(L, run);
    struct px_http_header headers[HEADERS_MAX + PX_LUA_HEADERS_MAX];
    struct px_fetch_header own[PX_LUA_HEADERS_MAX];
    size_t own_count = px_lua_read_headers(L, 3, own, PX_LUA_HEADERS_MAX);
    size_t theirs, count = 0;
    const struct px_fetch_header *from = px_reply_headers(reply, &theirs);
    for (size_t i = 0; i < theirs && count < HEADERS_MAX; i++) {
        if (passes(from[i].name)) {
            headers[count++] = (struct px_http_header){ from[i].name, from[i].value };
        }
    }
    for (size_t i = 0; i < own_count; i++) {
        headers[count++] = (struct px_http_header){ own[i].name, own[i].value };
    }
    read_taps(L, 5, run);
    struct px_relay_conf conf = {
        .status = (int)luaL_checkinteger(L, 2),
        .headers = headers,
        .count = count,
        .tap = run->tap,
        .taps = run->tap_count,
        .keepalive_ms = 15000,
    };
    read_form(L, 4, &conf);
    if (!lua_isnoneornil(L, 6)) {
        conf.keepalive.ptr = luaL_checklstring(L, 6, &conf.keepalive.len);
    }
    px_reply_relay(reply, run->ex, &conf);
    return px_run_await(L, run, RUN_RELAY, 0);
}

/// tapped(): what the taps found: a table of member name and data; `done` is true after [DONE],
/// `blind` when the stream could not be read to its end, `inside` when what the client has of it
/// does not end where an event does.
static int l_tapped(lua_State *L)
{
    struct run *run = px_run_check(L);
    struct px_reply *reply = check_reply(L, run);
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < run->tap_count; i++) {
        struct px_str data = px_reply_tapped(reply, i);
        if (data.len) {
            lua_pushlstring(L, data.ptr, data.len);
            lua_setfield(L, -2, run->taps[i]);
        }
    }
    if (px_reply_done(reply)) {
        lua_pushliteral(L, "[DONE]");
        lua_setfield(L, -2, "done");
    }
    if (px_reply_blind(reply)) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "blind");
    }
    if (px_reply_inside(reply)) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "inside");
    }
    return 1;
}

/// cancel(): ends the transfer.
static int l_cancel(lua_State *L)
{
    px_run_drop_reply(px_run_check_own(L));
    return 0;
}

void px_run_add_reply_methods(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "cancel", l_cancel }, { "collect", l_collect },
        { "ended", l_ended },   { "events", l_events },
        { "next", l_next },     { "relay", l_relay },
        { "send", l_send },     { "reply_header", l_reply_header },
        { "tapped", l_tapped }, { "reply_headers", l_reply_headers },
        { NULL, NULL },
    };
    luaL_setfuncs(L, methods, 0);
}
