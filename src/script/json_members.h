#pragma once

#include "json_codec.h"

/// Walking through tables as encode sees them: the keys that the metatable names come first, as far
/// as they still have a value, then the others, sorted by bytes.

enum json_kind {
    JSON_KIND_ARRAY,
    JSON_KIND_SHAPED,  ///< The metatable names the keys and has a layout.
    JSON_KIND_OWN,     ///< The metatable names the keys; it may have number texts.
    JSON_KIND_SORTED,  ///< The keys stand in the codec.
};

/// One open container.
struct json_level {
    enum json_kind kind;
    int table;   ///< Stack index; the metatable or nil is behind it.
    bool texts;  ///< There are number texts.
    size_t at;   ///< How many keys or indexes have been looked at.
    size_t len;  ///< How many there are to look at.
    size_t written;
    size_t total;  ///< Members of the table, where the metatable names keys.
    size_t keys;   ///< Where the sorted keys begin in the codec.
    const struct json_layout *layout;
};

struct json_walk {
    lua_State *L;
    struct json_codec *codec;
    unsigned depth;
    struct json_level levels[PX_JSON_DEPTH];
};

static inline struct json_level *json_top_level(struct json_walk *walk)
{
    return &walk->levels[walk->depth - 1];
}

/// Raises `what` with the path of the place.
int json_refuse(struct json_walk *walk, const char *what);

/// Makes the table on top of the stack a level, or raises.
void json_open_level(struct json_walk *walk);

/// Pushes the next member that the metatable names. False when there is none left.
bool json_next_named(struct json_walk *walk, struct json_level *level);

/// Makes a level go on to the members that its metatable does not name.
void json_collect_new(struct json_walk *walk, struct json_level *level);

/// Pushes the key that was looked at last.
void json_push_current_key(struct json_walk *walk, const struct json_level *level);
