export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Nanoseconds as people read them. */
export function duration(ns: number): string {
  if (ns < 1000) return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`
  if (ns < 1e6) return `${(ns / 1000).toFixed(ns < 1e5 ? 1 : 0)} µs`
  return `${(ns / 1e6).toFixed(ns < 1e8 ? 1 : 0)} ms`
}

/** Columns of plain text, the first flush left, the others flush right, the last flush left again when it is a note. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => (row[i] ?? '').length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 || head[i] === 'note' ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
