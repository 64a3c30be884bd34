--- The library that scripts see as `px`, and as modules: require('px.json') is px.json.
---
--- C gives px.core, px.transfer, px.json, px.crypto and px.body; this puts them together.

local core = require('px.core')
local settings = require('px.settings')

local M = {
  crypto = require('px.crypto'),
  json = require('px.json'),
  sleep = core.sleep,
  spawn = core.spawn,
}

M.log = {}
for _, level in ipairs({ 'error', 'warn', 'info', 'debug' }) do
  --- Writes a line to the log.
  --- @param text string A format, when values follow.
  M.log[level] = function(text, ...)
    core.log(level, select('#', ...) > 0 and text:format(...) or tostring(text))
  end
end

M.time = {
  --- Seconds since 1970, with milliseconds.
  now = core.now,
}

--- Date and time of a time zone: { year, month, day, hour, min, sec, wday, yday, isdst }.
---
--- @param zone? 'utc'|'local' Default 'local': the machine's.
--- @param at? number Seconds since 1970, default now.
function M.time.date(zone, at)
  return os.date(zone == 'utc' and '!*t' or '*t', math.floor(at or core.now()))
end

local function escape(value)
  return (tostring(value):gsub('[\\"\n]', { ['\\'] = '\\\\', ['"'] = '\\"', ['\n'] = '\\n' }))
end

--- Adds to a counter that /metrics shows as `proxima_script_<name>_total`.
---
--- @param name string Letters, digits and underscores.
--- @param labels? table<string, string>
--- @param n? number Default 1.
function M.count(name, labels, n)
  if type(name) ~= 'string' or not name:find('^[%a_][%w_]*$') then
    error('a counter\'s name is letters, digits and underscores', 2)
  end
  local parts = {}
  for key, value in pairs(labels or {}) do
    parts[#parts + 1] = ('%s="%s"'):format(key, escape(value))
  end
  table.sort(parts)
  local series = 'proxima_script_' .. name .. '_total'
  core.count(#parts > 0 and series .. '{' .. table.concat(parts, ',') .. '}' or series, n or 1)
end

-- The configuration, without what is secret -------------------------------------------------------

local SECRET = { api_key = true, credentials = true, headers = true, proxy = true }

local function shown(value, name)
  if type(value) ~= 'table' then
    return SECRET[name] and '***' or value
  elseif SECRET[name] then
    return '***'
  end
  local copy = {}
  for key, inner in pairs(value) do
    copy[key] = shown(inner, key)
  end
  return core.locked(copy)
end

M.config = shown(settings)

-- Requests of a script's own ----------------------------------------------------------------------

local glob = require('px.glob')

local function host_of(url)
  local host = url:match('^https?://%[([^%]/]*)%]') or url:match('^https?://([^/?#:]*)')
  return host and host:lower()
end

local allowed = glob.list((settings.fetch or {}).allow or {}, true)

--- Asks another server. Waits.
---
--- @param url string http or https, of a host in the configuration's `fetch.allow`.
--- @param options? px.FetchOptions method, headers, body, timeout in seconds (default 30).
--- @return { status: integer, headers: table<string, string>, body: string }? reply
--- @return string? err
function M.fetch(url, options)
  local host = host_of(url)
  if not host then
    return nil, 'not an http or https URL'
  elseif not allowed(host) then
    return nil, ('%s is not in the configuration\'s fetch.allow'):format(host)
  end
  options = options or {}
  return require('px.transfer').fetch(url, options.headers, options.body, {
    method = options.method,
    timeout = options.timeout or 30,
  })
end

-- Rules -------------------------------------------------------------------------------------------

M.on = require('policy.rules').on
M.models = require('policy.models').declare
M.knowledge = require('policy.told').declare

return M
