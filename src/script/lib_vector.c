// px.vector: embeddings from one form into the other, see px/vector.h.

#include <lauxlib.h>

#include "px/vector.h"
#include "vm_private.h"

#define VECTOR_MAX ((size_t)64 << 20)

typedef enum px_status (*turn_fn)(struct px_str from, struct px_buf *out);

/// Pushes what `turn` makes of the first argument, or nil.
static int push_turned(lua_State *L, turn_fn turn)
{
    struct px_str from;
    from.ptr = luaL_checklstring(L, 1, &from.len);
    struct px_buf *out = lua_newuserdata(L, sizeof(*out));
    *out = PX_BUF(VECTOR_MAX);
    luaL_getmetatable(L, "px.vector.buf");
    lua_setmetatable(L, -2);
    if (turn(from, out)) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, out->ptr ? out->ptr : "", out->len);
    }
    px_buf_free(out);
    return 1;
}

/// pack(json): the bytes of a JSON array's floats, nil if it is none.
static int l_pack(lua_State *L)
{
    return push_turned(L, px_vector_pack);
}

/// unpack(bytes): the JSON array, nil if they are no floats.
static int l_unpack(lua_State *L)
{
    return push_turned(L, px_vector_unpack);
}

static int buf_gc(lua_State *L)
{
    px_buf_free(lua_touserdata(L, 1));
    return 0;
}

void px_lua_open_vector(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "pack", l_pack },
        { "unpack", l_unpack },
        { NULL, NULL },
    };
    luaL_newmetatable(L, "px.vector.buf");
    lua_pushcfunction(L, buf_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
}
