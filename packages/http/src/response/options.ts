import {
  type AnyPolicy,
  badOption,
  type Cache,
  checkFields,
  type Clock,
  type Duration,
  type FactoryContext,
  type Fetched,
  type Glanced,
  type Peeked,
  type PolicyView,
  type Receipt,
  systemClock,
  toMilliseconds,
} from 'palier'

/** Who may be given a stored response: everybody, those of one role, or one user. Undefined means nobody: the handler runs. */
export type ResponseScope<Req> =
  | 'public'
  | { readonly role: (request: Req) => string | undefined | Promise<string | undefined> }
  | { readonly user: (request: Req) => string | undefined | Promise<string | undefined> }

export interface CacheResponseOptions<Req> {
  /** A ceiling: Cache-Control, CDN-Cache-Control or Palier-Cache-Control of the handler shorten it. Default: that of the type. */
  readonly ttl?: Duration
  /** How long after that a response may be served while a new one is made, or because the handler fails. Default: that of the type. */
  readonly grace?: Duration
  /** Required: without it every request runs the handler and nothing is kept. */
  readonly scope: ResponseScope<Req>
  readonly tags?: readonly string[] | ((request: Req) => readonly string[])
  /**
   * Stands for host, path and query in the key; the handler does not see the Host header unless `vary` names it. With scope
   * `public` and no `vary` it is the key of the entry.
   */
  readonly key?: (request: Req) => string
  /** Request headers that shape the response: their values are in the key, and the handler may read them. */
  readonly vary?: readonly string[]
  /** The only query parameters in the key, and the only ones that the handler sees. Default: all, whatever their order. */
  readonly query?: readonly string[]
  /** False: the handler runs and nothing is kept. */
  readonly when?: (request: Req) => boolean
  /** What may be kept besides 200, 203, 301 and 308. */
  readonly statuses?: readonly (404 | 410)[]
}

/** What holds for all routes of an application. */
export interface ResponseCacheOptions {
  /** Values of the Host header that may be in a key, lower case, with the port where there is one; others pass by. Default: any. */
  readonly hosts?: readonly string[]
  /** Cookies that make a request personal: they pass by the scope `public`. `__Host-` and `__Secure-` before a name are known too. */
  readonly sessionCookies?: readonly string[]
  /** Makes the digests of users and roles in the keys HMACs, which nobody without it can recompute. */
  readonly secret?: string
  /** Longest body that is kept, in bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** So many query strings a minute, for each route and process, are kept when first seen; others when asked for again. Default 500. */
  readonly queryVariants?: number
  readonly clock?: Clock
}

/** The part of a cache that responses are kept in. */
export interface Entries {
  fetch<V>(
    key: string,
    factory: (context: FactoryContext) => Promise<V>,
    options?: {
      readonly ttl?: Duration
      readonly grace?: Duration
      readonly tags?: readonly string[]
      readonly subject?: string
      readonly softTimeout?: Duration
      readonly share?: boolean
    },
  ): Promise<Fetched<V>>
  glance(key: string): Glanced<unknown> | undefined
  peek(key: string, options?: { readonly subject?: string }): Promise<Peeked<unknown> | undefined>
  delete(key: string, options?: { readonly subject?: string }): Promise<Receipt>
  deleteMany(keys: readonly string[]): Promise<Receipt>
  deleteByPattern(pattern: string): Promise<Receipt>
}

/** A cache, whatever types it was made with. */
export interface Host {
  type(name: string): Entries
  deleteByType(name: string): Promise<Receipt>
  deleteByTags(tags: readonly string[]): Promise<Receipt>
  deleteByPattern(pattern: string): Promise<Receipt>
  deleteMany(keys: readonly string[]): Promise<Receipt>
  status(): { readonly enabled: boolean }
  readonly operator: { policies(): Readonly<Record<string, PolicyView>> }
}

export type Types = Readonly<Record<string, AnyPolicy>>

/** Names of the types a cache has. */
export type TypeName<T extends Types> = Parameters<Cache<T>['type']>[0]

/** A cache without what TypeScript knows of its types. Throws PALIER_BAD_OPTION for what is none. */
export function hostOf<T extends Types>(cache: Cache<T>): Host {
  if (typeof cache !== 'object' || cache === null || typeof cache.type !== 'function') {
    throw badOption('cache', 'a cache of createCache', cache)
  }
  return cache as unknown as Host
}

/** Options of an application in which nothing is left open. */
export interface Settled {
  readonly hosts: ReadonlySet<string> | undefined
  readonly sessionCookies: ReadonlySet<string>
  readonly secret: string | undefined
  readonly maxBodyBytes: number
  readonly queryVariants: number
  readonly clock: Clock
}

const SESSION_COOKIES = ['connect.sid', 'sid', 'sessionid', 'session', 'session_id', 'session-id', 'koa.sess', 'token']
const FOREIGN_COOKIES = ['jsessionid', 'phpsessid', 'asp.net_sessionid', 'auth', 'auth_token', 'access_token', 'jwt']

/** A list of non-empty texts; throws PALIER_BAD_OPTION naming it otherwise. */
export function textList(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every(text => typeof text === 'string' && text.length > 0)) {
    throw badOption(name, 'an array of non-empty strings', value)
  }
  return value as readonly string[]
}

function count(name: string, value: unknown, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value
  throw badOption(name, `a whole number from 0 to ${max}`, value)
}

const APP_FIELDS = ['hosts', 'sessionCookies', 'secret', 'maxBodyBytes', 'queryVariants', 'clock']

/** Throws PALIER_BAD_OPTION naming the field that is wrong or unknown. */
export function settle(options: ResponseCacheOptions): Settled {
  checkFields('options', options, APP_FIELDS)
  const { hosts, sessionCookies = [...SESSION_COOKIES, ...FOREIGN_COOKIES], secret } = options
  if (secret !== undefined && (typeof secret !== 'string' || secret.length < 16)) {
    // Its value is nobody's to read.
    throw badOption('secret', 'a text of at least 16 characters', typeof secret === 'string' ? 'a shorter one' : secret)
  }
  return {
    hosts: hosts === undefined ? undefined : new Set(textList('hosts', hosts).map(host => host.toLowerCase())),
    sessionCookies: new Set(textList('sessionCookies', sessionCookies).map(name => name.toLowerCase())),
    secret,
    maxBodyBytes: count('maxBodyBytes', options.maxBodyBytes ?? 2 ** 20, 2 ** 28),
    queryVariants: count('queryVariants', options.queryVariants ?? 500, 1_000_000),
    clock: options.clock ?? systemClock,
  }
}

export type ScopeKind = 'public' | 'role' | 'user'

/** Options of a route in which nothing is left open. Milliseconds. */
export interface Route<Req> {
  readonly type: string
  readonly ttl: number | undefined
  readonly grace: number | undefined
  /** Undefined: none was given. */
  readonly scope: ScopeKind | undefined
  readonly subject: ((request: Req) => string | undefined | Promise<string | undefined>) | undefined
  readonly tags: readonly string[] | ((request: Req) => readonly string[]) | undefined
  readonly key: ((request: Req) => string) | undefined
  readonly vary: readonly string[]
  readonly query: ReadonlySet<string> | undefined
  readonly when: ((request: Req) => boolean) | undefined
  readonly statuses: ReadonlySet<number>
}

const ROUTE_FIELDS = ['ttl', 'grace', 'scope', 'tags', 'key', 'vary', 'query', 'when', 'statuses']
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** Decided by the cache itself, so never part of what a handler may depend on. */
const UNVARIABLE = /^(?:\*|range|if-.+|accept-encoding|connection|transfer-encoding|content-length)$/

function varied(name: string): string {
  const lower = name.toLowerCase()
  if (HEADER_NAME.test(lower) && !UNVARIABLE.test(lower)) return lower
  throw badOption('vary', 'names of request headers that a handler may depend on', name)
}

function scopeOf<Req>(scope: ResponseScope<Req> | undefined): Pick<Route<Req>, 'scope' | 'subject'> {
  if (scope === undefined || scope === 'public') return { scope, subject: undefined }
  if (typeof scope === 'object' && scope !== null) {
    if ('role' in scope && typeof scope.role === 'function' && !('user' in scope)) {
      return { scope: 'role', subject: scope.role }
    }
    if ('user' in scope && typeof scope.user === 'function' && !('role' in scope)) {
      return { scope: 'user', subject: scope.user }
    }
  }
  throw badOption('scope', "'public', { role: request => … } or { user: request => … }", scope)
}

/** Throws PALIER_BAD_OPTION naming the field that is wrong or unknown. */
export function settleRoute<Req>(type: string, options: CacheResponseOptions<Req>): Route<Req> {
  if (typeof type !== 'string' || type === '') throw badOption('type', 'the name of a type', type)
  checkFields('options', options, ROUTE_FIELDS)
  const { ttl, grace, tags, key, vary = [], query, when, statuses = [] } = options
  for (const [name, value] of Object.entries({ key, when })) {
    if (value !== undefined && typeof value !== 'function') throw badOption(name, 'a function', value)
  }
  if (tags !== undefined && typeof tags !== 'function') textList('tags', tags)
  if (!Array.isArray(statuses) || !statuses.every(status => status === 404 || status === 410)) {
    throw badOption('statuses', 'a list of 404 and 410', statuses)
  }
  return {
    type,
    ttl: ttl === undefined ? undefined : toMilliseconds('ttl', ttl),
    grace: grace === undefined ? undefined : toMilliseconds('grace', grace, { min: 0 }),
    ...scopeOf<Req>(options.scope),
    tags,
    key,
    vary: [...new Set(textList('vary', vary).map(varied))].sort(),
    query: query === undefined ? undefined : new Set(textList('query', query)),
    when,
    statuses: new Set([200, 203, 301, 308, ...statuses]),
  }
}
