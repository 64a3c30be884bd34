// Small proxies for tests: HTTP (with CONNECT and with whole URLs) and SOCKS5, both with a user and
// a password. They count what goes through them.

import net from 'node:net';
import { once } from 'node:events';

class Proxy {
  constructor(user, password) {
    Object.assign(this, { user, password, used: 0, refused: 0, sockets: new Set() });
  }

  async listen() {
    this.server = net.createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      this.serve(socket).catch(() => socket.destroy());
    });
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    return this;
  }

  url(scheme) {
    return `${scheme}://${this.user}:${this.password}@127.0.0.1:${this.port}`;
  }

  /** Joins both sides; `first` is what the client said already, `change` what becomes of more. */
  join(socket, host, port, first, change = (bytes) => bytes) {
    const other = net.connect(port, host);
    this.sockets.add(other);
    other.on('error', () => socket.destroy());
    other.on('close', () => socket.destroy());
    socket.on('close', () => other.destroy());
    if (first?.length) {
      other.write(first);
    }
    socket.on('data', (bytes) => other.write(change(bytes)));
    socket.on('end', () => other.end());
    other.pipe(socket);
    this.used++;
  }

  async close() {
    for (const socket of this.sockets) {
      socket.destroy();
    }
    this.server.close();
    await once(this.server, 'close');
  }
}

async function readUntil(socket, enough) {
  let bytes = Buffer.alloc(0);
  while (!enough(bytes)) {
    const piece = socket.read();
    if (piece) {
      bytes = Buffer.concat([bytes, piece]);
    } else {
      await once(socket, 'readable');
    }
  }
  return bytes;
}

/** A request with a whole URL, as the server behind the proxy is to see it. Other bytes pass. */
function plain(bytes) {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const head = bytes.subarray(0, end).toString('latin1');
  const target = /^[A-Z]+ (http:\S+) HTTP/.exec(head)?.[1];
  if (!target) {
    return bytes;
  }
  const url = new URL(target);
  return Buffer.concat([Buffer.from(head.replace(target, url.pathname + url.search)
    .replace(/^proxy-[^\r]*\r\n/gim, ''), 'latin1'), bytes.subarray(end)]);
}

export class HttpProxy extends Proxy {
  async serve(socket) {
    const bytes = await readUntil(socket, (got) => got.includes('\r\n\r\n'));
    const text = bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n') + 4;
    const wanted = `Basic ${btoa(`${this.user}:${this.password}`)}`;
    if (!new RegExp(`^proxy-authorization: ${wanted}\r$`, 'im').test(text.slice(0, end))) {
      this.refused++;
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const [, method, target] = /^(\S+) (\S+) /.exec(text);
    if (method === 'CONNECT') {
      const [host, port] = target.split(':');
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      this.join(socket, host, Number(port), bytes.subarray(end));
      return;
    }
    const url = new URL(target);
    this.join(socket, url.hostname, Number(url.port), plain(bytes), plain);
  }
}

export class SocksProxy extends Proxy {
  async serve(socket) {
    await readUntil(socket, (got) => got.length >= 2 && got.length >= 2 + got[1]);
    socket.write(Buffer.from([5, 2]));
    const login = await readUntil(socket, (got) => got.length >= 2
      && got.length >= 3 + got[1] + (got[2 + got[1]] ?? 255));
    const user = login.subarray(2, 2 + login[1]).toString();
    const password = login.subarray(3 + login[1]).toString();
    if (user !== this.user || password !== this.password) {
      this.refused++;
      socket.end(Buffer.from([1, 1]));
      return;
    }
    socket.write(Buffer.from([1, 0]));
    const ask = await readUntil(socket, (got) => got.length >= 7
      && got.length >= (got[3] === 1 ? 10 : 7 + got[4]));
    const isName = ask[3] === 3;
    const host = isName ? ask.subarray(5, 5 + ask[4]).toString() : ask.subarray(4, 8).join('.');
    const port = ask.readUInt16BE(ask.length - 2);
    socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    this.join(socket, host, port);
  }
}
