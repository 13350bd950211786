import type { MissReason } from './events.ts'

/** How long something took. Percentiles are in microseconds, each within 7 % of the truth. */
export interface Latency {
  readonly count: number
  /** Milliseconds of all together. */
  readonly total: number
  /** How many took at most as long as each of `LATENCY_BOUNDS`. */
  readonly buckets: readonly number[]
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Counts since the cache was created, of one type, or of all together. */
export interface TypeStats {
  readonly hits: number
  readonly staleHits: number
  readonly misses: number
  readonly missReasons: Readonly<Record<MissReason, number>>
  /** Hits and stale hits in a hundred reads, 0 when nothing was read. */
  readonly hitRate: number
  readonly loads: number
  readonly loadErrors: number
  readonly sets: number
  readonly deletes: number
  readonly errors: number
  readonly load: Latency
  /**
   * Hits by how old the entry was: below each of `AGE_BOUNDS`, and not below the one before; the last are those above all. Of
   * the near tier one hit in eight is looked at, and counts for eight.
   */
  readonly ages: readonly number[]
}

/** Counts since the cache was created, of one tier. */
export interface TierStats {
  readonly name: string
  readonly hits: number
  readonly errors: number
  readonly evictions: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Of the near tier one hit in 256 is timed, of a shared tier each read. */
  readonly latency: Latency
}

export interface Stats extends TypeStats {
  readonly requests: number
  readonly types: Readonly<Record<string, TypeStats>>
  readonly tiers: readonly TierStats[]
  readonly near: { readonly entries: number; readonly bytes: number }
}

/** In milliseconds: one millisecond to ten seconds, the usual buckets of a Prometheus histogram. */
export const LATENCY_BOUNDS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** How old entries are at a hit, in milliseconds: one second to 48 days, each twice the one before. */
export const AGE_BOUNDS: readonly number[] = Array.from({ length: 23 }, (_, i) => 1000 * 2 ** i)

/** Sixteen buckets an octave from 0.1 µs on: constant memory, and no percentile off by more than 1/16 of an octave. */
const PER_OCTAVE = 16
const SMALLEST = 0.1
const BUCKETS = 40 * PER_OCTAVE
/** Nothing that is timed takes eleven days. */
const LONGEST = 1e9

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS)
  /** By the first bound that is not below; the last is for what is above them all. */
  readonly #bounded = new Float64Array(LATENCY_BOUNDS.length + 1)
  #total = 0
  /** Whole, so that sums do not depend on their order. */
  #micros = 0

  add(ms: number): void {
    let bound = 0
    while (ms > (LATENCY_BOUNDS[bound] ?? Number.POSITIVE_INFINITY)) bound++
    this.#bounded[bound] = (this.#bounded[bound] ?? 0) + 1
    this.#micros += Math.round(Math.min(Math.max(ms, 0), LONGEST) * 1000)
    const octaves = Math.log2(Math.max((ms * 1000) / SMALLEST, 1))
    const bucket = Math.min(BUCKETS - 1, Math.floor(octaves * PER_OCTAVE))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#total++
  }

  #percentile(share: number): number {
    let left = Math.ceil(this.#total * share)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0
      if (left <= 0) return Number((SMALLEST * 2 ** ((bucket + 0.5) / PER_OCTAVE)).toPrecision(3))
    }
    return 0
  }

  /** One histogram with the counts of all. */
  static sum(all: readonly Histogram[]): Histogram {
    const sum = new Histogram()
    for (const one of all) {
      sum.#total += one.#total
      sum.#micros += one.#micros
      one.#bounded.forEach((count, bound) => {
        sum.#bounded[bound] = (sum.#bounded[bound] ?? 0) + count
      })
      one.#counts.forEach((count, bucket) => {
        sum.#counts[bucket] = (sum.#counts[bucket] ?? 0) + count
      })
    }
    return sum
  }

  read(): Latency {
    let upTo = 0
    const buckets = LATENCY_BOUNDS.map((_bound, i) => (upTo += this.#bounded[i] ?? 0))
    const times = { count: this.#total, total: this.#micros / 1000, buckets }
    if (this.#total === 0) return { ...times, p50: 0, p95: 0, p99: 0 }
    return { ...times, p50: this.#percentile(0.5), p95: this.#percentile(0.95), p99: this.#percentile(0.99) }
  }
}

/** The counters of a type. Plain fields, because the hit counter is written on the hottest path. */
export class TypeCounters {
  hits = 0
  staleHits = 0
  loads = 0
  loadErrors = 0
  sets = 0
  deletes = 0
  errors = 0
  readonly reasons: Record<MissReason, number> = {
    absent: 0,
    expired: 0,
    invalidated: 0,
    damaged: 0,
    store: 0,
    disabled: 0,
    forced: 0,
  }
  readonly load: Histogram = new Histogram()
  /** By the number of bits of the age in whole seconds. */
  readonly #ages = new Float64Array(33)

  /** So many hits found an entry of about this age in milliseconds. */
  aged(age: number, hits: number): void {
    const bits = 32 - Math.clz32(age / 1000)
    this.#ages[bits] = (this.#ages[bits] ?? 0) + hits
  }

  get ages(): readonly number[] {
    const last = AGE_BOUNDS.length
    const above = this.#ages.subarray(last).reduce((total, count) => total + count, 0)
    return [...this.#ages.subarray(0, last), above]
  }

  /** True once anything was counted. */
  get used(): boolean {
    const { hits, staleHits, loads, loadErrors, sets, deletes, errors, reasons } = this
    const misses = Object.values(reasons).reduce((total, count) => total + count, 0)
    return hits + staleHits + misses + loads + loadErrors + sets + deletes + errors > 0
  }

  read(): TypeStats {
    return summary([this])
  }
}

export function summary(all: readonly TypeCounters[]): TypeStats {
  const sum = (pick: (counters: TypeCounters) => number): number => all.reduce((total, one) => total + pick(one), 0)
  const missReasons = { ...new TypeCounters().reasons }
  for (const name of Object.keys(missReasons) as MissReason[]) missReasons[name] = sum(one => one.reasons[name])
  const hits = sum(one => one.hits)
  const staleHits = sum(one => one.staleHits)
  const misses = Object.values(missReasons).reduce((total, count) => total + count, 0)
  const reads = hits + staleHits + misses
  return {
    hits,
    staleHits,
    misses,
    missReasons,
    hitRate: reads === 0 ? 0 : Number((((hits + staleHits) / reads) * 100).toFixed(2)),
    loads: sum(one => one.loads),
    loadErrors: sum(one => one.loadErrors),
    sets: sum(one => one.sets),
    deletes: sum(one => one.deletes),
    errors: sum(one => one.errors),
    load: Histogram.sum(all.map(one => one.load)).read(),
    ages: sumOfAges(all),
  }
}

function sumOfAges(all: readonly TypeCounters[]): readonly number[] {
  const sums = new Array<number>(AGE_BOUNDS.length + 1).fill(0)
  for (const { ages } of all) for (const [i, count] of ages.entries()) sums[i] = (sums[i] ?? 0) + count
  return sums
}

export class TierCounters {
  readonly name: string
  hits = 0
  errors = 0
  evictions = 0
  bytesRead = 0
  bytesWritten = 0
  readonly latency: Histogram = new Histogram()

  constructor(name: string) {
    this.name = name
  }

  read(): TierStats {
    const { name, hits, errors, evictions, bytesRead, bytesWritten } = this
    return { name, hits, errors, evictions, bytesRead, bytesWritten, latency: this.latency.read() }
  }
}
