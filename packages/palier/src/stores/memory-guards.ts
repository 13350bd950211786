import type { Clock } from '../clock.ts'
import type { Limits, Locks } from '../guard.ts'
import { type Counters, keptFor, slide, type Tally, tally } from '../sliding.ts'

/*
 * Locks and limits in this process: what the memory store offers, what the other stores are measured against, and
 * where a limiter counts while its backend is out. Each call does its work before it returns its promise, so each is
 * atomic with nothing to lock.
 */
export interface MemoryGuardOptions {
  /**
   * At most so many keys of limits of each kind; 100,000 unless said. Above it the key that was asked for least recently is
   * forgotten, so whoever can make up that many keys can empty a counter: limit by what a client cannot choose.
   */
  readonly maxKeys?: number
}

export interface MemoryGuards {
  readonly locks: Locks
  readonly limits: Limits
}

/** `clock` is the store's own: ends are kept on `now()`, and `wall()` only makes fences grow across restarts. */
export function memoryGuards(clock: Clock, options: MemoryGuardOptions = {}): MemoryGuards {
  return { locks: memoryLocks(clock), limits: memoryLimits(clock, options.maxKeys ?? 100_000) }
}

interface Held {
  readonly owner: string
  readonly until: number
}

/** So many held locks are looked through for ended ones at the earliest. */
const TIDY_FROM = 1_000

function memoryLocks(clock: Clock): Locks {
  const held = new Map<string, Held>()
  // One for all names: a counter per name would have to be kept for ever.
  let fence = 0
  let tidyAt = TIDY_FROM

  const isOwn = (name: string, owner: string): boolean => {
    const lock = held.get(name)
    return lock !== undefined && lock.owner === owner && lock.until > clock.now()
  }

  const tidy = (): void => {
    for (const [name, { until }] of held) if (until <= clock.now()) held.delete(name)
    tidyAt = Math.max(TIDY_FROM, 2 * held.size)
  }

  return {
    async acquire(name, owner, ttl) {
      if ((held.get(name)?.until ?? Number.NEGATIVE_INFINITY) > clock.now()) return undefined
      if (held.size >= tidyAt) tidy()
      held.set(name, { owner, until: clock.now() + ttl })
      // Microseconds, so that the numbers of a later process are greater: they stay below 2^53 until the year 2255.
      fence = Math.max(fence + 1, Math.floor(clock.wall() * 1000))
      return fence
    },
    async renew(name, owner, ttl) {
      if (!isOwn(name, owner)) return false
      held.set(name, { owner, until: clock.now() + ttl })
      return true
    },
    async release(name, owner) {
      return isOwn(name, owner) && held.delete(name)
    },
  }
}

/** What is kept by key, for a bounded number of keys. */
interface Kept<T> {
  get(key: string): T | undefined
  /** Keeps it until `endsAt`. Whoever is kept or kept again counts as asked for last. */
  keep(key: string, value: T, endsAt: number): void
  delete(key: string): void
}

function keptByKey<T>(clock: Clock, maxKeys: number): Kept<T> {
  /** In the order of the last request, the oldest first. */
  const kept = new Map<string, { readonly value: T; readonly endsAt: number }>()

  const makeRoom = (): void => {
    const now = clock.now()
    for (const [key, { endsAt }] of kept) if (endsAt <= now) kept.delete(key)
    for (const key of kept.keys()) {
      // A tenth at once, so that a flood of keys does not look through all of them each time.
      if (kept.size <= maxKeys * 0.9) return
      kept.delete(key)
    }
  }

  return {
    get: key => kept.get(key)?.value,
    keep(key, value, endsAt) {
      kept.delete(key)
      if (kept.size >= maxKeys) makeRoom()
      kept.set(key, { value, endsAt })
    },
    delete: key => void kept.delete(key),
  }
}

function memoryLimits(clock: Clock, maxKeys: number): Limits {
  const taken = keptByKey<Counters>(clock, maxKeys)
  const counted = keptByKey<Tally>(clock, maxKeys)
  return {
    async take(key, rate, cost) {
      const known = taken.get(key)
      const { decision, kept } = slide(known, Math.floor(clock.now()), rate, cost)
      const next = kept ?? known
      if (next !== undefined) taken.keep(key, next, next.start + keptFor(rate))
      return decision
    },
    async count(key, window, cost, penalty) {
      const known = counted.get(key)
      const tallied = tally(known, Math.floor(clock.now()), window, cost, penalty)
      const next = tallied.kept ?? known
      if (next !== undefined) counted.keep(key, next, next.endsAt)
      return tallied.counted
    },
    async reset(key) {
      taken.delete(key)
      counted.delete(key)
    },
  }
}
