--- @meta
-- luacheck: no unused args

--- Exact JSON: what was decoded is encoded as it was, number texts and members' order included.
---
--- Scripts see ordinary tables. The order in which pairs() walks an object is Lua's own; where
--- order matters, walk json.keys(t).
---
--- @class px.json
--- @field null lightuserdata What `null` becomes; compare with `==`.
local json = {}

--- A number that a Lua number cannot stand for, kept as its text: an integer beyond 2^53, or a
--- decimal that no double gives back. tostring() gives the text; two are equal if their texts are.
---
--- @class px.json.number

--- A text that is written as it is.
---
--- @class px.json.raw

--- Reads a text.
---
--- @param text string
--- @param form? 'vectors' Arrays of nothing but numbers stay texts: json.raw().
--- @return any value `nil` if the text is not JSON.
--- @return string? message With the byte offset of the mistake.
function json.decode(text) end

--- Writes a value.
---
--- Tables that came from decode keep their order; new members go last, sorted. Plain tables with
--- keys 1 to n are arrays, those with string keys objects, sorted. Raises, with the path of the
--- place, what is ambiguous (an empty plain table, mixed keys, holes) or cannot be written. Bytes
--- that are not UTF-8 become U+FFFD.
---
--- @param value any
--- @return string text
function json.encode(value) end

--- Writes a value to the end of a list of strings, which follow one another. Strings of 2 KiB and more
--- are elements of their own, and quoted once however often they are written: what is said several
--- times need not be copied. Raises as encode() does; the list then holds a part of the text.
---
--- @param list string[]
--- @param value any
--- @param known table<string, string> Long strings that were written, quoted; at first {}.
function json.append(list, value, known) end

--- Marks a table as an array, so that an empty one is written as `[]`.
---
--- @generic T: table
--- @param t? T A new table when there is none.
--- @return T t
function json.array(t) end

--- Marks a table as an object, so that an empty one is written as `{}`.
---
--- @generic T: table
--- @param t? T A new table when there is none.
--- @return T t
function json.object(t) end

--- True for a table that decode read from an array, or that json.array() has marked.
---
--- @param value any
--- @return boolean
function json.is_array(value) end

--- True for a table that decode read from an object, or that json.object() has marked.
---
--- @param value any
--- @return boolean
function json.is_object(value) end

--- Another table with the same members, shallow: it is an array or an object as `t` is, and keeps
--- the order of its members and the texts of its numbers.
---
--- @generic T: table
--- @param t T
--- @return T copy
function json.copy(t) end

--- The JSON string that stands between two texts, decoded, when nothing else is there: for events
--- that are alike but for one text. nil if it is not so.
---
---     json.between('{"a":"x\\ny"}', '{"a":"', '"}')  --> 'x\ny'
---
--- @param data string
--- @param before string|integer What `data` begins with, up to the opening quote and with it; or the
---   place of that quote, counted from 1.
--- @param behind string What `data` ends with, from the closing quote on.
--- @return string? text
function json.between(data, before, behind) end

--- Lists an object's member names in the order in which they are written.
---
--- @param t table
--- @return string[] names
function json.keys(t) end

--- Gives a number that is written as this very text.
---
--- @param text string Raises if it is not a JSON number.
--- @return number|px.json.number
function json.number(text) end

--- True for Lua numbers and for `px.json.number`.
---
--- @param value any
--- @return boolean
function json.is_number(value) end

--- Gives the nearest Lua number.
---
--- @param value any
--- @return number? number `nil` if the value is not a number.
function json.tonumber(value) end

--- Gives a value that is written as this text, which must be JSON.
---
--- @param text string Raises if it is not JSON.
--- @return px.json.raw
function json.raw(text) end

--- @param value any
--- @return boolean
function json.is_raw(value) end

return json
