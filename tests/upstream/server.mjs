// An HTTP/1.1 server on a bare socket, for fake vendors.
//
// Node's own server hides what these tests are about: the exact bytes of a request, and every way
// in which a response can end. So the head is read here, kept as it came, and an answer may write
// anything at all, cut the connection or reset it.

import net from 'node:net';
import tls from 'node:tls';
import { EventEmitter, once } from 'node:events';

const HEAD_END = Buffer.from('\r\n\r\n');

/** One request as it arrived, and the socket that waits for its answer. */
export class Exchange {
  constructor(socket, rawHead) {
    this.socket = socket;
    this.rawHead = rawHead;
    const lines = rawHead.toString('latin1').split('\r\n');
    const [method, target, version] = lines[0].split(' ');
    const at = target.indexOf('?');
    Object.assign(this, { method, target, version });
    this.path = at < 0 ? target : target.slice(0, at);
    this.query = new URLSearchParams(at < 0 ? '' : target.slice(at + 1));
    this.headers = {};
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(':');
      if (colon > 0) {
        const name = line.slice(0, colon).toLowerCase();
        const value = line.slice(colon + 1).trim();
        this.headers[name] = name in this.headers ? `${this.headers[name]}, ${value}` : value;
      }
    }
    this.body = Buffer.alloc(0);
    /** Resolves when the other side's connection is gone. */
    this.closed = socket.closedPromise;
  }

  get json() {
    return JSON.parse(this.body.toString('utf8'));
  }
}

/** Takes a chunked body apart. Undefined while it is incomplete. */
function dechunk(bytes) {
  const parts = [];
  for (let at = 0; ; ) {
    const eol = bytes.indexOf('\r\n', at);
    if (eol < 0) {
      return undefined;
    }
    const size = parseInt(bytes.subarray(at, eol).toString('latin1'), 16);
    const end = eol + 2 + size + 2;
    if (bytes.length < end) {
      return undefined;
    }
    if (size === 0) {
      return { body: Buffer.concat(parts), used: end };
    }
    parts.push(bytes.subarray(eol + 2, end - 2));
    at = end;
  }
}

function readBody(headers, rest) {
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    return dechunk(rest);
  }
  const length = Number(headers['content-length'] ?? 0);
  return rest.length < length ? undefined : { body: rest.subarray(0, length), used: length };
}

/**
 * Listens on a free port of 127.0.0.1 and hands whole requests to `handle(exchange)`, one at a
 * time for each connection.
 */
export class BareServer extends EventEmitter {
  constructor(handle) {
    super();
    this.handle = handle;
    this.requests = [];
    this.open = 0;
    this.accepted = 0;
    this.sockets = new Set();
    this.failures = [];
  }

  /** Starts it; `secure` holds key and certificate (PEM) to serve TLS. */
  async listen(secure = undefined) {
    const onSocket = (socket) => this.accept(socket);
    this.server = secure ? tls.createServer(secure, onSocket)
      : net.createServer({ noDelay: true }, onSocket);
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.url = `${secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
    return this;
  }

  accept(socket) {
    this.open++;
    this.accepted++;
    this.sockets.add(socket);
    socket.closedPromise = new Promise((done) => {
      socket.once('end', done);
      socket.once('close', done);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.open--;
      this.sockets.delete(socket);
      this.emit('change');
    });
    this.serve(socket).catch((error) => {
      this.failures.push(error);
      socket.destroy();
    });
  }

  async serve(socket) {
    let pieces = [];
    let size = 0;
    let wanted = 0;
    let wake = () => {};
    let ended = false;
    socket.on('data', (piece) => {
      pieces.push(piece);
      size += piece.length;
      wake();
    });
    socket.on('close', () => {
      ended = true;
      wake();
    });
    while (!ended) {
      while (size < wanted + 1 && !ended) {
        await new Promise((done) => { wake = done; });
      }
      const bytes = Buffer.concat(pieces);
      pieces = [bytes];
      wanted = size;
      const at = bytes.indexOf(HEAD_END);
      if (at < 0) {
        continue;
      }
      const exchange = new Exchange(socket, bytes.subarray(0, at + 4));
      const length = Number(exchange.headers['content-length'] ?? 0);
      const got = readBody(exchange.headers, bytes.subarray(at + 4));
      if (!got) {
        wanted = Math.max(size, length ? at + 4 + length - 1 : 0);
        continue;
      }
      exchange.body = Buffer.from(got.body);
      pieces = [bytes.subarray(at + 4 + got.used)];
      size = pieces[0].length;
      wanted = 0;
      this.requests.push(exchange);
      this.emit('request', exchange);
      await this.handle(exchange);
    }
  }

  /** The request that came last. */
  get last() {
    return this.requests[this.requests.length - 1];
  }

  /** Waits for the next request that arrives from now on. */
  async nextRequest(deadline = 10_000) {
    const [exchange] = await once(this, 'request', { signal: AbortSignal.timeout(deadline) });
    return exchange;
  }

  async close() {
    for (const socket of this.sockets) {
      socket.destroy();
    }
    this.server.close();
    await once(this.server, 'close');
  }
}
