#include "request.h"

#include "px/reply.h"
#include "vm_private.h"

static struct px_str to_str(lua_State *L, int idx)
{
    struct px_str text;
    text.ptr = lua_tolstring(L, idx, &text.len);
    return text;
}

size_t px_lua_read_headers(lua_State *L, int idx, struct px_fetch_header *out, size_t max)
{
    if (lua_isnoneornil(L, idx)) {
        return 0;
    }
    luaL_checktype(L, idx, LUA_TTABLE);
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
            luaL_error(L, "headers must be strings");
        }
        if (count == max) {
            luaL_error(L, "more than %d headers", (int)max);
        }
        out[count].name = to_str(L, -2);
        out[count].value = to_str(L, -1);
        count++;
        lua_pop(L, 1);
    }
    return count;
}

static struct px_str text_field(lua_State *L, int idx, const char *name)
{
    lua_getfield(L, idx, name);
    struct px_str text = { 0 };
    if (lua_type(L, -1) == LUA_TSTRING) {
        text = to_str(L, -1);  // The table keeps it alive.
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "%s must be a string", name);
    }
    lua_pop(L, 1);
    return text;
}

static bool flag_field(lua_State *L, int idx, const char *name)
{
    lua_getfield(L, idx, name);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

void px_lua_read_options(lua_State *L, int idx, struct px_fetch_request *request)
{
    if (lua_isnoneornil(L, idx)) {
        return;
    }
    luaL_checktype(L, idx, LUA_TTABLE);
    request->method = text_field(L, idx, "method");
    request->proxy = text_field(L, idx, "proxy");
    request->ca_file = text_field(L, idx, "ca_file");
    request->streamed = flag_field(L, idx, "streamed");
    request->http2 = flag_field(L, idx, "http2");
    lua_getfield(L, idx, "timeout");
    if (!lua_isnil(L, -1)) {
        lua_Number seconds = luaL_checknumber(L, -1);
        if (!(seconds > 0 && seconds <= 86400)) {
            luaL_error(L, "timeout must be between 0 and 86400 seconds");
        }
        request->times.total = (uint32_t)(seconds * 1000);
    }
    lua_pop(L, 1);
}

const char *px_lua_failure_name(enum px_fetch_failure failure)
{
    switch (failure) {
    case PX_FETCH_CONNECT: return "connect";
    case PX_FETCH_TIMEOUT: return "timeout";
    case PX_FETCH_CUT: return "cut";
    case PX_FETCH_PROTOCOL: return "protocol";
    case PX_FETCH_UPLOAD: return "upload";
    default: return "internal";
    }
}

void px_lua_push_lower(lua_State *L, struct px_str text)
{
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        luaL_addchar(&out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    luaL_pushresult(&out);
}

void px_lua_push_reply_headers(lua_State *L, const struct px_reply *reply)
{
    size_t count;
    const struct px_fetch_header *headers = px_reply_headers(reply, &count);
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        px_lua_push_lower(L, headers[i].name);
        lua_pushlstring(L, headers[i].value.len ? headers[i].value.ptr : "", headers[i].value.len);
        lua_rawset(L, -3);
    }
}
