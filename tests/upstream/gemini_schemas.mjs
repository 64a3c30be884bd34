// The two kinds of schema that Gemini takes: its own (`parameters`, `responseSchema`: a message
// with few members, which the reader of fields has checked) and JSON Schema proper
// (`parametersJsonSchema`, `responseJsonSchema`).

import { Refusal, isObject } from './vendor.mjs';

function need(ok, message) {
  if (!ok) {
    throw new Refusal(400, 'INVALID_ARGUMENT', message);
  }
}

const FORMATS = { INTEGER: ['int32', 'int64'], NUMBER: ['float', 'double'],
  STRING: ['enum', 'date-time'] };

/** Raises the refusal that one of Gemini's own schemas meets. */
export function checkSchema(schema, path) {
  const { anyOf, enum: words, format, items, properties, required, type } = schema;
  need(type || anyOf, `* ${path}.type: must be specified.`);
  need(type !== 'ARRAY' || items, `* ${path}.items: missing field.`);
  need(!words || type === 'STRING', `* ${path}.enum: only allowed for STRING type`);
  (words ?? []).forEach((word, at) => need(word !== '',
    `* ${path}.enum[${at}]: cannot be empty`));
  need(!format || !FORMATS[type] || FORMATS[type].includes(format), `* ${path}.format: only `
    + `'${(FORMATS[type] ?? []).join("' and '")}' are supported for ${type} type`);
  (required ?? []).forEach((name, at) => need(Object.hasOwn(properties ?? {}, name),
    `* ${path}.required[${at}]: property is not defined`));
  for (const [name, inner] of Object.entries(properties ?? {})) {
    checkSchema(inner, `${path}.properties[${name}]`);
  }
  if (items) {
    checkSchema(items, `${path}.items`);
  }
  (anyOf ?? []).forEach((inner, at) => checkSchema(inner, `${path}.any_of[${at}]`));
}

const TYPES = /^(string|number|integer|boolean|array|object|null)$/i;

function resolves(root, ref) {
  const path = /^#\/(.*)$/.exec(ref)?.[1].split('/')
    .map((step) => step.replace(/~1/g, '/').replace(/~0/g, '~'));
  return ref === '#' || (path ?? [null]).reduce((at, step) => at?.[step], root) !== undefined;
}

/** Raises the refusal that a JSON Schema meets. Keywords without a meaning there are let pass. */
export function checkJsonSchema(schema, path, root = schema) {
  if (typeof schema === 'boolean') {
    return;
  }
  need(isObject(schema), `* ${path}: must be a JSON schema object.`);
  for (const type of [schema.type ?? []].flat()) {
    need(TYPES.test(type), `* ${path}.type: unknown type ${JSON.stringify(type)}`);
  }
  need(schema.$ref === undefined || resolves(root, schema.$ref),
    `* ${path}.$ref: reference to undefined schema at ${schema.$ref}`);
  need(schema.required === undefined || (Array.isArray(schema.required)
    && schema.required.every((name) => typeof name === 'string')),
  `* ${path}.required: must be a list of names`);
  need(schema.enum === undefined || Array.isArray(schema.enum), `* ${path}.enum: must be a list`);
  for (const keyword of ['properties', '$defs', 'definitions']) {
    need(schema[keyword] === undefined || isObject(schema[keyword]),
      `* ${path}.${keyword}: must be an object`);
    for (const [name, inner] of Object.entries(schema[keyword] ?? {})) {
      checkJsonSchema(inner, `${path}.${keyword}[${name}]`, root);
    }
  }
  for (const keyword of ['anyOf', 'oneOf', 'allOf', 'prefixItems']) {
    (schema[keyword] ?? []).forEach((inner, at) => (
      checkJsonSchema(inner, `${path}.${keyword}[${at}]`, root)));
  }
  for (const keyword of ['items', 'additionalProperties']) {
    if (schema[keyword] !== undefined) {
      checkJsonSchema(schema[keyword], `${path}.${keyword}`, root);
    }
  }
}
