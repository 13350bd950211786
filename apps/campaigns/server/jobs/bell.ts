/** What a loop waits by: a ring wakes it, also one that came while it did not wait yet. */
export interface Bell {
  ring(): void
  /** Whether it rang since the last wait ended. */
  readonly rung: boolean
  /** Resolves at a ring, or after so many milliseconds; the process is kept alive for it only if that is said. */
  wait(ms: number, keepAlive?: boolean): Promise<void>
}

export function createBell(): Bell {
  let rung = false
  let answer: (() => void) | undefined
  return {
    get rung() {
      return rung
    },
    ring() {
      rung = true
      answer?.()
    },
    async wait(ms, keepAlive = false) {
      if (!rung) {
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, ms)
          if (!keepAlive) timer.unref()
          answer = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        answer = undefined
      }
      rung = false
    },
  }
}

/** Resolves when so many milliseconds are over, or never once it was cancelled. */
export function createDeadline(ms: number): { readonly over: Promise<void>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>(resolve => {
    // A timer takes anything longer than 24 days for no time at all.
    if (ms < 2 ** 31) timer = setTimeout(resolve, ms)
  })
  return { over, cancel: () => clearTimeout(timer) }
}
