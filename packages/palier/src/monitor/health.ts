import type { HealthState } from '../events.ts'

/** Something that has a limit and is being used up: memory, disk, inodes. */
export interface Budget {
  /** As people read it. */
  readonly name: string
  readonly used: number
  readonly limit: number
}

/** What a cache did in the minute before a look. */
export interface Minute {
  readonly reads: number
  readonly hits: number
  readonly errors: number
  readonly hitRate: number | undefined
  /** Calls of the backend, and milliseconds within which 95 in a hundred were answered. */
  readonly calls: number
  readonly p95: number
}

/** All that health is judged by, at one moment. */
export interface Look {
  /** Monotonic. */
  readonly now: number
  readonly enabled: boolean
  /** What the cache itself says of this moment. */
  readonly fact: { readonly state: HealthState; readonly reason: string }
  /** The backend is out, and nothing shared stands in for it. */
  readonly alone: boolean
  readonly minute: Minute
  /** Reads since the look before, and how many of them found something. */
  readonly latest: { readonly reads: number; readonly hits: number }
  readonly budgets: readonly Budget[]
  /** In what processes do not agree; undefined when they do. */
  readonly dispute: string | undefined
  /** The hit rate usual at this hour; undefined where nothing is known. */
  readonly usual: number | undefined
}

export interface Judgement {
  readonly state: HealthState
  readonly reason: string
}

export interface HealthJudge {
  look(look: Look): Judgement
  /** Something emptied the cache, or made it begin anew: it warms up. */
  warm(now: number, why: string): void
}

/** A trouble must be over for this long before it is said to be. */
const CLEAN_FOR = 60_000
/** A process this young is warming, and no warming lasts longer than the second. */
const YOUNG = 2 * 60_000
const LONGEST_WARMING = 15 * 60_000
/** Warm enough: so much of the usual hit rate, and what is taken for usual while nothing is known. */
const WARM_SHARE = 0.8
const FIRST_USUAL = 62.5
/** Fewer failures, calls or reads say nothing. */
const LEAST_ERRORS = 3
const LEAST_CALLS = 20
const LEAST_READS = 20
/** More failures in a hundred reads are too many. */
const ERROR_SHARE = 0.01
/** So many times its own pace is slow, unless it is below this many milliseconds. */
const SLOW_FACTOR = 3
const SLOW_FROM = 5
/** The pace is the median of so many quiet minutes. */
const PACES = 60
const LEAST_PACES = 5
const BUDGET_SHARE = 0.9
/** Looks in a row in which nothing was found, before it is said that nothing works. */
const LOST_LOOKS = 2

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

const seconds = (ms: number): string =>
  ms < 120_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : `${Math.round(ms / 60_000)} min`

/** How fast the backend usually is, learned while all is well. */
function createPace() {
  const paces: number[] = []
  let learnedAt: number | undefined
  return {
    learn(now: number, { calls, p95 }: Minute): void {
      if (calls < LEAST_CALLS || (learnedAt !== undefined && now - learnedAt < CLEAN_FOR)) return
      learnedAt = now
      paces.push(p95)
      if (paces.length > PACES) paces.shift()
    },
    usual(): number | undefined {
      const sorted = [...paces].sort((a, b) => a - b)
      return sorted.length < LEAST_PACES ? undefined : sorted[sorted.length >> 1]
    },
  }
}

/** What is wrong now, the worst first; undefined when nothing is. */
function troubleOf({ fact, minute, budgets, dispute }: Look, pace: number | undefined): string | undefined {
  if (fact.state === 'DEGRADED' || fact.state === 'DOWN') return fact.reason
  const { reads, errors, calls, p95 } = minute
  if (errors >= LEAST_ERRORS && errors > reads * ERROR_SHARE) {
    return `${errors} errors in ${reads} reads of the last minute: more than 1 in 100`
  }
  if (pace !== undefined && calls >= LEAST_CALLS && p95 > SLOW_FROM && p95 > pace * SLOW_FACTOR) {
    return `the backend is slow: 95 % of calls within ${p95.toFixed(1)} ms, usually ${pace.toFixed(1)} ms`
  }
  const full = budgets.find(({ used, limit }) => limit > 0 && used > limit * BUDGET_SHARE)
  if (full !== undefined) return `${full.name} is nearly used up: ${percent(full.used / full.limit)}`
  return dispute
}

/**
 * Health as people are told it: the facts of the moment, held long enough that they do not flicker. A trouble counts at
 * once and is over when it was away for a minute; a cache that begins, or was emptied, warms until it finds about as much
 * as it usually does at this hour. `bornAt` is monotonic, as is every `now`.
 */
export function createHealthJudge(bornAt: number): HealthJudge {
  const pace = createPace()
  let state: HealthState = 'WARMING'
  let warming: { readonly since: number; readonly why: string } | undefined = { since: bornAt, why: 'it just started' }
  let trouble = ''
  let cleanSince: number | undefined
  let worksSince: number | undefined
  let lostLooks = 0

  function isDown({ now, enabled, alone, latest }: Look): boolean {
    const lost = enabled && alone && latest.reads >= LEAST_READS && latest.hits === 0
    lostLooks = lost ? lostLooks + 1 : alone && latest.reads < LEAST_READS ? lostLooks : 0
    if (lostLooks >= LOST_LOOKS) {
      worksSince = undefined
      return true
    }
    if (state !== 'DOWN') return false
    worksSince ??= now
    return now - worksSince < CLEAN_FOR
  }

  function warmth({ now, minute, usual = FIRST_USUAL }: Look): Judgement | undefined {
    if (warming === undefined) return undefined
    const age = now - warming.since
    const isYoung = warming.since === bornAt && age < YOUNG
    const isWarm = minute.reads >= LEAST_READS && (minute.hitRate ?? 0) >= usual * WARM_SHARE
    if (age >= LONGEST_WARMING || (isWarm && !isYoung)) {
      warming = undefined
      return undefined
    }
    const rate = minute.hitRate === undefined ? 'few reads so far' : `${minute.hitRate} % hits in the last minute`
    return { state: 'WARMING', reason: `memory is filling: ${warming.why} ${seconds(age)} ago; ${rate}` }
  }

  function judge(look: Look): Judgement {
    const { now, enabled, fact } = look
    if (!enabled) return { state: 'HEALTHY', reason: fact.reason }
    if (isDown(look)) {
      const reason =
        worksSince === undefined
          ? `nothing is kept, every read goes to the source: ${fact.reason}`
          : `it works again for ${seconds(now - worksSince)}, after it was down`
      return { state: 'DOWN', reason }
    }
    worksSince = undefined
    const found = troubleOf(look, pace.usual())
    if (found !== undefined) {
      trouble = found
      cleanSince = undefined
      return { state: 'DEGRADED', reason: found }
    }
    if (state === 'DEGRADED') {
      cleanSince ??= now
      const clean = now - cleanSince
      if (clean < CLEAN_FOR) return { state, reason: `over for ${seconds(clean)}, and watched: ${trouble}` }
    }
    const warm = warmth(look)
    if (warm !== undefined) return warm
    if (fact.state === 'WARMING') return fact
    pace.learn(now, look.minute)
    return { state: 'HEALTHY', reason: fact.reason }
  }

  return {
    look(look) {
      const judgement = judge(look)
      state = judgement.state
      return judgement
    },
    warm(now, why) {
      warming = { since: now, why }
    },
  }
}

const WORST: readonly HealthState[] = ['HEALTHY', 'WARMING', 'DEGRADED', 'DOWN']

/** The worst of several processes, and of how many. */
export function worstOf(
  processes: readonly Judgement[],
): Judgement & { readonly affected: number; readonly processes: number } {
  const rank = ({ state }: Judgement): number => WORST.indexOf(state)
  const worst = processes.reduce<Judgement | undefined>(
    (a, b) => (a === undefined || rank(b) > rank(a) ? b : a),
    undefined,
  )
  const { state, reason } = worst ?? { state: 'HEALTHY' as const, reason: '' }
  const affected = processes.filter(one => one.state === state).length
  const all = processes.length
  const who = all > 1 ? `${affected} of ${all} processes: ` : ''
  return { state, reason: who + reason, affected, processes: all }
}
