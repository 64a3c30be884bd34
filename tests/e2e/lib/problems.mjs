// What the strict readers of a protocol share: a list of complaints, and lines that say where.

export class Problems {
  constructor() {
    this.problems = [];
    this.at = undefined;
  }

  complain(words) {
    this.problems.push(this.at === undefined ? words : `event ${this.at}: ${words}`);
  }

  need(ok, words) {
    if (!ok) {
      this.complain(words);
    }
    return ok;
  }

  /** JSON, or undefined and a complaint. */
  parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      this.complain(`no JSON: ${String(text).slice(0, 60)}`);
      return undefined;
    }
  }

  /** The frames of an event stream: `{ event, data }`. Comments are left out. */
  frames(text) {
    const pieces = text.replace(/\r\n/g, '\n').split('\n\n');
    this.need(pieces.pop() === '', 'the stream does not end with a blank line');
    return pieces.flatMap((piece) => {
      const lines = piece.split('\n').filter((line) => !line.startsWith(':'));
      const value = (name) => lines.filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).replace(/^ /, '')).join('\n');
      this.need(lines.every((line) => /^(event|data): ?/.test(line)), `an odd line in ${piece}`);
      return lines.length ? [{ event: value('event'), data: value('data') }] : [];
    });
  }
}
