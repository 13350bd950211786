import type { Clock } from '../clock.ts'
import { type Counts, errorsOf, hitRate, readsOf } from './counts.ts'
import type { Budget } from './health.ts'
import type { MonitoredCache } from './sampler.ts'

/** Something people should know of, once when it begins and once when it is over. */
export interface Alert {
  /** The same for the same trouble: `hit-rate`, `errors`, `backend:redis`, `misses:product`, `budget:disk`. */
  readonly signature: string
  readonly namespace: string
  /** "Redis is down". */
  readonly text: string
  /** The numbers behind it. */
  readonly detail: string
  /** In milliseconds since 1970. */
  readonly since: number
  /** Since when it is over; absent while it goes on. */
  readonly until?: number
}

/** When to speak. Counts are those of all processes together within `window`. */
export interface AlertLimits {
  /** Hits in a hundred reads, below which the cache does too little. */
  readonly hitRate: number
  /** Misses in a hundred reads of one type, above which that type does too little. */
  readonly missRate: number
  /** More errors than this. */
  readonly errors: number
  /** Used of a budget, in a hundred. */
  readonly budget: number
  /** Fewer reads say nothing about a rate. */
  readonly minReads: number
  readonly window: number
}

/** When an alert begins, in numbers, for whoever tells it in a sentence of another language. */
export interface AlertRule {
  /** Its alerts have this signature, or begin with it and a colon. */
  readonly id: 'backend' | 'hit-rate' | 'misses' | 'errors' | 'budget'
  /** A plain sentence. */
  readonly text: string
  /** What must not be gone below (`hit-rate`) or above (the others). Of `backend` there is none. */
  readonly threshold?: number
  /** In a hundred, or so many. */
  readonly unit?: 'percent' | 'count'
  /** Milliseconds over which is counted; of what is looked at as it is, there is none. */
  readonly window?: number
  /** Fewer reads within the window say nothing. */
  readonly minReads?: number
  /** Nothing is said while memory is filling. */
  readonly notWhileWarming: boolean
}

/** The rules these limits make. */
export function rulesOf({ hitRate, missRate, errors, budget, minReads, window }: AlertLimits): readonly AlertRule[] {
  const over = `in ${Math.round(window / 60_000)} min`
  const rate = { unit: 'percent', window, minReads, notWhileWarming: true } as const
  const share = `with at least ${count(minReads)} reads, not while warming`
  return [
    { id: 'backend', text: 'a backend is down', notWhileWarming: false },
    { id: 'hit-rate', text: `hit rate under ${hitRate} % ${over}, ${share}`, threshold: hitRate, ...rate },
    { id: 'misses', text: `misses of a type over ${missRate} % ${over}, ${share}`, threshold: missRate, ...rate },
    {
      id: 'errors',
      text: `more than ${count(errors)} errors ${over}`,
      threshold: errors,
      unit: 'count',
      window,
      notWhileWarming: false,
    },
    {
      id: 'budget',
      text: `more than ${budget} % of a budget used`,
      threshold: budget,
      unit: 'percent',
      notWhileWarming: false,
    },
  ]
}

/** What is judged at one moment. */
export interface AlertLook {
  readonly now: number
  /** What was counted within the window; undefined when it was not looked at this time. */
  readonly counts: Counts | undefined
  readonly isWarming: boolean
  /** Stores by name: whether each can be used. */
  readonly up: Readonly<Record<string, number>>
  readonly budgets: readonly Budget[]
  /** Why the backend is as it is. */
  readonly reason: string
  /** The backend can be asked who else knows. */
  readonly reachable: boolean
}

export interface Alerts {
  /** Judges, and tells what began and what is over. Never rejects. */
  look(look: AlertLook): Promise<void>
  active(): readonly Alert[]
  /** What is over, newest first. */
  recent(): readonly Alert[]
}

type Told = Omit<Alert, 'since' | 'until' | 'namespace'>
/** By signature. */
type Board = Readonly<Record<string, Alert>>

interface Held {
  readonly alert: Alert
  /** Told here, without the others having been asked. */
  readonly unclaimed: boolean
  readonly clearSince: number | undefined
}

/** What is over must stay so for a minute, and then rests: nobody wants the same word twice in five. */
const CLEAR_FOR = 60_000
const REST = 300_000
const BOARD_TTL = 7 * 86_400_000
const BOARD = 'active'
const RECENT = 50

const count = (value: number): string => value.toLocaleString('en-US')

/** What a store is called in a sentence. */
const nameOf = (store: string): string => (store === 'redis' ? 'Redis' : store)

function aboutRates(counts: Counts, limits: AlertLimits): Told[] {
  const found: Told[] = []
  const all = readsOf(counts.types)
  const rate = hitRate(all, limits.minReads)
  if (rate !== undefined && rate < limits.hitRate) {
    const detail = `${rate} % hits in ${count(all.reads)} reads, expected ${limits.hitRate} %`
    found.push({ signature: 'hit-rate', text: 'Cache performance degraded', detail })
  }
  for (const type of Object.keys(counts.types)) {
    const some = readsOf(counts.types, type)
    const hits = hitRate(some, limits.minReads)
    if (hits === undefined || 100 - hits <= limits.missRate) continue
    const detail = `${(100 - hits).toFixed(1)} % misses in ${count(some.reads)} reads, expected at most ${limits.missRate} %`
    found.push({ signature: `misses:${type}`, text: `High miss rate of ${type}`, detail })
  }
  return found
}

/** What is wrong now. `rated` are the signatures this look can say something about. */
function judge(look: AlertLook, limits: AlertLimits): { found: Told[]; rated(signature: string): boolean } {
  const { counts, isWarming, up, budgets, reason } = look
  const found: Told[] = []
  for (const [store, isUp] of Object.entries(up)) {
    if (isUp === 0) found.push({ signature: `backend:${store}`, text: `${nameOf(store)} is down`, detail: reason })
  }
  for (const { name, used, limit } of budgets) {
    const share = limit > 0 ? (used / limit) * 100 : 0
    if (share <= limits.budget) continue
    const detail = `${share.toFixed(1)} % used, expected at most ${limits.budget} %`
    found.push({ signature: `budget:${name}`, text: `${name} is nearly used up`, detail })
  }
  if (counts !== undefined) {
    const errors = errorsOf(counts)
    if (errors > limits.errors) {
      const detail = `${count(errors)} errors, expected at most ${limits.errors}`
      found.push({ signature: 'errors', text: 'Too many cache errors', detail })
    }
    if (!isWarming) found.push(...aboutRates(counts, limits))
  }
  const isRate = (signature: string): boolean => signature === 'hit-rate' || signature.startsWith('misses:')
  return {
    found,
    rated: signature =>
      isRate(signature) ? counts !== undefined && !isWarming : signature !== 'errors' || counts !== undefined,
  }
}

/**
 * One voice for all processes: what begins is written on a board in the backend, and whoever wrote it tells; what is over
 * is told by whoever takes it off. So it outlives a restart, and is told twice only while the board cannot be reached.
 */
export function createAlerts(
  cache: MonitoredCache,
  clock: Clock,
  namespace: string,
  limits: AlertLimits,
  tell: (alert: Alert) => Promise<unknown>,
): Alerts {
  const boards = cache.documents<Board>('monitor.alerts')
  const held = new Map<string, Held>()
  const restUntil = new Map<string, number>()
  let over: readonly Alert[] = []

  /** Writes it on the board; the alert that is there, and whether it is ours to tell. */
  async function claim(alert: Alert, reachable: boolean): Promise<{ alert: Alert; mine: boolean; unclaimed: boolean }> {
    if (!reachable) return { alert, mine: true, unclaimed: true }
    let mine = false
    try {
      const board = await boards.change(BOARD, before => {
        mine = before?.value[alert.signature] === undefined
        return mine ? { value: { ...before?.value, [alert.signature]: alert }, ttl: BOARD_TTL } : undefined
      })
      return { alert: board?.value[alert.signature] ?? alert, mine, unclaimed: false }
    } catch {
      return { alert, mine: true, unclaimed: true }
    }
  }

  /** Takes it off the board; whether it was there. Rejects when the board cannot be reached. */
  async function release(signature: string): Promise<boolean> {
    let mine = false
    await boards.change(BOARD, before => {
      mine = before?.value[signature] !== undefined
      if (before === undefined || !mine) return undefined
      const { [signature]: _gone, ...rest } = before.value
      return { value: rest, ttl: BOARD_TTL }
    })
    return mine
  }

  async function begin(told: Told, { now, reachable }: AlertLook): Promise<void> {
    if ((restUntil.get(told.signature) ?? 0) > now) return
    const claimed = await claim({ ...told, namespace, since: clock.wall() }, reachable)
    held.set(told.signature, { alert: claimed.alert, unclaimed: claimed.unclaimed, clearSince: undefined })
    if (claimed.mine) await tell(claimed.alert)
  }

  async function end(signature: string, one: Held, { now, reachable }: AlertLook): Promise<void> {
    if (one.clearSince === undefined) {
      held.set(signature, { ...one, clearSince: now })
      return
    }
    if (now - one.clearSince < CLEAR_FOR || !reachable) return
    const mine = await release(signature)
    held.delete(signature)
    restUntil.set(signature, now + REST)
    const alert = { ...one.alert, until: clock.wall() }
    over = [alert, ...over].slice(0, RECENT)
    if (mine || one.unclaimed) await tell(alert)
  }

  /** What other processes, or this one before a restart, found: it is over when nobody finds it any more. */
  async function adopt(): Promise<void> {
    const board = await boards.read(BOARD)
    for (const [signature, alert] of Object.entries(board?.value ?? {})) {
      if (!held.has(signature)) held.set(signature, { alert, unclaimed: false, clearSince: undefined })
    }
    for (const [signature, one] of held) {
      // Taken off by another process, which told so.
      if (!one.unclaimed && board?.value[signature] === undefined) held.delete(signature)
    }
  }

  return {
    async look(look) {
      // Without the board each process speaks for itself, and says so in the end.
      if (look.reachable && look.counts !== undefined) await adopt().catch(() => undefined)
      const { found, rated } = judge(look, limits)
      for (const told of found) {
        const one = held.get(told.signature)
        if (one === undefined) await begin(told, look)
        else held.set(told.signature, { ...one, clearSince: undefined })
      }
      const now = new Set(found.map(one => one.signature))
      for (const [signature, one] of held) {
        if (!now.has(signature) && rated(signature)) await end(signature, one, look).catch(() => undefined)
      }
    },
    active: () => [...held.values()].map(({ alert }) => alert),
    recent: () => over,
  }
}
