--- Bodies that are almost right: every value of a good one replaced by each odd one.
---
--- A request may be refused, with words and a path, but never by an error of ours. An upstream's
--- answer is always read, and what is read can always be written.

local estimate = require('protocol._estimate')
local json = require('px.json')
local t = require('harness')

local describe, it = t.describe, t.it

local ODD = { 'null', '""', '"x"', '0', '-1', '1.5', 'true', 'false', '[]', '{}', '[null]', '[[]]',
  '{"type":"x"}', '[1]', '12345678901234567890' }

local function context()
  return {
    model = 'm', knowledge = {}, lost = function() end, id = 'abcdefghijklmnopqrstuvwx',
    now = 1790000000, include_usage = true, settings = {}, origin = 'elsewhere',
  }
end

--- Calls `try` with every variant of a JSON text that differs in one value.
local function each(text, try)
  local root = json.decode(text)
  local function walk(node, set)
    for _, odd in ipairs(ODD) do
      set(json.decode(odd))
      try(json.encode(root))
    end
    set(node)
    if type(node) == 'table' then
      local keys = {}
      if json.is_array(node) then
        for i = 1, #node do
          keys[i] = i
        end
      else
        keys = json.keys(node)
      end
      for _, key in ipairs(keys) do
        walk(node[key], function(value)
          node[key] = value
        end)
      end
    end
  end
  walk(root, function(value)
    root = value
  end)
end

local REQUESTS = {
  openai_chat = [[{"model":"m","messages":[
    {"role":"system","content":"Be good"},
    {"role":"user","name":"joe","content":[{"type":"text","text":"Hi","cache_control":{}},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}},
      {"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0=","filename":"a"}},
      {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]},
    {"role":"assistant","content":null,"refusal":"no","reasoning_content":"hm",
      "reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"f"}],
      "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"done"}]},
    {"role":"assistant","content":"","function_call":{"name":"g","arguments":"{}"}},
    {"role":"function","name":"g","content":"x"},{"role":"developer","content":"now"}],
    "tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,
      "parameters":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}},
      {"type":"custom","custom":{"name":"c","format":{"type":"grammar",
      "grammar":{"definition":"x","syntax":"lark"}}}}],
    "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[
      {"type":"function","function":{"name":"f"}}]}},
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
    "max_tokens":10,"temperature":0,"top_p":1,"stop":["a"],"reasoning":{"effort":"high"},
    "stream_options":{"include_usage":true},"metadata":{"a":"b"},"n":1,"user":"u",
    "web_search_options":{"search_context_size":"low","user_location":{"type":"approximate",
      "approximate":{"city":"Ulm"}}}}]],
  anthropic = [[{"model":"m","max_tokens":9,"system":[{"type":"text","text":"Be good",
    "cache_control":{"type":"ephemeral"}}],"messages":[
    {"role":"user","content":[{"type":"text","text":"Hi"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
      {"type":"document","title":"t","source":{"type":"text","media_type":"text/plain","data":"d"}},
      {"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"redacted_thinking","data":"r"},
      {"type":"text","text":"ok","citations":[{"type":"char_location","cited_text":"x"}]},
      {"type":"tool_use","id":"t1","name":"f","input":{"a":1}},
      {"type":"server_tool_use","id":"srv","name":"web_search","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,
      "content":[{"type":"text","text":"done"}]}]},{"role":"system","content":"now"}],
    "tools":[{"name":"f","description":"d","input_schema":{"type":"object","anyOf":[
      {"properties":{"a":{"type":"string"}},"required":["a"]}]}},
      {"type":"web_search_20250305","name":"web_search"}],
    "tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
    "thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"effort":"high",
    "format":{"type":"json_schema","schema":{"type":"object"}}},"metadata":{"user_id":"u"},
    "stop_sequences":["a"],"temperature":1,"stream":true}]],
  openai_responses = [[{"model":"m","instructions":"Be good","input":[
    {"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"},
      {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"},
      {"type":"input_file","filename":"a.pdf","file_data":"JVBERi0x"}]},
    {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"s"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok",
      "annotations":[{"type":"url_citation","url":"u"}]},{"type":"refusal","refusal":"no"}]},
    {"type":"function_call","call_id":"c1","name":"f","namespace":"n","arguments":"{}"},
    {"type":"custom_tool_call","call_id":"c2","name":"c","input":"x"},
    {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"x"}]},
    {"type":"custom_tool_call_output","call_id":"c2","output":"x"},
    {"type":"web_search_call","id":"w","status":"completed"},
    {"role":"developer","content":"now"}],
    "tools":[{"type":"function","name":"f","description":"d","strict":true,
      "parameters":{"type":"object","properties":{"a":{"type":"string"}}}},
      {"type":"custom","name":"c","format":{"type":"grammar","definition":"x","syntax":"lark"}},
      {"type":"web_search","filters":{"allowed_domains":["a.b"]},"search_context_size":"low"}],
    "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
    "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},
    "max_output_tokens":20,"temperature":0,"top_p":1,"reasoning":{"effort":"high",
    "summary":"auto"},"metadata":{"a":"b"},"include":["reasoning.encrypted_content"],
    "parallel_tool_calls":false,"user":"u"}]],
  ollama = [[{"model":"m","messages":[{"role":"system","content":"Be good"},
    {"role":"user","content":"Hi","images":["iVBORw0KGgo="]},
    {"role":"assistant","content":"ok","thinking":"hm","tool_calls":[{"id":"a","function":
      {"index":0,"name":"f","arguments":{"x":1}}},{"function":{"name":"g","arguments":{}}}]},
    {"role":"tool","content":"done","tool_name":"f","tool_call_id":"a"},
    {"role":"tool","content":"done","tool_name":"g","images":["iVBORw0KGgo="]}],
    "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{
      "type":"object","properties":{"a":{"type":["string","null"],"enum":["a"],"minLength":1},
      "b":{"anyOf":[{"type":"string"}],"items":{"$ref":"#/$defs/c"}},"d":{"allOf":[{"const":1}]}},
      "required":["a"],"$defs":{"c":{"type":"string"}}}}}],
    "format":{"type":"object"},"think":"high","options":{"num_predict":5,"temperature":0,
    "top_k":1,"seed":1,"stop":["a"],"num_ctx":9},"stream":false,"keep_alive":"5m"}]],
}

-- One more form of a request.
local GENERATION = [[{"model":"m","prompt":"Hi","system":"S","images":["iVBORw0KGgo="],
  "suffix":"","context":[1],"raw":true,"template":"t","options":{"stop":"a"}}]]

local ANSWERS = {
  openai_chat = [[{"id":"a","model":"m","choices":[{"index":0,"message":{"role":"assistant",
    "content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text",
    "text":"x"}],"refusal":"r","reasoning":"q","reasoning_details":[{"type":"reasoning.encrypted",
    "data":"d","format":"f"}],"annotations":[{"type":"url_citation","url_citation":{"url":"u",
    "title":"t","start_index":1,"end_index":2}}],"audio":{"data":"d","transcript":"t"},
    "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},
    "extra_content":{"google":{"thought_signature":"s"}}}]},"finish_reason":"tool_calls"}],
    "citations":["u"],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,
    "prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":
    {"reasoning_tokens":1}}}]],
  anthropic = [[{"id":"a","type":"message","model":"m","content":[{"type":"thinking",
    "thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text",
    "text":"x","citations":[{"type":"web_search_result_location","url":"u","title":"t",
    "encrypted_index":"e"}]},{"type":"tool_use","id":"i","name":"f","input":{"a":1}},
    {"type":"server_tool_use","id":"s","name":"w","input":{}}],"stop_reason":"refusal",
    "stop_sequence":null,"stop_details":{"explanation":"because"},"usage":{"input_tokens":1,
    "cache_read_input_tokens":2,"output_tokens":3,"output_tokens_details":{"thinking_tokens":1}}}]],
  ollama = [[{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",
    "content":"x","thinking":"hm","tool_calls":[{"id":"a","function":{"index":0,"name":"f",
    "arguments":{"x":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":1,
    "eval_count":2}]],
}

local STREAMS = {
  openai_chat = {
    '{"id":"a","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}',
    '{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}',
    '{"choices":[{"index":0,"delta":{"content":"text"},"finish_reason":null}],"usage":null}',
    '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function",'
      .. '"function":{"name":"f","arguments":"{"}}]}}]}',
    '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}',
    '{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"x_groq":{"usage":{}}}',
  },
  anthropic = {
    '{"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t",'
      .. '"name":"f","input":{}}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",'
      .. '"partial_json":"{}"}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{}}}',
    '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_details":{}},"usage":{}}',
  },
  ollama = {
    '{"model":"m","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}',
    '{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}',
    '{"model":"m","message":{"content":"","tool_calls":[{"id":"a","function":{"name":"f",'
      .. '"arguments":{"x":1}}}]},"done":false}',
    '{"model":"m","response":"Hi","done":false}',
    '{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","eval_count":2}',
  },
}

local function module(protocol, name)
  return require('protocol.' .. protocol .. '.' .. name)
end

local PROTOCOLS = { 'anthropic', 'ollama', 'openai_chat' }
local TARGETS = { 'anthropic', 'gemini', 'ollama', 'openai_chat', 'openai_responses' }

--- Runs `body`; only a px.Bad may come out of it.
local function allowed(text, body)
  local ok, err = xpcall(body, function(err)
    return type(err) == 'table' and err or debug.traceback(tostring(err))
  end)
  if not ok and not (type(err) == 'table' and err.status == 400 and err.message) then
    error(text .. '\n' .. tostring(type(err) == 'table' and err.message or err), 0)
  end
  return ok
end

local function write_all(events)
  for _, to in ipairs(PROTOCOLS) do
    local write = module(to, 'stream').writer(context())
    for _, event in ipairs(events) do
      write(event)
    end
    write(nil)
    json.encode(module(to, 'reply').write(events, context()))
  end
end

local function check_request(protocol, text)
  each(text, function(variant)
    allowed(variant, function()
      local request = module(protocol, 'request').read(json.decode(variant), context())
      estimate.request(request)
      for _, to in ipairs(TARGETS) do
        json.encode(module(to, 'request').write(request, context()))
      end
    end)
  end)
end

describe('odd input', function()
  for protocol, text in pairs(REQUESTS) do
    it('is read or refused in requests of ' .. protocol, function()
      check_request(protocol, text)
    end)
  end

  it('is read or refused in generations of ollama', function()
    check_request('ollama', GENERATION)
  end)

  for protocol, text in pairs(ANSWERS) do
    it('never breaks a reader of answers of ' .. protocol, function()
      each(text, function(variant)
        local ok, err = xpcall(function()
          write_all(module(protocol, 'reply').read(json.decode(variant), context()))
        end, debug.traceback)
        if not ok then
          error(variant .. '\n' .. err, 0)
        end
      end)
    end)
  end

  for protocol, events in pairs(STREAMS) do
    it('never breaks a reader of streams of ' .. protocol, function()
      for at, text in ipairs(events) do
        each(text, function(variant)
          local ok, err = xpcall(function()
            local read, all = module(protocol, 'stream').reader(context()), {}
            for i, event in ipairs(events) do
              for _, found in ipairs(read('message', i == at and variant or event) or {}) do
                all[#all + 1] = found
              end
            end
            for _, found in ipairs(read(nil) or {}) do
              all[#all + 1] = found
            end
            write_all(all)
          end, debug.traceback)
          if not ok then
            error(variant .. '\n' .. err, 0)
          end
        end)
      end
    end)
  end
end)

t.finish()
