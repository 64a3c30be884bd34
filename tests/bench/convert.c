// Measures what a large conversation costs to convert, against what cJSON takes to parse and print
// the same bytes: bench_convert, in the project's folder. A line for each pair: from, to, bytes,
// microseconds of the conversion, of cJSON, ratio.

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "px/clock.h"
#include "require.h"
#include "vm_private.h"

static int parse_and_print(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    cJSON *tree = cJSON_ParseWithLength(text, len);
    char *printed = tree ? cJSON_PrintUnformatted(tree) : NULL;
    cJSON_free(printed);
    cJSON_Delete(tree);
    return printed ? 0 : luaL_error(L, "cJSON does not read it");
}

static int get_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)px_clock_cpu_ns() / 1000);
    return 1;
}

static int run(lua_State *L)
{
    open_require(L, "lua/?.lua;lua/?/init.lua");
    lua_pushcfunction(L, parse_and_print);
    lua_setglobal(L, "parse_and_print");
    lua_pushcfunction(L, get_clock);
    lua_setglobal(L, "clock");
    if (luaL_loadfile(L, "tests/bench/convert.lua")) {
        return lua_error(L);
    }
    lua_call(L, 0, 0);
    return 0;
}

int main(void)
{
    struct px_error err = { PX_OK, "" };
    struct px_vm *vm = NULL;
    struct px_vm_conf conf = { .config = PX_STR("{}"), .test = true };
    if (px_bundle_read(NULL, &conf.bundle, &err) || px_vm_new(&conf, &vm, &err)) {
        fprintf(stderr, "bench_convert: %s\n", err.text);
        return EXIT_FAILURE;
    }
    bool bad = lua_cpcall(vm->L, run, NULL);
    if (bad) {
        fprintf(stderr, "bench_convert: %s\n", px_lua_error_text(vm->L));
    }
    px_vm_free(vm);
    px_bundle_drop(conf.bundle);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
