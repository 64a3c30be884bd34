--- @meta
--- The library that scripts know as `px`. docs/lua.md tells how rules use it.
---
--- This file is never loaded: editors read it.

--- @class px
px = {}

--- @type px.json
px.json = {}

-- Rules -------------------------------------------------------------------------------------------

--- What a rule matches on, and its options. All keys must hold; none need be there. A glob knows
--- `*` for any characters; in a list `!x` excludes.
---
--- @class px.Match
--- @field model? string|string[] Globs: the model as the client asked.
--- @field protocol? string|string[] Globs: the client's, `openai_chat` or `anthropic`.
--- @field client? string|string[] Globs: the name of the client's key.
--- @field path? string|string[] Globs: the request's path.
--- @field header? table<string, string|string[]> Globs by name of the client's header.
--- @field stream? boolean Whether the client asked for a stream.
--- @field provider? string|string[] Globs: the id of the chosen provider. Not in `request`.
--- @field upstream_model? string|string[] Globs: the model's name there. Not in `request`.
--- @field kind? string|string[] Globs: the kind of event. In `event` alone.
--- @field when? fun(subject: any): any Asked last, with what the rule's function gets first.
--- @field desc? string What the rule is for; stands in messages about it.
--- @field order? number Rules run by order (default 0), then file, then line.
--- @field on_error? 'pass'|'deny'|'disable' What a raised error does. Default 'pass'.

--- Registers a rule, while its file is loaded.
---
--- @overload fun(phase: 'request', match: px.Match, fn: fun(req: px.Message))
--- @overload fun(phase: 'attempt', match: px.Match, fn: fun(at: px.Message))
--- @overload fun(phase: 'event', match: px.Match, fn: fun(ev: px.Event, req: table): px.EventResult)
--- @overload fun(phase: 'done', match: px.Match, fn: fun(done: px.Done))
--- @param phase 'request'|'attempt'|'event'|'done'
--- @param match px.Match May be left out.
--- @param fn? function
function px.on(phase, match, fn) end

--- What an `event` rule gives: nothing keeps the event, false drops it, an event or a list of them
--- takes its place.
--- @alias px.EventResult nil|false|px.Event|px.Event[]

--- Declares other names of models: name or glob, and `provider:model` or a model.
---
--- @param map table<string, string>
function px.models(map) end

--- What px.knowledge takes: whom it is about, and what is known of it.
---
--- @class px.Told : px.Knowledge
--- @field model? string|string[] Globs: the upstream's name of the model, in any case.
--- @field protocol? string|string[] Globs: the protocol that it is spoken to in.
--- @field provider? string|string[] Globs: the provider's id.

--- Says what a model is like, while a file of rules is loaded. Of several entries that match the
--- first one that has a member says it, and all of them before the shipped table; `false` takes
--- back what that says.
---
--- @param entry px.Told
function px.knowledge(entry) end

--- The object of `request` and `attempt` rules: one message in one protocol.
---
--- Paths are those of error messages: `messages[0].content`, counted from 0, `messages[*].name` for
--- all. A body that is not asked for is not decoded; changes are spliced.
---
--- @class px.Message
--- @field model string Writing it renames: in `request` before the provider is chosen, in `attempt`
---   for this upstream.
--- @field protocol string In `request` the client's, in `attempt` the upstream's.
--- @field client string Name of the client's key.
--- @field stream boolean? Whether the client asked for a stream.
--- @field upload boolean? True for multipart/form-data, of which nothing but the model can be read.
--- @field path string
--- @field phase 'request'|'attempt'
--- @field headers table<string, string> By name in lower case. In `request` the client's, a copy
---   without its key; in `attempt` those that will be sent, without what signs, and may be changed.
--- @field bytes string The body as it stands.
--- @field params px.Params Parameters by meaning.
--- @field tags table<string, string> Yours; `done` rules see them.
--- @field state table Yours; lives with the request.
--- @field provider? string Id; in `attempt`.
--- @field account? string Name; in `attempt`.
--- @field url? string In `attempt`; may be changed.
local Message = {}

--- Gives the value at a path, decoded; nil when there is none.
---
--- @param path string
--- @return any value
function Message:get(path) end

--- Sets the value at a path.
---
--- @param path string
--- @param value any
--- @return integer changed How many places.
function Message:set(path, value) end

--- Removes what a path names.
---
--- @param path string
--- @return integer changed How many places.
function Message:remove(path) end

--- Gives the whole body, decoded: a copy.
---
--- @return any body
function Message:json() end

--- Sends the request to a target; the last call wins. In `request` alone.
---
--- @param target string|{ provider: string, model: string? }|table[] 'provider:model', a provider's
---   id, a model's name, a table, or a list of them, of which the first counts.
function Message:route(target) end

--- Refuses the request. Does not return. In `request` alone.
---
--- @param status? integer Default 403.
--- @param message? string
--- @param options? { code: string?, retry_after: number? } The code is one of px.Failure's.
function Message:deny(status, message, options) end

--- Parameters by meaning, the same in every protocol. Reading gives nil for what is not set; nil
--- removes. Writing one that the message's protocol does not have raises.
---
--- @class px.Params
--- @field temperature number?
--- @field top_p number?
--- @field top_k integer?
--- @field max_tokens integer?
--- @field stop string|string[]|nil
--- @field seed integer?
--- @field presence_penalty number?
--- @field frequency_penalty number?
--- @field reasoning 'off'|'minimal'|'low'|'medium'|'high'|'xhigh'|'max'|'auto'|integer|nil A number
---   is a budget in tokens.
--- @field response_format px.Format?
--- @field tool_choice 'auto'|'none'|'any'|{ name: string }|nil
--- @field parallel boolean?

--- What a `done` rule gets: what is known of a request that is over.
---
--- @class px.Done
--- @field outcome 'ok'|'failed'|'left' `left`: the client went before the end.
--- @field status integer? Of the answer; nil when there was none.
--- @field code string? Why it failed.
--- @field seconds number From the request's head to its end.
--- @field model string As the client asked.
--- @field protocol string The client's.
--- @field client string
--- @field path string
--- @field stream boolean
--- @field provider string?
--- @field account string?
--- @field upstream_model string?
--- @field usage px.Event? { input, cache_read, cache_write, output, reasoning, estimated }
--- @field tags table<string, string>

-- Waiting -----------------------------------------------------------------------------------------

--- Waits. Other requests go on meanwhile.
---
--- @param seconds number 0 to 3,600.
--- @return boolean slept true.
function px.sleep(seconds) end

--- Starts a task of its own, which goes on when its parent has ended. What it raises is logged.
---
--- @param fn function
--- @param ... any At most 15 arguments.
function px.spawn(fn, ...) end

--- @class px.FetchOptions
--- @field method? string Default GET, with a body POST.
--- @field headers? table<string, string>
--- @field body? string
--- @field timeout? number Seconds, default 30.

--- Asks another server. Waits. Redirects are not followed; an answer may have 8 MiB.
---
--- @param url string http or https, of a host in the configuration's `fetch.allow`.
--- @param options? px.FetchOptions
--- @return { status: integer, headers: table<string, string>, body: string }? reply
--- @return string? err
function px.fetch(url, options) end

-- Telling -----------------------------------------------------------------------------------------

--- Each writes a line to the log. With values, the text is a format as string.format() takes it.
---
--- @class px.log
px.log = {}

--- @param text any
--- @param ... any
function px.log.error(text, ...) end

--- @param text any
--- @param ... any
function px.log.warn(text, ...) end

--- @param text any
--- @param ... any
function px.log.info(text, ...) end

--- @param text any
--- @param ... any
function px.log.debug(text, ...) end

--- Adds to a counter, which /metrics shows as `proxima_script_<name>_total`.
---
--- @param name string Letters, digits and underscores.
--- @param labels? table<string, string>
--- @param n? number Default 1.
function px.count(name, labels, n) end

-- Looking -----------------------------------------------------------------------------------------

--- @class px.time
px.time = {}

--- Seconds since 1970, with milliseconds.
---
--- @return number
function px.time.now() end

--- Date and time: year, month, day, hour, min, sec, wday (1 is Sunday), yday, isdst.
---
--- @param zone? 'utc'|'local' Default 'local': the machine's.
--- @param at? number Seconds since 1970, default now.
--- @return osdate
function px.time.date(zone, at) end

--- The configuration, read only, its secrets as `***`. `px.config.vars` are your own values.
---
--- @type table<string, any>
px.config = {}

--- @class px.crypto
px.crypto = {}

--- @param bytes string
--- @return string hash In hex.
function px.crypto.sha256(bytes) end

--- @param key string
--- @param bytes string
--- @return string hash In hex.
function px.crypto.hmac_sha256(key, bytes) end

--- @param n integer 0 to 1,024.
--- @return string bytes
function px.crypto.random(n) end

--- @param bytes string
--- @return string text
function px.crypto.hex(bytes) end

--- @param bytes string
--- @return string text
function px.crypto.base64(bytes) end

--- @param text string
--- @return string? bytes
--- @return string? err
function px.crypto.unbase64(text) end

--- Compares two secrets in constant time.
---
--- @param a string
--- @param b string
--- @return boolean
function px.crypto.same(a, b) end

return { px = px, Message = Message }
