/** Where the library reads the time and sets its timers; tests and the simulator give their own. */
export interface Clock {
  /** Milliseconds that only go forward, from an arbitrary start. Every deadline in this process is kept in it. */
  now(): number
  /** Milliseconds since 1970. Only for what other processes or people read. */
  wall(): number
  /** Runs `run` once after `ms`; never keeps the process alive. Returns what cancels it. */
  after(ms: number, run: () => void): () => void
  /** Like `after`, but the process stays alive for it: for what a caller is waiting for. */
  hold(ms: number, run: () => void): () => void
}

/** A wait is cut into this many parts to tell a slow answer from a loop that was not let run. */
const PARTS = 4

/**
 * Runs `run` after `ms` in which this process could have heard an answer: time in which its event loop was blocked, or
 * the machine gave it no turn, is not held against whoever is waited for. Never keeps the process alive.
 */
function patiently(clock: Clock, ms: number, run: () => void): () => void {
  const part = ms / PARTS
  let left = PARTS
  let cancel: () => void
  let startedAt = clock.now()
  const arm = (): void => {
    startedAt = clock.now()
    cancel = clock.after(part, () => {
      // A part that took twice its time was no fair chance and counts half, so the whole takes eight parts at most.
      left -= clock.now() - startedAt > 2 * part ? 0.5 : 1
      if (left <= 0) run()
      else arm()
    })
  }
  arm()
  return () => cancel()
}

/** What `work` gives, or what `late` makes of `ms` having passed; a late answer or failure is ignored. */
export function within<T>(clock: Clock, ms: number, work: () => Promise<T>, late: () => T | Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = patiently(clock, ms, () => resolve(Promise.resolve().then(late)))
    // Started inside an async function, so that what throws at once is a rejection like any other.
    const started = (async () => work())()
    started.then(resolve, reject).finally(cancel)
  })
}

/** Resolves after `ms`, and keeps the process alive until then. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => {
    clock.hold(ms, resolve)
  })
}

/** `setTimeout` fires at once above this delay, so a longer wait is a chain of shorter ones. */
const LONGEST_TIMER = 2 ** 31 - 1

function timer(ms: number, run: () => void, holds: boolean): () => void {
  let current: NodeJS.Timeout
  const arm = (left: number): void => {
    current = setTimeout(
      () => {
        if (left > LONGEST_TIMER) arm(left - LONGEST_TIMER)
        else run()
      },
      Math.min(left, LONGEST_TIMER),
    )
    if (!holds) current.unref()
  }
  arm(ms)
  return () => clearTimeout(current)
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => timer(ms, run, false),
  hold: (ms, run) => timer(ms, run, true),
}
