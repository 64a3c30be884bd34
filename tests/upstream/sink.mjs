// An upstream for uploads: it keeps nothing of what it reads but a digest, reads as slowly as it is
// told, and may answer, refuse or leave before it has read all.

import http from 'node:http';
import { createHash } from 'node:crypto';
import { once } from 'node:events';

export class Sink {
  /** `handle(request, response, sink)` serves a request; without one all of it is read. */
  constructor(handle = (request, response) => this.swallow(request, response)) {
    this.handle = handle;
    this.seen = [];
  }

  async listen() {
    this.server = http.createServer((request, response) => {
      const entry = { headers: request.headers, url: request.url, bytes: 0, whole: false };
      this.seen.push(entry);
      request.entry = entry;
      request.on('error', () => {});
      this.handle(request, response, this);
    });
    this.server.requestTimeout = 0;
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    return this;
  }

  get last() {
    return this.seen[this.seen.length - 1];
  }

  /** Reads all of a request, with its parts' digest for an answer. */
  swallow(request, response) {
    const hash = createHash('sha256');
    const { entry } = request;
    request.on('data', (piece) => {
      hash.update(piece);
      entry.bytes += piece.length;
    });
    request.on('end', () => {
      entry.whole = true;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ text: hash.digest('hex'), bytes: entry.bytes }));
    });
  }

  async close() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Refuses with 400 before anything of the body is read. */
export function refuseEarly(request, response) {
  response.writeHead(400, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message: 'Not this file.', type: 'invalid_request_error',
    param: 'file', code: null } }));
}
