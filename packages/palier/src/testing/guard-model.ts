import type { Counted, Penalty, Rate } from '../guard.ts'

/**
 * What a limit has to decide, told from the list of everything that was admitted: windows follow one another from the
 * first request into an empty key on, and what the one before admitted counts in proportion to how much of it a window
 * that ends now would still cover.
 */
export function countingModel({ limit, window }: Rate): (now: number, cost: number) => object {
  let start = 0
  let taken: { readonly at: number; readonly cost: number }[] = []

  const between = (from: number, to: number): number =>
    taken.filter(({ at }) => at >= from && at < to).reduce((sum, { cost }) => sum + cost, 0)

  return (now, cost) => {
    if (now >= start + window && between(start, start + window) > 0) start += window
    if (now >= start + window) taken = []
    if (taken.length === 0) start = now
    // Multiplied first: a third of 3 is 1, not a little more.
    const share = Math.ceil((between(start - window, start) * (start + window - now)) / window)
    const used = between(start, start + window) + share
    const allowed = used + cost <= limit
    if (allowed && cost > 0) taken.push({ at: now, cost })
    return { allowed, remaining: Math.max(0, limit - used - (allowed ? cost : 0)) }
  }
}

const TEN_YEARS = 3_650 * 86_400_000

/** What a count has to tell, likewise: the costs that one window saw, from the first on, and when it ends. */
export function tallyModel(window: number): (now: number, cost: number, penalty?: Penalty) => Counted {
  let seen: number[] = []
  let endsAt = 0

  return (now, cost, penalty) => {
    if (now >= endsAt) seen = []
    if (seen.length === 0) {
      if (cost <= 0) return { count: 0, resetAfter: 0 }
      endsAt = now + window
    }
    if (cost !== 0) seen.push(cost)
    const count = seen.reduce((sum, each) => Math.max(0, sum + each), 0)
    let lasts = window
    for (let excess = count - (penalty?.above ?? 0); excess > 1; excess--)
      lasts = Math.min(lasts * (penalty?.growth ?? 1), TEN_YEARS)
    if (penalty !== undefined && cost > 0 && count > penalty.above) endsAt = now + lasts
    return { count, resetAfter: endsAt - now }
  }
}
