import { badOption, checkFields, type OnOutage, PalierError } from 'palier'
import type { LimitCache } from './limit-cache.ts'

/** What the stores for limiters of frameworks have in common. */
export interface LimitStoreOptions {
  /** Counts of stores of one name are shared, in all processes that share the backend: give each limiter its own. */
  readonly name: string
  /**
   * While the backend does not count. `closed`: the request is answered with 503 and `Retry-After`, or with 429 where the
   * framework was told to let requests pass whose store failed. `open`: it passes, and nothing is said to remain. `local`: it is
   * counted in this process, as if every other one had counted as many. There is no default: a login wants `closed` or `local`.
   */
  readonly onOutage: OnOutage
  /** How many processes `local` reckons with. Default: as many as shared the backend before it went out. */
  readonly processes?: number
}

export const STORE_FIELDS: readonly string[] = ['name', 'onOutage', 'processes']

/** Throws PALIER_BAD_OPTION for what no counter would take later, when nobody hears it any more. */
export function checkStoreOptions(cache: LimitCache, options: LimitStoreOptions, fields: readonly string[]): void {
  if (typeof cache?.counter !== 'function') throw badOption('cache', 'a cache of createCache or rateLimitCache', cache)
  checkFields('options', options, fields)
  const { name, onOutage, processes } = options
  if (typeof name !== 'string' || name === '') throw badOption('name', 'a non-empty string', name)
  if (!['closed', 'open', 'local'].includes(onOutage))
    throw badOption('onOutage', "'closed', 'open' or 'local'", onOutage)
  if (processes !== undefined && !(Number.isSafeInteger(processes) && processes >= 1 && processes <= 1_000_000)) {
    throw badOption('processes', 'a whole number from 1 to 1000000', processes)
  }
}

/** What the frameworks answer with status 503 and a `Retry-After` of so many milliseconds. */
export function closedByOutage(resetAfter: number): PalierError {
  const error = new PalierError('PALIER_STORE_FAILED', 'the backend of the rate limit is out, and its policy is closed')
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(resetAfter / 1000))) }
  return Object.assign(error, { status: 503, statusCode: 503, headers })
}
