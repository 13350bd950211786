import type { Verdict } from '../harness.ts'
import { versionOf } from '../surroundings.ts'
import type { Facts } from '../table.ts'
import type { Fault } from './faults.ts'
import { type Call, LIMIT_MS } from './protocol.ts'
import { type Booted, type Fallen, FORGET_AT_MS, type Observed, STALE_MS, USE_LIMIT_MS } from './scenario.ts'

/*
 * The budgets are Palier's; the others are shown beside, and judged by nobody. Calls are judged at p99: two CPUs and a
 * dozen processes leave every program waiting for its turn now and then; the slowest call stands in the table. What the
 * machine adds to a call of microseconds is measured in the same process between the calls: the bare system calls of a
 * leased write where Palier falls back to a directory, an idle turn of the event loop otherwise.
 */

const CALL_MS = 250
/** A timer fires late, and the answer that it brings is made after it. */
const TIMER_SLACK_MS = 20
const OPEN_MS = 2
const USE_MS = 1500
const BOOT_MS = 1000
/** By then the breaker has to be open. */
const SETTLED_MS = 2000

export interface Budget {
  readonly text: string
  readonly value: string
}

export const BUDGETS: readonly Budget[] = [
  { text: 'a call, p99', value: `${CALL_MS} ms, and ${TIMER_SLACK_MS} for timers that fire late` },
  {
    text: `a call from ${SETTLED_MS / 1000} s into the fault, p99`,
    value: `${OPEN_MS} ms, and what the control took`,
  },
  { text: 'from the heal to the first use of Redis', value: `${USE_MS} ms` },
  { text: 'from creation to the first answer, without Redis', value: `${BOOT_MS} ms` },
  { text: 'reads of a deleted value, in the deleting process', value: '0, during and after' },
  { text: `reads of it in another process, from ${USE_MS} ms after the heal`, value: '0' },
  { text: 'reads of it in another process of the same host', value: '0' },
  { text: 'calls rejected or hung', value: '0' },
]

const isPalier = ({ contestant }: { readonly contestant: { readonly package: string } }): boolean =>
  contestant.package === 'palier'

const control = (calls: readonly Call[], at: number = 0.99): number =>
  percentile(
    calls.map(call => call.control ?? 0),
    at,
  )

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function ms(value: number): string {
  if (Number.isNaN(value)) return '-'
  if (value >= LIMIT_MS) return `>${LIMIT_MS / 1000} s`
  if (value >= 2000) return `${(value / 1000).toFixed(1)} s`
  return value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`
}

const times = (calls: readonly Call[]): number[] => calls.map(call => (call.end === 'hung' ? LIMIT_MS : call.ms))
const p50 = (calls: readonly Call[]): number => percentile(times(calls), 0.5)
const p99 = (calls: readonly Call[]): number => percentile(times(calls), 0.99)
const slowest = (calls: readonly Call[]): number => Math.max(...times(calls))
const ended = (calls: readonly Call[], end: Call['end']): number => calls.filter(call => call.end === end).length
/** The database has said v2 since before the deletion. */
const stale = (calls: readonly Call[]): number =>
  calls.filter(({ value, end }) => end === 'answered' && value === 'v1').length

/** Stale reads of so many, and when the last of them was answered. */
function staleText(calls: readonly Call[], healedAt: number): string {
  const count = stale(calls)
  if (count === 0) return `0 of ${calls.length}`
  const last = Math.max(...calls.filter(({ value }) => value === 'v1').map(call => call.at + call.ms))
  return `${count} of ${calls.length}, to ${ms(last - healedAt)}`
}

function settledCalls({ calls, struckAt }: Observed): readonly Call[] {
  return calls.filter(({ at }) => at >= struckAt + SETTLED_MS)
}

function use({ usedAt, healedAt }: Pick<Observed, 'usedAt' | 'healedAt'>): number {
  return usedAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, usedAt - healedAt)
}

function useText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? `not in ${USE_LIMIT_MS / 1000} s` : `${value.toFixed(0)} ms`
}

const beforeUse = ({ healedAt }: Observed, calls: readonly Call[]): readonly Call[] =>
  calls.filter(({ at }) => at < healedAt + USE_MS)
const afterUse = ({ healedAt }: Observed, calls: readonly Call[]): readonly Call[] =>
  calls.filter(({ at }) => at >= healedAt + USE_MS)

function share(count: number, of: readonly unknown[]): string {
  if (count === 0) return '0'
  const percent = (100 * count) / of.length
  return `${percent < 1 ? '<1' : percent.toFixed(0)} %`
}

/** What the deletions said, and when: `pending x10, 3 ms`. */
function said(forgets: readonly Call[]): string {
  const counts = new Map<string, number>()
  for (const { end, value } of forgets) {
    const text = end === 'answered' ? (value ?? '') : end
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  const texts = [...counts].map(([text, count]) => (counts.size === 1 ? text : `${text} x${count}`))
  return `${texts.join(', ')}; ${ms(slowest(forgets))}`
}

const COLUMNS = [
  'contestant',
  'version',
  'p50',
  'p99',
  'max',
  `p99 from ${SETTLED_MS / 1000} s`,
  'max from there',
  'control p99',
  'rejected',
  'hung',
  'delete said',
  'heal to use',
  'stale, A meanwhile',
  'stale, A after',
  `stale, B to ${USE_MS / 1000} s`,
  'stale, B later',
  'state at the end',
]

function row(seen: Observed): string[] {
  const { contestant, calls, forgets, meanwhile, a, b, state } = seen
  const later = afterUse(seen, b)
  return [
    contestant.name,
    versionOf(contestant.package),
    ms(p50(calls)),
    ms(p99(calls)),
    ms(slowest(calls)),
    ms(p99(settledCalls(seen))),
    ms(slowest(settledCalls(seen))),
    ms(control(settledCalls(seen))),
    share(ended(calls, 'rejected'), calls),
    share(ended(calls, 'hung'), calls),
    said(forgets),
    useText(use(seen)),
    meanwhile.length === 0 ? '-' : `${stale(meanwhile)} of ${meanwhile.length}`,
    `${stale(a)} of ${a.length}`,
    staleText(beforeUse(seen, b), seen.healedAt),
    `${stale(later)} of ${later.length}`,
    state,
  ]
}

function callVerdicts(seen: Observed, unsteady: boolean): Verdict[] {
  const { calls } = seen
  const settled = settledCalls(seen)
  const within = (text: string, limit: number, slack: number, of: readonly Call[]): Verdict => ({
    text: `${seen.contestant.name}: ${text} within ${limit} ms at p99`,
    met: p99(of) <= limit + slack,
    figure: `${ms(p99(of))}, control ${ms(control(of))}; medians ${ms(p50(of))} and ${ms(control(of, 0.5))}; slowest ${ms(slowest(of))} of ${of.length}`,
  })
  const bad = calls.length - ended(calls, 'answered')
  return [
    within('a call', CALL_MS, TIMER_SLACK_MS, calls),
    ...(unsteady ? [] : [within(`a call from ${SETTLED_MS / 1000} s on`, OPEN_MS, control(settled), settled)]),
    { text: `${seen.contestant.name}: no call rejected or hung`, met: bad === 0, figure: `${bad} of ${calls.length}` },
  ]
}

function verdicts(seen: Observed, fault: Fault): Verdict[] {
  const { meanwhile, a, b } = seen
  const { name } = seen.contestant
  const later = afterUse(seen, b)
  const reads = [...meanwhile, ...a]
  const early = staleText(beforeUse(seen, b), seen.healedAt)
  return [
    ...callVerdicts(seen, fault.unsteady === true),
    { text: `${name}: in use within ${USE_MS} ms of the heal`, met: use(seen) <= USE_MS, figure: useText(use(seen)) },
    {
      text: `${name}: no stale read in the process that deleted`,
      met: stale(reads) === 0 && a.every(({ end }) => end === 'answered'),
      figure: `${stale(reads)} of ${reads.length}`,
    },
    {
      text: `${name}: no stale read in another process from ${USE_MS} ms after the heal`,
      met: stale(later) === 0 && later.length > 0,
      figure: `${stale(later)} of ${later.length}; before that ${early}`,
    },
    ...(seen.contestant.sharesDirectory === true
      ? [{ text: `${name}: nor before`, met: stale(b) === 0 && b.length > 0, figure: early }]
      : []),
  ]
}

/** Palier has no row: a promise that could not be looked at is not kept. */
function absent(fallen: readonly Fallen[]): Verdict[] {
  return fallen
    .filter(isPalier)
    .map(({ contestant, why }) => ({ text: `${contestant.name}: lives through it`, met: false, figure: why }))
}

function fallenRow({ contestant, why }: Fallen): string[] {
  return [contestant.name, versionOf(contestant.package), why]
}

export function faultFacts(fault: Fault, observed: readonly Observed[], fallen: readonly Fallen[]): Facts {
  const seconds = fault.outageMs / 1000
  return {
    name: fault.name,
    what: `${fault.what}. It lasts ${seconds} s; a read of a key that nobody has, every 25 ms; ${FORGET_AT_MS / 1000} s into it the database changes and A deletes ten keys that A and B, two processes, hold in memory; both read them for ${STALE_MS / 1000} s after the heal`,
    columns: COLUMNS,
    rows: [...observed.map(row), ...fallen.map(fallenRow)],
    verdicts: [...observed.filter(isPalier).flatMap(seen => verdicts(seen, fault)), ...absent(fallen)],
  }
}

const BOOT_COLUMNS = ['contestant', 'version', 'first answer', 'which was', 'heal to use']

export function bootFacts(fault: Fault, booted: readonly Booted[], fallen: readonly Fallen[]): Facts {
  return {
    name: `boot, ${fault.name}`,
    what: `made while Redis is not to be had (${fault.name}): from making it to the end of its first read; then Redis comes, and nothing is restarted`,
    columns: BOOT_COLUMNS,
    rows: [
      ...booted.map(one => {
        const { contestant, first } = one
        const end = first.end === 'rejected' ? `rejected: ${first.value ?? ''}`.slice(0, 60) : first.end
        return [contestant.name, versionOf(contestant.package), ms(first.ms), end, useText(use(one))]
      }),
      ...fallen.map(fallenRow),
    ],
    verdicts: [
      ...booted.filter(isPalier).flatMap(one => [
        {
          text: `${one.contestant.name}: answers within ${BOOT_MS} ms of its creation`,
          met: one.first.end === 'answered' && one.first.ms <= BOOT_MS,
          figure: ms(one.first.ms),
        },
        {
          text: `${one.contestant.name}: in use within ${USE_MS} ms of the heal`,
          met: use(one) <= USE_MS,
          figure: useText(use(one)),
        },
      ]),
      ...absent(fallen),
    ],
  }
}

/** A fault that could not be made here is said, not left out. */
export function impossible(fault: Fault, why: string): Facts {
  return {
    name: fault.name,
    what: fault.what,
    columns: ['contestant', 'version', 'outcome'],
    rows: [['all', '', `not possible here: ${why}`]],
    verdicts: [],
  }
}
