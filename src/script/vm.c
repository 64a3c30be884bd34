// A Lua state from its making to its end.

#include <luajit.h>
#include <stdlib.h>

#include "json_lua.h"
#include "px/clock.h"
#include "px/log.h"
#include "vm_private.h"

#define LOAD_MS 5000
#define SCRATCH_MAX ((size_t)256 << 20)

struct px_vm *px_vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

/// Makes `name` what require() gives for it. Takes the value on top.
static void set_loaded(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "px.loaded");
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static int open_state(lua_State *L)
{
    struct px_vm *vm = lua_touserdata(L, 1);
    px_sandbox_open(L, vm);
    // Compiled code never looks at hooks, so none may be made. Opening the libraries turns it on.
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    static const struct {
        const char *name;
        void (*open)(lua_State *L);
    } modules[] = {
        { "px.json", px_lua_open_json },      { "px.core", px_lua_open_core },
        { "px.transfer", px_lua_open_fetch }, { "px.crypto", px_lua_open_crypto },
        { "px.body", px_lua_open_body },      { "px.cache", px_lua_open_cache },
        { "px.vector", px_lua_open_vector },
    };
    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
        modules[i].open(L);
        set_loaded(L, modules[i].name);
    }
    px_lua_open_run(L);
    px_lua_json_decode(L, vm->conf.config);
    set_loaded(L, "px.settings");
    return 0;
}

static int take_function(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    if (!lua_isfunction(L, -1)) {
        luaL_error(L, "main has no function '%s'", name);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void call_rules(lua_State *L, const struct px_bundle_file *file)
{
    lua_getfield(L, -1, "rules");
    lua_pushlstring(L, file->path.ptr, file->path.len);
    px_sandbox_load(L, file);
    lua_call(L, 2, 0);
}

static int load_scripts(lua_State *L)
{
    struct px_vm *vm = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "main");
    lua_call(L, 1, 1);
    vm->handle_ref = take_function(L, "handle");
    vm->failed_ref = take_function(L, "failed");
    vm->done_ref = take_function(L, "done");
    for (size_t i = 0; i < px_bundle_count(vm->conf.bundle); i++) {
        const struct px_bundle_file *file = px_bundle_at(vm->conf.bundle, i);
        if (file->kind == PX_BUNDLE_RULES) {
            call_rules(L, file);
        }
    }
    lua_getfield(L, -1, "loaded");
    lua_call(L, 0, 0);
    return 0;
}

static enum px_status load(struct px_vm *vm, struct px_error *err)
{
    enum px_status st = PX_OK;
    uint32_t ms = vm->conf.load_ms ? vm->conf.load_ms : LOAD_MS;
    vm->load_end_ns = px_clock_ns() + ms * 1000000ull;
    if (lua_cpcall(vm->L, open_state, vm) ||
        (!vm->conf.test && lua_cpcall(vm->L, load_scripts, vm))) {
        st = px_fail(err, PX_EINVAL, "%s", px_lua_error_text(vm->L));
    }
    vm->load_end_ns = 0;
    vm->conf.config = (struct px_str){ 0 };
    if (!st) {
        lua_gc(vm->L, LUA_GCCOLLECT, 0);
        vm->base = vm->used;
    }
    return st;
}

enum px_status px_vm_new(const struct px_vm_conf *conf, struct px_vm **out, struct px_error *err)
{
    struct px_vm *vm = calloc(1, sizeof(*vm));
    if (!vm) {
        return px_fail(err, PX_ENOMEM, "no memory for a Lua state");
    }
    vm->conf = *conf;
    px_bundle_hold(conf->bundle);
    vm->scratch = PX_BUF(SCRATCH_MAX);
    px_task_init(vm);
    vm->L = lua_newstate(px_guard_alloc, vm);
    if (!vm->L) {
        px_vm_free(vm);
        return px_fail(err, PX_ENOMEM, "no memory for a Lua state");
    }
    px_guard_arm(vm);
    enum px_status st = load(vm, err);
    if (st) {
        px_vm_free(vm);
        return st;
    }
    *out = vm;
    return PX_OK;
}

void px_vm_free(struct px_vm *vm)
{
    if (!vm) {
        return;
    }
    if (vm->conf.loop) {
        px_vm_kill(vm);
        px_loop_undefer(vm->conf.loop, &vm->defer);
    }
    if (vm->L) {
        lua_close(vm->L);
        px_pool_deinit(&vm->pool);
    }
    px_buf_free(&vm->scratch);
    px_bundle_drop(vm->conf.bundle);
    free(vm);
}

void px_vm_stop(struct px_vm *vm)
{
    px_run_stop_all(vm);
    for (struct px_task *task = vm->all, *next; task; task = next) {
        next = task->next;
        if (task->aside) {
            px_task_cancel(task);
        }
    }
}

void px_vm_kill(struct px_vm *vm)
{
    while (vm->all) {
        px_task_cancel(vm->all);
    }
}

size_t px_vm_busy(const struct px_vm *vm)
{
    return vm->tasks + vm->run_count;
}

size_t px_vm_bytes(const struct px_vm *vm)
{
    return vm->used;
}

const char *px_vm_library(void)
{
    return &LUAJIT_VERSION[sizeof("LuaJIT ") - 1];
}
