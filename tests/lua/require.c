#include "require.h"

#include <lualib.h>

void open_require(lua_State *L, const char *path)
{
    lua_pushcfunction(L, luaopen_base);
    lua_pushliteral(L, "");
    lua_call(L, 1, 0);
    lua_pushcfunction(L, luaopen_package);
    lua_call(L, 0, 0);
    lua_getglobal(L, "package");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
    lua_getfield(L, -1, "loaded");
    lua_getfield(L, LUA_REGISTRYINDEX, "px.loaded");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, -5);
    }
}
