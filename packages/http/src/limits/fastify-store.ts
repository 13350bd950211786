import type { Counter, Penalty } from 'palier'
import { boundedKey } from './client-key.ts'
import type { LimitCache } from './limit-cache.ts'
import { checkStoreOptions, closedByOutage, type LimitStoreOptions, STORE_FIELDS } from './store-options.ts'

/** What @fastify/rate-limit tells a store of its settings, and of those of a route; its own types say nothing of them. */
interface FastifyRateLimitSettings {
  readonly continueExceeding?: boolean
  readonly exponentialBackoff?: boolean
  readonly skipOnError?: boolean
  readonly routeInfo?: { readonly method?: string | readonly string[]; readonly url?: string }
}

export interface FastifyHits {
  readonly current: number
  /** Milliseconds until the window ends. */
  readonly ttl: number
}

export type FastifyHitsCallback = (error: Error | null, hits?: FastifyHits) => void

/** A store of @fastify/rate-limit, for the limiter of the application or of one route. */
export interface FastifyRateLimitStore {
  /** Counts one hit. Gives an error of status 503 while the backend is out and the policy is `closed`. */
  incr(key: string | number, callback: FastifyHitsCallback, timeWindow: number, max: number): void
  /** What `incr` would build on, without counting. */
  read(key: string | number, callback: FastifyHitsCallback, timeWindow: number, max: number): void
  /** The store of a route, which counts apart. */
  child(settings: object): FastifyRateLimitStore
}

/** What the option `store` of @fastify/rate-limit takes. */
export type FastifyRateLimitStoreConstructor = new (settings: object) => FastifyRateLimitStore

/** Ten years in milliseconds; a counter takes no longer window. */
const LONGEST_WINDOW = 315_360_000_000

interface Parts {
  readonly cache: LimitCache
  readonly options: LimitStoreOptions
  readonly settings: FastifyRateLimitSettings
  /** What the counts are kept under. */
  readonly name: string
}

function penaltyOf(
  { continueExceeding, exponentialBackoff }: FastifyRateLimitSettings,
  max: number,
): Penalty | undefined {
  if (!Number.isSafeInteger(max) || max < 0) return undefined
  if (continueExceeding === true) return { above: max, growth: 1 }
  return exponentialBackoff === true ? { above: max, growth: 2 } : undefined
}

/** What the framework is told while nobody counts. */
function withoutBackend(allowed: boolean, ttl: number, max: number, settings: FastifyRateLimitSettings): FastifyHits {
  if (allowed) return { current: Math.max(1, max), ttl }
  if (settings.skipOnError === true) return { current: max + 1, ttl }
  throw closedByOutage(ttl)
}

function createStore({ cache, options, settings, name }: Parts): FastifyRateLimitStore {
  const { onOutage, processes } = options
  const more = { onOutage, ...(processes !== undefined && { processes }) }
  let last: { readonly window: number; readonly counter: Counter } | undefined
  let children = 0

  // A window may differ from request to request; mostly it does not.
  const counterFor = (timeWindow: number): Counter => {
    const window = Math.min(LONGEST_WINDOW, Math.max(1, Math.round(timeWindow)))
    if (last?.window !== window) last = { window, counter: cache.counter(name, { window, ...more }) }
    return last.counter
  }

  const count = async (key: string | number, cost: number, timeWindow: number, max: number): Promise<FastifyHits> => {
    const penalty = cost > 0 ? penaltyOf(settings, max) : undefined
    const counted = await counterFor(timeWindow).count(`k:${boundedKey(`${key}`)}`, cost, penalty)
    if (counted.source === 'policy') return withoutBackend(counted.allowed, counted.resetAfter, max, settings)
    return { current: counted.count, ttl: counted.resetAfter }
  }

  const answer = (counted: Promise<FastifyHits>, callback: FastifyHitsCallback): void => {
    counted.then(
      hits => callback(null, hits),
      (error: unknown) => callback(error instanceof Error ? error : new Error('the store failed', { cause: error })),
    )
  }

  return {
    incr: (key, callback, timeWindow, max) => answer(count(key, 1, timeWindow, max), callback),
    read: (key, callback, timeWindow, max) => answer(count(key, 0, timeWindow, max), callback),
    child(routeSettings: FastifyRateLimitSettings) {
      const { method, url } = routeSettings.routeInfo ?? {}
      // A limiter without a route is told apart by its turn, which is the same in all processes of one application.
      const scope = url === undefined ? `#${++children}` : `${[method ?? ''].flat().join(',')} ${url}`
      return createStore({ cache, options, settings: routeSettings, name: `${name} ${scope}` })
    },
  }
}

/**
 * What the option `store` of @fastify/rate-limit (11) takes:
 * `app.register(rateLimit, { store: fastifyRateLimitStore(cache, { name: 'api', onOutage: 'local' }) })`. Its counts are those of
 * `cache.counter`, exact for all processes that share the backend, and every answer comes within the backend's deadline. Routes
 * with limits of their own count apart. The caller closes the cache. Throws PALIER_BAD_OPTION.
 */
export function fastifyRateLimitStore(cache: LimitCache, options: LimitStoreOptions): FastifyRateLimitStoreConstructor {
  checkStoreOptions(cache, options, STORE_FIELDS)
  return class implements FastifyRateLimitStore {
    readonly incr: FastifyRateLimitStore['incr']
    readonly read: FastifyRateLimitStore['read']
    readonly child: FastifyRateLimitStore['child']

    constructor(settings: object) {
      const { incr, read, child } = createStore({ cache, options, settings, name: options.name })
      this.incr = incr
      this.read = read
      this.child = child
    }
  }
}
