#pragma once

#include <lua.h>

#include "px/buf.h"
#include "px/str.h"

/// px.json: JSON text to Lua values and back, without loss.
///
/// What a text becomes:
/// - null is `json.null`, a light userdata; true, false and strings are Lua's own. A string may
///   hold U+0000; a lone surrogate is kept as its three-byte form.
/// - A number is a Lua number. Its text (`1.0`, `1E5`) is kept beside it, in the array or object
/// that
///   holds it, and written as long as the value is unchanged; a number that is the whole text has
///   no such place. Integers beyond 2^53 and decimals that no double gives back are a
///   `px.json.number`: an opaque value that compares by text, with tostring().
/// - An array is a table with a hidden mark, so that `[]` stays `[]`. An object is a table whose
///   hidden metatable remembers the order of its members: scripts see ordinary tables, without
///   hidden keys. Of a repeated key the last value counts; it is written once, where the first was.
///
/// What a value becomes: tables that came from decode keep their order, removed members vanish, new
/// members go last, sorted by bytes. A plain table with keys 1..n is an array, one with string keys
/// an object, sorted. Raised with the path of the place: an empty plain table (mark it with
/// json.array or json.object), mixed keys, holes, NaN, infinity, functions and the like, cycles and
/// anything deeper than PX_JSON_DEPTH. Bytes in a string that are not UTF-8 are written as U+FFFD.
/// Metamethods are never called.
///
/// The order in which pairs() walks an object is Lua's own and may differ from run to run; where
/// order matters, walk json.keys(t).
///
/// Fields of the module:
/// - `decode(text)` gives a value, or nil and a message with the byte offset; `encode(value)`
/// raises. `append(list, value, known)` writes to the end of a list of strings.
/// - `null`.
/// - `array([t])` and `object([t])` mark and return a table (a new one when none is given);
///   `is_array(t)` and `is_object(t)` are both false for a table without a mark.
/// - `keys(t)`: the list of an object's member names in the order in which they are written.
/// - `between(data, before, behind)`: the string that stands between the two, if nothing else does.
/// - `number(text)`: a Lua number if that is written as this very text, else a `px.json.number`.
///   `is_number(v)` is true for both kinds; `tonumber(v)` gives the nearest Lua number, or nil.
/// - `raw(text)`: a value that encode writes as it is; raises when the text is not JSON.
/// `is_raw(v)`;
///   tostring() gives the text.

/// Makes the module's state in `L`, once for each Lua state, and leaves the module table on the
/// stack. Call it protected: it may raise.
void px_lua_open_json(lua_State *L);

/// Pushes the value of a text, or raises a message with the byte offset. Needs px_lua_open_json()
/// to have run in this state. No C memory is lost when it raises.
void px_lua_json_decode(lua_State *L, struct px_str text);

/// As px_lua_json_decode(), but bad text gives false and pushes the message instead of raising;
/// only being out of memory raises.
int px_lua_json_try_decode(lua_State *L, struct px_str text);

/// Appends the JSON text of the value at `idx`. Raises what cannot be written, and when the
/// buffer's limit is reached or memory is out; `out` then holds a part of the text, and its owner
/// must be something that outlives the error (a userdata with __gc, or the frame outside of the
/// protected call).
void px_lua_json_encode(lua_State *L, int idx, struct px_buf *out);

/// Gives the JSON text of the value at `idx`, or raises. It is the state's own: valid until
/// px_lua_json_text_end(), before which px.json must not be used.
struct px_str px_lua_json_text(lua_State *L, int idx);
void px_lua_json_text_end(lua_State *L);

/// Pushes json.null.
void px_lua_json_push_null(lua_State *L);

/// Tells whether the value at `idx` is json.null.
int px_lua_json_is_null(lua_State *L, int idx);
