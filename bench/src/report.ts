import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row, Verdict, WorkResult } from './harness.ts'
import { columns, duration } from './say.ts'
import type { Machine } from './surroundings.ts'
import type { Facts, Table, TableResult } from './table.ts'

/** What is kept of one table in `results/`. */
export interface Saved extends TableResult {
  readonly table: string
  readonly title: string
  readonly machine: Machine
  readonly seconds: number
}

const HEAD = ['contestant', 'version', 'median', 'p10', 'p90', 'cpu', 'to limit', 'to palier', 'note']

function cells(row: Row): string[] {
  const times = (factor: number | undefined): string => (factor === undefined ? '' : `${factor.toFixed(2)}x`)
  return [
    row.role === 'limit' ? `limit: ${row.name}` : row.name,
    row.version ?? '',
    duration(row.median),
    duration(row.p10),
    duration(row.p90),
    row.cpu === undefined ? '' : duration(row.cpu),
    times(row.toLimit),
    times(row.toPalier),
    row.note ?? '',
  ]
}

function verdictLine({ text, met, figure }: Verdict): string {
  return `aim: ${text}: ${met ? 'met' : 'NOT MET'}, ${figure}`
}

/** One work as plain text. */
export function workText(result: WorkResult): string {
  return [
    `${result.name}: ${result.what}`,
    columns(HEAD, result.rows.map(cells)),
    ...result.disqualified.map(({ name, why }) => `DISQUALIFIED ${name}: ${why}`),
    ...result.verdicts.map(verdictLine),
  ].join('\n')
}

export function factsText(facts: Facts): string {
  return [`${facts.name}: ${facts.what}`, columns(facts.columns, facts.rows), ...facts.verdicts.map(verdictLine)].join(
    '\n',
  )
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map((_title, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

function section(saved: Saved): string {
  const { machine, works, facts, missing, seconds } = saved
  const busy = machine.loadBefore > machine.cpus / 2 ? ' Other programs were running: read the ratios only.' : ''
  const parts = [
    `## ${saved.title}`,
    `\`npm run bench -- ${saved.table}\`, ${machine.date} UTC, Node ${machine.node}, ${machine.cpus} x ${machine.cpu}, ${machine.platform}, ${seconds} s; load before it ${machine.loadBefore}.${busy}`,
    ...missing.map(text => `Left out: ${text}.`),
  ]
  for (const work of works) {
    parts.push(`### ${work.name}\n\n${work.what}.`, markdown(HEAD, work.rows.map(cells)))
    const lines = [
      ...work.verdicts.map(verdict => `- ${verdictLine(verdict)}`),
      ...work.disqualified.map(({ name, why }) => `- disqualified: ${name}: ${why}`),
    ]
    if (lines.length > 0) parts.push(lines.join('\n'))
  }
  for (const fact of facts) {
    parts.push(`### ${fact.name}\n\n${fact.what}.`, markdown(fact.columns, fact.rows))
    if (fact.verdicts.length > 0) parts.push(fact.verdicts.map(verdict => `- ${verdictLine(verdict)}`).join('\n'))
  }
  return parts.join('\n\n')
}

const PREFACE = `# Results

Written by \`npm run bench\`; do not edit. Each table says when and where it was measured. Times are per operation; the
machine is shared and noisy, so **only the ratios mean anything**: \`to limit\` is how many times slower than the bare
machine, \`to palier\` how many times slower than the first row of Palier (below 1: faster). \`../README.md\` says how.`

/** Keeps the result of one table, and writes the page of all tables kept so far. */
export function save(dir: string, saved: Saved, order: readonly Table[]): void {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, `${saved.table}.json`), `${JSON.stringify(saved, null, 1)}\n`)
  const kept = new Set(readdirSync(dir).filter(name => name.endsWith('.json')))
  const sections = order
    .filter(({ name }) => kept.has(`${name}.json`))
    .map(({ name }) => section(JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8')) as Saved))
  writeFileSync(join(dir, 'README.md'), `${[PREFACE, ...sections].join('\n\n')}\n`)
}
