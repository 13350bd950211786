/*
 * What a store offers beside records: locks and rate limits by name. Both are one atomic step at the store, reckoned by
 * the store's own clock, and neither is ever sent a second time by whoever calls.
 */

/** Locks by name. They spare work; what must be exact is protected by the number that comes with each grant. */
export interface Locks {
  /**
   * Grants `name` to `owner` for `ttl` milliseconds if nobody holds it; undefined if somebody does. The number (the fence)
   * is greater than every one granted for the name before, as long as the store keeps its data.
   */
  acquire(name: string, owner: string, ttl: number): Promise<number | undefined>
  /** Lets the lock end `ttl` milliseconds from now, if it is still the owner's; false if it is not. */
  renew(name: string, owner: string, ttl: number): Promise<boolean>
  /** Ends the lock if it is still the owner's; false if it was not. */
  release(name: string, owner: string): Promise<boolean>
}

/** At most `limit` in any `window` milliseconds. */
export interface Rate {
  readonly limit: number
  readonly window: number
}

/** What became of one request. Durations in milliseconds from now. */
export interface Decision {
  readonly allowed: boolean
  /** How much may still be taken now. */
  readonly remaining: number
  /** Until the whole limit is free again, if nothing more is taken. */
  readonly resetAfter: number
  /** Until what was asked for may be tried again; 0 when it was allowed. */
  readonly retryAfter: number
}

/** Rate limits by key: a sliding window of two counters, so that the state of a key has a fixed size and always expires. */
export interface Limits {
  /** Takes `cost` if that stays within the rate; what is denied does not count. */
  take(key: string, rate: Rate, cost: number): Promise<Decision>
  /** Forgets what was taken under the key. */
  reset(key: string): Promise<void>
}
