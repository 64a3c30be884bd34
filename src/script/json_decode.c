#include <string.h>

#include "json_shape.h"

// The text is read token by token, and each token becomes a Lua value at once. Every open container
// takes two stack slots: its table, and its own metatable once it needs one (nil until then). An
// object that has none follows the tree of shapes.
//
// No C memory is held but the codec's scratch buffer, so a raised error leaks nothing.

#define HINT_MAX 32  // Room made in advance for a container, so that tables seldom grow.

struct level {
    int table;  // Stack index; the metatable or nil is behind it.
    bool object;
    bool own;                  // Has a metatable of its own.
    size_t len;                // Members so far.
    struct json_shape *shape;  // Where a hint for containers below this one is kept; objects only.
    unsigned hint;             // The same for arrays.
};

struct decode {
    lua_State *L;
    struct json_codec *codec;
    struct px_json_reader reader;
    int store, anchors, array;
    struct json_shape *root;
    unsigned depth;
    bool vectors;       // Arrays of numbers stay text.
    const char *end;    // Of the text.
    struct px_str odd;  // Text of the last number if it must be kept.
    struct level levels[PX_JSON_DEPTH];
};

static struct px_str unquote(struct decode *d, struct px_str raw, bool escaped)
{
    if (!escaped) {
        return (struct px_str){ raw.ptr + 1, raw.len - 2 };
    }
    px_buf_reset(&d->codec->scratch);
    if (px_json_unquote(raw, &d->codec->scratch) != PX_OK) {
        luaL_error(d->L, "not enough memory");
    }
    return px_buf_str(&d->codec->scratch);
}

// -- Metatables of one's own ----------------------------------------------------------------------

// Gives the innermost container a metatable of its own, with the keys that it has so far.
static void make_own(struct decode *d, struct level *level)
{
    lua_State *L = d->L;
    if (level->object) {
        json_push_metatable(L, level->shape->len + 4, json_object_mark(d->codec));
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, JSON_EXTRA);
        json_shape_copy_keys(L, d->anchors, level->shape);
        level->len = level->shape->len;
    } else {
        json_push_metatable(L, 0, json_array_mark(d->codec));
    }
    lua_replace(L, level->table + 1);
    level->own = true;
}

// Pushes the table of number texts, made if there is none.
static void push_texts(struct decode *d, struct level *level)
{
    lua_State *L = d->L;
    lua_rawgeti(L, level->table + 1, JSON_EXTRA);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, level->table + 1, JSON_EXTRA);
    }
}

// Keeps the text of the number on top of the stack; in an object its key is below.
static void keep_odd(struct decode *d, struct level *level)
{
    lua_State *L = d->L;
    if (!level->own) {
        make_own(d, level);
    }
    push_texts(d, level);
    lua_pushlstring(L, d->odd.ptr, d->odd.len);
    if (level->object) {
        lua_pushvalue(L, -4);
        lua_insert(L, -2);
        lua_rawset(L, -3);
    } else {
        lua_rawseti(L, -2, (int)level->len + 1);
    }
    lua_pop(L, 1);
    d->odd.len = 0;
}

// Adds the key on top of the stack to the object's own metatable, unless it is there already.
static void add_own_key(struct decode *d, struct level *level)
{
    lua_State *L = d->L;
    lua_pushvalue(L, -1);
    lua_rawget(L, level->table);
    bool known = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!known) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, level->table + 1, JSON_KEYS + (int)level->len);
        level->len++;
        return;
    }
    lua_rawgeti(L, level->table + 1, JSON_EXTRA);
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

// -- Tokens ---------------------------------------------------------------------------------------

static void push_key(struct decode *d, struct level *level)
{
    struct px_str key = unquote(d, d->reader.token, d->reader.escaped);
    if (!level->own) {
        struct json_shape *next = json_shape_next(d->L, d->codec, d->anchors, level->shape, key);
        if (next) {
            level->shape = next;
            return;
        }
        make_own(d, level);
    } else {
        lua_pushlstring(d->L, key.ptr, key.len);
    }
    add_own_key(d, level);
}

static void push_number(struct decode *d)
{
    double number;
    switch (px_json_read_number(d->reader.token, &number)) {
    case PX_JSON_SAME: lua_pushnumber(d->L, number); break;
    case PX_JSON_EQUAL:
        lua_pushnumber(d->L, number);
        d->odd = d->reader.token;
        break;
    case PX_JSON_INEXACT: json_push_text(d->L, d->codec, d->reader.token, 0, STORE_NUMBER); break;
    }
}

// Where the size of the next container of this level is remembered.
static unsigned *hint_of(struct level *level)
{
    return level->object && !level->own ? &level->shape->hint : &level->hint;
}

static void open_level(struct decode *d, bool object)
{
    lua_State *L = d->L;
    unsigned hint = d->depth ? *hint_of(&d->levels[d->depth - 1]) : d->codec->last_top;
    luaL_checkstack(L, 12, "JSON nests too deep for the stack");
    lua_createtable(L, object ? 0 : (int)hint + (hint > 0), object ? (int)hint : 0);
    lua_pushnil(L);
    struct level *level = &d->levels[d->depth++];
    *level = (struct level){ .table = lua_gettop(L) - 1, .object = object, .shape = d->root };
}

// Marks the innermost container and leaves its table on top of the stack.
static void close_level(struct decode *d)
{
    lua_State *L = d->L;
    struct level *level = &d->levels[--d->depth];
    if (level->own) {
        lua_setmetatable(L, level->table);
    } else {
        lua_pop(L, 1);
        if (level->object) {
            json_shape_push_metatable(L, d->codec, d->anchors, level->shape);
            level->len = level->shape->len;
        } else {
            lua_pushvalue(L, d->array);
        }
        lua_setmetatable(L, -2);
    }
    unsigned hint = level->len < HINT_MAX ? (unsigned)level->len : HINT_MAX;
    if (d->depth) {
        *hint_of(&d->levels[d->depth - 1]) = hint;
    } else {
        d->codec->last_top = hint;
    }
}

// Puts the value on top of the stack into the innermost container.
static void store_value(struct decode *d)
{
    struct level *level = &d->levels[d->depth - 1];
    if (d->odd.len) {
        keep_odd(d, level);
    }
    if (level->object) {
        lua_rawset(d->L, level->table);
    } else {
        lua_rawseti(d->L, level->table, (int)++level->len);
    }
}

// Tells whether the array that was opened holds numbers alone, one at least.
static bool is_vector(const struct decode *d)
{
    const char *at = d->reader.token.ptr + 1;
    bool digits = false;
    for (; at < d->end && *at != ']'; at++) {
        bool digit = *at >= '0' && *at <= '9';
        if (!digit && !memchr("+-.eE, \t\r\n", *at, 10)) {
            return false;
        }
        digits = digits || digit;
    }
    return at < d->end && digits;
}

// Takes an array of numbers as its text. False when the text is not JSON.
static bool take_vector(struct decode *d)
{
    struct px_str text = px_json_skip(&d->reader);
    if (!text.len) {
        return false;
    }
    json_push_text(d->L, d->codec, text, 1, STORE_RAW);
    return true;
}

// Takes one token. False when it was a key or opened a container: no value is complete then.
static bool take(struct decode *d, enum px_json_token token)
{
    lua_State *L = d->L;
    switch (token) {
    case PX_JSON_T_KEY: push_key(d, &d->levels[d->depth - 1]); return false;
    case PX_JSON_T_OBJECT:
    case PX_JSON_T_ARRAY:
        if (d->vectors && token == PX_JSON_T_ARRAY && is_vector(d)) {
            return take_vector(d);
        }
        open_level(d, token == PX_JSON_T_OBJECT);
        return false;
    case PX_JSON_T_OBJECT_END:
    case PX_JSON_T_ARRAY_END: close_level(d); return true;
    case PX_JSON_T_STRING: {
        struct px_str text = unquote(d, d->reader.token, d->reader.escaped);
        lua_pushlstring(L, text.ptr, text.len);
        return true;
    }
    case PX_JSON_T_NUMBER: push_number(d); return true;
    case PX_JSON_T_NULL: px_lua_json_push_null(L); return true;
    default: lua_pushboolean(L, token == PX_JSON_T_TRUE); return true;
    }
}

static void push_failure(lua_State *L, const struct px_json_reader *reader)
{
    struct px_error err;
    px_json_reader_fail(reader, &err);
    lua_pushstring(L, err.text);
}

int json_decode(lua_State *L, struct json_codec *codec, struct px_str text, bool vectors)
{
    struct decode d;
    d.L = L;
    d.codec = codec;
    d.depth = 0;
    d.odd.len = 0;
    d.vectors = vectors;
    d.end = text.ptr + text.len;
    px_json_reader_init(&d.reader, text);
    luaL_checkstack(L, 12, "no stack for JSON");
    d.store = lua_gettop(L) + 1;
    d.anchors = d.store + 1;
    d.array = d.store + 2;
    lua_rawgeti(L, LUA_REGISTRYINDEX, codec->store);
    lua_rawgeti(L, d.store, STORE_ANCHORS);
    lua_rawgeti(L, d.store, STORE_ARRAY);
    d.root = json_shapes_begin(L, codec, d.store, d.anchors);
    for (;;) {
        enum px_json_token token = px_json_next(&d.reader);
        if (token == PX_JSON_T_END || token == PX_JSON_T_ERROR) {
            break;
        }
        if (take(&d, token) && d.depth) {
            store_value(&d);
        }
    }
    bool good = !d.reader.expected;
    if (!good) {
        push_failure(L, &d.reader);
    }
    lua_replace(L, d.store);
    lua_settop(L, d.store);
    if (codec->scratch.cap > (1 << 16)) {
        px_buf_free(&codec->scratch);
    }
    return good;
}
