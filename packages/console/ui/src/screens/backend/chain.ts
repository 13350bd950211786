import type { SnapshotAnswer } from '../../../../src/api.ts'

type TierStatus = SnapshotAnswer['health']['tiers'][number]

/** One box of the way of a read. */
export interface Step {
  readonly status: TierStatus
  readonly hits: number
  /** Of all reads, from 0 to 1; undefined before the first. */
  readonly share: number | undefined
  /** Milliseconds; undefined where nothing was timed. */
  readonly p95: number | undefined
  readonly errors: number
  readonly evictions: number
}

/** Every tier with what it did; the tier in memory is counted under a name of its own. */
export function stepsOf({ health, stats }: SnapshotAnswer): readonly Step[] {
  return health.tiers.map(status => {
    const counted = stats.tiers.find(tier => tier.name === (status.role === 'near' ? 'near' : status.name))
    const { hits = 0, errors = 0, evictions = 0, latency } = counted ?? {}
    return {
      status,
      hits,
      errors,
      evictions,
      share: stats.total_requests === 0 ? undefined : hits / stats.total_requests,
      p95: latency === undefined || latency.count === 0 ? undefined : latency.p95 / 1000,
    }
  })
}

/** What most of them say; undefined where all are alike. */
export function usualOf(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  if (counts.size < 2) return undefined
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0]
}
