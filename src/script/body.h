#pragma once

// The body of a request as scripts see it: bytes that are looked into and spliced, never decoded
// unless somebody asks.

#include <lua.h>

#include "px/block.h"
#include "px/json.h"

struct body {
    struct px_block *block;       ///< NULL once released.
    struct px_json_index *index;  ///< Of `block`; NULL while nobody asked.
    struct body **list;           ///< Where it hangs: released with its request.
    struct body *prev, *next;
};

/// Pushes a body that holds `block`, hung into `list` (which outlives it or is emptied by
/// px_body_release_all()). May raise; nothing is held then.
struct body *px_lua_push_body(lua_State *L, struct px_block *block, struct body **list);

/// The body at `idx`, or NULL if the value is none.
struct body *px_lua_to_body(lua_State *L, int idx);

/// Lets go of the bytes; later use raises.
void px_body_release(struct body *body);

void px_body_release_all(struct body **list);
