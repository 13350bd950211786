import type { HistoryAnswer } from '../../../src/api.ts'
import type { Plan } from './ranges.ts'

export type Bucket = HistoryAnswer['buckets'][number]
type Reason = keyof Bucket['missReasons']

/** Fewer reads say nothing about a hit rate; of a point in a chart, which only shows a course, fewer will do. */
export const LEAST_READS = 200
const LEAST_FOR_A_POINT = 20

/** Sums over a stretch of time. */
export interface Sums {
  readonly reads: number
  readonly hits: number
  readonly stale: number
  readonly misses: number
  readonly loads: number
  readonly loadErrors: number
  readonly errors: number
  readonly savedMs: number
  readonly missReasons: Readonly<Record<Reason, number>>
}

/** What is drawn at one point; nothing is known of a gap. */
export interface Point extends Sums {
  readonly at: number
  readonly known: boolean
}

const NUMBERS = ['reads', 'hits', 'stale', 'misses', 'loads', 'loadErrors', 'errors', 'savedMs'] as const
const REASONS = [
  'absent',
  'expired',
  'invalidated',
  'damaged',
  'store',
  'disabled',
  'forced',
] as const satisfies readonly Reason[]

/** The sum of buckets, each with the share of it that counts. */
function sumOf(parts: readonly (readonly [bucket: Bucket, share: number])[]): Sums {
  const total = (pick: (bucket: Bucket) => number): number =>
    parts.reduce((sum, [bucket, share]) => sum + pick(bucket) * share, 0)
  const numbers = NUMBERS.map(name => [name, total(bucket => bucket[name])])
  const reasons = REASONS.map(name => [name, total(bucket => bucket.missReasons[name])])
  return { ...Object.fromEntries(numbers), missReasons: Object.fromEntries(reasons) } as Sums
}

export const totalOf = (buckets: readonly Bucket[]): Sums => sumOf(buckets.map(bucket => [bucket, 1]))

/** The buckets of a range, put together to as many points as a chart can show. */
export function pointsOf({ buckets, step }: HistoryAnswer, { count, together }: Plan): readonly Point[] {
  const width = step * together
  const groups = new Map<number, Bucket[]>()
  for (const bucket of buckets.slice(-count)) {
    const at = Math.floor(bucket.at / width) * width
    groups.set(at, [...(groups.get(at) ?? []), bucket])
  }
  return [...groups].map(([at, group]) => {
    const counted = group.filter(bucket => bucket.known)
    return { at, known: counted.length > 0, ...totalOf(counted) }
  })
}

/**
 * The sums between two moments, buckets at its ends counted by the share that lies within. Undefined where the history does
 * not reach back so far, or nobody counted at all.
 */
export function between({ buckets, step }: HistoryAnswer, from: number, to: number): Sums | undefined {
  const oldest = buckets.find(bucket => bucket.known)
  if (oldest === undefined || oldest.at > from) return undefined
  const parts = buckets.flatMap(bucket => {
    const share = (Math.min(to, bucket.at + step) - Math.max(from, bucket.at)) / step
    return bucket.known && share > 0 ? [[bucket, share] as const] : []
  })
  return parts.length === 0 ? undefined : sumOf(parts)
}

/** Hits and stale hits in a read, from 0 to 1; undefined below as many reads as say something. */
export function rateOf(
  { reads, hits, stale }: Pick<Sums, 'reads' | 'hits' | 'stale'>,
  least = LEAST_READS,
): number | undefined {
  return reads < least ? undefined : (hits + stale) / reads
}

export const pointRate = (point: Point): number | undefined =>
  point.known ? rateOf(point, LEAST_FOR_A_POINT) : undefined

/**
 * Calls of the source that reads did not come to. Loads beyond the misses refreshed what was served stale meanwhile; where
 * several misses waited for one load, they are counted as calls all the same, because not every application loads that way.
 */
export const avoidedOf = ({ reads, loads, misses }: Sums): number => Math.max(0, reads - Math.max(loads, misses))

/** The point with the lowest hit rate. */
export function lowest(points: readonly Point[]): { readonly at: number; readonly rate: number } | undefined {
  const rated = points.flatMap(point => {
    const rate = pointRate(point)
    return rate === undefined ? [] : [{ at: point.at, rate }]
  })
  return rated.toSorted((a, b) => a.rate - b.rate)[0]
}

/** Reasons of misses that there were, most first. */
export function reasonsOf({ missReasons }: Pick<Sums, 'missReasons'>): readonly (readonly [Reason, number])[] {
  return REASONS.map(name => [name, missReasons[name]] as const)
    .filter(([, count]) => count > 0)
    .toSorted((a, b) => b[1] - a[1])
}
