import type { Machine } from '../surroundings.ts'
import type { Facts } from '../table.ts'
import type { OutageContestant } from './contestants.ts'
import type { Budget } from './judge.ts'

export interface SavedOutage {
  readonly machine: Machine
  readonly seconds: number
  readonly budgets: readonly Budget[]
  readonly facts: readonly Facts[]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map((_title, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

function section({ name, what, columns, rows, verdicts }: Facts): string {
  const padded = rows.map(row => columns.map((_title, i) => row[i] ?? ''))
  const lines = verdicts.map(({ text, met, figure }) => `- ${text}: ${met ? 'met' : 'NOT MET'}, ${figure}`)
  return [`## ${name}\n\n${what}.`, table(columns, padded), lines.join('\n')].filter(part => part !== '').join('\n\n')
}

/** The page that is kept of a whole run. */
export function outagePage(
  { machine, seconds, budgets, facts }: SavedOutage,
  contestants: readonly OutageContestant[],
): string {
  const cpus = `${machine.cpus} x ${machine.cpu}`
  const preface = `# Outage

Written by \`npm run outage -w bench\`; do not edit. ${machine.date} UTC, Node ${machine.node}, ${cpus}, ${machine.platform}, ${seconds} s; load before it ${machine.loadBefore}.

Everybody at their defaults, set up as their own documentation shows, all at the same time under the same fault, each in
two processes of its own. The budgets are Palier's, and a run that misses one of them fails. The control is made in the
same process between the calls, to know what the machine adds just then: the bare system calls of a load
under a lease where Palier falls back to a directory; an idle turn of the event loop otherwise.

On another host B may meet Redis again before A does, and then finds what A has not yet been able to delete: counted up to 1500 ms after
the heal, with the time of the last such read. A client whose delete is rejected has at least said so.`
  return `${[
    preface,
    table(
      ['contestant', 'set up as'],
      contestants.map(({ name, note }) => [name, note]),
    ),
    table(
      ['budget', 'of palier'],
      budgets.map(({ text, value }) => [text, value]),
    ),
    ...facts.map(section),
  ].join('\n\n')}\n`
}
