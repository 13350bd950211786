import { badOption } from 'palier'
import { boundedKey } from './client-key.ts'
import { createEpoch } from './epoch.ts'
import type { LimitCache } from './limit-cache.ts'
import { checkStoreOptions, closedByOutage, type LimitStoreOptions, STORE_FIELDS } from './store-options.ts'

export interface ExpressRateLimitStoreOptions extends LimitStoreOptions {
  /**
   * `fixed`, the default, is what express-rate-limit describes: a window begins with the first hit, and every hit counts.
   * `sliding` admits no burst at the seam of two windows and counts no denied hit; the limit must be a number, and hits
   * cannot be taken back (`skipFailedRequests`, `skipSuccessfulRequests`).
   */
  readonly algorithm?: 'fixed' | 'sliding'
}

/** What express-rate-limit tells a store of its own options. */
export interface ExpressRateLimitSettings {
  readonly windowMs: number
  readonly limit?: unknown
  readonly passOnStoreError?: boolean
  readonly skipFailedRequests?: boolean
  readonly skipSuccessfulRequests?: boolean
}

export interface ExpressHits {
  totalHits: number
  resetTime: Date
}

/** The `Store` of express-rate-limit. */
export interface ExpressRateLimitStore {
  /** Other processes see the same keys. */
  readonly localKeys: false
  readonly prefix: string
  /** Throws PALIER_BAD_OPTION for settings it cannot serve, and every later call rejects with the same: the framework only logs it. */
  init(settings: ExpressRateLimitSettings): void
  /** Counts one hit. Rejects with an error of status 503 while the backend is out and the policy is `closed`. */
  increment(key: string): Promise<ExpressHits>
  /** Takes one hit back, if there is one. */
  decrement(key: string): Promise<void>
  get(key: string): Promise<ExpressHits | undefined>
  resetKey(key: string): Promise<void>
  /** Resets every key; other processes follow within a second. */
  resetAll(): Promise<void>
}

/** What counts, once the settings are known. */
interface Hits {
  take(id: string): Promise<ExpressHits>
  back(id: string): Promise<void>
  look(id: string): Promise<ExpressHits | undefined>
  reset(id: string): Promise<boolean>
}

/** What express-rate-limit takes when it is told nothing: what a store counts by that was not given to a limiter yet. */
const DEFAULTS: ExpressRateLimitSettings = { windowMs: 60_000, limit: 5 }

type Build = (cache: LimitCache, options: LimitStoreOptions, settings: ExpressRateLimitSettings) => Hits

const hits = (totalHits: number, resetAfter: number): ExpressHits => ({
  totalHits,
  resetTime: new Date(Date.now() + resetAfter),
})

/** What the framework is told while nobody counts. */
function withoutBackend(allowed: boolean, resetAfter: number, settings: ExpressRateLimitSettings): ExpressHits {
  const { limit, passOnStoreError } = settings
  if (allowed) return hits(typeof limit === 'number' && limit > 1 ? limit : 1, resetAfter)
  if (passOnStoreError === true) return hits(Number.MAX_SAFE_INTEGER, resetAfter)
  throw closedByOutage(resetAfter)
}

const fixed: Build = (cache, { name, onOutage, processes }, settings) => {
  const { windowMs: window } = settings
  const counter = cache.counter(name, { window, onOutage, ...(processes !== undefined && { processes }) })
  return {
    async take(id) {
      const counted = await counter.count(id)
      if (counted.source === 'policy') return withoutBackend(counted.allowed, counted.resetAfter, settings)
      return hits(counted.count, counted.resetAfter)
    },
    async back(id) {
      await counter.count(id, -1)
    },
    async look(id) {
      const { count, resetAfter } = await counter.count(id, 0)
      return count === undefined || resetAfter === 0 ? undefined : hits(count, resetAfter)
    },
    reset: id => counter.reset(id),
  }
}

const sliding: Build = (cache, { name, onOutage, processes }, settings) => {
  const { windowMs: window, limit, skipFailedRequests, skipSuccessfulRequests } = settings
  if (typeof limit !== 'number') throw badOption('limit', 'a number, as algorithm is sliding', limit)
  if (skipFailedRequests === true || skipSuccessfulRequests === true) {
    throw badOption('algorithm', 'fixed, as skipFailedRequests or skipSuccessfulRequests take hits back', 'sliding')
  }
  const limiter = cache.limiter(name, { limit, window, onOutage, ...(processes !== undefined && { processes }) })
  return {
    async take(id) {
      const { allowed, remaining, resetAfter, retryAfter, source } = await limiter.take(id)
      if (source === 'policy') return withoutBackend(allowed, resetAfter, settings)
      return allowed ? hits(limit - remaining, resetAfter) : hits(limit + 1, retryAfter)
    },
    back: () => Promise.reject(badOption('algorithm', 'fixed, as a hit is taken back', 'sliding')),
    async look(id) {
      const { remaining, resetAfter, source } = await limiter.take(id, 0)
      return source === 'policy' || resetAfter === 0 ? undefined : hits(limit - remaining, resetAfter)
    },
    reset: id => limiter.reset(id),
  }
}

/**
 * A store for express-rate-limit (8): `rateLimit({ store: expressRateLimitStore(cache, { name: 'api', onOutage: 'local' }) })`.
 * Its counts are those of `cache.counter`, exact for all processes that share the backend, and every answer comes within the
 * backend's deadline. The caller closes the cache. Throws PALIER_BAD_OPTION.
 */
export function expressRateLimitStore(cache: LimitCache, options: ExpressRateLimitStoreOptions): ExpressRateLimitStore {
  checkStoreOptions(cache, options, [...STORE_FIELDS, 'algorithm'])
  const { name, algorithm = 'fixed' } = options
  if (algorithm !== 'fixed' && algorithm !== 'sliding') throw badOption('algorithm', "'fixed' or 'sliding'", algorithm)
  const epoch = createEpoch(cache, name)
  const build = algorithm === 'fixed' ? fixed : sliding
  let built = (): Hits => build(cache, options, DEFAULTS)

  const at = async <T>(key: string, work: (built: Hits, id: string) => Promise<T>): Promise<T> => {
    const ready = built()
    return work(ready, `${await epoch.current()}:${boundedKey(key)}`)
  }

  return {
    localKeys: false,
    prefix: `${name}:`,
    init(settings) {
      try {
        const ready = build(cache, options, settings)
        built = () => ready
      } catch (error) {
        built = () => {
          throw error
        }
        throw error
      }
    },
    increment: key => at(key, (ready, id) => ready.take(id)),
    decrement: key => at(key, (ready, id) => ready.back(id)),
    get: key => at(key, (ready, id) => ready.look(id)),
    async resetKey(key) {
      // Nobody awaits it, so it does not reject where the backend could not be told; the cache tells of that.
      await at(key, (ready, id) => ready.reset(id))
    },
    resetAll: () => epoch.next(),
  }
}
