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

/** What was counted under a key since its window began. */
export interface Counted {
  readonly count: number
  /** Milliseconds until the window ends and the count is 0 again; 0 when nothing was counted. */
  readonly resetAfter: number
}

/** What counting above a number costs. */
export interface Penalty {
  /** Each count that leaves more than this lets the window begin anew. */
  readonly above: number
  /** How many times as long each such window is as the one before; the first one has the usual length. */
  readonly growth: 1 | 2
}

/** Rate limits by key. The state of a key has a fixed size and always expires. */
export interface Limits {
  /**
   * A sliding window of two counters. Takes `cost` if that stays within the rate; what is denied does not count. The keys
   * of `take` and of `count` never meet.
   */
  take(key: string, rate: Rate, cost: number): Promise<Decision>
  /**
   * A fixed window of `window` milliseconds that begins with the first count under an empty key. Adds `cost`, without a
   * limit, and tells the sum: a `cost` of 0 only looks; one below 0 takes back, never below 0 nor what was never counted.
   * A window keeps the length it began with. With a `penalty` a cost above 0 that leaves `above + n` lets it begin anew
   * for `window * growth ** (n - 1)` milliseconds, at most ten years.
   */
  count(key: string, window: number, cost: number, penalty?: Penalty): Promise<Counted>
  /** Forgets what was taken and counted under the key. */
  reset(key: string): Promise<void>
}
