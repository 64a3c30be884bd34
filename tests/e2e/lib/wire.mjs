// An HTTP client on a bare socket: it sends exactly the bytes it is told to, and shows exactly
// those that come back.

import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { within } from './wait.mjs';

function parseHead(text) {
  const lines = text.split('\r\n');
  const [, version, status] = /^HTTP\/(\d\.\d) (\d{3})/.exec(lines[0]) ?? [];
  const headers = {};
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return { version, status: Number(status), headers };
}

/** One response, its body growing while it arrives. */
class Response {
  constructor(head) {
    Object.assign(this, head);
    this.parts = [];
    this.complete = false;
    this.cut = false;
  }

  get body() {
    return Buffer.concat(this.parts);
  }

  get text() {
    return this.body.toString('utf8');
  }

  get json() {
    return JSON.parse(this.text);
  }
}

export class Wire {
  /** Connects; `secure` holds options for tls.connect. */
  static async open(port, { host = '127.0.0.1', secure, timeout = 5000 } = {}) {
    const wire = new Wire();
    const socket = secure ? tls.connect({ host, port, rejectUnauthorized: false, ...secure })
      : net.connect({ host, port, noDelay: true });
    wire.socket = socket;
    wire.bytes = Buffer.alloc(0);
    wire.waiting = new Set();
    socket.on('data', (piece) => {
      wire.bytes = wire.bytes.length ? Buffer.concat([wire.bytes, piece]) : piece;
      wire.poke();
    });
    socket.on('error', (error) => { wire.error = error; });
    wire.closed = new Promise((done) => socket.once('close', done));
    wire.ended = new Promise((done) => {
      socket.once('end', done);
      socket.once('close', done);
    });
    wire.ended.then(() => {
      wire.over = true;
      wire.poke();
    });
    await within(timeout, once(socket, secure ? 'secureConnect' : 'connect'), 'connect');
    return wire;
  }

  poke() {
    for (const wake of this.waiting) {
      wake();
    }
  }

  /** Waits for more bytes or the end. */
  more() {
    return new Promise((done) => {
      const wake = () => {
        this.waiting.delete(wake);
        done();
      };
      this.waiting.add(wake);
    });
  }

  send(bytes) {
    return new Promise((done) => { this.socket.write(bytes, () => done()); });
  }

  close() {
    this.socket.destroy();
  }

  /** Takes `count` bytes off the front; fewer if the other side is done. */
  async take(count) {
    while (this.bytes.length < count && !this.over) {
      await this.more();
    }
    const taken = this.bytes.subarray(0, count);
    this.bytes = this.bytes.subarray(taken.length);
    return taken;
  }

  async takeUntil(mark) {
    for (let from = 0; ; ) {
      const at = this.bytes.indexOf(mark, from);
      if (at >= 0) {
        const taken = this.bytes.subarray(0, at);
        this.bytes = this.bytes.subarray(at + mark.length);
        return taken;
      }
      if (this.over) {
        return undefined;
      }
      from = Math.max(0, this.bytes.length - mark.length);
      await this.more();
    }
  }

  /**
   * Reads the next response. `onPart(bytes, response)` sees its body as it comes. A response that
   * the other side broke off has `cut` set. Undefined when the connection ended before a head.
   */
  async response({ timeout = 20_000, method = 'POST', onPart = () => {} } = {}) {
    return within(timeout, this.readResponse(method, onPart), 'a whole response');
  }

  /** Reads a head alone; the body can then be read with `body()`. */
  async head({ timeout = 20_000 } = {}) {
    const text = await within(timeout, this.takeUntil('\r\n\r\n'), 'the head of a response');
    return text && new Response(parseHead(text.toString('latin1')));
  }

  async readResponse(method, onPart) {
    const text = await this.takeUntil('\r\n\r\n');
    if (text === undefined) {
      return undefined;
    }
    const response = new Response(parseHead(text.toString('latin1')));
    if (response.status < 200) {
      return response;
    }
    await this.readBody(response, method, onPart);
    return response;
  }

  async readBody(response, method, onPart = () => {}) {
    const { headers, status } = response;
    const part = (bytes) => {
      response.parts.push(bytes);
      onPart(bytes, response);
    };
    if (method === 'HEAD' || status === 204 || status === 304) {
      response.complete = true;
    } else if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
      await this.readChunks(response, part);
    } else if (headers['content-length'] !== undefined) {
      const length = Number(headers['content-length']);
      part(await this.take(length));
      response.complete = response.body.length === length;
    } else {
      await this.ended;
      part(this.bytes);
      response.complete = true;
    }
    response.cut = !response.complete;
  }

  async readChunks(response, part) {
    for (;;) {
      const line = await this.takeUntil('\r\n');
      if (line === undefined) {
        return;
      }
      const size = parseInt(line.toString('latin1'), 16);
      const bytes = await this.take(size);
      const end = await this.take(2);
      if (bytes.length) {
        part(bytes);
      }
      if (end.length < 2) {
        return;
      }
      if (size === 0) {
        response.complete = true;
        return;
      }
    }
  }
}

/** A request as bytes. A body that is no string or buffer is sent as JSON. */
export function format(method, target, { headers = {}, body, host = 'proxima.test' } = {}) {
  const bytes = body === undefined || Buffer.isBuffer(body) ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const all = { host, ...(bytes ? { 'content-type': 'application/json' } : {}), ...headers };
  if (bytes && !('content-length' in all) && !('transfer-encoding' in all)) {
    all['content-length'] = bytes.length;
  }
  const lines = [`${method} ${target} HTTP/1.1`];
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && value !== null) {
      lines.push(`${name}: ${value}`);
    }
  }
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return bytes ? Buffer.concat([head, bytes]) : head;
}

/** One request on a connection of its own. */
export async function ask(port, method, target, { timeout, onPart, secure, ...request } = {}) {
  const wire = await Wire.open(port, { secure });
  try {
    request.headers = { connection: 'close', ...request.headers };
    wire.send(format(method, target, request));
    return await wire.response({ timeout, method, onPart });
  } finally {
    wire.close();
  }
}
