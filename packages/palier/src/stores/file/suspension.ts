import type { Clock } from '../../clock.ts'
import { BudgetError } from './errors.ts'

/**
 * After the disk was full no write is tried for a while; then one is, and if that fails too, the next after twice the
 * time. Deleting and reading never wait.
 */
export interface Suspension {
  /** Throws a `BudgetError` while writes wait; else the caller's write is the one that is tried. */
  enter(): void
  /** Like `enter`, for what needs no more than a name on the disk: it waits too, but does not count as the try. */
  check(): void
  /** The disk had no room. */
  failed(): void
  passed(): void
  /** A sweep took something away: worth one try, whatever the time. */
  roomMade(): void
}

const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 8_000

export function createSuspension(clock: Clock): Suspension {
  let pause = 0
  let until = Number.NEGATIVE_INFINITY
  let helped = false

  const check = (): void => {
    if (clock.now() < until) throw new BudgetError('the disk was full a moment ago')
  }

  return {
    check,
    enter() {
      check()
      if (pause === 0) return
      pause = Math.min(LONGEST_PAUSE, pause * 2)
      until = clock.now() + pause
    },
    failed() {
      if (pause === 0) pause = FIRST_PAUSE
      until = clock.now() + pause
    },
    passed() {
      pause = 0
      until = Number.NEGATIVE_INFINITY
      helped = false
    },
    roomMade() {
      // Only once: on a disk that others fill, one sweep after the other would end in an empty cache.
      if (helped) return
      helped = true
      until = Number.NEGATIVE_INFINITY
    },
  }
}
