--- When a refused client may come back: one number of seconds from many spellings.

local M = {}

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
  Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}
-- No limit of a vendor lasts longer than the month that it counts in; what says more would be no
-- number of a header any more.
local LONGEST = 31 * 86400
local UNITS = { ms = 0.001, s = 1, m = 60, h = 3600 }

-- Headers that say when a limit is lifted, with the header that says what is left of it.
local RESETS = {
  { 'x-ratelimit-reset-requests', 'x-ratelimit-remaining-requests' },
  { 'x-ratelimit-reset-tokens', 'x-ratelimit-remaining-tokens' },
  { 'anthropic-ratelimit-requests-reset', 'anthropic-ratelimit-requests-remaining' },
  { 'anthropic-ratelimit-tokens-reset', 'anthropic-ratelimit-tokens-remaining' },
  { 'anthropic-ratelimit-input-tokens-reset', 'anthropic-ratelimit-input-tokens-remaining' },
  { 'anthropic-ratelimit-output-tokens-reset', 'anthropic-ratelimit-output-tokens-remaining' },
}

--- Days since 1970-01-01 of a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leap = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leap + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

local function seconds_of(year, month, day, hour, min, sec)
  return days(tonumber(year), tonumber(month), tonumber(day)) * 86400
    + tonumber(hour) * 3600 + tonumber(min) * 60 + tonumber(sec)
end

--- Seconds since 1970 of an HTTP date, or nil.
function M.http_date(text)
  local day, month, year, hour, min, sec =
    text:match('(%d%d?)[ -](%a%a%a)[ -](%d%d%d%d) (%d%d):(%d%d):(%d%d)')
  if day and MONTHS[month] then
    return seconds_of(year, MONTHS[month], day, hour, min, sec)
  end
  return nil
end

--- Seconds since 1970 of an RFC 3339 time, or nil.
function M.rfc3339(text)
  local year, month, day, hour, min, sec, zone =
    text:match('^(%d%d%d%d)-(%d%d)-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)%.?%d*(.*)$')
  if not year then
    return nil
  end
  local at = seconds_of(year, month, day, hour, min, sec)
  local sign, zone_hour, zone_min = zone:match('^([+-])(%d%d):?(%d%d)$')
  if sign then
    local offset = tonumber(zone_hour) * 3600 + tonumber(zone_min) * 60
    at = sign == '+' and at - offset or at + offset
  end
  return at
end

--- Writes seconds since 1970 as RFC 3339.
---
--- @param at integer
--- @return string
function M.iso(at)
  local day, rest = math.floor(at / 86400), at % 86400
  -- The civil date of a day number, by eras of 400 years.
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
    - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return ('%04d-%02d-%02dT%02d:%02d:%02dZ'):format(year, month,
    doy - math.floor((153 * mp + 2) / 5) + 1, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60)
end

--- Seconds of a duration such as 12ms, 1s or 1h2m3.5s, or nil.
function M.duration(text)
  local total, at = 0, 1
  while at <= #text do
    local number, unit, after = text:match('^([%d.]+)(%a+)()', at)
    if not number or not UNITS[unit] or not tonumber(number) then
      return nil
    end
    total, at = total + tonumber(number) * UNITS[unit], after
  end
  return at > 1 and math.min(total, LONGEST) or nil
end

local function until_reset(text, now)
  local number = tonumber(text)
  if number then
    -- Small numbers are seconds from now, large ones a time.
    return number > 1e9 and now and number - now or number < 1e9 and number or nil
  end
  local at = M.rfc3339(text)
  return at and now and at - now or M.duration(text)
end

--- A wait that can be told; nil for none and for what is no number.
local function tellable(wait)
  return wait and wait == wait and math.min(math.max(0, wait), LONGEST) or nil
end

--- @param headers? table<string, string> Names in lower case.
--- @param now? integer Seconds since 1970; without it dates say nothing.
--- @return number? seconds
function M.after(headers, now)
  if not headers then
    return nil
  end
  local ms = tonumber(headers['retry-after-ms'])
  if ms and ms >= 0 then
    return tellable(ms / 1000)
  end
  local plain = headers['retry-after']
  if plain then
    local at = M.http_date(plain)
    local wait = tellable(tonumber(plain) or (at and now and at - now) or M.duration(plain))
    if wait then
      return wait
    end
  end
  local unified = headers['anthropic-ratelimit-unified-reset']
  local wait = unified and until_reset(unified, now)
  for _, pair in ipairs(RESETS) do
    local reset = headers[pair[1]]
    if reset and headers[pair[2]] == '0' then
      wait = math.max(wait or 0, until_reset(reset, now) or 0)
    end
  end
  return tellable(wait)
end

return M
