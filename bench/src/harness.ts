import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { messageOf } from './say.ts'

/*
 * Times contestants at one work, side by side. All are opened and must first give right answers; then they take turns,
 * a short stretch each, in an order that rotates from round to round, so that whatever else the machine does falls on
 * all of them alike. A ratio is the median of the ratios within each round: it holds still when the clock speed does not.
 */

/** A contestant that is ready to run. */
export interface Session {
  /** Throws when an answer is wrong; then it is not timed. */
  check(): Promise<void>
  /** What `run(n)` needs and nobody wants to time. */
  prepare?(n: number): Promise<void>
  /** Does the work `n` times. On the hottest paths a loop of its own, so that no contestant pays for another's call site. */
  run(n: number): Promise<void>
  close(): Promise<void>
}

/** `limit`: what the bare machine does, with no library in between. */
export type Role = 'limit' | 'palier' | 'peer'

export interface Contestant {
  readonly name: string
  readonly role: Role
  /** The package it is, for its version; none for a limit made of the platform alone. */
  readonly package?: string
  /** Name of the limit it is compared with, when there are several; otherwise the first. */
  readonly against?: string
  readonly note?: string
  open(): Promise<Session>
}

export interface Work {
  readonly name: string
  /** What one operation is. */
  readonly what: string
  /** Operations come in groups of so many at once. Default 1. */
  readonly atOnce?: number
  /** At most so many operations a turn: where `prepare` costs more than what is timed. */
  readonly most?: number
  readonly contestants: readonly Contestant[]
  readonly aims?: readonly Aim[]
}

/** How long to measure. */
export interface Pace {
  readonly rounds: number
  readonly warmUp: number
  /** How long one turn of one contestant takes, about. */
  readonly turnMs: number
}

export interface Row {
  readonly name: string
  readonly role: Role
  readonly version?: string
  readonly note?: string
  /** Nanoseconds per operation: the median round, and the rounds at 10 and 90 in a hundred. */
  readonly median: number
  readonly p10: number
  readonly p90: number
  /** Processor time of this process per operation, the median round: steadier than the clock where a server is waited for. */
  readonly cpu?: number
  /** Times slower than the limit; below 1 it is faster. */
  readonly toLimit?: number
  /** Times slower than the first row of Palier. */
  readonly toPalier?: number
}

export interface Disqualified {
  readonly name: string
  readonly role: Role
  readonly why: string
}

export interface Verdict {
  readonly text: string
  readonly met: boolean
  readonly figure: string
}

export interface WorkResult {
  readonly name: string
  readonly what: string
  readonly rows: readonly Row[]
  readonly disqualified: readonly Disqualified[]
  readonly verdicts: readonly Verdict[]
}

/** Rounds of each contestant by name, ns per operation, in the order they were run. */
export type Rounds = ReadonlyMap<string, readonly number[]>

export interface Aim {
  readonly text: string
  /** Undefined: somebody it needs is missing. */
  judge(rounds: Rounds): { readonly met: boolean; readonly figure: string } | undefined
}

interface Entered {
  readonly contestant: Contestant
  readonly session: Session
  readonly rounds: number[]
  readonly cpu: number[]
  n: number
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** Median over the rounds of `a / b`. */
function ratio(a: readonly number[], b: readonly number[]): number {
  return quantile(
    a.map((value, i) => value / (b[i] ?? Number.NaN)),
    0.5,
  )
}

/** `name` takes at most `factor` times as long as `limit`. */
export function within(name: string, limit: string, factor: number): Aim {
  return {
    text: `${name} within ${factor}x of ${limit}`,
    judge(rounds) {
      const [own, other] = [rounds.get(name), rounds.get(limit)]
      if (own === undefined || other === undefined) return undefined
      const found = ratio(own, other)
      return { met: found <= factor, figure: `${found.toFixed(2)}x` }
    },
  }
}

/** Each of `peers` takes at least `factor` times as long as `name`. */
export function ahead(name: string, peers: readonly string[], factor: number): Aim {
  return {
    text: factor === 1 ? `${name} ahead of every peer` : `${name} at least ${factor}x faster than ${peers.join(', ')}`,
    judge(rounds) {
      const own = rounds.get(name)
      if (own === undefined) return undefined
      const found = peers.flatMap(peer => {
        const other = rounds.get(peer)
        return other === undefined ? [] : [{ peer, factor: ratio(other, own) }]
      })
      const nearest = found.toSorted((a, b) => a.factor - b.factor)[0]
      if (nearest === undefined) return undefined
      return { met: nearest.factor >= factor, figure: `${nearest.factor.toFixed(2)}x (${nearest.peer})` }
    },
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options?: { type: 'minor' | 'major' }) => void

/** Collects the garbage, so that nobody pays for what another left behind. */
function sweepHeap(): void {
  collect({ type: 'minor' })
}

async function enter(work: Work): Promise<{ entered: Entered[]; disqualified: Disqualified[] }> {
  const entered: Entered[] = []
  const disqualified: Disqualified[] = []
  for (const contestant of work.contestants) {
    const { name, role } = contestant
    let session: Session | undefined
    try {
      session = await contestant.open()
      await session.check()
      entered.push({ contestant, session, rounds: [], cpu: [], n: work.atOnce ?? 1 })
    } catch (error) {
      disqualified.push({ name, role, why: messageOf(error) })
      await session?.close()
    }
  }
  return { entered, disqualified }
}

/** Milliseconds of one turn by the clock, and of the processor. */
/** Rounds of hits in memory never let the event loop hear its sockets; an application does, between two requests. */
const listen = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5))

async function turn({ session, n }: Entered): Promise<{ ms: number; cpuMs: number }> {
  await listen()
  await session.prepare?.(n)
  sweepHeap()
  const before = process.cpuUsage()
  const startedAt = performance.now()
  await session.run(n)
  const ms = performance.now() - startedAt
  const { user, system } = process.cpuUsage(before)
  return { ms, cpuMs: (user + system) / 1000 }
}

/** As many operations as a turn has time for, a whole number of groups. */
async function calibrate(one: Entered, { atOnce = 1, most = 2 ** 22 }: Work, turnMs: number): Promise<void> {
  const whole = (n: number): number => Math.max(atOnce, Math.round(n / atOnce) * atOnce)
  for (;;) {
    const { ms } = await turn(one)
    const n = one.n
    one.n = whole(Math.min(n * Math.min(turnMs / Math.max(ms, 0.001), 16), most))
    if (ms > turnMs / 2 || one.n <= n) return
  }
}

export async function measure(work: Work, pace: Pace, versionOf: (name: string) => string): Promise<WorkResult> {
  const { entered, disqualified } = await enter(work)
  try {
    for (const one of entered) await calibrate(one, work, pace.turnMs)
    for (let round = 0; round < pace.warmUp + pace.rounds; round++) {
      for (let i = 0; i < entered.length; i++) {
        const one = entered[(i + round) % entered.length]
        if (one === undefined) continue
        const { ms, cpuMs } = await turn(one)
        if (round < pace.warmUp) continue
        one.rounds.push((ms * 1e6) / one.n)
        one.cpu.push((cpuMs * 1e6) / one.n)
      }
    }
  } finally {
    for (const { session } of entered) await session.close()
  }
  const rounds: Rounds = new Map(entered.map(one => [one.contestant.name, one.rounds]))
  const verdicts = (work.aims ?? []).flatMap(aim => {
    const judged = aim.judge(rounds)
    return judged === undefined ? [] : [{ text: aim.text, ...judged }]
  })
  return {
    name: work.name,
    what: work.what,
    rows: entered.map(one => rowOf(one, entered, versionOf)),
    disqualified,
    verdicts,
  }
}

function rowOf(
  { contestant, rounds, cpu }: Entered,
  all: readonly Entered[],
  versionOf: (name: string) => string,
): Row {
  const { name, role, note, against } = contestant
  const limits = all.filter(one => one.contestant.role === 'limit')
  const limit = limits.find(one => one.contestant.name === against) ?? limits[0]
  const palier = all.find(one => one.contestant.role === 'palier')
  return {
    name,
    role,
    ...(contestant.package !== undefined && { version: versionOf(contestant.package) }),
    ...(note !== undefined && { note }),
    median: round(quantile(rounds, 0.5)),
    p10: round(quantile(rounds, 0.1)),
    p90: round(quantile(rounds, 0.9)),
    cpu: round(quantile(cpu, 0.5)),
    ...(limit !== undefined && { toLimit: round(ratio(rounds, limit.rounds)) }),
    ...(palier !== undefined && { toPalier: round(ratio(rounds, palier.rounds)) }),
  }
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
