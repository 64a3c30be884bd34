#pragma once

#include <lua.h>

/// Gives the engine's modules and the project's files to Lua's own require(), which takes the place
/// of the bundle's; `path` is its package.path. Lua's other basic functions come back with it, so
/// xpcall()'s handler sees where an error was.
void open_require(lua_State *L, const char *path);
