// The environment of scripts: Lua's libraries without what reaches outside, and require() over the
// bundle. It catches mistakes, not malice: rules are trusted code.

#include <luajit.h>
#include <string.h>

#include "vm_private.h"

#define NESTING_MAX 100

// Every state compiles the text. Bytecode of one state would load faster in the others, but its
// table constructors lose their sizes: LuaJIT drops the members of a template that have no constant
// value, so that each table made from it grows step by step.
void px_sandbox_load(lua_State *L, const struct px_bundle_file *file)
{
    lua_pushfstring(L, "@%s", file->path.ptr);
    const char *chunk = lua_tostring(L, -1);
    if (luaL_loadbufferx(L, file->source.ptr, file->source.len, chunk, "t")) {
        lua_error(L);
    }
    lua_remove(L, -2);
}

/// require(name): a module of the bundle, run once.
static int l_require(lua_State *L)
{
    struct px_str name;
    name.ptr = luaL_checklstring(L, 1, &name.len);
    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "px.loaded");
    lua_pushvalue(L, 1);
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1)) {
        if (lua_islightuserdata(L, -1)) {
            return luaL_error(L, "module '%s' requires itself", name.ptr);
        }
        return 1;
    }
    struct px_vm *vm = px_vm_of(L);
    const struct px_bundle_file *file = px_bundle_module(vm->conf.bundle, name);
    if (!file) {
        return luaL_error(L, "module '%s' not found", name.ptr);
    }
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, vm);
    lua_rawset(L, 2);
    px_sandbox_load(L, file);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0)) {
        lua_pushvalue(L, 1);
        lua_pushnil(L);
        lua_rawset(L, 2);
        return lua_error(L);
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

/// load(text [, name [, mode [, env]]]): text only.
static int l_load(lua_State *L)
{
    size_t len;
    const char *source = luaL_checklstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, "=load");
    if (luaL_loadbufferx(L, source, len, name, "t")) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_istable(L, 4)) {
        lua_pushvalue(L, 4);
        lua_setfenv(L, -2);
    }
    return 1;
}

/// coroutine.resume, with a cap on how deep coroutines stand inside each other: each of them takes
/// a piece of the C stack.
static int l_resume(lua_State *L)
{
    struct px_vm *vm = px_vm_of(L);
    luaL_checktype(L, 1, LUA_TTHREAD);
    if (vm->nesting >= NESTING_MAX) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "coroutines are nested too deep");
        return 2;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    vm->nesting++;
    int rc = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    vm->nesting--;
    if (rc) {
        return lua_error(L);
    }
    return lua_gettop(L);
}

/// One more C function that calls back into Lua stands on the C stack.
static int l_enter(lua_State *L)
{
    struct px_vm *vm = px_vm_of(L);
    if (vm->nesting >= NESTING_MAX) {
        return luaL_error(L, "calls are nested too deep");
    }
    vm->nesting++;
    return 0;
}

/// leave(pcall(...)): one less, and what the call gave.
static int l_leave(lua_State *L)
{
    struct px_vm *vm = px_vm_of(L);
    vm->nesting -= vm->nesting > 0;  // A slice that began in between has set it to 0.
    if (!lua_toboolean(L, 1)) {
        lua_settop(L, 2);
        return lua_error(L);
    }
    return lua_gettop(L) - 1;
}

static const char LUA_SIDE[] =
    "local resume, enter, leave = ...\n"
    "local create, pcall, error, type = coroutine.create, pcall, error, type\n"
    "local function counted(fn)\n"
    "  return function(...)\n"
    "    enter()\n"
    "    return leave(pcall(fn, ...))\n"
    "  end\n"
    "end\n"
    "local function pass(ok, ...)\n"
    "  if ok then return ... end\n"
    "  error((...), 0)\n"
    "end\n"
    "coroutine.resume = resume\n"
    "function coroutine.wrap(fn)\n"
    "  local co = create(fn)\n"
    "  return function(...) return pass(resume(co, ...)) end\n"
    "end\n"
    "function xpcall(fn, handler, ...)\n"
    "  local function check(ok, ...)\n"
    "    if ok then return true, ... end\n"
    "    return false, handler((...))\n"
    "  end\n"
    "  return check(pcall(fn, ...))\n"
    "end\n"
    "table.sort = counted(table.sort)\n"
    "local plain, called = string.gsub, counted(string.gsub)\n"
    "function string.gsub(s, pattern, new, ...)\n"
    "  if type(new) == 'string' then return plain(s, pattern, new, ...) end\n"
    "  return called(s, pattern, new, ...)\n"
    "end\n"
    "local format, deep, select = string.format, counted(string.format), select\n"
    "function string.format(...)\n"
    "  for i = 2, select('#', ...) do\n"
    "    if type((select(i, ...))) == 'table' then return deep(...) end\n"
    "  end\n"
    "  return format(...)\n"
    "end\n";

/// Replaces what recurses in C, and xpcall, whose handler would run on top of the failed call.
static void replace(lua_State *L)
{
    if (luaL_loadbuffer(L, LUA_SIDE, sizeof(LUA_SIDE) - 1, "=px")) {
        lua_error(L);
    }
    lua_getglobal(L, "coroutine");
    lua_getfield(L, -1, "resume");
    lua_remove(L, -2);
    lua_pushcclosure(L, l_resume, 1);
    lua_pushcfunction(L, l_enter);
    lua_pushcfunction(L, l_leave);
    lua_call(L, 3, 0);
    lua_pushcfunction(L, l_require);
    lua_setglobal(L, "require");
    lua_pushcfunction(L, l_load);
    lua_setglobal(L, "load");
}

static void remove_fields(lua_State *L, const char *table, const char *const *names)
{
    lua_getglobal(L, table);
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

static void remove_what_reaches_outside(lua_State *L)
{
    static const char *const globals[] = { "io",       "ffi",        "debug",          "jit",
                                           "package",  "newproxy",   "collectgarbage", "dofile",
                                           "loadfile", "loadstring", "getfenv",        "setfenv",
                                           "module",   NULL };
    static const char *const os[] = { "execute", "exit",    "getenv",    "remove",
                                      "rename",  "tmpname", "setlocale", NULL };
    static const char *const string[] = { "dump", NULL };
    static const char *const table[] = { "foreach", "foreachi", NULL };
    remove_fields(L, "_G", globals);
    remove_fields(L, "os", os);
    remove_fields(L, "string", string);
    remove_fields(L, "table", table);
}

/// A global that nobody declared is a forgotten `local`: say so.
static int l_no_global(lua_State *L)
{
    return luaL_error(L, "assignment to the undeclared global '%s': use a local",
                      lua_tostring(L, 2) ? lua_tostring(L, 2) : "?");
}

static void lock_globals(lua_State *L)
{
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_newtable(L);
    lua_pushcfunction(L, l_no_global);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);

    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

void px_sandbox_open(lua_State *L, struct px_vm *vm)
{
    luaL_openlibs(L);
    // Opening the library jit turns the compiler on; its code would never look at hooks.
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "px.loaded");
    replace(L);
    if (!vm->conf.test) {
        remove_what_reaches_outside(L);
        lock_globals(L);
    }
}
