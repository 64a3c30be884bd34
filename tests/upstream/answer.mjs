// What a fake vendor sends back: data that says how, and the code that does it.
//
// An answer is an object:
//   status, headers, body     a whole response with a Content-Length
//   pieces                    instead of a body: a list that is streamed, chunked; an item is text,
//                             bytes, a number (milliseconds to wait) or a function to await
//   split                     how the streamed bytes are cut into writes: a size, or { seed } for
//                             sizes by chance
//   finish                    'end' (default), 'cut' (FIN without the last chunk), 'reset' (RST),
//                             'stall' (nothing more, until the other side leaves)
//   raw                       pieces written to the socket as they are, without a head of ours
//   delay                     milliseconds, or a promise, before anything is sent

import { setTimeout as sleep } from 'node:timers/promises';

const REASON = {
  200: 'OK', 302: 'Found', 307: 'Temporary Redirect', 400: 'Bad Request', 401: 'Unauthorized',
  402: 'Payment Required', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
  413: 'Payload Too Large', 415: 'Unsupported Media Type', 429: 'Too Many Requests',
  500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable',
  504: 'Gateway Timeout', 529: '',
};

/** A small generator of numbers in [0, 1), the same for the same seed. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Cuts `bytes` as an answer's `split` says. */
export function cut(bytes, split) {
  if (!split) {
    return [bytes];
  }
  const next = typeof split === 'number' ? () => split : sizes(split.seed);
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, next());
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

function sizes(seed) {
  const draw = random(seed);
  return () => 1 + Math.floor(draw() ** 3 * 400);
}

function write(socket, bytes) {
  if (socket.destroyed || socket.writableEnded) {
    return Promise.resolve(false);
  }
  return new Promise((done) => {
    if (socket.write(bytes)) {
      setImmediate(done, true);
      return;
    }
    const finish = () => {
      socket.off('drain', finish);
      socket.off('close', finish);
      done(!socket.destroyed);
    };
    socket.on('drain', finish);
    socket.on('close', finish);
  });
}

function head(status, headers) {
  const lines = [`HTTP/1.1 ${status} ${REASON[status] ?? ''}`];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) {
      lines.push(`${name}: ${one}`);
    }
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function chunk(bytes) {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes,
    Buffer.from('\r\n')]);
}

async function sendPieces(exchange, pieces, split, frame) {
  for (const piece of pieces) {
    if (typeof piece === 'number') {
      await sleep(piece);
    } else if (typeof piece === 'function') {
      await piece(exchange);
    } else if (piece.length) {
      for (const part of cut(Buffer.from(piece), split)) {
        if (!await write(exchange.socket, frame(part))) {
          return;
        }
      }
    }
  }
}

async function finish(exchange, how) {
  const { socket } = exchange;
  if (how === 'cut') {
    socket.end();
  } else if (how === 'reset') {
    socket.resetAndDestroy();
  } else if (how === 'stall') {
    await exchange.closed;
  } else {
    await write(socket, Buffer.from('0\r\n\r\n'));
  }
}

/** Sends `answer` to the one who asked with `exchange`. */
export async function send(exchange, answer) {
  const { socket } = exchange;
  if (answer.delay) {
    await (typeof answer.delay === 'number' ? sleep(answer.delay) : answer.delay);
  }
  if (answer.raw) {
    await sendPieces(exchange, answer.raw, answer.split, (bytes) => bytes);
    if ((answer.finish ?? 'end') !== 'end') {
      await finish(exchange, answer.finish);
    }
    return;
  }
  const status = answer.status ?? 200;
  if (answer.pieces) {
    const headers = { 'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache', ...answer.headers, 'transfer-encoding': 'chunked' };
    await write(socket, head(status, headers));
    await sendPieces(exchange, answer.pieces, answer.split, chunk);
    await finish(exchange, answer.finish ?? 'end');
    return;
  }
  const body = Buffer.isBuffer(answer.body) ? answer.body
    : Buffer.from(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  const headers = { 'content-type': 'application/json', ...answer.headers,
    'content-length': body.length };
  await write(socket, Buffer.concat([head(status, headers),
    exchange.method === 'HEAD' ? Buffer.alloc(0) : body]));
}
