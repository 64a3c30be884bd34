#include "json_shape.h"

#include <stdlib.h>
#include <string.h>

// Shapes form a tree whose root has no keys. A step is found by looking at the first few children,
// whose text is compared with the text at hand (no Lua string needs to be made for that), and else
// in a hash table by parent and interned key. What is made is committed only after every call that
// may raise, so an error leaves the tree whole.

#define SHAPES_MAX 2048      // Shapes of one codec.
#define SHAPES_PER_CALL 256  // New ones from one text.
#define SHAPE_KEYS_MAX 64    // Keys of a shared shape.
#define SHAPE_KEY_LENGTH 64  // Length of a key in one.
#define LOOK_AT 4            // Children compared by text.
#define SLOTS (SHAPES_MAX * 2)
#define CHUNK 64

struct json_shapes {
    unsigned len;      // Shapes in use, the root not counted.
    unsigned allowed;  // `len` may not pass this in the current call.
    int anchors;       // Entries of the anchors in use.
    struct json_shape root;
    struct json_shape *chunks[SHAPES_MAX / CHUNK];
    struct json_shape *slots[SLOTS];
};

struct json_shapes *json_shapes_new(void)
{
    return calloc(1, sizeof(struct json_shapes));
}

void json_shapes_free(struct json_shapes *shapes)
{
    if (!shapes) {
        return;
    }
    for (size_t i = 0; i < SHAPES_MAX / CHUNK; i++) {
        free(shapes->chunks[i]);
    }
    free(shapes);
}

struct json_shape *json_shapes_begin(lua_State *L, struct json_codec *codec, int store, int anchors)
{
    struct json_shapes *shapes = codec->shapes;
    if (shapes->len + SHAPES_PER_CALL > SHAPES_MAX) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_replace(L, anchors);
        lua_rawseti(L, store, STORE_ANCHORS);
        memset(&shapes->root, 0, sizeof(shapes->root));
        memset(shapes->slots, 0, sizeof(shapes->slots));
        shapes->len = 0;
        shapes->anchors = 0;
    }
    shapes->allowed = shapes->len + SHAPES_PER_CALL;
    return &shapes->root;
}

static size_t slot_of(const struct json_shape *parent, const char *key)
{
    uint64_t mix = ((uint64_t)(uintptr_t)parent >> 4) * 0x9e3779b97f4a7c15ULL;
    mix = (mix ^ ((uint64_t)(uintptr_t)key >> 3)) * 0xff51afd7ed558ccdULL;
    return (size_t)(mix >> 40) % SLOTS;
}

// Finds the slot that holds the step, or the free one where it belongs.
static struct json_shape **find_slot(struct json_shapes *shapes, const struct json_shape *parent,
                                     const char *key)
{
    size_t at = slot_of(parent, key);
    while (shapes->slots[at] &&
           (shapes->slots[at]->parent != parent || shapes->slots[at]->key != key)) {
        at = (at + 1) % SLOTS;
    }
    return &shapes->slots[at];
}

static bool has_key(const struct json_shape *shape, const char *key)
{
    for (; shape->parent; shape = shape->parent) {
        if (shape->key == key) {
            return true;
        }
    }
    return false;
}

// Gives memory for one more shape, NULL if there is none.
static struct json_shape *next_free(struct json_shapes *shapes)
{
    struct json_shape **chunk = &shapes->chunks[shapes->len / CHUNK];
    if (!*chunk) {
        *chunk = calloc(CHUNK, sizeof(**chunk));
        if (!*chunk) {
            return NULL;
        }
    }
    return &(*chunk)[shapes->len % CHUNK];
}

// Makes the step from `shape` with the key on top of the stack.
static struct json_shape *make_step(lua_State *L, struct json_shapes *shapes, int anchors,
                                    struct json_shape *shape, struct px_str key)
{
    if (shapes->len == shapes->allowed || shape->len == SHAPE_KEYS_MAX ||
        key.len > SHAPE_KEY_LENGTH) {
        return NULL;
    }
    struct json_shape *made = next_free(shapes);
    if (!made) {
        return NULL;
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, anchors, shapes->anchors + 1);
    *made = (struct json_shape){
        .parent = shape,
        .sibling = shape->child,
        .key = key.ptr,
        .key_len = key.len,
        .len = shape->len + 1,
        .key_anchor = ++shapes->anchors,
    };
    shape->child = made;
    shapes->len++;
    *find_slot(shapes, shape, key.ptr) = made;
    return made;
}

struct json_shape *json_shape_next(lua_State *L, struct json_codec *codec, int anchors,
                                   struct json_shape *shape, struct px_str key)
{
    struct json_shape *child = shape->child;
    for (int i = 0; child && i < LOOK_AT; i++, child = child->sibling) {
        if (child->key_len == key.len && memcmp(child->key, key.ptr, key.len) == 0) {
            lua_rawgeti(L, anchors, child->key_anchor);
            return child;
        }
    }
    lua_pushlstring(L, key.ptr, key.len);
    key.ptr = lua_tostring(L, -1);
    child = *find_slot(codec->shapes, shape, key.ptr);
    if (child) {
        return child;
    }
    if (has_key(shape, key.ptr)) {
        return shape;
    }
    return make_step(L, codec->shapes, anchors, shape, key);
}

void json_shape_copy_keys(lua_State *L, int anchors, const struct json_shape *shape)
{
    for (; shape->parent; shape = shape->parent) {
        lua_rawgeti(L, anchors, shape->key_anchor);
        lua_rawseti(L, -2, JSON_KEYS + (int)shape->len - 1);
    }
}

// Pushes the layout of a shape.
static void push_layout(lua_State *L, struct json_codec *codec, const struct json_shape *shape)
{
    struct px_str keys[SHAPE_KEYS_MAX];
    unsigned ends[SHAPE_KEYS_MAX];
    for (const struct json_shape *at = shape; at->parent; at = at->parent) {
        keys[at->len - 1] = (struct px_str){ at->key, at->key_len };
    }
    struct px_buf *text = &codec->scratch;
    px_buf_reset(text);
    for (unsigned i = 0; i < shape->len; i++) {
        if (px_buf_add(text, PX_STR(",")) != PX_OK || px_json_quote(text, keys[i]) != PX_OK ||
            px_buf_add(text, PX_STR(":")) != PX_OK) {
            luaL_error(L, "not enough memory");
        }
        ends[i] = (unsigned)text->len;
    }
    size_t size = sizeof(struct json_layout) + shape->len * sizeof(*ends) + text->len;
    struct json_layout *layout = lua_newuserdata(L, size);
    layout->len = shape->len;
    if (shape->len) {
        memcpy(layout->ends, ends, shape->len * sizeof(*ends));
        memcpy(layout->ends + shape->len, text->ptr, text->len);
    }
}

void json_shape_push_metatable(lua_State *L, struct json_codec *codec, int anchors,
                               struct json_shape *shape)
{
    if (shape->metatable) {
        lua_rawgeti(L, anchors, shape->metatable);
        return;
    }
    json_push_metatable(L, shape->len, json_object_mark(codec));
    push_layout(L, codec, shape);
    lua_rawseti(L, -2, JSON_EXTRA);
    json_shape_copy_keys(L, anchors, shape);
    lua_pushvalue(L, -1);
    lua_rawseti(L, anchors, codec->shapes->anchors + 1);
    shape->metatable = ++codec->shapes->anchors;
}
