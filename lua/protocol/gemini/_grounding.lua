--- Sources of an answer: Gemini tells them once for all of it, with places in bytes; other
--- protocols tell them one by one, with places in characters.

local json = require('px.json')
local names = require('protocol.gemini._names')
local read = require('protocol._read')

local M = {}

--- Characters in the first `bytes` bytes of a text.
local function characters(text, bytes)
  local count = 0
  for i = 1, math.min(bytes, #text) do
    local byte = text:byte(i)
    if byte < 128 or byte > 191 then
      count = count + 1
    end
  end
  return count
end

--- Bytes of the first `count` characters of a text.
local function bytes(text, count)
  local seen = 0
  for i = 1, #text do
    local byte = text:byte(i)
    if byte < 128 or byte > 191 then
      seen = seen + 1
      if seen > count then
        return i - 1
      end
    end
  end
  return #text
end

local function source_of(chunk)
  chunk = read.maybe_table(chunk)
  local web = names.get(chunk, 'web') or names.get(chunk, 'retrievedContext')
    or names.get(chunk, 'maps')
  web = read.maybe_table(web)
  return read.maybe_text(names.get(web, 'uri')), read.maybe_text(names.get(web, 'title'))
end

local function supported(out, chunks, support, text)
  local segment = read.maybe_table(names.get(support, 'segment'))
  local first = read.maybe_number(names.get(segment, 'startIndex')) or 0
  local last = read.maybe_number(names.get(segment, 'endIndex')) or 0
  for _, at in ipairs(read.maybe_table(names.get(support, 'groundingChunkIndices'))) do
    local index = read.maybe_number(at)
    local url, title = source_of(index and chunks[index + 1])
    if url then
      out[#out + 1] = {
        kind = 'citation', url = url, title = title,
        first = characters(text, first), last = characters(text, last),
      }
    end
  end
end

--- The citations that a candidate's metadata make, without the index of a block.
---
--- @param grounding? table
--- @param citations? table citationMetadata
--- @param text string The answer's text.
--- @return px.Event[]
function M.read(grounding, citations, text)
  local out = {}
  grounding, citations = read.maybe_table(grounding), read.maybe_table(citations)
  local chunks = read.maybe_table(names.get(grounding, 'groundingChunks'))
  local supports = read.maybe_table(names.get(grounding, 'groundingSupports'))
  for _, support in ipairs(supports) do
    supported(out, chunks, read.maybe_table(support), text)
  end
  if #out == 0 then
    for _, chunk in ipairs(chunks) do
      local url, title = source_of(chunk)
      if url then
        out[#out + 1] = { kind = 'citation', url = url, title = title }
      end
    end
  end
  local list = names.get(citations, 'citationSources') or names.get(citations, 'citations')
  for _, source in ipairs(read.maybe_table(list)) do
    source = read.maybe_table(source)
    local url = read.maybe_text(names.get(source, 'uri'))
    if url then
      out[#out + 1] = {
        kind = 'citation', url = url, title = read.maybe_text(names.get(source, 'title')),
        first = characters(text, read.maybe_number(names.get(source, 'startIndex')) or 0),
        last = characters(text, read.maybe_number(names.get(source, 'endIndex')) or 0),
      }
    end
  end
  return out
end

--- The metadata that citations make; nil where none has an address.
---
--- @param list px.Event[]
--- @param text string The answer's text.
--- @param ctx px.Context
--- @return table?
function M.write(list, text, ctx)
  if #list == 0 then
    return nil
  end
  local chunks, supports, place = json.array({}), json.array({}), {}
  for _, event in ipairs(list) do
    local url = event.url
    if not url then
      ctx.lost('reply.citations')
    elseif not place[url] then
      chunks[#chunks + 1] =
        json.object({ web = json.object({ uri = url, title = event.title or url }) })
      place[url] = #chunks - 1
    end
    if url and event.last and event.last > 0 then
      local first, last = bytes(text, event.first or 0), bytes(text, event.last)
      supports[#supports + 1] = json.object({
        segment = json.object({
          startIndex = first, endIndex = last, text = text:sub(first + 1, last),
        }),
        groundingChunkIndices = json.array({ place[url] }),
      })
    end
  end
  if #chunks == 0 then
    return nil
  end
  return json.object({
    groundingChunks = chunks, groundingSupports = #supports > 0 and supports or nil,
  })
end

return M
