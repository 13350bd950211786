import type { Clock } from './clock.ts'
import { badOption, PalierError } from './errors.ts'
import type { SharedStore } from './store.ts'

/** Where locks and limits are kept. */
export type Guards = Pick<SharedStore, 'locks' | 'limits'>

/** What locks and limiters need of the cache they belong to. */
export interface GuardRoom {
  readonly clock: Clock
  /** Every name begins with it, so that those of two caches never meet. */
  readonly namespace: string
  /** Runs at the backend within the deadline of its calls. Rejects at once while the backend is left alone; never sends twice. */
  shared<T>(operation: (guards: Guards) => Promise<T>): Promise<T>
  /**
   * The next best place for locks that works now: another store of this machine, or this process's memory. What it
   * gives stays one place, and each call of it has a deadline.
   */
  local(): Guards
  /** This process's memory, with a bound on the keys. */
  readonly memory: Guards
  /** How many processes share the backend, as far as it was known while the backend was well; at least 1. */
  processes(): number
  /** Aborted when the cache is closed. */
  readonly closed: AbortSignal
}

/** When to ask again while the backend is out; it is tried at least as often. Milliseconds. */
export const TRY_AGAIN = 1_000

/** What happens while the backend is out: nobody may, everybody may, or each place decides for itself. */
export type OnOutage = 'closed' | 'open' | 'local'

const POLICIES: readonly unknown[] = ['closed', 'open', 'local'] satisfies readonly OnOutage[]

export function checkOnOutage(name: string, value: unknown): void {
  if (!POLICIES.includes(value)) throw badOption(name, "'closed', 'open' or 'local'", value)
}

/** Throws PALIER_BAD_OPTION for anything but an object with these fields. */
export function checkFields(name: string, options: unknown, fields: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw badOption(name, 'an object', options)
  for (const field of Object.keys(options)) {
    if (!fields.includes(field)) throw badOption(`${name}.${field}`, `one of ${fields.join(', ')}`, field)
  }
}

/** Throws PALIER_BAD_OPTION for anything but a whole number within the bounds. */
export function checkWhole(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw badOption(name, `a whole number from ${min} to ${max}`, value)
  }
}

export function closedError(): PalierError {
  return new PalierError('PALIER_CLOSED', 'the cache is closed')
}
