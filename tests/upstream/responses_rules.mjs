// What the real Responses API refuses, and how it words it.

import { isObject, plainName, stranger } from './vendor.mjs';
import { checkInput } from './responses_items.mjs';
import { absent, bad, known, need, oneOf, required, text } from './responses_words.mjs';

const TOP = new Set(['background', 'client_metadata', 'context_management', 'conversation',
  'include', 'input', 'instructions', 'max_output_tokens', 'max_tool_calls', 'metadata', 'model',
  'moderation', 'parallel_tool_calls', 'previous_response_id', 'prompt', 'prompt_cache_key',
  'prompt_cache_options', 'prompt_cache_retention', 'reasoning', 'safety_identifier',
  'service_tier', 'store', 'stream', 'stream_options', 'temperature', 'text', 'tool_choice',
  'tools', 'top_logprobs', 'top_p', 'truncation', 'user']);

const INCLUDE = new Set(['code_interpreter_call.outputs',
  'computer_call_output.output.image_url', 'file_search_call.results',
  'message.input_image.image_url', 'message.output_text.logprobs', 'reasoning.encrypted_content',
  'web_search_call.action.sources', 'web_search_call.results']);

const EFFORT = new Set(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);

const TOOLS = ['function', 'custom', 'namespace', 'web_search', 'web_search_2025_08_26',
  'web_search_preview', 'web_search_preview_2025_03_11', 'file_search', 'code_interpreter',
  'image_generation', 'mcp', 'computer', 'computer_use_preview', 'local_shell', 'shell',
  'apply_patch', 'tool_search', 'programmatic_tool_calling'];

function range(body, name, low, high) {
  const value = body[name];
  if (absent(value)) {
    return;
  }
  need(typeof value === 'number', name, 'invalid_type',
    `Invalid type for '${name}': expected a decimal, but got a ${typeof value} instead.`);
  need(value >= low, name, 'decimal_below_min_value', `Invalid '${name}': decimal below minimum `
    + `value. Expected a value >= ${low}, but got ${value} instead.`);
  need(value <= high, name, 'decimal_above_max_value', `Invalid '${name}': decimal above maximum `
    + `value. Expected a value <= ${high}, but got ${value} instead.`);
}

/** What `strict` asks of a schema, and of every object in it. */
function checkStrict(schema, what, where = '()') {
  if (!isObject(schema)) {
    return;
  }
  const fail = (rule) => need(false, null, 'invalid_json_schema',
    `Invalid schema for ${what}: In context=${where}, ${rule}`);
  if (isObject(schema.properties)) {
    const missing = Object.keys(schema.properties)
      .find((name) => !(schema.required ?? []).includes(name));
    if (missing !== undefined) {
      fail("'required' is required to be supplied and to be an array including every key in "
        + `properties. Missing '${missing}'.`);
    }
    if (schema.additionalProperties !== false) {
      fail("'additionalProperties' is required to be supplied and to be false.");
    }
    for (const [name, inner] of Object.entries(schema.properties)) {
      checkStrict(inner, what, `('properties', '${name}')`);
    }
  }
  checkStrict(schema.items, what, `${where.slice(0, -1)}, 'items')`);
  (schema.anyOf ?? []).forEach((inner) => checkStrict(inner, what, where));
}

function checkTool(tool, where) {
  oneOf(tool?.type, TOOLS, `${where}.type`);
  if (tool.type === 'namespace') {
    text(tool.name, `${where}.name`);
    need(tool.tools?.length > 0, `${where}.tools`, 'missing_required_parameter',
      `Missing required parameter: '${where}.tools'.`);
    tool.tools.forEach((inner, at) => checkTool(inner, `${where}.tools[${at}]`));
    return;
  }
  if (tool.type !== 'function' && tool.type !== 'custom') {
    return;
  }
  required(tool.name, `${where}.name`);
  need(plainName(tool.name, 64), `${where}.name`, 'invalid_value', `Invalid '${where}.name': `
    + "string does not match pattern. Expected a string that matches the pattern "
    + "'^[a-zA-Z0-9_-]+$'.");
  if (tool.type === 'custom') {
    need(absent(tool.format) || ['text', 'grammar'].includes(tool.format.type),
      `${where}.format.type`, 'invalid_value', `Invalid value: '${tool.format?.type}'.`);
    return;
  }
  const schema = tool.parameters;
  need(absent(schema) || (isObject(schema) && schema.type === 'object'), `${where}.parameters`,
    'invalid_function_parameters', `Invalid schema for function '${tool.name}': schema must be a `
    + `JSON Schema of 'type: "object"', got 'type: "${schema?.type ?? 'None'}"'.`);
  // Left out, `strict` means yes: a schema that is not fit for it needs an explicit false.
  if (tool.strict !== false) {
    checkStrict(schema, `function '${tool.name}'`);
  }
}

function checkChoice(body) {
  const { tool_choice: choice, tools } = body;
  if (absent(choice)) {
    return;
  }
  if (!isObject(choice)) {
    oneOf(choice, ['none', 'auto', 'required'], 'tool_choice');
    need(choice !== 'required' || tools?.length || body.previous_response_id, 'tool_choice', null,
      "Tool choice 'required' must be specified with 'tools' parameter.");
    return;
  }
  oneOf(choice.type, ['allowed_tools', ...TOOLS], 'tool_choice.type');
  if (choice.type === 'allowed_tools') {
    oneOf(choice.mode, ['auto', 'required'], 'tool_choice.mode');
    need(Array.isArray(choice.tools), 'tool_choice.tools', 'missing_required_parameter',
      "Missing required parameter: 'tool_choice.tools'.");
  }
  for (const one of choice.type === 'allowed_tools' ? choice.tools : [choice]) {
    const named = one.type === 'function' || one.type === 'custom';
    if (named) {
      required(one.name, 'tool_choice.name');
    }
    const found = (tools ?? []).some((tool) => tool.type === one.type
      && (!named || tool.name === one.name));
    need(found, 'tool_choice', null, `Tool choice '${one.name ?? one.type}' not found in 'tools' `
      + 'parameter.');
  }
}

function checkText(body) {
  known(body.text ?? {}, ['format', 'verbosity'], 'text');
  const format = body.text?.format;
  if (absent(format)) {
    return;
  }
  oneOf(format.type, ['text', 'json_object', 'json_schema'], 'text.format.type');
  if (format.type === 'json_object') {
    need(/json/i.test(JSON.stringify(body.input) + (body.instructions ?? '')), 'input', null,
      "Response input messages must contain the word 'json' in some form to use 'text.format' of "
      + "type 'json_object'.");
  } else if (format.type === 'json_schema') {
    known(format, ['description', 'name', 'schema', 'strict'], 'text.format');
    required(format.name, 'text.format.name');
    need(plainName(format.name, 64), 'text.format.name', 'invalid_value',
      "Invalid 'text.format.name': string does not match pattern.");
    need(isObject(format.schema), 'text.format.schema', 'missing_required_parameter',
      "Missing required parameter: 'text.format.schema'.");
    if (format.strict) {
      checkStrict(format.schema, `response_format '${format.name}'`);
    }
  }
}

function checkModelTraits(body, can) {
  const unsupported = (name) => bad(name, 'unsupported_parameter',
    `Unsupported parameter: '${name}' is not supported with this model.`);
  if (!can.reasons(body.model)) {
    if (!absent(body.reasoning?.effort)) {
      unsupported('reasoning.effort');
    }
    need(!(body.include ?? []).includes('reasoning.encrypted_content') || can.foreign, 'include',
      null, 'Encrypted content is not supported with this model.');
    return;
  }
  known(body.reasoning ?? {}, ['context', 'effort', 'generate_summary', 'mode', 'summary'],
    'reasoning');
  if (!absent(body.reasoning?.effort)) {
    oneOf(body.reasoning.effort, EFFORT, 'reasoning.effort');
  }
  if (!absent(body.reasoning?.summary)) {
    oneOf(body.reasoning.summary, ['auto', 'concise', 'detailed'], 'reasoning.summary');
  }
  for (const name of ['temperature', 'top_p']) {
    if (!absent(body[name]) && body[name] !== 1 && !can.foreign) {
      unsupported(name);
    }
  }
  if ((body.include ?? []).includes('message.output_text.logprobs') && !can.foreign) {
    unsupported('include');
  }
}

function checkOptions(body) {
  range(body, 'temperature', 0, 2);
  range(body, 'top_p', 0, 1);
  range(body, 'top_logprobs', 0, 20);
  const cap = body.max_output_tokens;
  need(absent(cap) || (Number.isInteger(cap) && cap >= 16), 'max_output_tokens',
    'integer_below_min_value', "Invalid 'max_output_tokens': integer below minimum value. Expected "
    + `a value >= 16, but got ${cap} instead.`);
  need(absent(body.stream_options) || body.stream === true, 'stream_options', null,
    "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  known(body.stream_options ?? {}, ['include_obfuscation'], 'stream_options');
  (body.include ?? []).forEach((one, at) => oneOf(one, INCLUDE, `include[${at}]`));
  need(!(body.previous_response_id && body.conversation), 'previous_response_id',
    'mutually_exclusive_parameters', 'Mutually exclusive parameters: '
    + "'previous_response_id' and 'conversation'.");
  need(!(body.background && body.store === false), 'background', null,
    "Background mode requires 'store' to be true.");
  need(absent(body.instructions) || typeof body.instructions === 'string', 'instructions',
    'invalid_type', "Invalid type for 'instructions': expected a string.");
  for (const [name, value] of Object.entries(body.metadata ?? {})) {
    need(typeof value === 'string' && value.length <= 512, `metadata.${name}`, 'invalid_type',
      `Invalid type for 'metadata.${name}': expected a string, but got a ${typeof value} instead.`);
  }
}

/**
 * Raises the refusal that the real API would answer `body` with. `can` is what the vendor knows and
 * allows; `previous()` gives the calls of the response that this one goes on from.
 */
export function checkBody(body, can, previous) {
  need(isObject(body), null, 'invalid_type', 'Invalid type for body: expected an object.');
  required(body.model, 'model');
  const odd = stranger(body, can.extra ? new Set([...TOP, ...can.extra]) : TOP);
  need(!odd, odd, 'unknown_parameter', `Unknown parameter: '${odd}'.`);
  need(!body.model.startsWith('missing'), 'model', 'model_not_found',
    `The requested model '${body.model}' does not exist.`);
  checkOptions(body);
  need(absent(body.tools) || Array.isArray(body.tools), 'tools', 'invalid_type',
    "Invalid type for 'tools': expected an array of objects.");
  (body.tools ?? []).forEach((tool, at) => checkTool(tool, `tools[${at}]`));
  checkChoice(body);
  checkText(body);
  checkModelTraits(body, can);
  checkInput(body, can, previous());
}
