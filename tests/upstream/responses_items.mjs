// What the real Responses API refuses of `input`: items, parts, and what belongs together.

import { isObject, plainName } from './vendor.mjs';
import { absent, bad, known, need, oneOf, quoted, required, text } from './responses_words.mjs';

// The members of each item that a client may send. Items of hosted tools are taken as they are.
const ITEM = {
  compaction: ['encrypted_content', 'id'],
  custom_tool_call: ['call_id', 'id', 'input', 'name', 'namespace', 'status'],
  custom_tool_call_output: ['call_id', 'id', 'output', 'status'],
  function_call: ['arguments', 'call_id', 'id', 'name', 'namespace', 'status'],
  function_call_output: ['call_id', 'id', 'output', 'status'],
  item_reference: ['id'],
  message: ['content', 'id', 'phase', 'role', 'status'],
  reasoning: ['content', 'encrypted_content', 'id', 'status', 'summary'],
};

const HOSTED = new Set(['additional_tools', 'apply_patch_call', 'apply_patch_call_output',
  'code_interpreter_call', 'compaction_trigger', 'computer_call', 'computer_call_output',
  'configuration_update', 'file_search_call', 'image_generation_call', 'local_shell_call',
  'local_shell_call_output', 'mcp_approval_request', 'mcp_approval_response', 'mcp_call',
  'mcp_list_tools', 'program', 'program_output', 'shell_call', 'shell_call_output',
  'tool_search_call', 'tool_search_output', 'web_search_call']);

// Calls that the client answers, and the items that answer them.
const ANSWER = { custom_tool_call: 'custom_tool_call_output',
  function_call: 'function_call_output' };

const PREFIX = { custom_tool_call: 'ctc', function_call: 'fc', message: 'msg', reasoning: 'rs' };

const PART = {
  input_audio: ['input_audio'],
  input_file: ['detail', 'file_data', 'file_id', 'file_url', 'filename'],
  input_image: ['detail', 'file_id', 'image_url'],
  input_text: ['text'],
  output_text: ['annotations', 'logprobs', 'text'],
  refusal: ['refusal'],
};

const INPUT_PARTS = ['input_text', 'input_image', 'input_file', 'input_audio'];
const OUTPUT_PARTS = ['output_text', 'refusal'];

function checkFile(part, where) {
  const given = ['file_data', 'file_url', 'file_id'].filter((name) => !absent(part[name]));
  need(given.length === 1, where, 'invalid_value', `Invalid '${where}'. Expected exactly one of `
    + "'file_data', 'file_url' and 'file_id'.");
  const mime = /^data:([^;,]+);base64,/.exec(part.file_data ?? '')?.[1];
  need(!part.file_data || (mime && !/^(audio|video|image)\//.test(mime)), `${where}.file_data`,
    'invalid_value', `Invalid file data: '${where}.file_data'. Expected a base64-encoded data URL `
    + "with a valid file MIME type (e.g. 'data:text/plain;base64,SGVsbG8sIFdvcmxkIQ=='), but got "
    + `${mime ? `unsupported MIME type '${mime}'` : 'a value without one'}.`);
}

function checkImage(part, where) {
  if (!absent(part.file_id)) {
    return;
  }
  text(part.image_url, `${where}.image_url`);
  need(/^https?:\/\//.test(part.image_url)
    || /^data:image\/(png|jpeg|gif|webp);base64,[\w+/]+=*$/.test(part.image_url),
  `${where}.image_url`, 'invalid_value', `Invalid '${where}.image_url'. Expected a valid URL or a `
    + 'base64-encoded data URL with an image MIME type.');
}

function checkPart(part, allowed, where) {
  need(isObject(part), where, 'invalid_type', `Invalid type for '${where}': expected an object.`);
  oneOf(part.type, allowed, `${where}.type`);
  const extra = part.type.startsWith('input_') ? ['prompt_cache_breakpoint'] : [];
  known(part, [...PART[part.type], ...extra], where);
  if (part.type === 'input_file') {
    checkFile(part, where);
  } else if (part.type === 'input_image') {
    checkImage(part, where);
  } else if (part.type === 'input_audio') {
    text(part.input_audio?.data, `${where}.input_audio.data`);
    oneOf(part.input_audio.format, ['wav', 'mp3'], `${where}.input_audio.format`);
  } else {
    const member = part.type === 'refusal' ? 'refusal' : 'text';
    text(part[member], `${where}.${member}`);
  }
}

function checkContent(content, allowed, where) {
  required(content, where);
  if (typeof content === 'string') {
    return;
  }
  need(Array.isArray(content), where, 'invalid_type', `Invalid type for '${where}': expected one `
    + `of an array of objects or string, but got an ${typeof content} instead.`);
  content.forEach((part, at) => checkPart(part, allowed, `${where}[${at}]`));
}

function checkReasoning(item, where, can) {
  need(Array.isArray(item.summary), `${where}.summary`, 'missing_required_parameter',
    `Missing required parameter: '${where}.summary'.`);
  item.summary.forEach((part, at) => {
    oneOf(part?.type, ['summary_text'], `${where}.summary[${at}].type`);
    text(part.text, `${where}.summary[${at}].text`);
  });
  need(can.openReasoning || !item.content?.length, `${where}.content`, 'array_above_max_length',
    `Invalid '${where}.content': array too long. Expected an array with maximum length 0, but got `
    + `an array with length ${item.content?.length} instead.`);
  need(absent(item.encrypted_content) || can.proof.test(item.encrypted_content), 'input',
    'invalid_encrypted_content', `The encrypted content for item ${item.id ?? where} could not be `
    + 'verified. Reason: Encrypted content could not be decrypted or parsed.');
}

function checkCall(item, type, where) {
  text(item.call_id, `${where}.call_id`);
  need(item.call_id.length > 0 && item.call_id.length <= 64, `${where}.call_id`,
    'string_above_max_length', `Invalid '${where}.call_id': string too long. Expected a string `
    + `with maximum length 64, but got a string with length ${item.call_id.length} instead.`);
  if (type.endsWith('_output')) {
    checkContent(item.output, INPUT_PARTS, `${where}.output`);
    return;
  }
  need(plainName(item.name, 128), `${where}.name`, 'invalid_value', `Invalid '${where}.name': `
    + "string does not match pattern. Expected a string that matches the pattern "
    + "'^[a-zA-Z0-9_-]+$'.");
  const member = type === 'function_call' ? 'arguments' : 'input';
  text(item[member], `${where}.${member}`);
}

function checkItem(item, where, can) {
  need(isObject(item), where, 'invalid_type', `Invalid type for '${where}': expected an object, `
    + `but got ${typeof item} instead.`);
  const type = item.type ?? (item.role ? 'message' : 'item_reference');
  need(type in ITEM || HOSTED.has(type), where, 'invalid_value', `Invalid value: '${type}'. `
    + `Supported values are: ${quoted([...Object.keys(ITEM), ...HOSTED])}.`);
  if (HOSTED.has(type)) {
    return;
  }
  known(item, ITEM[type], where);
  need(absent(item.id) || type === 'item_reference' || !PREFIX[type]
    || item.id.startsWith(`${PREFIX[type]}_`) || !can.prefixes, `${where}.id`, 'invalid_value',
  `Invalid '${where}.id': '${item.id}'. Expected an ID that begins with '${PREFIX[type]}'.`);
  if (type === 'message') {
    oneOf(item.role, ['assistant', 'system', 'developer', 'user'], `${where}.role`);
    checkContent(item.content, item.role === 'assistant' ? OUTPUT_PARTS : INPUT_PARTS,
      `${where}.content`);
  } else if (type === 'reasoning') {
    checkReasoning(item, where, can);
  } else if (type.startsWith('function_call') || type.startsWith('custom_tool_call')) {
    checkCall(item, type, where);
  }
}

/** Each call has its output later on, each output its call earlier, in this input or stored. */
function checkPairs(input, stored) {
  const waiting = [];
  for (const item of input) {
    if (item.type in ANSWER) {
      waiting.push(item);
    } else if (Object.values(ANSWER).includes(item.type)) {
      const at = waiting.findIndex((call) => call.call_id === item.call_id
        && ANSWER[call.type] === item.type);
      const word = item.type === 'function_call_output' ? 'function call' : 'custom tool call';
      need(at >= 0 || stored.has(item.call_id), 'input', null,
        `No tool call found for ${word} output with call_id ${item.call_id}.`);
      stored.answer(item.call_id);
      waiting.splice(at, at < 0 ? 0 : 1);
    }
  }
  const open = waiting[0]?.call_id ?? stored.open();
  need(open === undefined, 'input', null, `No tool output found for function call ${open}.`);
}

/** A reasoning item that names itself must be followed by what it led to. */
function checkReasoningOrder(input, can, store) {
  input.forEach((item, at) => {
    if (item.type !== 'reasoning' || absent(item.id)) {
      return;
    }
    if (absent(item.encrypted_content) && !item.content?.length && !can.stored(item.id)) {
      bad('input', null, `Item with id '${item.id}' not found.${store === false ? ' Items are not '
        + 'persisted when `store` is set to false. Try again with `store` set to true, or remove '
        + 'this item from your input.' : ''}`, 404);
    }
    const next = input[at + 1];
    const follows = next?.type && !next.type.endsWith('_output') && (next.type !== 'message'
      || next.role === 'assistant');
    need(follows, 'input', null, `Item '${item.id}' of type 'reasoning' was provided without its `
      + 'required following item.');
  });
}

/** Raises the refusal that `input` of a request meets. */
export function checkInput(body, can, stored) {
  required(body.input ?? (body.prompt || body.previous_response_id ? '' : undefined), 'input');
  if (typeof (body.input ?? '') === 'string') {
    checkPairs([], stored);
    return;
  }
  need(Array.isArray(body.input), 'input', 'invalid_type', "Invalid type for 'input': expected one "
    + `of an array of input items or string, but got an ${typeof body.input} instead.`);
  body.input.forEach((item, at) => checkItem(item, `input[${at}]`, can));
  const odd = body.input.find((item) => (item.type ?? 'item_reference') === 'item_reference'
    && !item.role && !can.stored(item.id));
  if (odd) {
    bad('input', null, `Item with id '${odd.id}' not found.`, 404);
  }
  checkReasoningOrder(body.input, can, body.store);
  checkPairs(body.input, stored);
}
