import { randomBytes } from 'node:crypto'
import { messageOf } from '../link.ts'
import { namespacePrefix } from '../key.ts'
import { encodeRecord } from '../record.ts'
import type { SharedStore } from '../store.ts'

/*
 * How fast a store is here and now. Stores are measured in turns, one round of each after the other, so that a machine
 * that is busy for a while slows all of them down alike. A round writes one record, reads it back, compares it and
 * deletes it. Two stores differ only if their medians are certain enough to say so: see `compare`.
 */
export const OPERATIONS = ['get', 'set', 'delete'] as const
export type Operation = (typeof OPERATIONS)[number]

/** Everything written for a measurement is below this namespace, and lives a minute at most. */
const DOCTOR_NAMESPACE = 'palier-doctor'
const TTL = 60_000
export const RECORD_BYTES = 2048
const WARM_UP = 20
const ROUNDS = 200
/** Rounds that are made however slow a store is. */
const LEAST_ROUNDS = 20
const TIME_LIMIT = 4000
/** One operation may take this long before the store counts as failed. */
const OPERATION_LIMIT = 2000

export interface Subject {
  readonly name: string
  readonly store: SharedStore
}

export interface Timing {
  readonly medianMicros: number
  readonly p95Micros: number
}

/** Samples in microseconds, in the order in which they were taken. */
export type Samples = Readonly<Record<Operation, readonly number[]>>

export interface Measurement {
  readonly name: string
  readonly samples: Samples
  /** Why the store failed; undefined when it did not. */
  readonly failure: string | undefined
}

function sorted(samples: readonly number[]): number[] {
  return [...samples].sort((a, b) => a - b)
}

function at(ordered: readonly number[], rank: number): number {
  return ordered[Math.min(ordered.length - 1, Math.max(0, rank))] ?? Number.NaN
}

/** Undefined without samples. */
export function timingOf(samples: readonly number[]): Timing | undefined {
  if (samples.length === 0) return undefined
  const ordered = sorted(samples)
  const rounded = (micros: number): number => Number(micros.toPrecision(3))
  return {
    medianMicros: rounded(at(ordered, Math.floor(ordered.length / 2))),
    p95Micros: rounded(at(ordered, Math.ceil(ordered.length * 0.95) - 1)),
  }
}

/** Where the true median lies with 95 % confidence, by the ranks of the samples: no shape of distribution is assumed. */
export function medianRange(samples: readonly number[]): { low: number; high: number } {
  const ordered = sorted(samples)
  const half = 0.98 * Math.sqrt(ordered.length)
  return {
    low: at(ordered, Math.floor(ordered.length / 2 - half)),
    high: at(ordered, Math.ceil(ordered.length / 2 + half)),
  }
}

/** Two runs on one store differ by as much. */
const SAME = 1.05

/**
 * Which of two is faster and how many times; undefined when no difference can be measured: the ranges of the medians
 * overlap, or the medians are within 5 % of each other.
 */
export function compare(a: readonly number[], b: readonly number[]): { faster: 'a' | 'b'; times: number } | undefined {
  const [first, second] = [timingOf(a)?.medianMicros, timingOf(b)?.medianMicros]
  if (first === undefined || second === undefined) return undefined
  const [rangeA, rangeB] = [medianRange(a), medianRange(b)]
  if (rangeA.low <= rangeB.high && rangeB.low <= rangeA.high) return undefined
  const times = Math.max(first, second) / Math.min(first, second)
  if (!(times > SAME)) return undefined
  return { faster: first < second ? 'a' : 'b', times: Number(times.toPrecision(2)) }
}

function within<T>(operation: Operation, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${operation} took longer than ${OPERATION_LIMIT} ms`)),
      OPERATION_LIMIT,
    )
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      act()
    }
    work.then(
      value => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error instanceof Error ? error : new Error(messageOf(error)))),
    )
  })
}

async function timed<T>(operation: Operation, into: number[], work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const value = await within(operation, work())
  into.push((performance.now() - began) * 1000)
  return value
}

export function record(key: string): Buffer {
  const head = { key, createdAt: Date.now(), ttl: TTL, grace: 0, cost: 0, mark: 0, form: 0, size: 0, stamps: [] }
  const bare = encodeRecord(head, new Uint8Array(0)).length
  const payload = randomBytes(Math.max(0, RECORD_BYTES - bare))
  return encodeRecord({ ...head, size: payload.length }, payload)
}

interface Run extends Subject {
  readonly samples: Record<Operation, number[]>
  failure: string | undefined
}

async function round({ store, samples }: Run, key: string): Promise<void> {
  const bytes = record(key)
  await timed('set', samples.set, () => store.set(key, bytes, TTL))
  const read = await timed('get', samples.get, () => store.get(key))
  await timed('delete', samples.delete, () => store.delete([key]))
  if (read === undefined || !bytes.equals(read.bytes)) throw new Error('a record did not come back as it was written')
}

/** A store that fails is not asked again, but for the deletion of what it may have kept. */
async function attempt(run: Run, key: string): Promise<void> {
  if (run.failure !== undefined) return
  try {
    await round(run, key)
  } catch (error) {
    run.failure = messageOf(error)
    await within('delete', run.store.delete([key])).catch(() => undefined)
  }
}

/** How hard stores may be pressed; left out, as fast as they go. */
export interface Pace {
  /** Operations a second, of all stores together. */
  readonly perSecond: number
  /** Called after each round with the share that is done, 0 to 1; false ends the measurement. */
  after(share: number): boolean
}

/** Resolves when a round of so many operations is over at this pace. */
function resting(pace: Pace | undefined, began: number, operations: number): Promise<void> | undefined {
  if (pace === undefined) return undefined
  const left = began + (operations / pace.perSecond) * 1000 - performance.now()
  return left < 1 ? undefined : new Promise(resolve => setTimeout(resolve, left))
}

/** Measures all of them in turns; never rejects, and leaves no record behind in a store that works. */
export async function measure(
  subjects: readonly Subject[],
  signal: AbortSignal,
  pace?: Pace,
): Promise<readonly Measurement[]> {
  const runs: Run[] = subjects.map(one => ({ ...one, samples: { get: [], set: [], delete: [] }, failure: undefined }))
  const prefix = `${namespacePrefix(DOCTOR_NAMESPACE)}e::${randomBytes(6).toString('hex')}`
  const end = performance.now() + TIME_LIMIT
  for (let i = 0; i < WARM_UP + ROUNDS && !signal.aborted; i++) {
    if (i === WARM_UP) for (const { samples } of runs) for (const name of OPERATIONS) samples[name].length = 0
    if (i >= WARM_UP + LEAST_ROUNDS && performance.now() > end) break
    const began = performance.now()
    // Each round begins with another store: whoever comes after a slow neighbour would always pay for it.
    const turn = i % Math.max(1, runs.length)
    for (const run of [...runs.slice(turn), ...runs.slice(0, turn)]) await attempt(run, `${prefix}-${i}`)
    if (pace?.after((i + 1) / (WARM_UP + ROUNDS)) === false) break
    await resting(pace, began, runs.length * OPERATIONS.length)
  }
  return runs.map(({ name, samples, failure }) => ({ name, samples, failure }))
}
