#pragma once

// Reading what a script says about a request or an answer into the C side's shapes. Spans point to
// strings on the Lua stack or in its tables: they live as long as those stay where they are.

#include <lua.h>

#include "px/fetch.h"
#include "px/http.h"

#define PX_LUA_HEADERS_MAX 100

/// Reads a table of names and values (strings or numbers; nil: none) at `idx`. Raises for others.
size_t px_lua_read_headers(lua_State *L, int idx, struct px_fetch_header *out, size_t max);

/// Reads `method`, `proxy`, `ca_file`, `streamed`, `http2` and `timeout` (seconds, for all of it)
/// from the table at `idx`, which may be nil.
void px_lua_read_options(lua_State *L, int idx, struct px_fetch_request *request);

/// Name of a failure as scripts see it: 'connect', 'timeout', 'cut', 'protocol' or 'internal'.
const char *px_lua_failure_name(enum px_fetch_failure failure);

struct px_reply;

/// Pushes a table of the reply's headers, names in lower case; of a repeated one the last.
void px_lua_push_reply_headers(lua_State *L, const struct px_reply *reply);

/// Pushes `text` in lower case (ASCII).
void px_lua_push_lower(lua_State *L, struct px_str text);
