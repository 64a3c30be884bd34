// How the Responses API words what it refuses.

import { Refusal, stranger } from './vendor.mjs';

/** Raises a refusal. */
export function bad(param, code, message, status = 400) {
  throw new Refusal(status, 'invalid_request_error', message, { param, code });
}

/** Raises a refusal unless `ok`. */
export function need(ok, param, code, message) {
  if (!ok) {
    bad(param, code, message);
  }
}

/** Absent and `null` mean the same. */
export function absent(value) {
  return value === undefined || value === null;
}

/** Names in the vendor's own listing. */
export function quoted(names) {
  const all = [...names].map((name) => `'${name}'`);
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')}, and ${all.at(-1)}`;
}

/** `value` is one of `allowed`. */
export function oneOf(value, allowed, param) {
  need([...allowed].includes(value), param, 'invalid_value', `Invalid value: '${value}'. Supported `
    + `values are: ${quoted(allowed)}.`);
}

/** `value` is there. */
export function required(value, param) {
  need(!absent(value), param, 'missing_required_parameter',
    `Missing required parameter: '${param}'.`);
}

/** `value` is a string. */
export function text(value, param) {
  required(value, param);
  need(typeof value === 'string', param, 'invalid_type', `Invalid type for '${param}': expected a `
    + `string, but got ${Array.isArray(value) ? 'an array' : `an ${typeof value}`} instead.`);
}

/** No member of `object` but `names` and `type`. */
export function known(object, names, where) {
  const odd = stranger(object, new Set([...names, 'type']));
  need(!odd, `${where}.${odd}`, 'unknown_parameter', `Unknown parameter: '${where}.${odd}'.`);
}
