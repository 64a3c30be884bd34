#include "json_lua.h"

#include <stdlib.h>
#include <string.h>

#include "json_codec.h"
#include "json_shape.h"

// The module px.json. The codec is a userdata in the registry (so that C finds it) and the upvalue
// of every function (so that they find it faster). It owns all C memory, which its __gc frees:
// whatever raises, nothing is lost.

#define SCRATCH_KEPT (1 << 20)
#define ENCODE_MAX ((size_t)64 << 20)  // Of json.encode.

static char codec_key;

static struct json_codec *own_codec(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

struct json_codec *json_codec_get(lua_State *L)
{
    lua_pushlightuserdata(L, &codec_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct json_codec *codec = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!codec) {
        luaL_error(L, "px.json is not open in this state");
    }
    return codec;
}

void json_push_metatable(lua_State *L, size_t keys, void *mark)
{
    lua_createtable(L, (int)keys + JSON_KEYS, 1);
    lua_pushlightuserdata(L, mark);
    lua_rawseti(L, -2, JSON_MARK);
    lua_pushliteral(L, "px.json");
    lua_setfield(L, -2, "__metatable");
}

void px_lua_json_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
}

int px_lua_json_is_null(lua_State *L, int idx)
{
    return lua_type(L, idx) == LUA_TLIGHTUSERDATA && lua_touserdata(L, idx) == NULL;
}

// -- Numbers and raw texts ------------------------------------------------------------------------

static void push_stored(lua_State *L, struct json_codec *codec, int which)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, codec->store);
    lua_rawgeti(L, -1, which);
    lua_remove(L, -2);
}

void json_push_text(lua_State *L, struct json_codec *codec, struct px_str text, unsigned depth,
                    int which)
{
    struct json_text *value = lua_newuserdata(L, sizeof(*value) + text.len);
    value->len = text.len;
    value->depth = depth;
    memcpy(value->text, text.ptr, text.len);
    push_stored(L, codec, which);
    lua_setmetatable(L, -2);
}

const struct json_text *json_to_text(lua_State *L, struct json_codec *codec, int idx, int which)
{
    if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx)) {
        return NULL;
    }
    push_stored(L, codec, which);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? lua_touserdata(L, idx) : NULL;
}

static int text_tostring(lua_State *L)
{
    int which = (int)lua_tointeger(L, lua_upvalueindex(2));
    const struct json_text *text = json_to_text(L, own_codec(L), 1, which);
    luaL_argcheck(L, text, 1, "a px.json value is needed");
    lua_pushlstring(L, text->text, text->len);
    return 1;
}

static int text_eq(lua_State *L)
{
    int which = (int)lua_tointeger(L, lua_upvalueindex(2));
    const struct json_text *a = json_to_text(L, own_codec(L), 1, which);
    const struct json_text *b = json_to_text(L, own_codec(L), 2, which);
    lua_pushboolean(L, a && b && a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
    return 1;
}

static int l_number(lua_State *L)
{
    struct px_str text;
    text.ptr = luaL_checklstring(L, 1, &text.len);
    struct px_json_reader reader;
    px_json_reader_init(&reader, text);
    bool good = px_json_next(&reader) == PX_JSON_T_NUMBER && reader.token.len == text.len;
    luaL_argcheck(L, good, 1, "the text of a JSON number is needed");
    double number;
    if (px_json_read_number(text, &number) == PX_JSON_SAME) {
        lua_pushnumber(L, number);
    } else {
        json_push_text(L, own_codec(L), text, 0, STORE_NUMBER);
    }
    return 1;
}

static int l_is_number(lua_State *L)
{
    bool is = lua_type(L, 1) == LUA_TNUMBER || json_to_text(L, own_codec(L), 1, STORE_NUMBER);
    lua_pushboolean(L, is);
    return 1;
}

static int l_tonumber(lua_State *L)
{
    const struct json_text *text = json_to_text(L, own_codec(L), 1, STORE_NUMBER);
    double number;
    if (text) {
        px_json_read_number((struct px_str){ text->text, text->len }, &number);
        lua_pushnumber(L, number);
    } else if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_pushvalue(L, 1);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int l_raw(lua_State *L)
{
    struct px_str text;
    text.ptr = luaL_checklstring(L, 1, &text.len);
    struct px_json_reader reader;
    px_json_reader_init(&reader, text);
    unsigned depth = 0;
    for (;;) {
        enum px_json_token token = px_json_next(&reader);
        if (token == PX_JSON_T_END) {
            break;
        }
        if (token == PX_JSON_T_ERROR) {
            struct px_error err;
            px_json_reader_fail(&reader, &err);
            return luaL_argerror(L, 1, err.text);
        }
        depth = reader.depth > depth ? reader.depth : depth;
    }
    json_push_text(L, own_codec(L), text, depth, STORE_RAW);
    return 1;
}

static int l_is_raw(lua_State *L)
{
    lua_pushboolean(L, json_to_text(L, own_codec(L), 1, STORE_RAW) != NULL);
    return 1;
}

// -- Marks ----------------------------------------------------------------------------------------

// The mark of the table at `idx`, NULL if there is none of ours.
static void *mark_of(lua_State *L, struct json_codec *codec, int idx)
{
    void *mark = NULL;
    if (lua_istable(L, idx) && lua_getmetatable(L, idx)) {
        lua_rawgeti(L, -1, JSON_MARK);
        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA) {
            mark = lua_touserdata(L, -1);
        }
        lua_pop(L, 2);
    }
    bool ours = mark == json_object_mark(codec) || mark == json_array_mark(codec);
    return ours ? mark : NULL;
}

// Leaves the table to be marked as the only argument. False if it has the mark already.
static bool begin_mark(lua_State *L, struct json_codec *codec, void *mark)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    void *now = mark_of(L, codec, 1);
    if (!now && lua_getmetatable(L, 1)) {
        luaL_argerror(L, 1, "the table has a metatable of its own");
    }
    return now != mark;
}

static int l_array(lua_State *L)
{
    struct json_codec *codec = own_codec(L);
    if (begin_mark(L, codec, json_array_mark(codec))) {
        push_stored(L, codec, STORE_ARRAY);
        lua_setmetatable(L, 1);
    }
    return 1;
}

static int l_object(lua_State *L)
{
    struct json_codec *codec = own_codec(L);
    if (begin_mark(L, codec, json_object_mark(codec))) {
        push_stored(L, codec, STORE_OBJECT);
        lua_setmetatable(L, 1);
    }
    return 1;
}

static int l_is_array(lua_State *L)
{
    struct json_codec *codec = own_codec(L);
    lua_pushboolean(L, mark_of(L, codec, 1) == json_array_mark(codec));
    return 1;
}

static int l_is_object(lua_State *L)
{
    struct json_codec *codec = own_codec(L);
    lua_pushboolean(L, mark_of(L, codec, 1) == json_object_mark(codec));
    return 1;
}

static int l_keys(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    json_push_keys(L, own_codec(L), 1);
    return 1;
}

/// copy(t): another table with the same members, which is written as `t` is.
static int l_copy(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    bool marked = mark_of(L, own_codec(L), 1) != NULL;
    int elements = (int)lua_objlen(L, 1), members = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        members++;
    }
    lua_createtable(L, elements, members > elements ? members - elements : 0);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, 2);
    }
    if (marked && lua_getmetatable(L, 1)) {
        lua_setmetatable(L, 2);
    }
    return 1;
}

// -- One string inside a text ---------------------------------------------------------------------

/// Where the opening quote of between() stands, counted from 0; data.len if it is none.
static size_t quote_at(lua_State *L, struct px_str data)
{
    if (lua_type(L, 2) == LUA_TNUMBER) {
        lua_Number at = lua_tonumber(L, 2);
        return at >= 1 && at <= (lua_Number)data.len ? (size_t)at - 1 : data.len;
    }
    struct px_str before;
    before.ptr = luaL_checklstring(L, 2, &before.len);
    bool fits =
        before.len > 0 && before.len <= data.len && memcmp(data.ptr, before.ptr, before.len) == 0;
    return fits ? before.len - 1 : data.len;
}

/// between(data, before, behind): see px/_meta/json.lua.
static int l_between(lua_State *L)
{
    struct px_str data, behind;
    data.ptr = luaL_checklstring(L, 1, &data.len);
    behind.ptr = luaL_checklstring(L, 3, &behind.len);
    size_t quote = quote_at(L, data);
    if (!behind.len || data.len - quote < behind.len + 1 ||
        memcmp(data.ptr + data.len - behind.len, behind.ptr, behind.len) != 0) {
        return 0;
    }
    struct px_str raw = { data.ptr + quote, data.len - behind.len + 1 - quote };
    if (raw.ptr[0] != '"' || px_json_scan(raw, NULL, NULL, NULL)) {
        return 0;
    }
    if (!memchr(raw.ptr, '\\', raw.len)) {
        lua_pushlstring(L, raw.ptr + 1, raw.len - 2);
        return 1;
    }
    struct px_buf *text = &own_codec(L)->scratch;
    px_buf_reset(text);
    if (px_json_unquote(raw, text)) {
        return luaL_error(L, "not enough memory");
    }
    lua_pushlstring(L, text->ptr, text->len);
    return 1;
}

// -- Decode and encode ----------------------------------------------------------------------------

static int l_decode(lua_State *L)
{
    static const char *const forms[] = { "numbers", "vectors", NULL };
    struct px_str text;
    text.ptr = luaL_checklstring(L, 1, &text.len);
    bool vectors = luaL_checkoption(L, 2, "numbers", forms) == 1;
    if (json_decode(L, own_codec(L), text, vectors)) {
        return 1;
    }
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static void shrink(struct px_buf *scratch)
{
    if (scratch->cap > SCRATCH_KEPT) {
        px_buf_free(scratch);
    }
}

static int l_encode(lua_State *L)
{
    struct json_codec *codec = own_codec(L);
    luaL_checkany(L, 1);
    px_buf_reset(&codec->out);
    json_encode(L, codec, 1, &codec->out);
    lua_pushlstring(L, codec->out.ptr, codec->out.len);
    shrink(&codec->out);
    return 1;
}

static int l_append(lua_State *L)
{
    struct json_codec *codec = own_codec(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    json_append(L, codec, 2, 1, 3);
    shrink(&codec->out);
    return 0;
}

int px_lua_json_try_decode(lua_State *L, struct px_str text)
{
    return json_decode(L, json_codec_get(L), text, false);
}

void px_lua_json_decode(lua_State *L, struct px_str text)
{
    if (!px_lua_json_try_decode(L, text)) {
        lua_error(L);
    }
}

void px_lua_json_encode(lua_State *L, int idx, struct px_buf *out)
{
    json_encode(L, json_codec_get(L), idx, out);
}

struct px_str px_lua_json_text(lua_State *L, int idx)
{
    struct json_codec *codec = json_codec_get(L);
    px_buf_reset(&codec->out);
    json_encode(L, codec, idx, &codec->out);
    return px_buf_str(&codec->out);
}

void px_lua_json_text_end(lua_State *L)
{
    shrink(&json_codec_get(L)->out);
}

// -- Opening --------------------------------------------------------------------------------------

static int codec_gc(lua_State *L)
{
    struct json_codec *codec = lua_touserdata(L, 1);
    json_shapes_free(codec->shapes);
    px_buf_free(&codec->scratch);
    px_buf_free(&codec->out);
    free(codec->keys);
    codec->shapes = NULL;
    codec->keys = NULL;
    codec->keys_len = codec->keys_cap = 0;
    return 0;
}

// Puts the metatable of px.json.number or json.raw into the store on top of the stack.
static void store_text_metatable(lua_State *L, int codec_at, int which, const char *name)
{
    lua_newtable(L);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, codec_at);
    lua_pushinteger(L, which);
    lua_pushcclosure(L, text_tostring, 2);
    lua_setfield(L, -2, "__tostring");
    lua_pushvalue(L, codec_at);
    lua_pushinteger(L, which);
    lua_pushcclosure(L, text_eq, 2);
    lua_setfield(L, -2, "__eq");
    lua_rawseti(L, -2, which);
}

// Fills the codec on top of the stack.
static void fill_codec(lua_State *L, struct json_codec *codec)
{
    int codec_at = lua_gettop(L);
    lua_newtable(L);
    lua_newtable(L);
    lua_rawseti(L, -2, STORE_ANCHORS);
    json_push_metatable(L, 0, json_array_mark(codec));
    lua_rawseti(L, -2, STORE_ARRAY);
    store_text_metatable(L, codec_at, STORE_NUMBER, "px.json.number");
    store_text_metatable(L, codec_at, STORE_RAW, "px.json.raw");
    json_push_metatable(L, 0, json_object_mark(codec));
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, JSON_EXTRA);
    lua_rawseti(L, -2, STORE_OBJECT);
    codec->store = luaL_ref(L, LUA_REGISTRYINDEX);
    codec->shapes = json_shapes_new();
    if (!codec->shapes) {
        luaL_error(L, "not enough memory");
    }
    lua_pushlightuserdata(L, &codec_key);
    lua_pushvalue(L, codec_at);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void px_lua_open_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "array", l_array },         { "append", l_append },
        { "between", l_between },     { "copy", l_copy },
        { "decode", l_decode },       { "encode", l_encode },
        { "is_array", l_is_array },   { "is_number", l_is_number },
        { "is_object", l_is_object }, { "is_raw", l_is_raw },
        { "keys", l_keys },           { "number", l_number },
        { "object", l_object },       { "raw", l_raw },
        { "tonumber", l_tonumber },   { NULL, NULL },
    };
    luaL_checkstack(L, 12, "no stack for px.json");
    lua_createtable(L, 0, sizeof(functions) / sizeof(*functions));
    struct json_codec *codec = lua_newuserdata(L, sizeof(*codec));
    memset(codec, 0, sizeof(*codec));
    codec->scratch = PX_BUF(SIZE_MAX / 2);
    codec->out = PX_BUF(ENCODE_MAX);
    lua_newtable(L);
    lua_pushcfunction(L, codec_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    fill_codec(L, codec);
    luaL_setfuncs(L, functions, 1);
    px_lua_json_push_null(L);
    lua_setfield(L, -2, "null");
}
