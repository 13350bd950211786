import { setImmediate } from 'node:timers'
import type { Clock } from '../clock.ts'

/** A clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  /**
   * Moves both clocks forward by `ms` and runs the timers that fall due, each at its own time and in order. Between
   * two timers the promises they started settle, as far as they can without real input or output. Calls queue up.
   * Rejects with what a timer threw.
   */
  advance(ms: number): Promise<void>
  /** Moves only the wall clock, as an administrator or a time server does; `ms` may be negative. */
  jumpWall(ms: number): void
  /** Timers waiting. */
  pending(): number
}

interface Timer {
  readonly dueAt: number
  readonly run: () => void
}

/** Not 0: code that takes 0 for "never" must not pass by chance. */
const FIRST_NOW = 1_000
const FIRST_WALL = Date.UTC(2030, 0, 1)

/** All microtasks, and those they queue, run before the next macrotask. */
function settled(): Promise<void> {
  return new Promise(resolve => void setImmediate(resolve))
}

/** `start` is the wall clock's first reading, in milliseconds since 1970. */
export function manualClock(start: number = FIRST_WALL): ManualClock {
  let now = FIRST_NOW
  let wall = start
  let queue: Promise<void> = Promise.resolve()
  /** Sorted by `dueAt`; equal times keep the order they were set in. */
  const timers: Timer[] = []

  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { dueAt: now + (ms > 0 ? ms : 0), run }
    let low = 0
    let high = timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((timers[middle]?.dueAt ?? 0) <= timer.dueAt) low = middle + 1
      else high = middle
    }
    timers.splice(low, 0, timer)
    return () => {
      const at = timers.indexOf(timer)
      if (at >= 0) timers.splice(at, 1)
    }
  }

  const moveTo = (instant: number): void => {
    // A cancelled or late timer never turns time back.
    if (instant <= now) return
    wall += instant - now
    now = instant
  }

  const run = async (ms: number): Promise<void> => {
    const target = now + ms
    await settled()
    for (let next = timers[0]; next !== undefined && next.dueAt <= target; next = timers[0]) {
      timers.shift()
      moveTo(next.dueAt)
      next.run()
      await settled()
    }
    moveTo(target)
  }

  return {
    now: () => now,
    wall: () => wall,
    after,
    hold: after,
    advance(ms) {
      if (!(ms >= 0 && Number.isFinite(ms)))
        return Promise.reject(new RangeError(`advance: expected 0 or more, got ${ms}`))
      const done = queue.then(() => run(ms))
      // The caller hears of the failure through `done`; the next call must still go ahead.
      queue = done.catch(() => undefined)
      return done
    },
    jumpWall(ms) {
      wall += ms
    },
    pending: () => timers.length,
  }
}
