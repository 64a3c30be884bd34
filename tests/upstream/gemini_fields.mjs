// The messages of the Gemini API as its JSON reader knows them: which members there are, and of
// which type. A member may be spelt in camelCase or in snake_case; `null` is as good as absent.
//
// A type is a scalar (`string`, `bool`, `int`, `number`, `bytes`, `struct`, `any`), a list of
// words (an enumeration), the name of another message, or `map:` and a type; `[]` after it makes it
// a list.

import { isObject } from './vendor.mjs';

const THRESHOLDS = ['HARM_BLOCK_THRESHOLD_UNSPECIFIED', 'BLOCK_LOW_AND_ABOVE',
  'BLOCK_MEDIUM_AND_ABOVE', 'BLOCK_ONLY_HIGH', 'BLOCK_NONE', 'OFF'];
const CATEGORIES = ['HARASSMENT', 'HATE_SPEECH', 'SEXUALLY_EXPLICIT', 'DANGEROUS_CONTENT',
  'CIVIC_INTEGRITY'].map((word) => `HARM_CATEGORY_${word}`);
const TYPES = ['TYPE_UNSPECIFIED', 'STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT',
  'NULL'];

const MESSAGE = {
  BatchEmbedContentsRequest: { requests: 'EmbedContentRequest[]' },
  Blob: { data: 'bytes', displayName: 'string', mimeType: 'string' },
  Content: { parts: 'Part[]', role: 'string' },
  CountTokensRequest: { contents: 'Content[]', generateContentRequest: 'GenerateContentRequest' },
  EmbedContentRequest: { content: 'Content', model: 'string', outputDimensionality: 'int',
    taskType: 'string', title: 'string' },
  FileData: { displayName: 'string', fileUri: 'string', mimeType: 'string' },
  FunctionCall: { args: 'struct', id: 'string', name: 'string' },
  FunctionCallingConfig: { allowedFunctionNames: 'string[]',
    mode: ['MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED'] },
  FunctionDeclaration: { behavior: 'string', description: 'string', name: 'string',
    parameters: 'Schema', parametersJsonSchema: 'any', response: 'Schema',
    responseJsonSchema: 'any' },
  FunctionResponse: { id: 'string', name: 'string', parts: 'FunctionResponsePart[]',
    response: 'struct', scheduling: 'string', willContinue: 'bool' },
  FunctionResponsePart: { fileData: 'FileData', inlineData: 'Blob' },
  GenerateContentRequest: { cachedContent: 'string', contents: 'Content[]',
    generationConfig: 'GenerationConfig', model: 'string', safetySettings: 'SafetySetting[]',
    serviceTier: 'string', store: 'bool', systemInstruction: 'Content', toolConfig: 'ToolConfig',
    tools: 'Tool[]' },
  GenerationConfig: { candidateCount: 'int', enableEnhancedCivicAnswers: 'bool',
    frequencyPenalty: 'number', imageConfig: 'any', logprobs: 'int', maxOutputTokens: 'int',
    mediaResolution: 'string', presencePenalty: 'number', responseJsonSchema: 'any',
    responseLogprobs: 'bool', responseMimeType: 'string', responseModalities: 'string[]',
    responseSchema: 'Schema', seed: 'int', speechConfig: 'any', stopSequences: 'string[]',
    temperature: 'number', thinkingConfig: 'ThinkingConfig', topK: 'number', topP: 'number' },
  Part: { codeExecutionResult: 'any', executableCode: 'any', fileData: 'FileData',
    functionCall: 'FunctionCall', functionResponse: 'FunctionResponse', inlineData: 'Blob',
    mediaResolution: 'any', partMetadata: 'any', text: 'string', thought: 'bool',
    thoughtSignature: 'bytes', toolCall: 'any', toolResponse: 'any', videoMetadata: 'any' },
  SafetySetting: { category: CATEGORIES, threshold: THRESHOLDS },
  Schema: { anyOf: 'Schema[]', default: 'any', description: 'string', enum: 'string[]',
    example: 'any', format: 'string', items: 'Schema', maxItems: 'int', maxLength: 'int',
    maxProperties: 'int', maximum: 'number', minItems: 'int', minLength: 'int',
    minProperties: 'int', minimum: 'number', nullable: 'bool', pattern: 'string',
    properties: 'map:Schema', propertyOrdering: 'string[]', required: 'string[]', title: 'string',
    type: TYPES },
  ThinkingConfig: { includeThoughts: 'bool', thinkingBudget: 'int',
    thinkingLevel: ['THINKING_LEVEL_UNSPECIFIED', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH'] },
  Tool: { codeExecution: 'any', computerUse: 'any', fileSearch: 'any',
    functionDeclarations: 'FunctionDeclaration[]', googleMaps: 'any', googleSearch: 'any',
    googleSearchRetrieval: 'any', mcpServers: 'any', urlContext: 'any' },
  ToolConfig: { functionCallingConfig: 'FunctionCallingConfig',
    includeServerSideToolInvocations: 'bool', retrievalConfig: 'any' },
};

// What the same messages have more on Vertex AI.
const VERTEX = {
  CountTokensRequest: { generationConfig: 'GenerationConfig', model: 'string',
    systemInstruction: 'Content', tools: 'Tool[]' },
  FunctionCallingConfig: { streamFunctionCallArguments: 'bool' },
  GenerateContentRequest: { labels: 'map:string', modelArmorConfig: 'any' },
  GenerationConfig: { audioTimestamp: 'bool', routingConfig: 'any' },
  Tool: { enterpriseWebSearch: 'any', retrieval: 'any' },
};

/** The members of a part of which it has exactly one. */
export const DATA = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse',
  'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse'];

/** The other spelling of a member: `thinking_config` of `thinkingConfig`. */
export function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

const SCALAR = {
  any: () => true,
  bool: (value) => typeof value === 'boolean',
  bytes: (value) => typeof value === 'string',
  int: (value) => Number.isInteger(typeof value === 'string' && value ? Number(value) : value),
  number: (value) => typeof value === 'number'
    || (typeof value === 'string' && value !== '' && !Number.isNaN(Number(value))),
  string: (value) => typeof value === 'string',
  struct: isObject,
};
const WIRE_NAME = { bool: 'TYPE_BOOL', bytes: 'TYPE_BYTES', int: 'TYPE_INT32',
  number: 'TYPE_FLOAT', string: 'TYPE_STRING',
  struct: 'type.googleapis.com/google.protobuf.Struct' };

// Both alphabets are taken, with padding or without.
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Reads one request body and notes each thing in it that the real reader would not read. */
export class FieldReader {
  constructor(isVertex) {
    this.isVertex = isVertex;
    this.violations = [];
  }

  note(field, description) {
    this.violations.push({ field, description });
  }

  unknown(name, path, why) {
    this.note(path, `Invalid JSON payload received. Unknown name "${name}"${path ? ` at '${path}'`
      : ''}: ${why}`);
  }

  /** The value in camelCase, every member of a known type. */
  read(value, type, path = '') {
    if (value === null || value === undefined) {
      return undefined;
    }
    if (typeof type === 'string' && type.endsWith('[]')) {
      // A single element stands for a list of one.
      return (Array.isArray(value) ? value : [value]).map((one, at) => (
        this.read(one, type.slice(0, -2), `${path}[${at}]`)));
    }
    if (Array.isArray(value) && type !== 'any') {
      const [, parent, name] = /^(?:(.*)\.)?([^.]*)$/.exec(path);
      this.unknown(name, parent ?? '', 'Proto field is not repeating, cannot start list.');
      return undefined;
    }
    if (Array.isArray(type)) {
      return this.readWord(value, type, path);
    }
    if (type.startsWith('map:')) {
      return this.readMap(value, type.slice(4), path);
    }
    return type in SCALAR ? this.readScalar(value, type, path)
      : this.readMessage(value, type, path);
  }

  readWord(value, words, path) {
    const word = String(value).toUpperCase();
    if (!words.includes(word)) {
      this.note(path, `Invalid value at '${path}' (type.googleapis.com/google.ai.`
        + `generativelanguage.v1beta), ${JSON.stringify(value)}`);
    }
    return word;
  }

  readScalar(value, type, path) {
    if (!SCALAR[type](value)) {
      this.note(path, `Invalid value at '${path}' (${WIRE_NAME[type]}), ${JSON.stringify(value)}`);
    } else if (type === 'bytes' && !BASE64.test(value)) {
      this.note(path, `Invalid value at '${path}' (TYPE_BYTES), Base64 decoding failed for `
        + `"${value.slice(0, 60)}"`);
    }
    return type === 'int' || type === 'number' ? Number(value) : value;
  }

  readMap(value, type, path) {
    return Object.fromEntries(Object.entries(value).map(([name, one], at) => (
      [name, this.read(one, type, `${path}[${at}].value`)])));
  }

  readMessage(value, type, path) {
    if (!isObject(value)) {
      this.note(path, `Invalid value at '${path}' (type.googleapis.com/google.ai.`
        + `generativelanguage.v1beta.${type}), ${JSON.stringify(value)}`);
      return {};
    }
    const members = { ...MESSAGE[type], ...(this.isVertex ? VERTEX[type] : {}) };
    const out = {};
    for (const [name, one] of Object.entries(value)) {
      const key = name.includes('_') ? camel(name) : name;
      if (!Object.hasOwn(members, key)) {
        this.unknown(name, path, 'Cannot find field.');
        continue;
      }
      const got = this.read(one, members[key], `${path ? `${path}.` : ''}${snake(key)}`);
      if (got !== undefined) {
        out[key] = got;
      }
    }
    if (type === 'Part') {
      const [, second] = DATA.filter((name) => name in out);
      if (second) {
        this.note(path, `Invalid value at '${path}' (oneof), oneof field 'data' is already set. `
          + `Cannot set '${second}'`);
      }
    }
    return out;
  }
}
