// What the fake vendors have in common: a queue of scripted answers in front of a strict default.

import { BareServer } from './server.mjs';
import { send } from './answer.mjs';

/** A request that the real vendor refuses, in the vendor's own words. */
export class Refusal extends Error {
  constructor(status, type, message, more = {}) {
    super(message);
    Object.assign(this, { status, type, more });
  }
}

/** Raises `Refusal` unless `ok`. */
export function must(ok, status, type, message, more) {
  if (!ok) {
    throw new Refusal(status, type, message, more);
  }
}

/**
 * A fake vendor. A subclass says how to check a request (`check(exchange)`, which raises Refusal),
 * how to word a refusal (`refuse(refusal, exchange)`) and what to answer when no script is queued
 * (`reply(exchange)`).
 */
export class Vendor extends BareServer {
  constructor() {
    super((exchange) => this.onExchange(exchange));
    this.queue = [];
    this.refusals = [];
    /** Set to take any request: for tests about bytes that no vendor would accept. */
    this.lenient = false;
  }

  /** Queues answers for the requests to come, each an answer or `(exchange) => answer`. */
  script(...answers) {
    this.queue.push(...answers);
    return this;
  }

  /** Forgets scripts and records, for the next test. */
  clear() {
    this.queue.length = 0;
    this.requests.length = 0;
    this.refusals.length = 0;
    this.lenient = false;
  }

  async onExchange(exchange) {
    const answer = this.decide(exchange);
    await send(exchange, await answer);
  }

  async decide(exchange) {
    let scripted;
    try {
      if (!this.lenient) {
        this.check(exchange);
      }
      const isPost = exchange.method === 'POST';
      scripted = isPost ? this.queue.shift() : undefined;
      if (!scripted) {
        return this.reply(exchange);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      this.refusals.push(error.message);
      return this.refuse(error, exchange);
    }
    return typeof scripted === 'function' ? scripted(exchange) : scripted;
  }
}

const NAME = /^[a-zA-Z0-9_-]+$/;

/** True for a name or id of at most `max` harmless characters. */
export function plainName(text, max) {
  return typeof text === 'string' && text.length <= max && NAME.test(text);
}

export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first member of `object` that is not among `known`. */
export function stranger(object, known) {
  return Object.keys(object).find((name) => !known.has(name));
}

/** Parses JSON, or raises the vendor's refusal. */
export function parseBody(exchange, type, message) {
  try {
    return JSON.parse(exchange.body.toString('utf8'));
  } catch {
    throw new Refusal(400, type, message);
  }
}
