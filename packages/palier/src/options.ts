import type { Clock } from './clock.ts'
import { type Duration, toMilliseconds } from './duration.ts'
import { badOption } from './errors.ts'
import type { SharedStore } from './store.ts'

/** Who may see an entry: everybody, those of one role, or one user. All but `public` ask for a `subject` on each call. */
export type Scope = 'public' | 'role' | 'user'

/** A named policy that is also a group: every entry of a type obeys it, and `deleteByType` deletes them all. */
export interface TypePolicy<V = unknown> {
  /** How long an entry is fresh. Default 5 minutes. */
  readonly ttl?: Duration
  /** How long after that it may still be served when the factory fails or is slow. Default none. */
  readonly grace?: Duration
  /** The ttl of a factory's `null`. Default: `ttl`. */
  readonly negativeTtl?: Duration
  /** Each entry's ttl is shortened by a random part up to this share of it, 0 to 0.5, so that entries do not end together. Default 0. */
  readonly jitter?: number
  /** Tags of every entry of the type, or what gives them from the value. */
  readonly tags?: readonly string[] | ((value: V) => readonly string[])
  readonly scope?: Scope
  /** With a stale value at hand, how long a caller waits for the factory before it gets that. Default 1 s. */
  readonly softTimeout?: Duration
  /** How long a caller waits for the factory at all. The factory goes on, and its late result is stored. Default 30 s. */
  readonly hardTimeout?: Duration
  /** After a failed refresh, how long the stale value is served before the next try. Default 10 s. */
  readonly throttle?: Duration
  /** Weight of the early refresh (XFetch's beta): 0 switches it off, 1 is the published optimum. Default 1. */
  readonly early?: number
  /** Payloads above this many bytes are compressed in a shared store if that gains; false: never. Default 1024. */
  readonly compress?: number | false
  /** Longest time an entry of a shared store is kept in this process's memory; false: not at all. Default: its ttl. */
  readonly near?: Duration | false
}

declare const valueOf: unique symbol

/** A policy that knows the type of its values. */
export interface TypedPolicy<V> extends TypePolicy<V> {
  readonly [valueOf]?: () => V
}

/** Gives a policy the type of its values: `cacheType<User>({ ttl: '5m' })`. */
export function cacheType<V>(policy: TypePolicy<V>): TypedPolicy<V> {
  return policy
}

/** The type of the values a policy was declared for; unknown for a plain policy. */
export type ValueOf<P> = P extends { readonly [valueOf]?: () => infer V } ? V : unknown

/** Policies of any value type. `never`, because a policy only takes values in. */
export type AnyPolicy = TypePolicy<never>

/** What one call may say otherwise than its type. */
export interface CallOptions {
  readonly ttl?: Duration
  readonly grace?: Duration
  readonly negativeTtl?: Duration
  /** More tags, beside those of the type. */
  readonly tags?: readonly string[]
  /** Whose entry this is: required by the scopes `role` and `user`, refused by `public`. */
  readonly subject?: string
  readonly softTimeout?: Duration
  readonly hardTimeout?: Duration
  /** Pass over what is stored and load anew. */
  readonly fresh?: boolean
  /** True: readers get the very value that is kept instead of a copy of their own, and promise not to change it. */
  readonly share?: boolean
}

export type BackendChoice = 'auto' | 'redis' | 'filesystem' | 'memory'

export interface MemoryOptions {
  /** Default 100,000. */
  readonly maxEntries?: number
  /** Estimated bytes of keys and values. Default 64 MiB. */
  readonly maxBytes?: number
}

export interface FileOptions {
  /** Default 256 MiB of disk. */
  readonly maxBytes?: number
  /** Default 50,000. */
  readonly maxFiles?: number
  /** False: what is alive is never taken away for room; a write that finds none is refused instead. Default true. */
  readonly evict?: boolean
  /** True: a write has reached the disk, its directory too, before it is acknowledged. Default false. */
  readonly durable?: boolean
}

/** What a cache does while its backend is out. */
export interface OutageOptions {
  /**
   * Longest life of what is loaded meanwhile, fresh and stale together: nobody can be heard to say that it changed. 0 keeps
   * nothing. Default 10 s.
   */
  readonly ttl?: Duration
  /** How long entries of before go on being served from memory. Default none: they are misses at once. */
  readonly serveFor?: Duration
  /** So many invalidations wait one by one; more become one of their type, then of the namespace. Default 10,000. */
  readonly maxPending?: number
  /** False: what waits is not written to `dir`, and is lost if the process ends before its backend returns. Default true. */
  readonly journal?: boolean
}

/** Where log lines go; `console` fits. */
export interface Logger {
  warn(line: string): void
  info(line: string): void
}

/** Options of `createCache`, all optional. What is not said here is looked for in the environment, then in the defaults. */
export interface CacheOptions<T extends Readonly<Record<string, AnyPolicy>> = Readonly<Record<string, AnyPolicy>>> {
  /** What separates this cache from every other on the same backend. Default `default`. */
  readonly namespace?: string
  /** False: nothing is kept and each read goes to the source. Environment: CACHE_ENABLED. */
  readonly enabled?: boolean
  /** Environment: CACHE_BACKEND. Default `auto`: Redis if it answers, else a directory, else memory. */
  readonly backend?: BackendChoice
  /** An ioredis or node-redis client. It is borrowed: never closed, no listener left on it. */
  readonly redis?: object
  /** `redis://`, `rediss://` or `redis+sentinel://[user:password@]host:port,host:port/name[/db]`. Environment: REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB. Default localhost:6379. */
  readonly redisUrl?: string
  /** Environment: CACHE_DIR. Default `./cache`. */
  readonly dir?: string
  /** A shared store of your own instead of detection. It is borrowed: never closed. */
  readonly store?: SharedStore
  readonly types?: T
  /** Policy of calls that name no type, and what every type that does not say otherwise inherits. */
  readonly defaults?: TypePolicy
  readonly memory?: MemoryOptions
  readonly files?: FileOptions
  readonly outage?: OutageOptions
  /** Longest value in bytes, when encoded. Default 16 MiB. */
  readonly maxValueBytes?: number
  /** Prefixes besides the built-in ones that no key, pattern or namespace may reach. */
  readonly protect?: readonly string[]
  /** How long one call to a shared store may take, at most a minute. Default 250 ms. */
  readonly deadline?: Duration
  /** How long the search for a backend may take in all, at most a minute. Default 750 ms. */
  readonly detectBudget?: Duration
  /** Errors and changes of state, a line each; false: none. Default `console`. */
  readonly logger?: Logger | false
  readonly clock?: Clock
}

/** A policy in which nothing is left open. Milliseconds. */
export interface Policy {
  readonly ttl: number
  readonly grace: number
  readonly negativeTtl: number
  readonly jitter: number
  readonly tags: readonly string[]
  readonly tagsOf: ((value: unknown) => readonly string[]) | undefined
  readonly scope: Scope
  readonly softTimeout: number
  readonly hardTimeout: number
  readonly throttle: number
  readonly early: number
  readonly compress: number | false
  readonly near: number | false
  /** Readers get the kept value itself. */
  readonly share: boolean
}

const DEFAULT_POLICY: Policy = {
  ttl: 300_000,
  grace: 0,
  negativeTtl: 0,
  jitter: 0,
  tags: [],
  tagsOf: undefined,
  scope: 'public',
  softTimeout: 1000,
  hardTimeout: 30_000,
  throttle: 10_000,
  early: 1,
  compress: 1024,
  near: Number.MAX_SAFE_INTEGER,
  share: false,
}

/** The types every cache has; an application overrides them or declares its own. */
export const READY_TYPES: Readonly<Record<ReadyType, TypePolicy>> = {
  dashboard: { ttl: 300_000 },
  search: { ttl: 3_600_000 },
  user: { ttl: 1_800_000 },
  product: { ttl: 7_200_000 },
  analytics: { ttl: 600_000 },
}

export type ReadyType = 'dashboard' | 'search' | 'user' | 'product' | 'analytics'

function pick<T, R>(value: T | undefined, fallback: R, read: (value: T) => R): R {
  return value === undefined ? fallback : read(value)
}

/** A number option within bounds; throws PALIER_BAD_OPTION naming it otherwise. */
export function numberOption(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw badOption(name, `a number from ${min} to ${max}`, value)
  }
  return value
}

/** A list of non-empty texts; throws PALIER_BAD_OPTION naming it otherwise. */
export function textList(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every(text => typeof text === 'string' && text.length > 0)) {
    throw badOption(name, 'an array of non-empty strings', value)
  }
  return value as readonly string[]
}

const POLICY_FIELDS = new Set([...Object.keys(DEFAULT_POLICY)].filter(name => name !== 'tagsOf' && name !== 'share'))
const SCOPES: readonly unknown[] = ['public', 'role', 'user']

/** The policy with every open field taken from `base`; throws PALIER_BAD_OPTION for a field that is wrong or unknown. */
export function resolvePolicy(name: string, policy: AnyPolicy, base: Policy = DEFAULT_POLICY): Policy {
  if (typeof policy !== 'object' || policy === null) throw badOption(name, 'an object', policy)
  for (const field of Object.keys(policy)) {
    if (!POLICY_FIELDS.has(field)) throw badOption(`${name}.${field}`, `one of ${[...POLICY_FIELDS].join(', ')}`, field)
  }
  const duration = (field: 'softTimeout' | 'hardTimeout' | 'throttle' | 'grace', min: number): number =>
    pick(policy[field], base[field], value => toMilliseconds(`${name}.${field}`, value, { min }))
  const ttl = pick(policy.ttl, base.ttl, value => toMilliseconds(`${name}.ttl`, value))
  const { tags, scope } = policy
  if (scope !== undefined && !SCOPES.includes(scope))
    throw badOption(`${name}.scope`, "'public', 'role' or 'user'", scope)
  return {
    ttl,
    grace: duration('grace', 0),
    negativeTtl: pick(policy.negativeTtl, base.negativeTtl, value => toMilliseconds(`${name}.negativeTtl`, value)),
    jitter: pick(policy.jitter, base.jitter, value => numberOption(`${name}.jitter`, value, 0, 0.5)),
    tags: Array.isArray(tags)
      ? textList(`${name}.tags`, tags)
      : typeof tags === 'function'
        ? []
        : tagList(name, tags, base),
    tagsOf:
      typeof tags === 'function' ? (tags as (value: unknown) => readonly string[]) : tags ? undefined : base.tagsOf,
    scope: scope ?? base.scope,
    softTimeout: duration('softTimeout', 0),
    hardTimeout: duration('hardTimeout', 1),
    throttle: duration('throttle', 0),
    early: pick(policy.early, base.early, value => numberOption(`${name}.early`, value, 0, 100)),
    compress: pick(policy.compress, base.compress, value =>
      value === false ? false : numberOption(`${name}.compress`, value, 0, Number.MAX_SAFE_INTEGER),
    ),
    share: base.share,
    near: pick(policy.near, base.near, value => (value === false ? false : toMilliseconds(`${name}.near`, value))),
  }
}

function tagList(name: string, tags: unknown, base: Policy): readonly string[] {
  return tags === undefined ? base.tags : textList(`${name}.tags`, tags)
}

const CALL_FIELDS = ['ttl', 'grace', 'negativeTtl', 'softTimeout', 'hardTimeout'] as const

/** The policy of a type with what one call says otherwise. */
export function callPolicy(policy: Policy, options: CallOptions | undefined): Policy {
  if (options === undefined) return policy
  let changed: Record<string, unknown> | undefined
  for (const field of CALL_FIELDS) {
    const value = options[field]
    if (value === undefined) continue
    const min = field === 'grace' || field === 'softTimeout' ? 0 : 1
    changed ??= { ...policy }
    changed[field] = toMilliseconds(field, value, { min })
  }
  if (options.share !== undefined) {
    if (typeof options.share !== 'boolean') throw badOption('share', 'true or false', options.share)
    changed ??= { ...policy }
    changed['share'] = options.share
  }
  if (options.tags !== undefined) {
    changed ??= { ...policy }
    changed['tags'] = [...new Set([...policy.tags, ...textList('tags', options.tags)])]
  }
  return changed === undefined ? policy : (changed as unknown as Policy)
}
