import type { Services } from '../services.ts'
import type { Drain } from './contract.ts'
import { backOff } from './retries.ts'

/** Runs each drain by itself: one that is slow or fails holds up no other. */
export interface Drains {
  /** Runs all that are not resting, a bounded part each. Returns how much they got rid of. */
  run(): Promise<number>
  /** The same for one of them, by its place in the list. */
  runOne(index: number): Promise<number>
  /** Resolves when none is running. */
  settled(): Promise<void>
}

export interface DrainsOptions {
  readonly services: Services
  readonly drains: readonly Drain[]
  readonly signal: AbortSignal
  /** What got rid of something, and how much. */
  readonly drained: (name: string, count: number) => void
}

interface Resting {
  failures: number
  until: number
  since: number
}

export function createDrains({ services, drains, signal, drained }: DrainsOptions): Drains {
  const { now, log } = services
  const running = new Map<number, Promise<number>>()
  const rests = drains.map((): Resting => ({ failures: 0, until: 0, since: 0 }))

  async function attempt(drain: Drain, rest: Resting): Promise<number> {
    // A clock that went back does not make the rest longer.
    if (now() < rest.until && now() >= rest.since) return 0
    try {
      const count = await drain.run(services, signal)
      rest.failures = 0
      if (count > 0) drained(drain.name, count)
      return count
    } catch (error) {
      if (signal.aborted) return 0
      rest.failures++
      rest.since = now()
      rest.until = rest.since + backOff(rest.failures)
      log.error({ err: error, drain: drain.name, failures: rest.failures }, 'a drain failed')
      return 0
    }
  }

  const runOne = (index: number): Promise<number> => {
    const drain = drains[index]
    const rest = rests[index]
    if (drain === undefined || rest === undefined) return Promise.resolve(0)
    const under = running.get(index)
    if (under !== undefined) return under
    const run = attempt(drain, rest).finally(() => running.delete(index))
    running.set(index, run)
    return run
  }

  return {
    runOne,
    async run() {
      const counts = await Promise.all(drains.map((_, index) => runOne(index)))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async settled() {
      await Promise.all(running.values())
    },
  }
}
