// What the real Messages API refuses, and how it words it.

import { Refusal, isObject, plainName, stranger } from './vendor.mjs';

const TOP = new Set(['cache_control', 'container', 'context_management', 'diagnostics',
  'inference_geo', 'max_tokens', 'mcp_servers', 'messages', 'metadata', 'model', 'output_config',
  'service_tier', 'speed', 'stop_sequences', 'stream', 'system', 'temperature', 'thinking',
  'thread', 'tool_choice', 'tools', 'top_k', 'top_p']);

const BLOCK = {
  text: ['text', 'citations', 'cache_control'],
  image: ['source', 'cache_control'],
  document: ['source', 'title', 'context', 'citations', 'cache_control'],
  search_result: ['source', 'title', 'content', 'citations', 'cache_control'],
  thinking: ['thinking', 'signature'],
  redacted_thinking: ['data'],
  tool_use: ['id', 'name', 'input', 'cache_control', 'caller'],
  tool_result: ['tool_use_id', 'content', 'is_error', 'cache_control'],
};

const ASSISTANT_ONLY = new Set(['thinking', 'redacted_thinking', 'tool_use']);
const USER_ONLY = new Set(['image', 'document', 'search_result', 'tool_result']);
const CLIENT_TOOL = new Set(['name', 'description', 'input_schema', 'strict', 'cache_control',
  'eager_input_streaming', 'input_examples', 'defer_loading', 'allowed_callers', 'type']);
const MEDIA = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);
const EFFORT = new Set(['low', 'medium', 'high', 'xhigh', 'max']);

/** What a family of models can and cannot do. */
export function traits(model) {
  const newest = /-(opus|sonnet|haiku|fable)-5/.test(model);
  const four6 = /-4-6/.test(model);
  const old = /claude-3-[05]|claude-3-haiku|claude-3-opus/.test(model);
  return {
    cap: newest || four6 ? 128000 : old ? 8192 : 64000,
    effort: newest || four6 || /opus-4-5/.test(model),
    enabledThinking: !newest && !old,
    adaptiveThinking: newest || four6,
    oneSampler: /-4-[15]/.test(model) || four6,
    prefill: !newest && !four6,
    sampling: !newest,
    systemRole: newest,
  };
}

function need(ok, message) {
  if (!ok) {
    throw new Refusal(400, 'invalid_request_error', message);
  }
}

function known(object, names, where) {
  const odd = stranger(object, names instanceof Set ? names : new Set([...names, 'type']));
  need(!odd, `${where ? `${where}.` : ''}${odd}: Extra inputs are not permitted`);
}

function checkSource(block, where) {
  const { source } = block;
  need(isObject(source), `${where}.source: Field required`);
  if (source.type === 'base64') {
    known(source, ['media_type', 'data'], `${where}.source.base64`);
    if (block.type === 'image') {
      need(MEDIA.has(source.media_type), `${where}.source.base64.media_type: Input should be `
        + "'image/jpeg', 'image/png', 'image/gif' or 'image/webp'");
    }
    need(/^[A-Za-z0-9+/]+=*$/.test(source.data ?? ''),
      `${where}.source.base64: invalid base64 data`);
  } else if (source.type === 'url') {
    need(/^https:\/\//.test(source.url ?? ''),
      `${where}.source.url: Only HTTPS URLs are supported.`);
  } else {
    need(['text', 'content', 'file'].includes(source.type), `${where}.source: Input tag `
      + `'${source.type}' found using 'type' does not match any of the expected tags`);
  }
}

function checkResult(block, where) {
  need(plainName(block.tool_use_id, 200), `${where}.tool_result.tool_use_id: String should match `
    + "pattern '^[a-zA-Z0-9_-]+$'");
  if (!Array.isArray(block.content)) {
    return;
  }
  block.content.forEach((inner, at) => {
    const path = `${where}.tool_result.content.${at}`;
    need(['text', 'image', 'document', 'search_result', 'tool_reference'].includes(inner.type),
      `${path}: Input tag '${inner.type}' found using 'type' does not match any expected tag`);
    checkBlock(inner, 'user', path);
    need(!('cache_control' in inner), `${path}.cache_control: Extra inputs are not permitted`);
  });
}

function checkBlock(block, role, where) {
  need(isObject(block) && block.type in BLOCK, `${where}: Input tag '${block?.type}' found using `
    + `'type' does not match any of the expected tags: 'document', 'image', 'redacted_thinking', `
    + "'search_result', 'text', 'thinking', 'tool_result', 'tool_use'");
  need(!(role === 'user' && ASSISTANT_ONLY.has(block.type)), `${where}: \`${block.type}\` blocks `
    + 'are only permitted in `assistant` messages');
  need(!(role === 'assistant' && USER_ONLY.has(block.type)), `${where}: \`${block.type}\` blocks `
    + 'are only permitted in `user` messages');
  known(block, BLOCK[block.type], `${where}.${block.type}`);
  if (block.type === 'text') {
    need(typeof block.text === 'string', `${where}.text.text: Field required`);
    need(block.text.length > 0, 'messages: text content blocks must be non-empty');
    need(block.text.trim().length > 0,
      'messages: text content blocks must contain non-whitespace text');
  } else if (block.type === 'image' || block.type === 'document') {
    checkSource(block, `${where}.${block.type}`);
  } else if (block.type === 'tool_use') {
    need(plainName(block.id, 200), `${where}.tool_use.id: String should match pattern `
      + "'^[a-zA-Z0-9_-]+$'");
    need(isObject(block.input), `${where}.tool_use.input: Input should be a valid dictionary`);
    need(plainName(block.name, 128), `${where}.tool_use.name: String should match pattern `
      + "'^[a-zA-Z0-9_-]{1,128}$'");
  } else if (block.type === 'tool_result') {
    checkResult(block, where);
  } else if (block.type === 'thinking') {
    need(typeof block.signature === 'string', `${where}.thinking.signature: Field required`);
    need(block.signature.startsWith('EqQB'),
      `${where}: Invalid \`signature\` in \`thinking\` block`);
  }
}

/** String content as blocks, so that one rule serves both forms. */
function blocks(message) {
  return Array.isArray(message.content) ? message.content
    : [{ type: 'text', text: message.content }];
}

function checkContent(message, at, isLast) {
  const where = `messages.${at}`;
  const { content, role } = message;
  known(message, new Set(['role', 'content']), where);
  need(typeof content === 'string' || Array.isArray(content),
    `${where}.content: Input should be a valid list`);
  if (content.length === 0) {
    need(isLast && role === 'assistant', `${where}: all messages must have non-empty content `
      + 'except for the optional final assistant message');
    return;
  }
  blocks(message).forEach((block, index) => (
    checkBlock(block, role === 'system' ? 'user' : role, `${where}.content.${index}`)));
}

/** Neighbours of one role count as one message, as in the real API. */
function merged(messages) {
  const out = [];
  messages.forEach((message, at) => {
    const before = out[out.length - 1];
    if (before?.role === message.role) {
      before.blocks.push(...blocks(message));
    } else {
      out.push({ role: message.role, blocks: [...blocks(message)], at });
    }
  });
  return out.filter((turn) => turn.role !== 'system');
}

function ofType(list, type) {
  return list.filter((block) => block.type === type);
}

function checkPairs(messages) {
  const turns = merged(messages);
  const seen = new Set();
  turns.forEach((turn, at) => {
    const calls = ofType(turn.blocks, 'tool_use').map((block) => block.id);
    for (const id of calls) {
      need(!seen.has(id), `messages.${turn.at}: \`tool_use\` ids must be unique`);
      seen.add(id);
    }
    const next = turns[at + 1]?.blocks ?? [];
    const answered = new Set(ofType(next, 'tool_result').map((block) => block.tool_use_id));
    const missing = calls.filter((id) => !answered.has(id));
    need(missing.length === 0, `messages.${turn.at}: \`tool_use\` ids were found without `
      + `\`tool_result\` blocks immediately after: ${missing.join(', ')}. Each \`tool_use\` block `
      + 'must have a corresponding `tool_result` block in the next message.');
    checkResults(turn, turns[at - 1]);
  });
}

function checkResults(turn, before) {
  const results = ofType(turn.blocks, 'tool_result');
  const calls = new Set(ofType(before?.blocks ?? [], 'tool_use').map((block) => block.id));
  for (const { tool_use_id: id } of results) {
    need(calls.delete(id), `messages.${turn.at}.content.0: unexpected \`tool_use_id\` found in `
      + `\`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding `
      + '`tool_use` block in the previous message.');
  }
  const firstOther = turn.blocks.findIndex((block) => block.type !== 'tool_result');
  const lastResult = turn.blocks.findLastIndex((block) => block.type === 'tool_result');
  need(firstOther < 0 || lastResult < firstOther, `messages.${turn.at}: \`tool_result\` blocks `
    + 'must come before any other content of their message');
}

function checkMessages(body, can) {
  const { messages } = body;
  need(Array.isArray(messages), 'messages: Field required');
  need(messages.length > 0, 'messages: at least one message is required');
  messages.forEach((message, at) => {
    const roles = can.systemRole ? ['user', 'assistant', 'system'] : ['user', 'assistant'];
    need(message.role !== 'system' || can.systemRole,
      "messages: role 'system' is not supported on this model");
    need(roles.includes(message.role), `messages: Unexpected role "${message.role}". Allowed roles `
      + 'are "user" or "assistant".');
    checkContent(message, at, at === messages.length - 1);
    need(message.role !== 'system' || (at > 0 && messages[at - 1].role === 'user'
      && (messages[at + 1]?.role ?? 'assistant') === 'assistant'),
    `messages.${at}: role 'system' must follow a user message and precede an assistant message`);
  });
  need(messages[0].role === 'user' || messages[0].role === 'assistant',
    'messages: first message must use the "user" role');
  checkPairs(messages);
  const last = messages[messages.length - 1];
  if (last.role === 'assistant') {
    need(can.prefill, 'This model does not support assistant message prefill. The conversation '
      + 'must end with a user message.');
    const text = blocks(last).findLast((block) => block.type === 'text')?.text ?? '';
    need(text === text.trimEnd(), 'messages: final assistant content cannot end with trailing '
      + 'whitespace');
  }
}

function checkTools(body) {
  const { tools, tool_choice: choice } = body;
  const names = (tools ?? []).map((tool) => tool.name);
  (tools ?? []).forEach((tool, at) => {
    if (tool.type && tool.type !== 'custom') {
      need(/_\d{8}$/.test(tool.type), `tools.${at}: Input tag '${tool.type}' found using 'type' `
        + 'does not match any of the expected tags');
      return;
    }
    known(tool, CLIENT_TOOL, `tools.${at}.custom`);
    need(plainName(tool.name, 128), `tools.${at}.custom.name: String should match pattern `
      + "'^[a-zA-Z0-9_-]{1,128}$'");
    need(isObject(tool.input_schema), `tools.${at}.custom.input_schema: Field required`);
    need(tool.input_schema.type === 'object',
      `tools.${at}.custom.input_schema.type: Input should be 'object'`);
    need(!['anyOf', 'oneOf', 'allOf'].some((word) => word in tool.input_schema), `tools.${at}.`
      + 'custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top '
      + 'level');
  });
  need(new Set(names).size === names.length, 'tools: Tool names must be unique.');
  const used = body.messages.some((m) => blocks(m).some((b) => b.type === 'tool_use'));
  need(tools || !used,
    'Requests which include `tool_use` or `tool_result` blocks must define tools');
  if (choice === undefined) {
    return;
  }
  need(isObject(choice), 'tool_choice: Input should be a valid dictionary or object to extract '
    + 'fields from');
  need(['auto', 'any', 'tool', 'none'].includes(choice.type), `tool_choice: Input tag `
    + `'${choice.type}' found using 'type' does not match any of the expected tags`);
  known(choice, ['name', 'disable_parallel_tool_use'], `tool_choice.${choice.type}`);
  need(tools?.length, 'tool_choice: tool_choice may only be specified while providing tools.');
  need(choice.type !== 'tool' || names.includes(choice.name),
    `Tool '${choice.name}' not found in provided tools`);
  need(!(['any', 'tool'].includes(choice.type) && body.thinking?.type === 'enabled'),
    'Thinking may not be enabled when tool_choice forces tool use.');
}

function checkThinking(body, can) {
  const { thinking } = body;
  if (thinking === undefined || thinking.type === 'disabled') {
    return;
  }
  if (thinking.type === 'adaptive') {
    need(can.adaptiveThinking, "thinking.type: 'adaptive' is not supported on this model");
    known(thinking, ['display'], 'thinking.adaptive');
    return;
  }
  need(thinking.type === 'enabled', `thinking: Input tag '${thinking.type}' found using 'type' `
    + 'does not match any of the expected tags');
  need(can.enabledThinking, "thinking.type: 'enabled' is not supported on this model");
  known(thinking, ['budget_tokens', 'display'], 'thinking.enabled');
  need(thinking.budget_tokens >= 1024,
    'thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
  need(thinking.budget_tokens < body.max_tokens,
    '`max_tokens` must be greater than `thinking.budget_tokens`.');
  need(body.temperature === undefined || body.temperature === 1,
    '`temperature` may only be set to 1 when thinking is enabled.');
  need(body.top_k === undefined, '`top_k` must be unset when thinking is enabled.');
  const last = merged(body.messages).findLast((turn) => turn.role === 'assistant');
  const first = last?.blocks[0]?.type;
  const inLoop = last?.blocks.some((block) => block.type === 'tool_use');
  need(!inLoop || first === 'thinking' || first === 'redacted_thinking', `messages.${last?.at}.`
    + 'content.0.type: Expected `thinking` or `redacted_thinking`, but found '
    + `\`${first}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a `
    + 'thinking block.');
}

function checkSampling(body, can, version) {
  for (const [name, high] of [['temperature', 1], ['top_p', 1], ['top_k', Infinity]]) {
    const value = body[name];
    if (value === undefined) {
      continue;
    }
    need(version !== '2026-10-21', `${name}: Extra inputs are not permitted`);
    need(typeof value === 'number', `${name}: Input should be a valid number`);
    need(value >= 0 && value <= high, `${name}: range: 0..${high}`);
    need(can.sampling, `\`${name}\` is not supported on this model`);
  }
  need(!can.oneSampler || body.temperature === undefined || body.top_p === undefined,
    '`temperature` and `top_p` cannot both be specified for this model. Please use only one.');
  (body.stop_sequences ?? []).forEach((stop, at) => need(stop.trim(), `stop_sequences.${at}: each `
    + 'stop sequence must contain non-whitespace'));
}

function checkOutput(body, can) {
  const config = body.output_config ?? {};
  known(config, new Set(['effort', 'format', 'task_budget']), 'output_config');
  if (config.effort !== undefined) {
    need(can.effort, 'This model does not support the effort parameter.');
    need(EFFORT.has(config.effort), "output_config.effort: Input should be 'low', 'medium', "
      + "'high', 'xhigh' or 'max'");
  }
  if (config.format) {
    known(config.format, ['schema'], 'output_config.format');
    need(config.format.type === 'json_schema', 'output_config.format.type: Input should be '
      + "'json_schema'");
    need(config.format.schema?.type !== 'object' || config.format.schema.additionalProperties
      === false, 'output_config.format.schema: For \'object\' type, \'additionalProperties\' must '
      + 'be explicitly set to false');
  }
}

function checkSystem(body) {
  if (body.system === undefined || typeof body.system === 'string') {
    return;
  }
  need(Array.isArray(body.system), 'system: Input should be a valid string or list');
  body.system.forEach((block, at) => {
    need(block.type === 'text', `system.${at}.type: Input should be 'text'`);
    known(block, BLOCK.text, `system.${at}`);
    need(block.text, 'system: text content blocks must be non-empty');
  });
}

function countMarks(value) {
  if (Array.isArray(value)) {
    return value.reduce((sum, one) => sum + countMarks(one), 0);
  }
  return isObject(value) ? (isObject(value.cache_control) ? 1 : 0)
    + ['system', 'messages', 'tools', 'content'].reduce((s, k) => s + countMarks(value[k]), 0) : 0;
}

/** Raises the refusal that the real API would answer `body` with. */
export function checkBody(body, version) {
  need(isObject(body), 'Input should be a valid dictionary');
  need(typeof body.model === 'string', 'model: Field required');
  if (body.model.startsWith('missing')) {
    throw new Refusal(404, 'not_found_error', `model: ${body.model}`);
  }
  need(body.max_tokens !== undefined, 'max_tokens: Field required');
  known(body, TOP, '');
  const can = traits(body.model);
  need(Number.isInteger(body.max_tokens) && body.max_tokens >= 1,
    'max_tokens: Input should be greater than or equal to 1');
  need(body.max_tokens <= can.cap, `max_tokens: ${body.max_tokens} > ${can.cap}, which is the `
    + `maximum allowed number of output tokens for ${body.model}`);
  checkSystem(body);
  checkMessages(body, can);
  checkTools(body);
  checkSampling(body, can, version);
  checkThinking(body, can);
  checkOutput(body, can);
  known(body.metadata ?? {}, new Set(['user_id']), 'metadata');
  need(countMarks(body) <= 4, 'A maximum of 4 blocks with cache_control may be provided. Found '
    + `${countMarks(body)}.`);
}
