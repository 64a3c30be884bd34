// px.core: waiting, tasks, log, counters, clocks: what lua/px builds its library on.

#include <stdlib.h>
#include <string.h>

#include "px/clock.h"
#include "px/crypto.h"
#include "px/log.h"
#include "vm_private.h"

#define TASKS_MAX 10000
#define SPAWN_ARGS_MAX 15  // A fresh coroutine has room for them.

struct sleep_op {
    struct px_op op;
    struct px_timer timer;
};

static void sleep_cancel(struct px_op *op)
{
    struct sleep_op *sleep = (struct sleep_op *)op;
    px_timer_stop(op->task->vm->conf.loop, &sleep->timer);
    free(sleep);
}

static int sleep_finish(struct px_op *op, lua_State *L)
{
    sleep_cancel(op);
    lua_pushboolean(L, 1);
    return 1;
}

static void on_timer(void *user)
{
    px_op_done(user);
}

/// sleep(seconds): waits. Gives true.
static int l_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 3600, 1, "must be between 0 and 3600 seconds");
    struct px_task *task = px_task_check(L);

    struct sleep_op *sleep = calloc(1, sizeof(*sleep));
    if (!sleep) {
        return luaL_error(L, "not enough memory");
    }
    sleep->op = (struct px_op){ .cancel = sleep_cancel, .finish = sleep_finish };
    sleep->timer = (struct px_timer){ .fn = on_timer, .user = sleep };
    if (px_timer_start(task->vm->conf.loop, &sleep->timer, (uint64_t)(seconds * 1000))) {
        free(sleep);
        return luaL_error(L, "not enough memory");
    }
    return px_task_await(task, &sleep->op);
}

static int push_spawned(lua_State *L, lua_State *co, void *user)
{
    (void)user;
    struct px_vm *vm = px_vm_of(L);
    lua_State *from = vm->running ? vm->running->co : NULL;
    int args = lua_gettop(from);
    for (int i = 1; i <= args; i++) {
        lua_pushvalue(from, i);
    }
    lua_xmove(from, co, args);
    return args - 1;
}

static void on_spawned_end(void *user, const struct px_error *error)
{
    (void)user;
    if (error && error->status != PX_ECANCELED) {
        px_log(PX_LOG_ERROR, "script", "a spawned task failed: %s", error->text);
    }
}

/// spawn(fn, ...): starts a task of its own. It goes on when its parent has ended.
static int l_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_argcheck(L, lua_gettop(L) <= SPAWN_ARGS_MAX + 1, SPAWN_ARGS_MAX + 2, "too many arguments");
    struct px_vm *vm = px_vm_of(L);
    px_task_check(L);
    if (vm->tasks >= TASKS_MAX) {
        return luaL_error(L, "too many tasks");
    }
    struct px_error err;
    struct px_task_conf conf = { .push = push_spawned, .on_end = on_spawned_end, .aside = true };
    if (px_task_start(vm, &conf, NULL, &err)) {
        return luaL_error(L, "cannot start a task: %s", err.text);
    }
    return 0;
}

/// log(level, text): level is error, warn, info or debug.
static int l_log(lua_State *L)
{
    static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
    int level = luaL_checkoption(L, 1, NULL, levels);
    const char *text = luaL_checkstring(L, 2);
    px_log((enum px_log_level)level, "script", "%s", text);
    return 0;
}

/// count(series [, n])
static int l_count(lua_State *L)
{
    struct px_vm *vm = px_vm_of(L);
    struct px_str series;
    series.ptr = luaL_checklstring(L, 1, &series.len);
    lua_Number n = luaL_optnumber(L, 2, 1);
    luaL_argcheck(L, n >= 0 && n <= 9e15, 2, "must be a number of at least 0");
    if (vm->conf.counters) {
        px_counters_add(vm->conf.counters, series, (uint64_t)n);
    }
    return 0;
}

/// now(): seconds since 1970, with milliseconds.
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)px_clock_wall_ms() / 1000);
    return 1;
}

/// clock(): seconds of the monotonic clock.
static int l_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)px_clock_ns() / 1e9);
    return 1;
}

static uint64_t stir(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/// id(): 24 letters and digits that no other call has given. Not a secret.
static int l_id(lua_State *L)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct px_vm *vm = px_vm_of(L);
    if (!vm->id_seed && px_random(&vm->id_seed, sizeof(vm->id_seed))) {
        return luaL_error(L, "the system gives no random bytes");
    }
    char id[24];
    for (size_t i = 0; i < sizeof(id); i += 8) {
        uint64_t bits = stir(&vm->id_seed);
        for (size_t k = 0; k < 8; k++, bits /= 62) {
            id[i + k] = letters[bits % 62];
        }
    }
    lua_pushlstring(L, id, sizeof(id));
    return 1;
}

/// modules(prefix): names of the bundle's modules that begin with `prefix`, each once, sorted.
static int l_modules(lua_State *L)
{
    size_t len;
    const char *prefix = luaL_checklstring(L, 1, &len);
    struct px_bundle *bundle = px_vm_of(L)->conf.bundle;
    lua_newtable(L);
    int at = 0;
    for (size_t i = 0; i < px_bundle_count(bundle); i++) {
        const struct px_bundle_file *file = px_bundle_at(bundle, i);
        bool begins = file->name.len > len && memcmp(file->name.ptr, prefix, len) == 0;
        if (file->kind == PX_BUNDLE_MODULE && begins &&
            px_bundle_module(bundle, file->name) == file) {
            lua_pushlstring(L, file->name.ptr, file->name.len);
            lua_rawseti(L, -2, ++at);
        }
    }
    return 1;
}

/// where(level): file and line of a caller, for messages about rules.
static int l_where(lua_State *L)
{
    lua_Debug ar;
    int level = (int)luaL_checkinteger(L, 1);
    if (!lua_getstack(L, level, &ar) || !lua_getinfo(L, "Sl", &ar)) {
        return 0;
    }
    lua_pushstring(L, ar.short_src);
    lua_pushinteger(L, ar.currentline);
    return 2;
}

/// locked(table): a read-only view of a table without functions; inner tables likewise.
static int l_read_only(lua_State *L)
{
    return luaL_error(L, "this table is read only");
}

static int l_locked(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
    return 1;
}

void px_lua_open_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "clock", l_clock },   { "id", l_id },       { "count", l_count },
        { "locked", l_locked }, { "log", l_log },     { "modules", l_modules },
        { "now", l_now },       { "sleep", l_sleep }, { "spawn", l_spawn },
        { "where", l_where },   { NULL, NULL },
    };
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
}
