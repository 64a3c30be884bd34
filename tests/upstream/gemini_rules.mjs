// What the real Gemini API refuses once it has read a request, and how it words it.

import { Refusal, isObject } from './vendor.mjs';
import { DATA, FieldReader } from './gemini_fields.mjs';
import { checkJsonSchema, checkSchema } from './gemini_schemas.mjs';

const MIMES = ['text/plain', 'application/json', 'application/xml', 'application/yaml',
  'text/x.enum'];
const NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/;
const SKIP = 'skip_thought_signature_validator';

// Base64 whose first bytes only other vendors write.
const FOREIGN = /^(gAAAA|EqQBsigned)/;

const OWN_FILE = /^(gs:\/|https:\/\/(generativelanguage\.googleapis\.com|(www\.)?youtu\.?be))/;

/** What a generation of models can and cannot do. */
export function traits(model) {
  const generation = Number(/gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1] ?? 3);
  const next = generation >= 3;
  return {
    budgets: /2\.5-pro/.test(model) ? [128, 32768] : /flash-lite/.test(model) ? [512, 24576]
      : [0, 24576],
    idsOnVertex: next,
    needsSignatures: next,
    prefill: !next,
    resultMedia: next,
    severalCandidates: !next,
    thinkingLevel: next,
    thinks: generation >= 2.5,
    toolsAndJson: next,
    toolsAndHosted: next,
    canRestBudget: !/2\.5-pro/.test(model),
  };
}

function bad(message) {
  throw new Refusal(400, 'INVALID_ARGUMENT', message);
}

function need(ok, message) {
  if (!ok) {
    bad(message);
  }
}

function absent(value) {
  return value === undefined || value === null;
}

const partsOf = (content, name) => (content?.parts ?? []).filter((part) => name in part);

function checkMedia(part, path, can, isVertex) {
  const { fileData, inlineData } = part;
  if (inlineData) {
    need(inlineData.mimeType, `* ${path}.inline_data.mime_type: must be specified.`);
    need(inlineData.mimeType !== 'image/gif', `Unsupported MIME type: ${inlineData.mimeType}`);
    need(inlineData.data, `* ${path}.inline_data.data: required one field must have one `
      + 'initialized field');
  }
  if (fileData) {
    need(fileData.fileUri, `* ${path}.file_data.file_uri: must be specified.`);
    need(OWN_FILE.test(fileData.fileUri) || isVertex || can.resultMedia,
      'Cannot fetch content from the provided URL.');
    need(/^(https?|gs):\/\//.test(fileData.fileUri),
      `Invalid or unsupported file uri: ${fileData.fileUri.slice(0, 40)}`);
  }
}

function checkPart(part, role, path, can, isVertex) {
  const call = part.functionCall;
  const result = part.functionResponse;
  need(DATA.some((name) => name in part) || part.thoughtSignature, `* ${path}.data: required oneof `
    + "field 'data' must have one initialized field");
  need(!FOREIGN.test(part.thoughtSignature ?? ''), 'Corrupted thought signature.');
  checkMedia(part, path, can, isVertex);
  if (call) {
    need(call.name, `* ${path}.function_call.name: Name cannot be empty.`);
    need(role === 'model', 'Please ensure that function call turn has the role model.');
    need(!call.id || !isVertex || can.idsOnVertex, 'Invalid JSON payload received. Unknown name '
      + `"id" at '${path}.function_call': Cannot find field.`);
  }
  if (result) {
    need(result.name, `* ${path}.function_response.name: Name cannot be empty.`);
    need(role !== 'model', 'Please ensure that function response turn has the role user.');
    need(isObject(result.response), `* ${path}.function_response.response: must be specified.`);
    need(can.resultMedia || !result.parts?.length,
      'Multimodal function responses are not supported for this model.');
    (result.parts ?? []).forEach((one, at) => checkMedia(one,
      `${path}.function_response.parts[${at}]`, can, isVertex));
  }
}

/** Contents with neighbours of one role joined; of responses only the first content counts. */
function turnsOf(contents) {
  const turns = [];
  for (const content of contents) {
    const role = content.role === 'model' ? 'model' : 'user';
    const last = turns[turns.length - 1];
    const results = partsOf(content, 'functionResponse').length;
    if (last?.role === role) {
      last.parts.push(...content.parts);
    } else {
      turns.push({ role, parts: [...content.parts], results });
    }
  }
  return turns;
}

function checkTurns(contents, can) {
  const turns = turnsOf(contents);
  const last = turns[turns.length - 1];
  need(turns.length > 1 || last.role === 'user', 'Please ensure that single turn requests end with '
    + 'a user role or the role field is empty.');
  turns.forEach((turn, at) => {
    const calls = partsOf(turn, 'functionCall').length;
    const before = turns[at - 1];
    need(!calls || before, 'Please ensure that function call turn comes immediately after a user '
      + 'turn or after a function response turn.');
    const asked = partsOf(before, 'functionCall').length;
    if (turn.role === 'user') {
      need(!turn.results || asked, 'Please ensure that function response turn comes immediately '
        + 'after a function call turn.');
      need(asked === turn.results && turn.results === partsOf(turn, 'functionResponse').length,
        'Please ensure that the number of function response parts is equal to the number of '
        + 'function call parts of the function call turn.');
    }
  });
  need(last.role === 'user' || (can.prefill && !partsOf(last, 'functionCall').length),
    'Please ensure that multiturn requests end with a user role or a function response.');
}

/** Since the last words of the user, each step's first call carries its signature. */
function checkSignatures(contents) {
  const spoken = contents.findLastIndex((content) => content.role !== 'model'
    && content.parts.some((part) => !('functionResponse' in part)));
  let position = 0;
  let inStep = false;
  contents.forEach((content, at) => {
    if (content.role !== 'model') {
      inStep = false;
      return;
    }
    for (const part of partsOf(content, 'functionCall')) {
      position++;
      need(at < spoken || inStep || part.thoughtSignature, 'Function call is missing a '
        + 'thought_signature in functionCall parts. This is required for tools to work correctly, '
        + 'and missing thought_signature may lead to degraded model performance. Additional data, '
        + `function call \`default_api:${part.functionCall.name}\` , position ${position}.`);
      const form = part.thoughtSignature?.length;
      need(!form || part.thoughtSignature === SKIP || form > 8, 'Thought signature is not valid');
      inStep = true;
    }
  });
}

function checkContents(contents, can, isVertex, where) {
  need(contents?.length, `* ${where}.contents: contents is not specified\n`);
  contents.forEach((content, at) => {
    const path = `${where}.contents[${at}]`;
    need([undefined, 'user', 'model', 'function', 'tool'].includes(content.role),
      'Please use a valid role: user, model.');
    need(content.parts?.length, `* ${path}.parts: contents.parts must not be empty.\n`);
    content.parts.forEach((part, of) => checkPart(part, content.role, `${path}.parts[${of}]`, can,
      isVertex));
  });
  checkTurns(contents, can);
  if (can.needsSignatures) {
    checkSignatures(contents);
  }
}

function checkDeclaration(one, path) {
  need(NAME.test(one.name ?? ''), `* ${path}.name: Invalid function name. Must start with a letter `
    + 'or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons '
    + '(:), or dashes (-), with a maximum length of 128.');
  need(!(one.parameters && one.parametersJsonSchema), `* ${path}: parameters and `
    + 'parameters_json_schema are mutually exclusive.');
  if (one.parameters) {
    need(one.parameters.type === 'OBJECT', `* ${path}.parameters.type: parameters schema should be `
      + 'of type OBJECT.');
    checkSchema(one.parameters, `${path}.parameters`);
  }
  if (one.parametersJsonSchema !== undefined) {
    checkJsonSchema(one.parametersJsonSchema, `${path}.parameters_json_schema`);
    need(/^object$/i.test(one.parametersJsonSchema.type), `* ${path}.parameters_json_schema: `
      + 'schema should be of type object.');
  }
}

function checkTools(body, can, where) {
  const declared = (body.tools ?? []).flatMap((tool, at) => (tool.functionDeclarations ?? [])
    .map((one, of) => ({ one, path: `${where}.tools[${at}].function_declarations[${of}]` })));
  declared.forEach(({ one, path }) => checkDeclaration(one, path));
  const names = declared.map(({ one }) => one.name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  need(!twice, `Duplicate function declaration found: ${twice}`);
  const hosted = (body.tools ?? []).flatMap(Object.keys)
    .filter((name) => name !== 'functionDeclarations');
  const config = body.toolConfig ?? {};
  need(!hosted.length || !names.length || (can.toolsAndHosted
    && config.includeServerSideToolInvocations), `Built-in tools ({${hosted}}) and Function `
    + 'Calling cannot be combined in the same request.');
  const { allowedFunctionNames: allowed = [], mode = 'AUTO' } = config.functionCallingConfig ?? {};
  need(!config.functionCallingConfig || names.length, 'Function calling config is set without '
    + 'function_declarations.');
  need(!allowed.length || mode === 'ANY' || mode === 'VALIDATED', 'Allowed function names should '
    + 'be set only when function calling mode is ANY or VALIDATED.');
  const odd = allowed.find((name) => !names.includes(name));
  need(odd === undefined, `Allowed function name ${odd} is not among the function_declarations.`);
}

function checkThinking(config, can) {
  if (!config) {
    return;
  }
  const { thinkingBudget: budget, thinkingLevel: level } = config;
  need(can.thinks, 'Thinking is not enabled for this model.');
  need(absent(budget) || absent(level),
    'You can only set only one of thinking budget and thinking level.');
  need(absent(level) || can.thinkingLevel, 'Thinking level is not supported for this model.');
  if (absent(budget) || budget === -1) {
    return;
  }
  const [low, high] = can.budgets;
  need(budget !== 0 || can.canRestBudget, 'Budget 0 is invalid. This model only works in thinking '
    + 'mode.');
  need(budget === 0 || (budget >= low && budget <= high), `The thinking budget ${budget} is `
    + `invalid. Please choose a value between ${low} and ${high}.`);
}

function checkRange(config, name, low, high) {
  const value = config[name];
  need(absent(value) || (value >= low && value <= high), `* GenerateContentRequest.`
    + `generation_config.${name}: ${name} must be in the range [${low}, ${high}].`);
}

function checkConfig(body, can) {
  const config = body.generationConfig ?? {};
  checkRange(config, 'temperature', 0, 2);
  checkRange(config, 'topP', 0, 1);
  checkRange(config, 'topK', 1, Infinity);
  checkRange(config, 'maxOutputTokens', 1, Infinity);
  checkRange(config, 'presencePenalty', -2, 2);
  checkRange(config, 'frequencyPenalty', -2, 2);
  checkRange(config, 'seed', -(2 ** 31), 2 ** 31 - 1);
  checkRange(config, 'candidateCount', 1, 8);
  checkRange(config, 'logprobs', 0, 20);
  need(can.severalCandidates || (config.candidateCount ?? 1) === 1,
    'Multiple candidates is not enabled for this model');
  need((config.stopSequences ?? []).length <= 5, 'The number of stop sequences must be at most 5.');
  need((config.stopSequences ?? []).every(Boolean), 'Stop sequences must not be empty.');
  const mime = config.responseMimeType;
  need(!mime || MIMES.includes(mime), '* GenerateContentRequest.generation_config.'
    + `response_mime_type: allowed mimetypes are ${MIMES.map((one) => `\`${one}\``).join(', ')}.`);
  const schemas = ['responseSchema', 'responseJsonSchema'].filter((name) => name in config);
  need(schemas.length < 2, 'response_schema and response_json_schema cannot both be set.');
  need(!schemas.length || mime === 'application/json' || mime === 'text/x.enum',
    '* GenerateContentRequest.generation_config.response_mime_type: must be application/json when '
    + 'a response schema is set.');
  if (config.responseSchema) {
    checkSchema(config.responseSchema, 'GenerateContentRequest.generation_config.response_schema');
  } else if (config.responseJsonSchema !== undefined) {
    checkJsonSchema(config.responseJsonSchema,
      'GenerateContentRequest.generation_config.response_json_schema');
  }
  need(can.toolsAndJson || mime !== 'application/json' || !body.tools?.length, 'Function calling '
    + "with a response mime type: 'application/json' is unsupported");
  need(config.logprobs === undefined || config.responseLogprobs,
    'Logprobs can only be set when response_logprobs is true.');
  checkThinking(config.thinkingConfig, can);
}

function checkAround(body, where) {
  const categories = (body.safetySettings ?? []).map((one) => one.category);
  need(new Set(categories).size === categories.length, `* ${where}.safety_settings: element `
    + 'predicate failed: duplicate safety settings for the same category.');
  need(!body.cachedContent || !(body.systemInstruction || body.tools || body.toolConfig),
    'CachedContent can not be used with GenerateContent request setting system_instruction, tools '
    + 'or tool_config.');
  const system = body.systemInstruction;
  need(!system || (system.parts?.length && system.parts.every((part) => 'text' in part)),
    `* ${where}.system_instruction.parts: system instruction must have text parts only.`);
}

function checkGenerate(body, can, isVertex, where = 'GenerateContentRequest') {
  checkContents(body.contents, can, isVertex, where);
  checkTools(body, can, where);
  checkConfig(body, can);
  checkAround(body, where);
}

const SHAPE = { batchEmbedContents: 'BatchEmbedContentsRequest', countTokens: 'CountTokensRequest',
  embedContent: 'EmbedContentRequest', generateContent: 'GenerateContentRequest',
  streamGenerateContent: 'GenerateContentRequest' };

function checkEmbed(body, model, where) {
  need(body.content?.parts?.length, `* ${where}.content: contents is not specified`);
  need(!body.model || body.model === `models/${model}`, `* ${where}.model: unexpected model name `
    + `format or another model than ${model}`);
}

/** Raises the refusal that the real API would answer `verb` of `model` with. */
export function checkBody(raw, { verb, model, isVertex }) {
  const reader = new FieldReader(isVertex);
  const body = reader.read(raw, SHAPE[verb]);
  if (reader.violations.length) {
    const text = reader.violations.map((one) => one.description).join('\n');
    const type = 'type.googleapis.com/google.rpc.BadRequest';
    throw new Refusal(400, 'INVALID_ARGUMENT', text,
      { details: [{ '@type': type, fieldViolations: reader.violations }] });
  }
  const can = traits(model);
  if (verb === 'embedContent') {
    checkEmbed(body, model, 'EmbedContentRequest');
  } else if (verb === 'batchEmbedContents') {
    need(body.requests?.length, '* BatchEmbedContentsRequest.requests: at least one is required');
    body.requests.forEach((one, at) => checkEmbed(one, model,
      `BatchEmbedContentsRequest.requests[${at}]`));
  } else if (verb === 'countTokens') {
    const whole = body.generateContentRequest;
    need(!(whole && body.contents),
      'Only one of contents and generate_content_request may be set.');
    need(!whole || whole.model === `models/${model}`, '* CountTokensRequest.'
      + 'generate_content_request.model: model is required and must be the one of the path.');
    // What is counted need not be ready to be answered.
    need((whole ?? body).contents?.length, '* CountTokensRequest.contents: contents is not '
      + 'specified');
  } else {
    checkGenerate(body, can, isVertex);
  }
}
