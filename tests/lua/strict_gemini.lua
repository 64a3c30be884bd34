--- What a strict Gemini asks of requests and what its official client asks of streams, as
--- assertions. For specs.

local json = require('px.json')

local M = {}

local function set(text)
  local out = {}
  for name in text:gmatch('%S+') do
    out[name] = true
  end
  return out
end

local function only(object, known, what)
  assert(type(object) == 'table' and not json.is_array(object), what .. ' is no object')
  for name in pairs(object) do
    assert(known[name], ('%s: unknown name %s'):format(what, tostring(name)))
  end
end

local TOP = set('contents systemInstruction tools toolConfig generationConfig safetySettings '
  .. 'cachedContent labels serviceTier')
local CONFIG = set([[temperature topP topK maxOutputTokens stopSequences candidateCount
  presencePenalty frequencyPenalty seed responseLogprobs logprobs responseMimeType responseSchema
  responseJsonSchema responseModalities mediaResolution thinkingConfig]])
local DATA = set([[text inlineData fileData functionCall functionResponse executableCode
  codeExecutionResult toolCall toolResponse]])
local BESIDE = set('thought thoughtSignature videoMetadata mediaResolution')
local IMAGES = set('image/png image/jpeg image/webp image/heic image/heif')
local SCHEMA = set([[type format title description nullable enum items minItems maxItems properties
  required propertyOrdering minProperties maxProperties minimum maximum minLength maxLength pattern
  example anyOf default]])
local TYPES = set('STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL')
local FORMATS = {
  STRING = set('enum date-time'), NUMBER = set('float double'), INTEGER = set('int32 int64'),
}
local LEVELS = set('MINIMAL LOW MEDIUM HIGH')
local MODES = set('AUTO ANY NONE VALIDATED')

--- A Schema as the older models take it.
function M.schema(schema, what)
  what = what or 'schema'
  only(schema, SCHEMA, what)
  if schema.anyOf then
    for i, inner in ipairs(schema.anyOf) do
      M.schema(inner, what .. '.anyOf' .. i)
    end
    return
  end
  assert(TYPES[schema.type], what .. ': a bad type ' .. tostring(schema.type))
  assert(not schema.format or (FORMATS[schema.type] or {})[schema.format], what .. ': a format')
  for _, value in ipairs(schema.enum or {}) do
    assert(type(value) == 'string' and value ~= '', what .. ': an enum of no strings')
  end
  assert(not schema.enum or schema.type == 'STRING', what .. ': an enum of no strings')
  assert(schema.type ~= 'ARRAY' or schema.items, what .. ': missing field items')
  if schema.items then
    M.schema(schema.items, what .. '.items')
  end
  for name, inner in pairs(schema.properties or {}) do
    M.schema(inner, what .. '.' .. name)
  end
  for _, name in ipairs(schema.required or {}) do
    assert(schema.properties and schema.properties[name], what .. ': required ' .. name)
  end
end

local function check_part(part, role, what)
  local data = 0
  for name in pairs(part) do
    assert(DATA[name] or BESIDE[name], what .. ': unknown name ' .. name)
    data = data + (DATA[name] and 1 or 0)
  end
  assert(data == 1, what .. ': not one data member')
  assert(part.text ~= '' or part.thoughtSignature, what .. ': an empty text')
  local inline, file = part.inlineData, part.fileData
  if inline then
    only(inline, set('mimeType data displayName'), what)
    assert(inline.data:find('^[%w+/=]+$'), what .. ': bad base64')
    assert(not inline.mimeType:find('^image/') or IMAGES[inline.mimeType], what .. ': image type')
  elseif file then
    only(file, set('mimeType fileUri'), what)
    assert(file.fileUri and file.mimeType, what .. ': half a file')
  elseif part.functionCall then
    only(part.functionCall, set('id name args'), what)
    assert(role == 'model', what .. ': a call of the user')
    assert(part.functionCall.name:find('^[%a_][%w_.:-]*$'), what .. ': a bad name')
    assert(#part.functionCall.name <= 64, what .. ': a long name')
    assert(json.is_object(part.functionCall.args), what .. ': args are no object')
  elseif part.functionResponse then
    only(part.functionResponse, set('id name response parts'), what)
    assert(role == 'user', what .. ': a response of the model')
    assert(json.is_object(part.functionResponse.response), what .. ': response is no object')
    assert(#part.functionResponse.name > 0, what .. ': a response without a name')
  end
end

--- Counts the parts that have a member, and gives their names in order.
local function with(content, member)
  local names = {}
  for _, part in ipairs(content and content.parts or {}) do
    if part[member] then
      names[#names + 1] = part[member].name
    end
  end
  return names
end

local function check_contents(contents)
  assert(#contents > 0, 'contents is not specified')
  local before
  for i, content in ipairs(contents) do
    local what = 'contents[' .. (i - 1) .. ']'
    only(content, set('role parts'), what)
    assert(content.role == 'user' or content.role == 'model', what .. ': a bad role')
    assert(#content.parts > 0, what .. ': must include at least one parts field')
    assert(not before or before.role ~= content.role, what .. ': neighbours of one role')
    for k, part in ipairs(content.parts) do
      check_part(part, content.role, what .. '.parts' .. (k - 1))
    end
    local calls = before and with(before, 'functionCall') or {}
    local responses = with(content, 'functionResponse')
    assert(#calls == #responses,
      what .. ': the number of function response parts is not that of function call parts')
    for k, name in ipairs(calls) do
      assert(responses[k] == name, what .. ': a response to another call')
    end
    before = content
  end
  assert(contents[1].role == 'user', 'the first turn is not the user\'s')
  assert(before.role == 'user', 'single turn requests end with a user role')
end

local function check_tools(body)
  local declared, functions, others = {}, 0, 0
  for _, tool in ipairs(body.tools or {}) do
    for name, inner in pairs(tool) do
      if name == 'functionDeclarations' then
        functions = functions + 1
        for _, entry in ipairs(inner) do
          only(entry, set('name description parameters parametersJsonSchema'), 'a declaration')
          assert(entry.name:find('^[%a_][%w_.:-]*$') and #entry.name <= 64, 'a bad name')
          assert(#entry.description > 0, 'no description')
          assert(not declared[entry.name], 'a name declared twice: ' .. entry.name)
          assert(not (entry.parameters and entry.parametersJsonSchema), 'two schemas')
          declared[entry.name] = true
          if entry.parameters then
            M.schema(entry.parameters, entry.name)
          end
        end
      else
        others = others + 1
      end
    end
  end
  assert(functions <= 1, 'declarations in more than one entry')
  local config = body.toolConfig or {}
  only(config, set('functionCallingConfig includeServerSideToolInvocations'), 'toolConfig')
  assert(functions == 0 or others == 0 or config.includeServerSideToolInvocations, 'mixed tools')
  local calling = config.functionCallingConfig
  if calling then
    only(calling, set('mode allowedFunctionNames'), 'functionCallingConfig')
    assert(functions == 1, 'a function calling config without functions')
    assert(MODES[calling.mode], 'a bad mode')
    local allowed = calling.allowedFunctionNames
    assert(not allowed or calling.mode == 'ANY' or calling.mode == 'VALIDATED', 'names with AUTO')
    for _, name in ipairs(allowed or {}) do
      assert(declared[name], 'an allowed name that is not declared')
    end
  end
end

local function check_config(config)
  only(config, CONFIG, 'generationConfig')
  assert(#(config.stopSequences or {}) <= 5, 'more than five stop sequences')
  assert(not config.temperature or json.tonumber(config.temperature) <= 2, 'too warm')
  assert(not (config.responseSchema and config.responseJsonSchema), 'two schemas')
  assert(not (config.responseSchema or config.responseJsonSchema)
    or config.responseMimeType == 'application/json', 'a schema without its type')
  if config.responseSchema then
    M.schema(config.responseSchema, 'responseSchema')
  end
  local thinking = config.thinkingConfig
  if thinking then
    only(thinking, set('includeThoughts thinkingBudget thinkingLevel'), 'thinkingConfig')
    assert(not (thinking.thinkingBudget and thinking.thinkingLevel), 'budget and level')
    assert(not thinking.thinkingLevel or LEVELS[thinking.thinkingLevel], 'a bad level')
  end
end

--- @param body table A request for Gemini, decoded from its bytes.
function M.request(body)
  only(body, TOP, 'the request')
  check_contents(body.contents)
  if body.systemInstruction then
    only(body.systemInstruction, set('parts role'), 'systemInstruction')
    for _, part in ipairs(body.systemInstruction.parts) do
      assert(type(part.text) == 'string' and part.text ~= '', 'a system part without text')
    end
  end
  check_tools(body)
  check_config(body.generationConfig or json.object({}))
end

local function check_chunk(body, state)
  assert(not state.finished, 'something after the finish')
  if body.error then
    assert(json.is_number(body.error.code) and body.error.message and body.error.status)
    state.finished = true
    return
  end
  assert(body.responseId and body.modelVersion)
  assert(#body.candidates == 1 and body.candidates[1].index == 0)
  local candidate = body.candidates[1]
  assert(candidate.content.role == 'model' and #candidate.content.parts > 0)
  for _, part in ipairs(candidate.content.parts) do
    local data = 0
    for name in pairs(part) do
      assert(DATA[name] or BESIDE[name], 'a part with ' .. name)
      data = data + (DATA[name] and 1 or 0)
    end
    assert(data == 1, 'a part of not one kind')
    if part.functionCall then
      assert(json.is_object(part.functionCall.args) and part.functionCall.name ~= '')
    end
    local signed = part.thoughtSignature
    assert(not signed or signed:find('^[%w+/_-]+=*$'), 'a signature that is no base64')
  end
  if candidate.finishReason then
    assert(body.usageMetadata.promptTokenCount and body.usageMetadata.totalTokenCount)
    state.finished = true
  end
end

--- Checks an SSE stream as the official client would; gives the data texts.
---
--- @param text string
--- @return string[]
function M.stream(text)
  local out, state, at = {}, {}, 1
  while at <= #text do
    local data, after = text:match('^data: ([^\r\n]*)\r\n\r\n()', at)
    assert(data, 'not a data frame: ' .. text:sub(at, at + 40))
    check_chunk(assert(json.decode(data)), state)
    out[#out + 1], at = data, after
  end
  assert(state.finished, 'no finish')
  return out
end

--- Checks a stream in the form of an array; gives the elements.
---
--- @param text string
--- @return table[]
function M.array(text)
  local list = assert(json.decode(text))
  assert(json.is_array(list))
  local state = {}
  for _, body in ipairs(list) do
    check_chunk(body, state)
  end
  assert(state.finished, 'no finish')
  return list
end

return M
