// The methods of `ex` that concern an upload: a body of multipart/form-data, which is not kept. Its
// fields are looked for in what has come when the request begins.

#include "px/http_multipart.h"
#include "run.h"

int px_run_push_upload_failure(lua_State *L, const struct px_source *upload)
{
    const char *text;
    int status = px_source_broken(upload, &text);
    lua_pushnil(L);
    lua_pushliteral(L, "upload");
    lua_pushstring(L, status ? text : "Too much of the upload was sent to send it again.");
    lua_pushinteger(L, status ? status : 502);
    return 4;
}

static struct px_source *check_upload(lua_State *L, const struct run *run)
{
    struct px_source *source = px_exchange_upload(run->ex);
    if (!source) {
        luaL_error(L, "the request's body is no upload");
    }
    return source;
}

/// upload(): true if the body is an upload.
static int l_upload(lua_State *L)
{
    lua_pushboolean(L, px_exchange_upload(px_run_check(L)->ex) != NULL);
    return 1;
}

static enum px_multipart_found find(lua_State *L, const struct run *run, struct px_str *value,
                                    struct px_error *err)
{
    struct px_str name, type = PX_STR("content-type");
    name.ptr = luaL_checklstring(L, 2, &name.len);
    bool whole;
    struct px_str bytes = px_source_begin(check_upload(L, run), &whole);
    type = px_http_header_get(px_exchange_head(run->ex), type);
    return px_http_multipart_find(bytes, whole, type, name, value, err);
}

/// field(name): the value of a field; nil and 'absent', 'late' (it did not come among the first
/// bytes), or words that say what is wrong with the upload.
static int l_field(lua_State *L)
{
    struct px_str value;
    struct px_error err = { PX_OK, "" };
    switch (find(L, px_run_check(L), &value, &err)) {
    case PX_MULTIPART_FOUND: lua_pushlstring(L, value.ptr, value.len); return 1;
    case PX_MULTIPART_ABSENT:
        lua_pushnil(L);
        lua_pushliteral(L, "absent");
        return 2;
    case PX_MULTIPART_LATE:
        lua_pushnil(L);
        lua_pushliteral(L, "late");
        return 2;
    default:
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
}

/// set_field(name, text): exchanges the value of a field that field() finds. Raises if there is
/// none, or if something of the upload was sent already.
static int l_set_field(lua_State *L)
{
    struct run *run = px_run_check_own(L);
    struct px_str value, text;
    text.ptr = luaL_checklstring(L, 3, &text.len);
    if (memmem(text.ptr, text.len, "\r\n", 2)) {
        return luaL_error(L, "a field of an upload has no line breaks");
    }
    if (run->reply || find(L, run, &value, NULL) != PX_MULTIPART_FOUND) {
        return luaL_error(L, "the upload has no such field that can be set");
    }
    if (px_source_splice(px_exchange_upload(run->ex), value, text)) {
        return luaL_error(L, "not enough memory");
    }
    return 0;
}

void px_run_add_upload_methods(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "field", l_field },
        { "set_field", l_set_field },
        { "upload", l_upload },
        { NULL, NULL },
    };
    luaL_setfuncs(L, methods, 0);
}
