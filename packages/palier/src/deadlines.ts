import type { Clock } from './clock.ts'

/** One wait: until `end`, or until it is late. */
export interface Wait {
  at: number
  excused: boolean
  readonly late: () => void
}

/**
 * Many waits of one length under one timer, because a timer for each call would cost more than the rest of a call. Time in
 * which the event loop was blocked is not held against whoever is waited for: answers that came meanwhile lie unread.
 */
export interface Deadlines {
  begin(late: () => void): Wait
  end(wait: Wait): void
  /** Ends all waits now: whoever waits is told that it is late. */
  close(): void
}

export function createDeadlines(clock: Clock, ms: number): Deadlines {
  /** In the order they began, which is the order they end in. */
  const waits = new Set<Wait>()
  let cancel: (() => void) | undefined

  const arm = (delay: number): void => {
    const dueAt = clock.now() + delay
    cancel = clock.after(delay, () => {
      cancel = undefined
      fire(dueAt)
    })
  }

  const fire = (dueAt: number): void => {
    const now = clock.now()
    const blocked = now - dueAt > ms / 2
    for (const wait of waits) {
      if (blocked && !wait.excused) {
        wait.excused = true
        wait.at = Math.max(wait.at, now + ms / 2)
      } else if (wait.at <= now) {
        waits.delete(wait)
        wait.late()
      } else if (!blocked) break
    }
    // Whoever was late may have begun a new wait, which has set the timer for itself alone.
    cancel?.()
    cancel = undefined
    for (const { at } of waits) {
      arm(Math.max(1, Math.ceil(at - now)))
      break
    }
  }

  return {
    begin(late) {
      const wait = { at: clock.now() + ms, excused: false, late }
      waits.add(wait)
      if (cancel === undefined) arm(ms)
      return wait
    },
    end: wait => void waits.delete(wait),
    close() {
      cancel?.()
      for (const wait of waits) wait.late()
      waits.clear()
    },
  }
}
