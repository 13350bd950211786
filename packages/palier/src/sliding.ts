import type { Counted, Decision, Penalty, Rate } from './guard.ts'

/*
 * The windows that the limits of memory and of files share (on Redis scripts do the same): `slide` decides in a sliding
 * one, `tally` counts in a fixed one.
 *
 * The sliding window has two counters. It begins with the first request into an empty key, so a burst can never straddle
 * two. What was taken in the window before weighs less and less while the current one passes: after a third of it, two
 * thirds. The method is the one Cloudflare describes in "How we built rate limiting capable of scaling to millions of
 * domains" (2017).
 *
 * All numbers are whole. `limit * window` stays below 2^53, so the products are exact, and so are their quotients once
 * rounded: a quotient that is no whole number is further from one than its error.
 */
export interface Counters {
  /** When the current window began, in milliseconds of the store's clock. */
  readonly start: number
  /** Taken in the current window. */
  readonly current: number
  /** Taken in the one before. */
  readonly previous: number
}

/** What became of a request, and what to keep; undefined when what is kept needs no change. */
export interface Slid {
  readonly decision: Decision
  readonly kept: Counters | undefined
}

/** How long a key must be kept from the start of its current window on. */
export function keptFor(rate: Rate): number {
  return 2 * rate.window
}

/**
 * The counters as they stand at `now`. A start in the future means that the clock went back (a replica took over, an
 * administrator set the time): the window is taken to begin now, so nobody waits for longer than two windows.
 */
function advance(kept: Counters | undefined, now: number, window: number): Counters {
  if (kept === undefined || now - kept.start >= 2 * window) return { start: now, current: 0, previous: 0 }
  if (kept.start > now) return { ...kept, start: now }
  if (now - kept.start < window) return kept
  return { start: kept.start + window, current: 0, previous: kept.current }
}

/** How far into a window what was taken in the one before weighs no more than `room`. */
function lighterAt(taken: number, room: number, window: number): number {
  return taken <= room ? 0 : window - Math.floor((room * window) / taken)
}

/** Decides on one request. `now` is in whole milliseconds; a `cost` of 0 only looks. */
export function slide(before: Counters | undefined, now: number, rate: Rate, cost: number): Slid {
  const { limit, window } = rate
  const { start, current, previous } = advance(before, now, window)
  const left = window - (now - start)
  const used = current + Math.ceil((previous * left) / window)
  const allowed = used + cost <= limit
  const taken = allowed ? current + cost : current
  const decision = {
    allowed,
    remaining: Math.max(0, limit - used - (allowed ? cost : 0)),
    resetAfter: taken > 0 ? left + window : previous > 0 ? left : 0,
    retryAfter: allowed ? 0 : retryAfter({ start, current, previous }, left, rate, cost),
  }
  // A clock that went back is noted even by a denial: else each one would let the window begin anew.
  const changed = (allowed && cost > 0) || (before !== undefined && before.start > now)
  return { decision, kept: changed ? { start, current: taken, previous } : undefined }
}

/** Until so much is free. More than the limit never is; a whole window is said then, because there is no number for never. */
function retryAfter({ current, previous }: Counters, left: number, { limit, window }: Rate, cost: number): number {
  if (cost > limit) return window
  const room = limit - cost - current
  if (room >= 0) return lighterAt(previous, room, window) - (window - left)
  return left + lighterAt(current, limit - cost, window)
}

/** A fixed window. Instants are in milliseconds of the store's clock. */
export interface Tally {
  readonly startAt: number
  readonly endsAt: number
  readonly count: number
}

/** What was counted, and what to keep; undefined when what is kept needs no change. */
export interface Tallied {
  readonly counted: Counted
  readonly kept: Tally | undefined
}

/** No penalty lasts longer: ten years, in milliseconds. */
export const LONGEST_PENALTY = 315_360_000_000

/** How long the window is that begins with `count` above a penalty's number. */
function penaltyFor({ above, growth }: Penalty, window: number, count: number): number {
  return Math.min(LONGEST_PENALTY, window * growth ** (count - above - 1))
}

/** Counts in a fixed window. `now` is in whole milliseconds; a start in the future means here what it means to `slide`. */
export function tally(
  before: Tally | undefined,
  now: number,
  window: number,
  cost: number,
  penalty?: Penalty,
): Tallied {
  const known = before !== undefined && now < before.endsAt ? before : undefined
  if (known === undefined && cost <= 0) return { counted: { count: 0, resetAfter: 0 }, kept: undefined }
  const isBack = known !== undefined && known.startAt > now
  const count = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, (known?.count ?? 0) + cost))
  const isPenalty = penalty !== undefined && cost > 0 && count > penalty.above
  const startAt = known === undefined || isBack || isPenalty ? now : known.startAt
  const length = isPenalty
    ? penaltyFor(penalty, window, count)
    : known === undefined
      ? window
      : known.endsAt - known.startAt
  const endsAt = startAt + length
  const changed = cost !== 0 || isBack
  return { counted: { count, resetAfter: endsAt - now }, kept: changed ? { startAt, endsAt, count } : undefined }
}
