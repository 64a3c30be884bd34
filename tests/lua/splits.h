#pragma once

#include <lua.h>

/// Puts a module `splits` in package.loaded.
///
/// `splits.everywhere(text, framing)` ('sse' or 'lines') reads a stream as the engine does: at
/// once, byte for byte, and each event cut in two at each of its bytes. It raises, with the place,
/// if that makes a difference; else it gives the events, as lists of type and data, and how many
/// cuts there were.
void open_splits(lua_State *L);
