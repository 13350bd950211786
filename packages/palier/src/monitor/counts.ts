import type { MissReason } from '../events.ts'
import type { Latency } from '../stats.ts'

/** How long something took: a histogram that can be added to another. */
export interface Timing {
  readonly count: number
  /** Milliseconds of all together. */
  readonly total: number
  /** How many took at most as long as each of `LATENCY_BOUNDS`. */
  readonly buckets: readonly number[]
}

/** What was counted of one type. */
export interface TypeCounts {
  readonly hits: number
  readonly stale: number
  readonly misses: Readonly<Record<MissReason, number>>
  readonly loads: number
  readonly loadErrors: number
  readonly sets: number
  readonly deletes: number
  readonly errors: number
  readonly load: Timing
  /** Hits by how old the entry was, see `AGE_BOUNDS`; of a process of an older version none. */
  readonly ages?: readonly number[]
}

/** What was counted of one tier: `near`, or a store by its name. */
export interface TierCounts {
  readonly hits: number
  readonly errors: number
  readonly evictions: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Of the near tier one hit in 256 is timed, of a store each read. */
  readonly latency: Timing
}

type Numbers = Readonly<Record<string, number>>

/** All that only ever grows, by what it is counted for. Counts of several processes are added field by field. */
export interface Counts {
  readonly types: Readonly<Record<string, TypeCounts>>
  readonly tiers: Readonly<Record<string, TierCounts>>
  /** Failures by operation; those of factories are `loadErrors`. */
  readonly errors: Numbers
  /** By the store left, then by the store taken. */
  readonly switches: Readonly<Record<string, Numbers>>
  /** Invalidations by scope: key, tag, type, pattern, all. */
  readonly invalidations: Numbers
  /** Counters of other sources: by metric, then by labels. */
  readonly extra: Readonly<Record<string, Numbers>>
}

/** What is so at one moment. */
export interface Gauges {
  readonly near: { readonly entries: number; readonly bytes: number }
  /** Invalidations that wait for the backend. */
  readonly pending: number
  /** By the name of a store: 1 when it can be used, 0 when not. */
  readonly up: Numbers
  /** Gauges of other sources: by metric, then by labels. */
  readonly extra: Readonly<Record<string, Numbers>>
}

/** What one process counted since it began. */
export interface Sample {
  /** In milliseconds since 1970. */
  readonly at: number
  readonly counts: Counts
  readonly gauges: Gauges
}

export const NO_COUNTS: Counts = { types: {}, tiers: {}, errors: {}, switches: {}, invalidations: {}, extra: {} }

type Tree = number | readonly Tree[] | { readonly [name: string]: Tree }

const isGroup = (tree: Tree | undefined): tree is { readonly [name: string]: Tree } =>
  typeof tree === 'object' && !Array.isArray(tree)

/** Joins two trees of numbers; what one of them does not have counts as 0. */
function join(a: Tree | undefined, b: Tree | undefined, number: (a: number, b: number) => number): Tree {
  if (isGroup(a) || isGroup(b)) {
    const [left, right] = [isGroup(a) ? a : {}, isGroup(b) ? b : {}]
    const names = new Set([...Object.keys(left), ...Object.keys(right)])
    return Object.fromEntries([...names].map(name => [name, join(left[name], right[name], number)]))
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    const [left, right] = [Array.isArray(a) ? a : [], Array.isArray(b) ? b : []] as [readonly Tree[], readonly Tree[]]
    return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => join(left[i], right[i], number))
  }
  return number(typeof a === 'number' ? a : 0, typeof b === 'number' ? b : 0)
}

/** The counts of both together. */
export function plus<T extends object>(a: T, b: T): T {
  return join(a as unknown as Tree, b as unknown as Tree, (x, y) => x + y) as unknown as T
}

/** What `a` counted more than `b`, never below 0. */
export function minus<T extends object>(a: T, b: T): T {
  return join(a as unknown as Tree, b as unknown as Tree, (x, y) => Math.max(0, x - y)) as unknown as T
}

export function timingOf({ count, total, buckets }: Latency): Timing {
  return { count, total, buckets }
}

/** What was read, and how it went. */
export interface Reads {
  readonly reads: number
  readonly hits: number
  readonly stale: number
  readonly misses: number
}

const sumOf = (numbers: Numbers): number => Object.values(numbers).reduce((total, one) => total + one, 0)

/** The reads of one type, or of all. */
export function readsOf(types: Readonly<Record<string, TypeCounts>>, only?: string): Reads {
  const some = Object.entries(types).filter(([name]) => only === undefined || name === only)
  const sum = (pick: (one: TypeCounts) => number): number => some.reduce((total, [, one]) => total + pick(one), 0)
  const [hits, stale, misses] = [sum(one => one.hits), sum(one => one.stale), sum(one => sumOf(one.misses))]
  return { reads: hits + stale + misses, hits, stale, misses }
}

/** Hits, stale ones too, in a hundred reads; undefined below `least` reads, of which nothing can be said. */
export function hitRate({ reads, hits, stale }: Omit<Reads, 'misses'>, least: number): number | undefined {
  return reads === 0 || reads < least ? undefined : Math.round(((hits + stale) / reads) * 1000) / 10
}

export const errorsOf = (counts: Counts): number => sumOf(counts.errors)

/** The time within which `share` of all were done, in milliseconds, reckoned between two bounds; 0 of nothing. */
export function quantile(timing: Timing | undefined, bounds: readonly number[], share: number): number {
  if (timing === undefined || timing.count === 0) return 0
  const wanted = timing.count * share
  const at = timing.buckets.findIndex(upTo => upTo >= wanted)
  if (at < 0) return bounds.at(-1) ?? 0
  const [low, high] = [at === 0 ? 0 : (bounds[at - 1] ?? 0), bounds[at] ?? 0]
  const [before, upTo] = [at === 0 ? 0 : (timing.buckets[at - 1] ?? 0), timing.buckets[at] ?? 0]
  return upTo === before ? high : low + ((high - low) * (wanted - before)) / (upTo - before)
}
