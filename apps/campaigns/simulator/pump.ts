const LONGEST_TIMER = 2 ** 31 - 1

/** Runs the drain of what is due: when asked, and with a timer also when the time has come. */
export interface Pump {
  settle(): Promise<void>
  /** Something was planned, or time has moved. */
  wake(): void
  stop(): Promise<void>
}

/** One drain at a time: two would tell the same things in two orders. */
export function createPump(
  drain: () => Promise<void>,
  next: () => number | undefined,
  now: () => number,
  timer: boolean,
): Pump {
  let running = Promise.resolve()
  let timeout: NodeJS.Timeout | undefined
  let stopped = false
  const settle = async (): Promise<void> => {
    running = running.then(drain)
    await running
  }
  const wake = (): void => {
    clearTimeout(timeout)
    const due = next()
    if (!timer || stopped || due === undefined) return
    const run = (): void => void settle().then(wake)
    timeout = setTimeout(run, Math.min(Math.max(due - now(), 0), LONGEST_TIMER)).unref()
  }
  return {
    settle,
    wake,
    async stop() {
      stopped = true
      clearTimeout(timeout)
      await running
    },
  }
}
