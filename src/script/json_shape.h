#pragma once

#include "json_codec.h"

/// A shape is the list of an object's keys in order; each is one step from the shape before its
/// last key. Shapes live in C memory that the codec owns; the keys and metatables they refer to
/// stand in the anchors, a Lua table.
struct json_shape {
    struct json_shape *parent;   ///< NULL for the shape without keys.
    struct json_shape *child;    ///< One of the shapes that come next.
    struct json_shape *sibling;  ///< Another child of the parent.
    const char *key;             ///< An interned Lua string.
    size_t key_len;
    unsigned len;    ///< Number of keys.
    int key_anchor;  ///< Index in the anchors.
    int metatable;   ///< Index in the anchors, 0 until it is made.
    unsigned hint;   ///< Members of the container that was last a value of this key.
};

/// Creates the shapes of a codec. NULL if out of memory.
struct json_shapes *json_shapes_new(void);

void json_shapes_free(struct json_shapes *shapes);

/// Begins a decode: the shape without keys, after forgetting all shapes if there are too many, so
/// that a hostile text costs the others one new start and no more. May raise. `anchors` is the
/// stack index of the anchors table, which is replaced (on the stack and in the store) then.
struct json_shape *json_shapes_begin(lua_State *L, struct json_codec *codec, int store,
                                     int anchors);

/// Pushes `key` and gives the shape that follows `shape` with it: `shape` itself if it has the key
/// already, NULL if there is none and none can be made.
struct json_shape *json_shape_next(lua_State *L, struct json_codec *codec, int anchors,
                                   struct json_shape *shape, struct px_str key);

/// Pushes the metatable of a shape.
void json_shape_push_metatable(lua_State *L, struct json_codec *codec, int anchors,
                               struct json_shape *shape);

/// Appends the shape's keys to the metatable on top of the stack.
void json_shape_copy_keys(lua_State *L, int anchors, const struct json_shape *shape);
