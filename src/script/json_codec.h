#pragma once

#include <lauxlib.h>
#include <lua.h>

#include "json_lua.h"
#include "px/json.h"

// What the parts of px.json share. One codec for each Lua state.
//
// A decoded table is marked by its metatable, a Lua table with an array part of this form:
//
//     [0]   light userdata: the address of the codec for an object, the one behind it for an array.
//           Scripts never see such a value, so no metatable of theirs can pass for one of ours.
//     [1]   object: its layout (userdata), or a table of number texts by key, or false.
//           array: a table of number texts by index, or nil.
//     [2…]  object: its keys in order.
//
// Metatables with a layout are shared by all objects of one shape. All arrays without number texts
// share one. What cannot be shared (a number text to keep, too many shapes) has one of its own.

#define JSON_MARK 0
#define JSON_EXTRA 1
#define JSON_KEYS 2  ///< Where the keys begin.

/// How a shared shape writes its keys: each piece is `,"key":`.
struct json_layout {
    unsigned len;
    unsigned ends[];  ///< Of the pieces, in the text that follows.
};

static inline const char *json_layout_text(const struct json_layout *layout)
{
    return (const char *)(layout->ends + layout->len);
}

struct json_shapes;

/// A key being sorted.
struct json_key {
    struct px_str text;
    uint64_t start;  ///< Its first bytes as a number: most keys differ there.
};

struct json_codec {
    int store;        ///< Registry reference to the table of STORE_* below.
    size_t last_top;  ///< Members of the last top value.
    struct json_shapes *shapes;
    struct px_buf scratch;
    struct px_buf out;
    struct json_key *keys;  ///< Stack of keys being sorted.
    size_t keys_len, keys_cap;
};

// Fields of the store.
enum {
    STORE_ANCHORS = 1,  ///< Strings and metatables that shapes refer to by index.
    STORE_ARRAY,        ///< Metatable of arrays.
    STORE_NUMBER,       ///< Metatable of px.json.number.
    STORE_RAW,          ///< Metatable of json.raw.
    STORE_OBJECT,       ///< Metatable of json.object.
};

/// A number or a raw text kept as text; the userdata is this.
struct json_text {
    size_t len;
    unsigned depth;  ///< How deep it nests.
    char text[];
};

static inline void *json_object_mark(struct json_codec *codec)
{
    return codec;
}

static inline void *json_array_mark(struct json_codec *codec)
{
    return (char *)codec + 1;
}

/// The codec of a state; raises if px_lua_open_json() has not run.
struct json_codec *json_codec_get(lua_State *L);

/// Pushes a value; on bad text pushes a message and gives 0. With `vectors` arrays of nothing but
/// numbers are pushed as raw texts.
int json_decode(lua_State *L, struct json_codec *codec, struct px_str text, bool vectors);

/// Appends the value at `idx` to `out`, or raises.
void json_encode(lua_State *L, struct json_codec *codec, int idx, struct px_buf *out);

/// Appends the text of the value at `idx` to the list of strings at `list`, by way of codec->out.
/// Long strings are elements of their own, quoted; the table at `known` remembers how.
void json_append(lua_State *L, struct json_codec *codec, int idx, int list, int known);

/// Pushes the list of an object's keys as encode would write them.
void json_push_keys(lua_State *L, struct json_codec *codec, int idx);

/// Pushes a px.json.number or json.raw (`which` is STORE_NUMBER or STORE_RAW).
void json_push_text(lua_State *L, struct json_codec *codec, struct px_str text, unsigned depth,
                    int which);

/// The text at `idx` if it is of that kind, else NULL.
const struct json_text *json_to_text(lua_State *L, struct json_codec *codec, int idx, int which);

/// Pushes a new metatable with room for `keys` keys, marked and locked.
void json_push_metatable(lua_State *L, size_t keys, void *mark);
