import type { Clock } from './clock.ts'
import { badOption } from './errors.ts'

export type ManyFactory = (missing: readonly string[]) => readonly unknown[] | Promise<readonly unknown[]>

export interface Batch {
  /** Called by the flight of one key when it must be loaded. */
  value(key: string): Promise<unknown>
  /** The key needs no load, or has it: whoever waits for company need not wait for this one. */
  done(key: string): void
}

/**
 * How long the keys of one batch wait for each other. Bounded, because a key that another process is loading may take
 * long, and two batches that waited for each other's keys would wait for ever.
 */
const GATHER = 20

interface Waiter {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** Gathers the loads that several keys turn out to need into one call of the factory. */
export function createBatch(clock: Clock, factory: ManyFactory, open: Set<string>): Batch {
  let wanted = new Map<string, Waiter[]>()
  let cancel: (() => void) | undefined

  async function run(): Promise<void> {
    cancel?.()
    cancel = undefined
    const calls = wanted
    wanted = new Map()
    const keys = [...calls.keys()]
    try {
      const values = await factory(keys)
      if (!Array.isArray(values) || values.length !== keys.length) {
        throw badOption('the result of the factory', `an array of ${keys.length} values, one per missing key`, values)
      }
      keys.forEach((key, i) => {
        for (const waiter of calls.get(key) ?? []) waiter.resolve(values[i])
      })
    } catch (error) {
      for (const waiter of [...calls.values()].flat()) waiter.reject(error)
    }
  }

  const done = (key: string): void => {
    open.delete(key)
    if (open.size === 0 && wanted.size > 0) void run()
  }

  return {
    value(key) {
      return new Promise((resolve, reject) => {
        wanted.set(key, [...(wanted.get(key) ?? []), { resolve, reject }])
        cancel ??= clock.after(GATHER, () => void run())
        done(key)
      })
    },
    done,
  }
}
