import { join } from 'node:path'
import { clientKey, countDecisions, type CountedLimiter, limitRequestsHook, rateLimitCache } from '@palier/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CacheOptions, MetricSource } from 'palier'
import { hashToken } from '../secrets.ts'
import type { Actor } from './actor.ts'

/** How often what may be tried in a window. Windows in milliseconds. */
export interface Rate {
  readonly limit: number
  readonly window: number
}

const MINUTE = 60_000
const QUARTER = 15 * MINUTE
const HOUR = 60 * MINUTE

/**
 * `login`: one account from one place, forgotten when it succeeds. `account`: one account from everywhere; what is over it
 * cannot log in for a while, and sessions that exist go on. `address`: all accounts from one place.
 */
export const RATES = {
  login: { limit: 10, window: QUARTER },
  account: { limit: 100, window: HOUR },
  address: { limit: 300, window: QUARTER },
  forgot: { limit: 3, window: HOUR },
  'forgot address': { limit: 30, window: HOUR },
  reset: { limit: 30, window: QUARTER },
  password: { limit: 10, window: QUARTER },
  mail: { limit: 10, window: QUARTER },
  api: { limit: 6000, window: MINUTE },
  anonymous: { limit: 3000, window: MINUTE },
} as const satisfies Readonly<Record<string, Rate>>

export type LimitName = keyof typeof RATES

/** Answers the request with 429 and returns the reply when it is over a limit; else tells in its fields what remains. */
export type LimitHook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/** What may be tried how often, counted for all processes that share the backend, and here alone while that is out. */
export interface Limits {
  /** A hook that counts each request by `key`. */
  hook(name: LimitName, key: (request: FastifyRequest) => string): LimitHook
  /** What was tried under the key is forgotten. Never rejects: at worst it stays counted. */
  forgive(name: LimitName, key: string): Promise<void>
  /** What each has decided: for `createMonitor(cache, { extra })`. */
  readonly metrics: readonly MetricSource[]
  ready(): Promise<void>
  close(): Promise<void>
}

export interface LimitsOptions extends Pick<CacheOptions, 'backend' | 'redisUrl' | 'dir' | 'detectBudget' | 'logger'> {
  readonly databaseId: string
  /** Files of limits lie in it where neither `dir` nor CACHE_DIR says otherwise. */
  readonly dataDir: string
  readonly rates?: Partial<Readonly<Record<LimitName, Rate>>>
}

/** The backend is that of the options, else of RATE_LIMIT_STORAGE, else the best there is. The caller closes it. */
export function openLimits({ databaseId, dataDir, rates = {}, ...given }: LimitsOptions): Limits {
  const fromEnvironment = (process.env['CACHE_DIR'] ?? '').trim() !== ''
  const cache = rateLimitCache({
    namespace: `limits-${databaseId}`,
    ...(fromEnvironment ? {} : { dir: join(dataDir, 'limits') }),
    ...given,
  })
  const limiterOf = (name: LimitName): CountedLimiter =>
    countDecisions(cache.limiter(name, { ...RATES[name], ...rates[name], onOutage: 'local' }))
  const limiters = new Map((Object.keys(RATES) as LimitName[]).map(name => [name, limiterOf(name)]))
  const limiter = (name: LimitName): CountedLimiter => {
    const known = limiters.get(name)
    if (known === undefined) throw new Error(`there is no limit "${name}"`)
    return known
  }
  return {
    hook: (name, key) => limitRequestsHook<FastifyRequest>(limiter(name), { key }),
    async forgive(name, key) {
      await limiter(name).reset(key)
    },
    metrics: [...limiters.values()].map(({ metrics }) => metrics),
    ready: async () => void (await cache.ready()),
    close: () => cache.close(),
  }
}

/** The network a request comes from. */
export function placeOf({ ip }: FastifyRequest): string {
  // Over a local socket there is no address, and only who may open that comes this way.
  return ip === undefined || ip === '' ? 'local' : clientKey(ip)
}

/** What may be as long and as odd as somebody likes, as a key. Case is folded so that it makes no second account. */
export function keyOf(text: unknown): string {
  return hashToken(String(text).trim().toLowerCase()).slice(0, 32)
}

/** One person, or one of their keys. */
export function actorKey({ kind, userId, name }: Actor): string {
  return kind === 'key' ? `key ${keyOf(`${userId} ${name}`)}` : `user ${userId}`
}
