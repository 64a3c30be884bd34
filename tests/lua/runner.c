// Runs Lua specs in a state of the engine: lua_spec FILE...
//
// px.json, px.core, px.body and the like are the engine's own; `splits` is for specs alone. Other
// modules are found under lua/ and tests/lua/ of the working directory, so that a changed file
// needs no build. Nothing runs in a task: what waits, raises. Prints TAP and the totals; the exit
// code is 1 when anything failed.

#include <stdio.h>
#include <stdlib.h>

#include "require.h"
#include "splits.h"
#include "vm_private.h"

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

struct arguments {
    int count;
    char **files;
    bool good;
};

static int run(lua_State *L)
{
    struct arguments *arguments = lua_touserdata(L, 1);
    open_require(L, "lua/?.lua;lua/?/init.lua;tests/lua/?.lua");
    open_splits(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "harness");
    lua_call(L, 1, 1);
    int harness = lua_gettop(L);
    lua_pushboolean(L, 1);
    lua_setfield(L, harness, "many");
    for (int i = 0; i < arguments->count; i++) {
        lua_pushcfunction(L, run_file);
        lua_pushvalue(L, harness);
        lua_pushstring(L, arguments->files[i]);
        lua_call(L, 2, 0);
    }
    lua_getfield(L, harness, "totals");
    lua_call(L, 0, 1);
    arguments->good = lua_toboolean(L, -1);
    return 0;
}

int main(int argc, char **argv)
{
    struct px_error err = { PX_OK, "" };
    struct px_vm *vm = NULL;
    struct px_vm_conf conf = { .config = PX_STR("{}"),
                               .counters = px_counters_new(),
                               .responses = px_cache_new(1 << 20),
                               .lists = px_cache_new(1 << 20),
                               .test = true };
    if (px_bundle_read(NULL, &conf.bundle, &err) || px_vm_new(&conf, &vm, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    struct arguments arguments = { argc - 1, argv + 1, false };
    if (lua_cpcall(vm->L, run, &arguments)) {
        fprintf(stderr, "%s\n", px_lua_error_text(vm->L));
    }
    px_vm_free(vm);
    px_bundle_drop(conf.bundle);
    px_counters_free(conf.counters);
    px_cache_free(conf.responses);
    px_cache_free(conf.lists);
    return arguments.good ? EXIT_SUCCESS : EXIT_FAILURE;
}
