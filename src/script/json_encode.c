#include <string.h>

#include "json_members.h"

// Containers are written by a loop over levels, not by recursion. Every open container takes two
// stack slots: its table, and its metatable if it is one of ours (else nil). A value to be written
// is on top of the stack; writing it takes it off, or makes it the table of a new level.

struct encode {
    struct json_walk walk;
    struct px_buf *out;
    int list;   ///< Stack index of the list that long strings go to; 0 if there is none.
    int known;  ///< ... of the table of strings that have been quoted.
};

#define APART_MIN 2048  ///< Bytes of a string that is long.

// -- Output ---------------------------------------------------------------------------------------

static void check(struct encode *e, enum px_status st)
{
    if (st) {
        json_refuse(&e->walk,
                    st == PX_ETOOBIG ? "the text grows beyond its limit" : "not enough memory");
    }
}

static inline void put(struct encode *e, const char *bytes, size_t len)
{
    struct px_buf *out = e->out;
    if (len <= out->cap - out->len && len <= out->limit - out->len) {
        memcpy(out->ptr + out->len, bytes, len);
        out->len += len;
    } else {
        check(e, px_buf_add(out, (struct px_str){ bytes, len }));
    }
}

static void put_number(struct encode *e)
{
    char text[PX_JSON_NUMBER_MAX];
    size_t len = px_json_print_number(lua_tonumber(e->walk.L, -1), text);
    if (!len) {
        json_refuse(&e->walk, "NaN and infinity cannot be written");
    }
    put(e, text, len);
}

// Writes the number on top of the stack by its text, if that still means the same. The key is at
// `-1 - below`.
static bool put_number_text(struct encode *e, const struct json_level *level)
{
    lua_State *L = e->walk.L;
    lua_rawgeti(L, level->table + 1, JSON_EXTRA);
    if (level->kind == JSON_KIND_ARRAY) {
        lua_rawgeti(L, -1, (int)level->at);
    } else {
        json_push_current_key(&e->walk, level);
        lua_rawget(L, -2);
    }
    struct px_str text = { NULL, 0 };
    if (lua_type(L, -1) == LUA_TSTRING) {
        text.ptr = lua_tolstring(L, -1, &text.len);
    }
    double now = lua_tonumber(L, -3), then = 0;
    bool same = false;
    if (text.len) {
        px_json_read_number(text, &then);
        same = memcmp(&now, &then, sizeof(now)) == 0;
    }
    if (same) {
        put(e, text.ptr, text.len);
    }
    lua_pop(L, 2);
    return same;
}

static void put_text(struct encode *e)
{
    const struct json_text *text = json_to_text(e->walk.L, e->walk.codec, -1, STORE_NUMBER);
    if (!text) {
        text = json_to_text(e->walk.L, e->walk.codec, -1, STORE_RAW);
    }
    if (!text) {
        json_refuse(&e->walk, "a userdata cannot be written");
        return;
    }
    if (e->walk.depth + text->depth > PX_JSON_DEPTH) {
        json_refuse(&e->walk, "nests deeper than 128 levels");
    }
    put(e, text->text, text->len);
}

// Moves what is written so far to the end of the list.
static void flush(struct encode *e)
{
    lua_State *L = e->walk.L;
    if (e->out->len) {
        lua_pushlstring(L, e->out->ptr, e->out->len);
        lua_rawseti(L, e->list, (int)lua_objlen(L, e->list) + 1);
        px_buf_reset(e->out);
    }
}

// Puts the string on top of the stack in the list, quoted, without a copy if it was quoted before.
static void put_apart(struct encode *e, struct px_str text)
{
    lua_State *L = e->walk.L;
    flush(e);
    lua_pushvalue(L, -1);
    lua_rawget(L, e->known);
    if (!lua_isstring(L, -1)) {
        check(e, px_json_quote(e->out, text));
        lua_pushvalue(L, -2);
        lua_pushlstring(L, e->out->ptr, e->out->len);
        px_buf_reset(e->out);
        lua_pushvalue(L, -1);
        lua_replace(L, -4);
        lua_rawset(L, e->known);
    }
    lua_rawseti(L, e->list, (int)lua_objlen(L, e->list) + 1);
}

// -- Walking --------------------------------------------------------------------------------------

// Writes the key of the member that json_next_named() pushed.
static void put_named_key(struct encode *e, struct json_level *level)
{
    size_t i = level->at - 1;
    bool first = level->written++ == 0;
    if (level->kind == JSON_KIND_SHAPED) {
        const struct json_layout *layout = level->layout;
        unsigned begin = i ? layout->ends[i - 1] : 0;
        put(e, json_layout_text(layout) + begin + first, layout->ends[i] - begin - first);
        return;
    }
    struct px_str key;
    put(e, ",", !first);
    json_push_current_key(&e->walk, level);
    key.ptr = lua_tolstring(e->walk.L, -1, &key.len);
    check(e, px_json_quote(e->out, key));
    lua_pop(e->walk.L, 1);
    put(e, ":", 1);
}

static bool next_sorted(struct encode *e, struct json_level *level)
{
    if (level->at == level->len) {
        return false;
    }
    struct px_str key = e->walk.codec->keys[level->keys + level->at++].text;
    put(e, ",", level->written++ > 0);
    check(e, px_json_quote(e->out, key));
    put(e, ":", 1);
    lua_pushlstring(e->walk.L, key.ptr, key.len);
    lua_rawget(e->walk.L, level->table);
    return true;
}

static bool next_element(struct encode *e, struct json_level *level)
{
    if (level->at == level->len) {
        return false;
    }
    put(e, ",", level->at > 0);
    lua_rawgeti(e->walk.L, level->table, (int)++level->at);
    if (lua_isnil(e->walk.L, -1)) {
        json_refuse(&e->walk, "an array has a hole, or keys that are no indexes");
    }
    return true;
}

// Pushes the next member's value, after writing what stands before it. False at the end.
static bool next_member(struct encode *e, struct json_level *level)
{
    if (level->kind == JSON_KIND_ARRAY) {
        return next_element(e, level);
    }
    if (level->kind != JSON_KIND_SORTED) {
        if (json_next_named(&e->walk, level)) {
            put_named_key(e, level);
            return true;
        }
        if (level->written == level->total) {
            return false;
        }
        json_collect_new(&e->walk, level);
    }
    return next_sorted(e, level);
}

// Writes the value on top of the stack and takes it off; a table becomes the innermost level.
static void put_value(struct encode *e)
{
    lua_State *L = e->walk.L;
    struct px_str text;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        text.ptr = lua_tolstring(L, -1, &text.len);
        if (e->list && text.len >= APART_MIN) {
            put_apart(e, text);
        } else {
            check(e, px_json_quote(e->out, text));
        }
        break;
    case LUA_TNUMBER:
        if (!e->walk.depth || !json_top_level(&e->walk)->texts ||
            !put_number_text(e, json_top_level(&e->walk))) {
            put_number(e);
        }
        break;
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, -1)) {
            put(e, "true", 4);
        } else {
            put(e, "false", 5);
        }
        break;
    case LUA_TTABLE:
        json_open_level(&e->walk);
        put(e, json_top_level(&e->walk)->kind == JSON_KIND_ARRAY ? "[" : "{", 1);
        return;
    case LUA_TUSERDATA: put_text(e); break;
    case LUA_TLIGHTUSERDATA:
        if (px_lua_json_is_null(L, -1)) {
            put(e, "null", 4);
            break;
        }
        json_refuse(&e->walk, "this light userdata cannot be written");
        break;
    default:
        lua_pushfstring(L, "a %s cannot be written", luaL_typename(L, -1));
        json_refuse(&e->walk, lua_tostring(L, -1));
    }
    lua_pop(L, 1);
}

static void close_level(struct encode *e, struct json_level *level)
{
    put(e, level->kind == JSON_KIND_ARRAY ? "]" : "}", 1);
    if (level->kind == JSON_KIND_SORTED) {
        e->walk.codec->keys_len = level->keys;
    }
    lua_settop(e->walk.L, level->table - 1);
    e->walk.depth--;
}

// Writes the value at `idx`.
static void write_all(struct encode *e, int idx)
{
    lua_State *L = e->walk.L;
    e->walk.depth = 0;
    e->walk.codec->keys_len = 0;
    luaL_checkstack(L, 8, "no stack for JSON");
    lua_pushvalue(L, idx);
    put_value(e);
    while (e->walk.depth) {
        struct json_level *level = json_top_level(&e->walk);
        if (next_member(e, level)) {
            put_value(e);
        } else {
            close_level(e, level);
        }
    }
}

void json_encode(lua_State *L, struct json_codec *codec, int idx, struct px_buf *out)
{
    struct encode e;
    e.walk.L = L;
    e.walk.codec = codec;
    e.out = out;
    e.list = 0;
    write_all(&e, idx);
}

void json_append(lua_State *L, struct json_codec *codec, int idx, int list, int known)
{
    struct encode e;
    e.walk.L = L;
    e.walk.codec = codec;
    e.out = &codec->out;
    e.list = list;
    e.known = known;
    px_buf_reset(e.out);
    write_all(&e, idx);
    flush(&e);
}
