// Runs Lua specs that need no more of the engine than px.json: lua_spec FILE...
//
// Modules are found under lua/ and tests/lua/ of the working directory. Prints TAP and the totals;
// the exit code is 1 when anything failed.

#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include "json_lua.h"

static int open_json(lua_State *L)
{
    px_lua_open_json(L);
    return 1;
}

// Arguments: the harness, the file.
static int run_file(lua_State *L)
{
    const char *file = lua_tostring(L, 2);
    lua_getfield(L, 1, "begin");
    lua_pushvalue(L, 2);
    lua_call(L, 1, 0);
    lua_getglobal(L, "debug");
    lua_getfield(L, -1, "traceback");
    if (luaL_loadfile(L, file) == 0 && lua_pcall(L, 0, 0, -2) == 0) {
        return 0;
    }
    lua_getfield(L, 1, "broken");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 0);
    return 0;
}

static int run(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_getglobal(L, "package");
    lua_pushliteral(L, "lua/?.lua;lua/?/init.lua;tests/lua/?.lua");
    lua_setfield(L, -2, "path");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, open_json);
    lua_setfield(L, -2, "px.json");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "harness");
    lua_call(L, 1, 1);
    int harness = lua_gettop(L);
    lua_pushboolean(L, 1);
    lua_setfield(L, harness, "many");
    for (int i = 1; i < argc; i++) {
        lua_pushcfunction(L, run_file);
        lua_pushvalue(L, harness);
        lua_pushstring(L, argv[i]);
        lua_call(L, 2, 0);
    }
    lua_getfield(L, harness, "totals");
    lua_call(L, 0, 1);
    return 1;
}

int main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    if (!L) {
        fputs("not enough memory\n", stderr);
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, run);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    bool good = lua_pcall(L, 2, 1, 0) == 0 && lua_toboolean(L, -1);
    if (lua_isstring(L, -1)) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    }
    lua_close(L);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
