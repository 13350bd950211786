import type { Documents } from './documents.ts'
import { type Duration, toMilliseconds } from './duration.ts'
import { badOption } from './errors.ts'
import { checkFields, checkOnOutage, closedError, type GuardRoom, type OnOutage } from './guard-room.ts'
import { checkName, part } from './key.ts'
import { newToken } from './lease.ts'
import type { LockDoor } from './lock.ts'

export interface OnceOptions {
  /**
   * How long an occurrence stays claimed, from the claim on: longer than any process may be late for it, at least two periods
   * of the job. Default 2 days.
   */
  readonly keep?: Duration
  /** How long the run outlives a process that no longer renews its lock, at least 100 ms. Default 30 s. */
  readonly ttl?: Duration
  /** How long to wait for the run of an earlier occurrence to end. Default 0: this one is passed over as an overlap. */
  readonly wait?: Duration
  /** While the backend is out: `closed`, nobody runs; `open`, everybody does; `local`, one on this machine. Default `closed`. */
  readonly onOutage?: OnOutage
}

/** What a run is told. */
export interface Occurrence {
  readonly name: string
  readonly occurrence: string
  /** Greater than those of all earlier runs of the job: see `Lock.fence`. Undefined when claimed without the backend. */
  readonly fence: number | undefined
  /** Fires when the lock of the run is lost: another occurrence may run from then on. */
  readonly signal: AbortSignal
}

/**
 * `claimed`: somebody has it, now or before. `overlap`: it was claimed here, but the run before it goes on, or the backend
 * went out in that moment; it will not run. `outage`: the backend could not be asked, and the policy is `closed`.
 */
export type OnceResult<R> =
  | { readonly ran: true; readonly value: R }
  | { readonly ran: false; readonly reason: 'claimed' | 'overlap' | 'outage' }

export type Once = <R>(
  name: string,
  occurrence: string | number | Date,
  run: (occurrence: Occurrence) => R | Promise<R>,
  options?: OnceOptions,
) => Promise<OnceResult<R>>

const FIELDS = ['keep', 'ttl', 'wait', 'onOutage']
/** As of any lock. */
const SHORTEST_TTL = 100

/**
 * A scheduled job claims its occurrence, not a lock around its run: a process whose clock is late finds the occurrence
 * taken, long after the run has ended. The claim is never given back, so an occurrence whose process dies is not run again.
 * It is a document and no lock, because a lock in a directory ends with the process that holds it. Beside it a lock of the
 * job keeps two occurrences from running at once, and its fence makes a late writer known.
 */
export function createOnce(room: GuardRoom, door: LockDoor, claims: Documents<string>): Once {
  /** Rejects when it is not known whether the claim was got, having given it back as well as can be. */
  const claimThere = async (id: string, keep: number): Promise<boolean> => {
    const owner = newToken()
    try {
      const now = await claims.change(id, before => (before === undefined ? { value: owner, ttl: keep } : undefined))
      return now?.value === owner
    } catch (error) {
      claims.change(id, before => (before?.value === owner ? { value: '', ttl: 1 } : undefined)).catch(() => undefined)
      throw error
    }
  }

  const claim = async (id: string, keep: number, onOutage: OnOutage): Promise<'got' | 'claimed' | 'outage'> => {
    try {
      return (await claimThere(id, keep)) ? 'got' : 'claimed'
    } catch {
      // Whoever reaches the backend for us counted the failure and told of it.
      if (room.closed.aborted) throw closedError()
    }
    if (onOutage === 'closed') return 'outage'
    if (onOutage === 'open') return 'got'
    // Counted, not locked: for the same reason.
    const counted = room.local().limits.count(`${part(room.namespace)}:o:${id}`, keep, 1)
    return counted.then(
      ({ count }) => (count === 1 ? 'got' : 'claimed'),
      () => 'outage',
    )
  }

  return async (name, occurrence, run, options = {}) => {
    checkName('job name', name)
    const text = occurrenceOf(occurrence)
    if (typeof run !== 'function') throw badOption('run', 'a function', run)
    checkFields('once options', options, FIELDS)
    const { keep = '2d', onOutage = 'closed' } = options
    checkOnOutage('onOutage', onOutage)
    const kept = toMilliseconds('keep', keep, { min: 1000 })
    // All of it now: what is wrong must not cost the occurrence.
    const ttl = toMilliseconds('ttl', options.ttl ?? '30s', { min: SHORTEST_TTL })
    const wait = toMilliseconds('wait', options.wait ?? 0, { min: 0 })
    const outcome = await claim(`${part(name)}:${text}`, kept, onOutage)
    if (outcome !== 'got') return { ran: false, reason: outcome }
    const lock = await door.lock(`once:${name}`, { ttl, wait, onOutage })
    if (lock === undefined) return { ran: false, reason: 'overlap' }
    try {
      const { fence, signal } = lock
      return { ran: true, value: await run({ name, occurrence: text, fence, signal }) }
    } finally {
      await lock.release()
    }
  }
}

function occurrenceOf(value: unknown): string {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  if (typeof value === 'string') {
    checkName('occurrence', value)
    return value
  }
  throw badOption('occurrence', 'a text, a finite number or a date', value)
}
