--- @meta
--- What the engine gives to lua/ itself. Rules have no use for it; they have `px`.
---
--- This file is never loaded: editors read it.

-- px.core -----------------------------------------------------------------------------------------

--- @class px.core
local core = {}

--- Seconds of the monotonic clock.
--- @return number
function core.clock() end

--- Adds to a counter of /metrics.
--- @param series string Its name, with labels as they are written there.
--- @param n? number Default 1.
function core.count(series, n) end

--- 24 letters and digits that no other call has given. Not a secret.
--- @return string
function core.id() end

--- A read-only view of a table.
--- @param t table
--- @return table
function core.locked(t) end

--- @param level 'error'|'warn'|'info'|'debug'
--- @param text string
function core.log(level, text) end

--- Names of the modules that begin with `prefix`, each once, sorted.
--- @param prefix string
--- @return string[]
function core.modules(prefix) end

--- Seconds since 1970, with milliseconds.
--- @return number
function core.now() end

--- Waits. Gives true.
--- @param seconds number
--- @return boolean
function core.sleep(seconds) end

--- @param fn function
--- @param ... any
function core.spawn(fn, ...) end

--- File and line of a caller.
--- @param level integer
--- @return string? file
--- @return integer? line
function core.where(level) end

-- px.cache ----------------------------------------------------------------------------------------

--- Bytes by key, which all workers and generations share. px.cache has two: `responses`, of as many
--- bytes as `limits.responses` says, and `lists`, of 32 MiB.
--- @class px.cache
local cache = {}

--- @param key string
--- @param value string
--- @param seconds number How long it may stay.
--- @return boolean kept False when there is no room for it.
function cache.put(key, value, seconds) end

--- @param key string
--- @return string? value
function cache.get(key) end

--- @param key string
--- @return boolean found
function cache.remove(key) end

-- px.vector ---------------------------------------------------------------------------------------

--- Embeddings: JSON arrays of numbers, and 32-bit floats, little end first.
--- @class px.vector
local vector = {}

--- @param json string
--- @return string? bytes nil when it is no array of numbers.
function vector.pack(json) end

--- @param bytes string
--- @return string? json nil when they are no whole floats.
function vector.unpack(bytes) end

-- px.transfer -------------------------------------------------------------------------------------

--- @class px.transfer
local transfer = {}

--- Asks another server. Waits.
--- @param url string
--- @param headers? table<string, string>
--- @param body? string
--- @param options? table method, timeout, proxy, ca_file, http2
--- @return { status: integer, headers: table<string, string>, body: string }? reply
--- @return string? err
function transfer.fetch(url, headers, body, options) end

--- Asks for up to 8 URLs at once. Waits for all.
--- @param list { url: string, guarded: boolean? }[] `guarded`: only public addresses.
--- @param headers? table<string, string>
--- @param limit number Bytes that each may have.
--- @param timeout number Seconds for each.
--- @return { status: integer?, headers: table<string, string>?, body: string?, bytes: integer?, error: string? }[]? answers
---   Bodies in base64; nil when too many are under way.
function transfer.fetch_all(list, headers, limit, timeout) end

-- px.body -----------------------------------------------------------------------------------------

--- A JSON body that is read and changed without being decoded. `#body` is its length.
--- @class px.Body
local Body = {}

--- Another body with the same bytes.
--- @return px.Body
function Body:copy() end

--- The value at a path, decoded; nil if there is none.
--- @param path string
--- @return any
function Body:get(path) end

--- What policy reads: true, the model and `stream`; nil and words when the body is no JSON object.
--- @return boolean? ok
--- @return any model
--- @return any stream
function Body:head() end

--- The whole of it, decoded. Raises when it is not JSON.
--- @return any
function Body:json() end

--- Exchanges the model's name.
--- @param name string
function Body:model(name) end

--- Lets go of the bytes.
function Body:release() end

--- Removes what a path names; gives how many places changed.
--- @param path string
--- @return integer
function Body:remove(path) end

--- Sets the value at a path; gives how many places changed.
--- @param path string
--- @param value any
--- @return integer
function Body:set(path, value) end

--- The bytes.
--- @return string
function Body:text() end

--- @class px.body
local body = {}

--- @param content string|table A table is written as JSON.
--- @return px.Body
function body.new(content) end

-- The exchange ------------------------------------------------------------------------------------

--- One request with its answer: `ex` of main.handle(). When the request is over, every method
--- raises.
--- @class px.Exchange
local Exchange = {}

--- The answer's body cannot be completed: the connection is cut.
function Exchange:abort() end

--- A whole answer.
--- @param status integer
--- @param headers? table<string, string>
--- @param content? string|table A table is written as JSON.
function Exchange:answer(status, headers, content) end

--- The request's body, nil when there is none or it is an upload.
--- @return px.Body?
function Exchange:body() end

--- Ends the transfer with the upstream.
function Exchange:cancel() end

--- The name of the client whose key was presented; nil and whether there was a key.
--- @return string? name
--- @return boolean? had
function Exchange:client() end

--- Waits for the upstream's whole body: the text and whether it was cut at the limit, or nil, a code
--- and words.
--- @param limit integer
--- @return string? text
--- @return boolean|string cut
--- @return string? words
function Exchange:collect(limit) end

--- True after a complete answer of the upstream; nil, a code and words after one that failed.
--- @return boolean? complete
--- @return string? code
--- @return string? words
function Exchange:ended() end

--- From now on next() gives events.
--- @param framing 'sse'|'lines'
--- @param keep? boolean relay() may still follow.
function Exchange:events(framing, keep) end

--- The value of a field of the upload, which is no file; nil and 'absent', 'late' (it did not come
--- among the first 256 KiB), or words that say what is wrong with the upload.
--- @param name string
--- @return string? value
--- @return string? why
function Exchange:field(name) end

--- The answer's body is complete.
function Exchange:finish() end

--- Method, path as it was sent, query.
--- @return string method
--- @return string path
--- @return string query
function Exchange:head() end

--- A request header's first value.
--- @param name string
--- @return string?
function Exchange:header(name) end

--- All request headers, names in lower case.
--- @return table<string, string>
function Exchange:headers() end

--- Gives the table to main.done() when the request is over.
--- @param record table
function Exchange:keep(record) end

--- Waits for an event of the upstream: type and data; false when none came in time, nil at the end.
--- @param seconds? number 0 or nothing: as long as it takes.
--- @return string|false|nil type
--- @return string? data
function Exchange:next(seconds) end

--- The client's address.
--- @return string
function Exchange:peer() end

--- A parameter of the query, decoded.
--- @param name string
--- @return string?
function Exchange:query(name) end

--- Passes the upstream's body to the client byte for byte. Waits for its end: true, or nil, a code
--- and words.
--- @param status integer
--- @param headers? table<string, string> Over the upstream's.
--- @param framing? 'whole'|'json'|'bytes'|'sse'|'lines' What the body is made of. Of 'json' what does
---   not look like it is not sent, unless it is large: nil, 'protocol' and words that quote it. 'bytes' go
---   out as they come, others in one piece if they are small.
--- @param taps? string[] Members whose last event is kept for tapped().
--- @param keepalive? string Sent while nothing comes.
--- @return boolean? complete
--- @return string? code
--- @return string? words
function Exchange:relay(status, headers, framing, taps, keepalive) end

--- Nobody needs the request's bytes again: they are freed.
function Exchange:release() end

--- A header of the upstream's answer.
--- @param name string
--- @return string?
function Exchange:reply_header(name) end

--- All headers of the upstream's answer, names in lower case.
--- @return table<string, string>
function Exchange:reply_headers() end

--- Asks the upstream and waits for its head: the status, or nil, a code and words.
--- @param url string
--- @param headers table<string, string>
--- @param request? px.Body|string|true `true`: the client's upload, from its beginning. It can be sent
---   again as long as no more than 256 KiB of it were sent.
--- @param options? table
--- @return integer? status
--- @return string? code 'upload' when the upload broke off.
--- @return string? words
--- @return integer? own Of 'upload': the status that says so.
function Exchange:send(url, headers, request, options) end

--- How many bytes of the answer were sent.
--- @return number
function Exchange:sent() end

--- Exchanges the value of a field that field() finds. Raises when there is none, and after send().
--- @param name string
--- @param text string
function Exchange:set_field(name, text) end

--- An answer whose body follows in pieces.
--- @param status integer
--- @param headers? table<string, string>
function Exchange:start(status, headers) end

--- Tells whether an answer has begun.
--- @return boolean
function Exchange:started() end

--- What relay()'s taps found: data by member name; `done` after [DONE], `blind` when the stream could
--- not be read to its end, `inside` when what was relayed does not end where an event does.
--- @return table<string, string>
function Exchange:tapped() end

--- Tells whether the body is an upload: multipart/form-data, which passes through unkept.
--- @return boolean
function Exchange:upload() end

--- A piece of the answer's body; waits while the client does not take what is queued.
--- @param text string|string[] The strings of a list follow one another.
function Exchange:write(text) end

return {
  core = core, cache = cache, vector = vector, transfer = transfer, Body = Body, body = body,
  Exchange = Exchange,
}
