import { setImmediate } from 'node:timers/promises'

/** Where handlers wait until the test lets them go on. */
export interface Valve {
  /** For handlers. Resolves at once while it is open. */
  pass(): Promise<void>
  /** Handlers that have begun to wait since it was last shut. */
  waiting(): number
  shut(): void
  open(): void
}

export function createValve(): Valve {
  let isShut = false
  let waiting = 0
  let queue: (() => void)[] = []
  return {
    pass() {
      if (!isShut) return Promise.resolve()
      waiting++
      return new Promise(resolve => queue.push(resolve))
    },
    waiting: () => waiting,
    shut() {
      isShut = true
      waiting = 0
    },
    open() {
      isShut = false
      const all = queue
      queue = []
      for (const go of all) go()
    },
  }
}

/** Resolves when the condition holds; rejects after `budget` milliseconds, saying what was waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  budget: number = 10_000,
): Promise<void> {
  const end = performance.now() + budget
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`still not so after ${budget} ms: ${what}`)
    await setImmediate()
  }
}
