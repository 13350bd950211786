import { badOption, type Cache, checkFields, type Duration, toMilliseconds } from 'palier'
import { createSessionCache } from './cache.ts'

/** What to do when another request has saved the session since this one read it. */
export type OnConflict = 'merge' | 'reject'

export interface SessionStoreOptions {
  /** Where the sessions lie. The caller closes it. Default: one of `createSessionCache()`, which `close()` of the store closes. */
  readonly cache?: Cache
  /** What separates these sessions from others in the same cache. Default `sessions`. */
  readonly name?: string
  /** How long a session lives without being used when its cookie says nothing. Default 1 day. */
  readonly ttl?: Duration
  /**
   * No session lives longer than this since it was first saved, used or not. Default 30 days, after which the guidelines of NIST
   * (SP 800-63B) ask for a new login even where the least is at stake; false: no such limit.
   */
  readonly absolute?: Duration | false
  /**
   * When two requests change a session at once. `merge`, the default: each top-level field that the later one has changed is
   * its own, every other stays as the earlier one left it. `reject`: the later save fails with PALIER_STORE_REFUSED and status 409.
   */
  readonly conflict?: OnConflict
  /**
   * Where sessions were kept before the cache moved to Redis: each is carried over when it is first asked for. The caller closes
   * it. Default: the files that `cache` itself keeps when there is no Redis, if their directory exists; false: nowhere.
   */
  readonly previous?: Cache | false
  /** Hears each error that a request is answered with, and each that is met behind the scenes. */
  readonly onError?: (error: unknown) => void
}

/** Options in which nothing is left open. Milliseconds. */
export interface Settled {
  readonly cache: Cache
  readonly owned: boolean
  readonly name: string
  readonly ttl: number
  readonly absolute: number
  readonly conflict: OnConflict
  readonly previous: Cache | false | undefined
  readonly onError: (error: unknown) => void
}

/** Ten years: the longest that a document may live. */
export const LONGEST: number = 10 * 365 * 86_400_000
const DAY = 86_400_000

const FIELDS: readonly string[] = ['cache', 'name', 'ttl', 'absolute', 'conflict', 'previous', 'onError']

function isCache(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'documents' in value && typeof value.documents === 'function'
}

/** Throws PALIER_BAD_OPTION naming the field that is wrong or unknown. */
export function settle(options: SessionStoreOptions): Settled {
  checkFields('options', options, FIELDS)
  const { cache, name = 'sessions', ttl = DAY, absolute = 30 * DAY, conflict = 'merge', previous, onError } = options
  if (cache !== undefined && !isCache(cache))
    throw badOption('cache', 'a cache of createSessionCache or createCache', cache)
  if (previous !== undefined && previous !== false && !isCache(previous))
    throw badOption('previous', 'a cache or false', previous)
  if (previous !== undefined && previous === cache) throw badOption('previous', 'another cache than `cache`', previous)
  if (typeof name !== 'string' || name === '') throw badOption('name', 'a non-empty string', name)
  if (conflict !== 'merge' && conflict !== 'reject') throw badOption('conflict', "'merge' or 'reject'", conflict)
  if (onError !== undefined && typeof onError !== 'function') throw badOption('onError', 'a function', onError)
  return {
    ttl: toMilliseconds('ttl', ttl),
    absolute: absolute === false ? LONGEST : toMilliseconds('absolute', absolute),
    cache: cache ?? createSessionCache(),
    owned: cache === undefined,
    name,
    conflict,
    previous,
    onError: onError ?? (() => undefined),
  }
}
