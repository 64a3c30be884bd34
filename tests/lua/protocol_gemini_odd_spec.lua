--- Every member of good Gemini bodies replaced by odd values: a refusal or an answer, no crash.

local json = require('px.json')
local t = require('harness')
local errors = require('protocol.gemini.errors')
local reply = require('protocol.gemini.reply')
local request = require('protocol.gemini.request')
local stream = require('protocol.gemini.stream')
local strict_gemini = require('strict_gemini')

local describe, it = t.describe, t.it

local REQUEST = [[{"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user",
  "parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
  {"fileData":{"mimeType":"image/png","fileUri":"https://e.org/a.png"}}]},{"role":"model","parts":[
  {"text":"hm","thought":true},{"functionCall":{"id":"c","name":"f","args":{"a":1}},
  "thoughtSignature":"Cg=="},{"executableCode":{"code":"1"}}]},{"role":"user","parts":[
  {"functionResponse":{"id":"c","name":"f","response":{"output":"x"},"parts":[{"inlineData":{
  "mimeType":"image/png","data":"iVBORw0KGgo="}}]}}]}],"tools":[{"functionDeclarations":[{"name":
  "f",
  "description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"ARRAY","items":{
  "anyOf":[{"type":"STRING","enum":["x"],"nullable":true},{"$ref":"#/$defs/b"}]}}},"required":["a"],
  "$defs":{"b":{"const":1,"allOf":[{"exclusiveMinimum":0}],"format":"f","prefixItems":[{}]}}}}]},
  {"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":
  ["f"]}},"generationConfig":{"temperature":1,"topK":3,"maxOutputTokens":9,"stopSequences":["x"],
  "seed":1,"candidateCount":1,"responseMimeType":"application/json","responseSchema":{"type":
  "OBJECT","properties":{"a":{"type":"NUMBER"}}},"responseModalities":["TEXT"],"thinkingConfig":{
  "thinkingBudget":5,"includeThoughts":true}},"safetySettings":[{"category":"x"}]}]]
local ANSWER = [[{"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true,
  "thoughtSignature":"Cg=="},{"text":"a","thoughtSignature":"Cg=="},{"functionCall":{"id":"c",
  "name":"f","args":{"a":1}},"thoughtSignature":"Cg=="},{"functionCall":{"name":"g","partialArgs":[{
  "jsonPath":"$.a[0].b","stringValue":"x"}],"willContinue":true}},{"inlineData":{"data":"A"}},
  {"executableCode":{"code":"1"}}]},"finishReason":"STOP","index":0,"groundingMetadata":{
  "groundingChunks":[{"web":{"uri":"u","title":"t"}}],"groundingSupports":[{
  "segment":{"startIndex":0,"endIndex":1},"groundingChunkIndices":[0]}]},"citationMetadata":{
  "citationSources":[{"uri":"u","startIndex":0,"endIndex":1}]}}],
  "promptFeedback":{"blockReason":"X"},"usageMetadata":{
  "promptTokenCount":1,"candidatesTokenCount":1},"modelVersion":"m","responseId":"r"}]]
local REFUSAL = [[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{
  "@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"},{"@type":
  "x.QuotaFailure","violations":[{"quotaId":"PerDay"}]},{"@type":"x.BadRequest",
  "fieldViolations":[{"field":"f"}]}]}}]]
local ODD = {
  json.null, 7, -1, 0.5, true, false, '', 'x', ('y'):rep(70), json.array({}), json.object({}),
  json.array({ json.null }), json.array({ 1, 'x' }), json.object({ x = json.object({}) }),
}

local function context()
  return {
    model = 'm', id = 'ID', now = 7, stream = true, settings = {}, origin = 'gemini',
    knowledge = {}, lost = function() end,
  }
end

--- Calls `use` with the body, once for each member and each odd value.
local function mutate(text, use)
  local root, count = assert(json.decode(text)), 0
  local function walk(at)
    local keys = json.is_array(at) and {} or json.keys(at)
    for i = 1, json.is_array(at) and #at or 0 do
      keys[i] = i
    end
    for _, key in ipairs(keys) do
      local old = at[key]
      for _, odd in ipairs(ODD) do
        at[key] = odd
        use(json.decode(json.encode(root)))
        count = count + 1
      end
      at[key] = old
      if type(old) == 'table' and not json.is_number(old) then
        walk(old)
      end
    end
  end
  walk(root)
  return count
end

--- Runs something that may only refuse.
local function may_refuse(run, ...)
  local ok, result = xpcall(run, function(err)
    return type(err) == 'table' and err or debug.traceback(tostring(err))
  end, ...)
  if not ok and not (type(result) == 'table' and result.status == 400 and result.message) then
    error(result, 0)
  end
  return ok and result or nil
end

describe('odd bodies of Gemini:', function()
  it('requests are refused or written for everyone', function()
    local count = mutate(REQUEST, function(body)
      local asked = may_refuse(request.read, body, context())
      for _, protocol in ipairs({ 'gemini', 'anthropic', 'openai_chat' }) do
        if asked then
          local written = may_refuse(function()
            return require('protocol.' .. protocol .. '.request').write(asked, context())
          end)
          local bytes = json.encode(written or 1)
          if written and protocol == 'gemini' then
            strict_gemini.request(json.decode(bytes))
          end
        end
      end
    end)
    assert(count > 1000)
  end)

  it('answers are read, whole and streamed, and written again', function()
    mutate(ANSWER, function(body)
      for _, events in ipairs({ reply.read(body, context()), (function()
        local read, out = stream.reader(context()), {}
        for _, data in ipairs({ json.encode(body), ANSWER }) do
          for _, event in ipairs(read('message', data) or {}) do
            out[#out + 1] = event
          end
        end
        for _, event in ipairs(read(nil) or {}) do
          out[#out + 1] = event
        end
        return out
      end)() }) do
        assert(events[#events].kind == 'error' or events[#events].kind == 'usage'
          or events[#events].kind == 'finish')
        json.encode(reply.write(events, context()))
      end
      stream.begins('message', json.encode(body))
      stream.tapped({ finishReason = json.encode(body), usageMetadata = json.encode(body),
        blockReason = json.encode(body), error = json.encode(body) })
    end)
  end)

  it('refusals are read', function()
    mutate(REFUSAL, function(body)
      local failure = errors.read(429, json.encode(body), {}, 0)
      assert(failure.code and failure.message)
      json.encode((select(2, errors.write(failure))))
    end)
  end)
end)

t.finish()
