/** Where the library reads the time and sets its timers; tests and the simulator give their own. */
export interface Clock {
  /** Milliseconds that only go forward, from an arbitrary start. Every deadline in this process is kept in it. */
  now(): number
  /** Milliseconds since 1970. Only for what other processes or people read. */
  wall(): number
  /** Runs `run` once after `ms`; never keeps the process alive. Returns what cancels it. */
  after(ms: number, run: () => void): () => void
}

/** `setTimeout` fires at once above this delay, so a longer wait is a chain of shorter ones. */
const LONGEST_TIMER = 2 ** 31 - 1

function after(ms: number, run: () => void): () => void {
  let timer: NodeJS.Timeout
  const arm = (left: number): void => {
    timer = setTimeout(
      () => {
        if (left > LONGEST_TIMER) arm(left - LONGEST_TIMER)
        else run()
      },
      Math.min(left, LONGEST_TIMER),
    )
    timer.unref()
  }
  arm(ms)
  return () => clearTimeout(timer)
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after,
}
