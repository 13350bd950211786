import type { Cache, Status } from '../cache.ts'
import type { Clock } from '../clock.ts'
import type { TierStats, TypeStats } from '../stats.ts'
import { type Counts, minus, plus, type Sample, type TierCounts, timingOf, type TypeCounts } from './counts.ts'
import type { ExtraReading } from './extra.ts'

/** All that a monitor uses of a cache. */
export type MonitoredCache = Pick<Cache, 'id' | 'stats' | 'status' | 'on' | 'documents' | 'ready'>

/** Counts what happens to one cache. */
export interface Sampler {
  take(extra: ExtraReading): Sample
  close(): void
}

type Tally = Record<string, number>

const add = (tally: Tally, name: string, by = 1): void => void (tally[name] = (tally[name] ?? 0) + by)

function typeCounts(type: TypeStats): TypeCounts {
  const { hits, staleHits: stale, missReasons: misses, loads, loadErrors, sets, deletes, errors, load, ages } = type
  return { hits, stale, misses, loads, loadErrors, sets, deletes, errors, load: timingOf(load), ages }
}

function tierCounts({ hits, errors, evictions, bytesRead, bytesWritten, latency }: TierStats): TierCounts {
  return { hits, errors, evictions, bytesRead, bytesWritten, latency: timingOf(latency) }
}

const NOTHING: TierCounts = {
  hits: 0,
  errors: 0,
  evictions: 0,
  bytesRead: 0,
  bytesWritten: 0,
  latency: { count: 0, total: 0, buckets: [] },
}

/** Whether each store can be used, by its name. */
function upOf(status: Status): Record<string, number> {
  const stores = status.tiers.filter(tier => tier.role !== 'near')
  if (stores.length === 0) return status.enabled && status.backend === 'memory' ? { memory: 1 } : {}
  return Object.fromEntries(stores.map(({ name, state }) => [name, state === 'up' || state === 'suspect' ? 1 : 0]))
}

export function createSampler(cache: MonitoredCache, clock: Clock): Sampler {
  const errors: Tally = {}
  const invalidations: Tally = {}
  const switches: Record<string, Tally> = {}
  /** A cache counts its stores together: what was counted belongs to the one that was in use then. */
  const stores: Record<string, TierCounts> = {}
  let counted = NOTHING
  let inUse: string | undefined

  const attribute = (): void => {
    const tier = cache.stats().tiers[1]
    const name = tier?.name ?? inUse
    if (tier === undefined || name === undefined) return
    const now = tierCounts(tier)
    const owner = inUse ?? name
    stores[owner] = plus(stores[owner] ?? NOTHING, minus(now, counted))
    counted = now
    inUse = name
  }

  const offs = [
    cache.on('error', ({ code, operation }) => {
      if (code !== 'FACTORY') add(errors, operation)
    }),
    cache.on('delete', ({ target, names }) => add(invalidations, target, target === 'key' ? names.length : 1)),
    cache.on('failover', ({ from, to }) => {
      attribute()
      add((switches[from] ??= {}), to)
    }),
  ]

  return {
    take({ counters, gauges }) {
      attribute()
      const stats = cache.stats()
      const status = cache.status()
      const near = stats.tiers[0]
      const types = Object.entries(stats.types).map(([name, type]) => [name, typeCounts(type)])
      const counts: Counts = {
        types: Object.fromEntries(types) as Counts['types'],
        tiers: { ...(near !== undefined && { near: tierCounts(near) }), ...stores },
        errors: { ...errors },
        switches: Object.fromEntries(Object.entries(switches).map(([from, to]) => [from, { ...to }])),
        invalidations: { ...invalidations },
        extra: counters,
      }
      const { entries, bytes } = stats.near
      const pending = status.outbox.pending
      return {
        at: clock.wall(),
        counts,
        gauges: { near: { entries, bytes }, pending, up: upOf(status), extra: gauges },
      }
    },
    close() {
      for (const off of offs) off()
    },
  }
}
