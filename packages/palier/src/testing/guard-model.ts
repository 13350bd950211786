import type { Rate } from '../guard.ts'

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
