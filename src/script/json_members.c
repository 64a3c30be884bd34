#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_members.h"

// Every open container takes two stack slots: its table, and its metatable if it is one of ours
// (else nil). The codec holds the keys being sorted, so a raised error leaks nothing.

// -- Errors ---------------------------------------------------------------------------------------

// Pushes the key at which an object is.
void json_push_current_key(struct json_walk *walk, const struct json_level *level)
{
    if (level->kind == JSON_KIND_SORTED) {
        struct px_str key = walk->codec->keys[level->keys + level->at - 1].text;
        lua_pushlstring(walk->L, key.ptr, key.len);
    } else {
        lua_rawgeti(walk->L, level->table + 1, JSON_KEYS + (int)level->at - 1);
    }
}

static size_t add_step(struct json_walk *walk, const struct json_level *level, char *path,
                       size_t size)
{
    if (level->kind == JSON_KIND_ARRAY) {
        return (size_t)snprintf(path, size, "[%zu]", level->at - 1);
    }
    json_push_current_key(walk, level);
    struct px_str key;
    key.ptr = lua_tolstring(walk->L, -1, &key.len);
    bool plain = key.len > 0 && strcspn(key.ptr, ".[]\"\\\n\r\t") == key.len;
    struct px_buf *quoted = &walk->codec->scratch;
    px_buf_reset(quoted);
    int added = 0;
    if (plain) {
        added = snprintf(path, size, "%s%s", level == walk->levels ? "" : ".", key.ptr);
    } else if (px_json_quote(quoted, key) == PX_OK) {
        added = snprintf(path, size, "[%.*s]", (int)quoted->len, quoted->ptr);
    }
    lua_pop(walk->L, 1);
    return (size_t)added;
}

// Raises `what` with the path of the place.
int json_refuse(struct json_walk *walk, const char *what)
{
    char path[200] = "";
    size_t len = 0;
    luaL_checkstack(walk->L, 4, "no stack for JSON");
    for (unsigned i = 0; i < walk->depth && len < sizeof(path); i++) {
        if (walk->levels[i].at) {
            len += add_step(walk, &walk->levels[i], path + len, sizeof(path) - len);
        }
    }
    if (len >= sizeof(path)) {
        memcpy(path + sizeof(path) - 4, "...", 4);
    }
    return luaL_error(walk->L, "JSON: %s%s%s", path, path[0] ? ": " : "", what);
}

// -- Opening --------------------------------------------------------------------------------------

// The first bytes of a key as a number that orders keys as their bytes do, as far as it goes.
static uint64_t start_of(struct px_str key)
{
    uint64_t start = 0;
    if (key.len >= sizeof(start)) {
        memcpy(&start, key.ptr, sizeof(start));
        return be64toh(start);
    }
    for (size_t i = 0; i < key.len; i++) {
        start |= (uint64_t)(unsigned char)key.ptr[i] << (56 - 8 * i);
    }
    return start;
}

static int compare_keys(const void *a, const void *b)
{
    const struct json_key *left = a, *right = b;
    if (left->start != right->start) {
        return left->start < right->start ? -1 : 1;
    }
    struct px_str l = left->text, r = right->text;
    size_t len = l.len < r.len ? l.len : r.len;
    int order = len ? memcmp(l.ptr, r.ptr, len) : 0;
    return order ? order : (l.len > r.len) - (l.len < r.len);
}

// Sorts the last `len` keys of the codec.
static void sort_keys(struct json_codec *codec, size_t len)
{
    if (len < 2) {
        return;
    }
    struct json_key *keys = codec->keys + codec->keys_len - len;
    if (len > 32) {
        qsort(keys, len, sizeof(*keys), compare_keys);
        return;
    }
    for (size_t i = 1; i < len; i++) {
        struct json_key key = keys[i];
        size_t at = i;
        for (; at > 0 && compare_keys(&keys[at - 1], &key) > 0; at--) {
            keys[at] = keys[at - 1];
        }
        keys[at] = key;
    }
}

// Remembers the string key at `idx`, which its table keeps alive.
static void add_key(struct json_walk *walk, int idx)
{
    struct json_codec *codec = walk->codec;
    if (codec->keys_len == codec->keys_cap) {
        size_t cap = codec->keys_cap ? codec->keys_cap * 2 : 64;
        struct json_key *keys = realloc(codec->keys, cap * sizeof(*keys));
        if (!keys) {
            json_refuse(walk, "not enough memory");
            return;
        }
        codec->keys = keys;
        codec->keys_cap = cap;
    }
    struct json_key *key = &codec->keys[codec->keys_len++];
    key->text.ptr = lua_tolstring(walk->L, idx, &key->text.len);
    key->start = start_of(key->text);
}

// Counts the members of the table, checking that all keys have `type`.
static size_t count_members(struct json_walk *walk, int table, int type)
{
    lua_State *L = walk->L;
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != type) {
            json_refuse(walk, type == LUA_TNUMBER ? "an array has a key that is no index"
                                                  : "an object has a key that is no string");
        }
        count++;
    }
    return count;
}

// Collects and sorts the keys of an unmarked table, or finds that it is an array.
static void open_plain(struct json_walk *walk, struct json_level *level, bool object)
{
    lua_State *L = walk->L;
    int type = object ? LUA_TSTRING : LUA_TNONE;
    level->keys = walk->codec->keys_len;
    for (lua_pushnil(L); lua_next(L, level->table); lua_pop(L, 1)) {
        int found = lua_type(L, -2);
        if (type == LUA_TNONE && (found == LUA_TSTRING || found == LUA_TNUMBER)) {
            type = found;
        }
        if (found != type) {
            json_refuse(walk, object ? "an object has a key that is no string"
                                     : "a table has keys of different kinds");
        }
        if (type == LUA_TSTRING) {
            add_key(walk, -2);
        }
        level->len++;
    }
    if (type == LUA_TNONE) {
        json_refuse(walk,
                    "an empty table may be an array or an object: use json.array or json.object");
    }
    level->kind = type == LUA_TNUMBER ? JSON_KIND_ARRAY : JSON_KIND_SORTED;
    if (level->kind == JSON_KIND_SORTED) {
        sort_keys(walk->codec, level->len);
    }
}

static void open_marked_object(struct json_walk *walk, struct json_level *level)
{
    lua_State *L = walk->L;
    lua_rawgeti(L, -1, JSON_EXTRA);
    if (lua_type(L, -1) == LUA_TUSERDATA) {
        level->kind = JSON_KIND_SHAPED;
        level->layout = lua_touserdata(L, -1);
        level->len = level->layout->len;
    } else {
        level->kind = JSON_KIND_OWN;
        level->texts = lua_istable(L, -1);
        level->len = lua_objlen(L, level->table + 1) - JSON_KEYS + 1;
    }
    lua_pop(L, 1);
    if (level->len == 0) {
        open_plain(walk, level, true);
    } else {
        level->total = count_members(walk, level->table, LUA_TSTRING);
    }
}

// Makes the table on top of the stack a level.
void json_open_level(struct json_walk *walk)
{
    lua_State *L = walk->L;
    if (walk->depth == PX_JSON_DEPTH) {
        json_refuse(walk, "nests deeper than 128 levels, or holds itself");
    }
    luaL_checkstack(L, 12, "no stack for JSON");
    struct json_level *level = &walk->levels[walk->depth++];
    *level = (struct json_level){ .table = lua_gettop(L) };
    void *mark = NULL;
    if (lua_getmetatable(L, -1)) {
        lua_rawgeti(L, -1, JSON_MARK);
        mark = lua_type(L, -1) == LUA_TLIGHTUSERDATA ? lua_touserdata(L, -1) : NULL;
        lua_pop(L, 1);
    } else {
        lua_pushnil(L);
    }
    if (mark == json_object_mark(walk->codec)) {
        open_marked_object(walk, level);
    } else if (mark == json_array_mark(walk->codec)) {
        level->kind = JSON_KIND_ARRAY;
        lua_rawgeti(L, -1, JSON_EXTRA);
        level->texts = lua_istable(L, -1);
        lua_pop(L, 1);
        level->len = count_members(walk, level->table, LUA_TNUMBER);
    } else {
        open_plain(walk, level, false);
    }
}

// -- Walking --------------------------------------------------------------------------------------

// Goes on to the members that the metatable does not name.
void json_collect_new(struct json_walk *walk, struct json_level *level)
{
    lua_State *L = walk->L;
    lua_createtable(L, 0, (int)level->len);
    for (size_t i = 0; i < level->len; i++) {
        lua_rawgeti(L, level->table + 1, JSON_KEYS + (int)i);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    }
    int known = lua_gettop(L);
    size_t keys = walk->codec->keys_len, len = 0;
    for (lua_pushnil(L); lua_next(L, level->table); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, known);
        bool new = lua_isnil(L, -1);
        lua_pop(L, 1);
        if (new) {
            add_key(walk, -2);
            len++;
        }
    }
    lua_pop(L, 1);
    sort_keys(walk->codec, len);
    level->kind = JSON_KIND_SORTED;
    level->texts = false;
    level->keys = keys;
    level->len = len;
    level->at = 0;
}

// Pushes the next member that a metatable names. False when there is none left.
bool json_next_named(struct json_walk *walk, struct json_level *level)
{
    lua_State *L = walk->L;
    while (level->at < level->len) {
        size_t i = level->at++;
        lua_rawgeti(L, level->table + 1, JSON_KEYS + (int)i);
        lua_rawget(L, level->table);
        if (!lua_isnil(L, -1)) {
            return true;
        }
        lua_pop(L, 1);
    }
    return false;
}

void json_push_keys(lua_State *L, struct json_codec *codec, int idx)
{
    struct json_walk walk;
    walk.L = L;
    walk.codec = codec;
    walk.depth = 0;
    codec->keys_len = 0;
    lua_newtable(L);
    int list = lua_gettop(L), len = 0;
    lua_pushnil(L);
    if (!lua_next(L, idx)) {
        return;
    }
    lua_pop(L, 2);
    lua_pushvalue(L, idx);
    json_open_level(&walk);
    struct json_level *level = walk.levels;
    luaL_argcheck(L, level->kind != JSON_KIND_ARRAY, idx, "an object is needed");
    if (level->kind != JSON_KIND_SORTED) {
        while (json_next_named(&walk, level)) {
            lua_pop(L, 1);
            json_push_current_key(&walk, level);
            lua_rawseti(L, list, ++len);
        }
        if ((size_t)len == level->total) {
            lua_settop(L, list);
            return;
        }
        json_collect_new(&walk, level);
    }
    while (level->at < level->len) {
        level->at++;
        json_push_current_key(&walk, level);
        lua_rawseti(L, list, ++len);
    }
    lua_settop(L, list);
}
