import { readFileSync, writeFileSync } from 'node:fs'
import type { Machine } from '../surroundings.ts'
import type { Facts } from '../table.ts'

/** What `docs/guarantees.md` shows of the tables, by their column titles. */
const SHOWN = ['p99', 'rejected', 'hung', 'heal to use', 'stale, A after', 'stale, B to 1500 ms', 'stale, B later']
const TITLES: Readonly<Record<string, string>> = {
  p99: 'call, p99',
  'stale, A after': 'old value, same process',
  'stale, B to 1500 ms': 'old value, other process, to 1.5 s',
  'stale, B later': 'later',
}

const START = /<!-- outage figures[^>]*-->/
const END = '<!-- end of outage figures -->'

function columnIndex(columns: readonly string[], title: string): number {
  return columns.findIndex(column => column === title || column.replace('1.5 s', '1500 ms') === title)
}

/** One line for each fault and contestant. */
function figuresTable(facts: readonly Facts[]): string {
  const head = ['Redis is', 'contestant', ...SHOWN.map(title => TITLES[title] ?? title)]
  const lines = facts
    .filter(({ columns }) => columns.includes('p99'))
    .flatMap(({ name, columns, rows }) => {
      const shown = SHOWN.map(title => columnIndex(columns, title))
      return rows
        .filter(row => row.length >= columns.length)
        .map(row => [name, row[0] ?? '', ...shown.map(i => row[i] ?? '')])
    })
  const text = (row: readonly string[]): string => `| ${row.join(' | ')} |`
  return [text(head), text(head.map((_title, i) => (i < 2 ? '---' : '---:'))), ...lines.map(text)].join('\n')
}

/** Puts the figures of a run into a page, between its two marks. Throws when the page has none. */
export function writeFigures(page: string, { date }: Machine, facts: readonly Facts[]): void {
  const before = readFileSync(page, 'utf8')
  const mark = START.exec(before)
  const end = before.indexOf(END)
  if (mark === null || end < mark.index) throw new Error(`${page} has no place for the outage figures`)
  const head = before.slice(0, mark.index + mark[0].length)
  writeFileSync(
    page,
    `${head}\n\n${date} UTC, all at the same time on one machine:\n\n${figuresTable(facts)}\n\n${before.slice(end)}`,
  )
}
