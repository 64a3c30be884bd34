// px.cache: what all workers and generations share: bytes by key, see px/cache.h. Each of its
// caches is a table of the same functions, which know by an upvalue which one it is.

#include <lauxlib.h>

#include "px/cache.h"
#include "vm_private.h"

static struct px_str check_key(lua_State *L)
{
    struct px_str key;
    key.ptr = luaL_checklstring(L, 1, &key.len);
    return key;
}

static struct px_cache *own_cache(lua_State *L)
{
    const struct px_vm_conf *conf = &px_vm_of(L)->conf;
    return lua_toboolean(L, lua_upvalueindex(1)) ? conf->responses : conf->lists;
}

/// put(key, value, seconds): true, or false when there is no room for it.
static int l_put(lua_State *L)
{
    struct px_str key = check_key(L), value;
    value.ptr = luaL_checklstring(L, 2, &value.len);
    lua_Number seconds = luaL_checknumber(L, 3);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 3, "must be 0 to 1e9 seconds");
    struct px_cache *cache = own_cache(L);
    bool kept = cache && !px_cache_put(cache, key, value, (uint64_t)(seconds * 1000));
    lua_pushboolean(L, kept);
    return 1;
}

/// get(key): the value, nil if there is none.
static int l_get(lua_State *L)
{
    struct px_str key = check_key(L);
    struct px_cache *cache = own_cache(L);
    size_t len = cache ? px_cache_get(cache, key, NULL, 0) : SIZE_MAX;
    // Another thread may exchange the value between a look and the next.
    for (size_t room = len; len != SIZE_MAX; room = len) {
        char *value = lua_newuserdata(L, room);
        len = px_cache_get(cache, key, value, room);
        if (len <= room) {
            lua_pushlstring(L, value, len);
            return 1;
        }
    }
    lua_pushnil(L);
    return 1;
}

/// remove(key): whether there was a value.
static int l_remove(lua_State *L)
{
    struct px_str key = check_key(L);
    struct px_cache *cache = own_cache(L);
    lua_pushboolean(L, cache && px_cache_remove(cache, key));
    return 1;
}

void px_lua_open_cache(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "get", l_get },
        { "put", l_put },
        { "remove", l_remove },
        { NULL, NULL },
    };
    static const char *const names[] = { "lists", "responses" };
    lua_newtable(L);
    for (int i = 0; i < 2; i++) {
        lua_newtable(L);
        lua_pushboolean(L, i);
        luaL_setfuncs(L, functions, 1);
        lua_setfield(L, -2, names[i]);
    }
}
