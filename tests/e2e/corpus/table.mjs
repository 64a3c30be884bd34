// Counts what recordings showed, and prints it as a table.

export class Table {
  constructor(title) {
    this.title = title;
    this.rows = new Map();
  }

  /** Adds one to the column `what` of the row `name`. */
  count(name, what, by = 1) {
    const row = this.rows.get(name) ?? {};
    row[what] = (row[what] ?? 0) + by;
    this.rows.set(name, row);
  }

  print() {
    const columns = [...new Set([...this.rows.values()].flatMap((row) => Object.keys(row)))];
    const wide = Math.max(0, ...[...this.rows.keys()].map((name) => name.length)) + 2;
    const line = (name, cells) => `${name.padEnd(wide)}${cells.map((cell, at) => (
      String(cell).padStart(columns[at].length + 2))).join('')}`;
    console.log([this.title, line('', columns), ...[...this.rows].map(([name, row]) => (
      line(name, columns.map((what) => row[what] ?? 0))))].join('\n'));
  }
}
