import { type Counts, minus, NO_COUNTS } from './counts.ts'

/** What was counted lately, from totals that are looked at now and then. */
export interface Window {
  /** Remembers totals; `at` is monotonic and never less than the one before. */
  add(at: number, counts: Counts): void
  /** What came since the newest look that is at least `ms` old, or since the first one. */
  since(ms: number): Counts
  /** The oldest look it remembers: about as old as the window is long. */
  start(): { readonly at: number; readonly counts: Counts } | undefined
}

/** Remembers as much as a window of `longest` milliseconds takes. */
export function createWindow(longest: number): Window {
  let looks: { readonly at: number; readonly counts: Counts }[] = []

  /** The position of the newest look at least so old. */
  const before = (ms: number): number => {
    const now = looks.at(-1)?.at ?? 0
    return Math.max(
      0,
      looks.findLastIndex(look => now - look.at >= ms),
    )
  }

  return {
    add(at, counts) {
      looks.push({ at, counts })
      looks = looks.slice(before(longest))
    },
    start: () => looks[0],
    since(ms) {
      const [start, end] = [looks[before(ms)], looks.at(-1)]
      return start === undefined || end === undefined ? NO_COUNTS : minus(end.counts, start.counts)
    },
  }
}
