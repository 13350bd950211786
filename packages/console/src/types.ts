import {
  AGE_BOUNDS,
  badOption,
  LATENCY_BOUNDS,
  type PolicyView,
  quantile,
  type Stats,
  toMilliseconds,
  type TypeCounts,
} from 'palier'
import type { PolicyPreviewAnswer, TypesAnswer, TypeView } from './api.ts'
import { onlyFields, textOf } from './input.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'

/** Fewer reads say nothing about a hit rate, and fewer lives of entries nothing about what another ttl would do. */
const LEAST_READS = 200
const LEAST_LIVES = 5
/** What is told of types is at most so old. */
const TYPES_AGE = 2000

type Counted = Omit<TypeCounts, 'sets' | 'deletes'>

const NOTHING: Counted = {
  hits: 0,
  stale: 0,
  misses: { absent: 0, expired: 0, invalidated: 0, damaged: 0, store: 0, disabled: 0, forced: 0 },
  loads: 0,
  loadErrors: 0,
  errors: 0,
  load: { count: 0, total: 0, buckets: [] },
}

const sumOf = (numbers: Readonly<Record<string, number>>): number =>
  Object.values(numbers).reduce((total, one) => total + one, 0)

const countedOf = ({
  hits,
  staleHits,
  missReasons,
  loads,
  loadErrors,
  errors,
  load,
  ages,
}: Stats['types'][string]) => ({
  ...{ hits, stale: staleHits, misses: missReasons, loads, loadErrors, errors, ages },
  load,
})

function viewOf(type: string, policy: PolicyView, counted: Counted): TypeView {
  const { hits, stale, misses: missReasons, loads, loadErrors, errors, load, ages = [] } = counted
  const misses = sumOf(missReasons)
  const reads = hits + stale + misses
  return {
    ...{ type, policy, reads, hits, stale, misses, missReasons, loads, loadErrors, errors },
    ...(reads >= LEAST_READS && { hitRate: Math.round(((hits + stale) / reads) * 1000) / 10 }),
    ...(load.count > 0 && { loadP95: quantile(load, LATENCY_BOUNDS, 0.95), loadMean: load.total / load.count }),
    ages: Array.from({ length: AGE_BOUNDS.length + 1 }, (_, i) => ages[i] ?? 0),
  }
}

/** Every type over the last hour in all processes; without a monitor, in this one since its counting began. */
export async function typesOf({ cache, monitor, clock, bornAt }: Room): Promise<TypesAnswer> {
  const policies = Object.entries(cache.operator.policies())
  const views = (counted: (name: string) => Counted | undefined): readonly TypeView[] =>
    policies.map(([name, policy]) => viewOf(name, policy, counted(name) ?? NOTHING))
  if (monitor === undefined) {
    const { types } = cache.stats()
    const own = (name: string): Counted | undefined => types[name] && countedOf(types[name])
    return { from: bornAt, to: clock.wall(), of: 'process', ageBounds: AGE_BOUNDS, types: views(own) }
  }
  const { from, to, counts } = await monitor.recent()
  return { from, to, of: 'fleet', ageBounds: AGE_BOUNDS, types: views(name => counts.types[name]) }
}

/** Hits on entries that were not older than `age`, as far as the buckets tell. */
function hitsUpTo(ages: readonly number[], age: number): number {
  return ages.reduce((sum, count, i) => {
    const low = AGE_BOUNDS[i - 1] ?? 0
    const high = AGE_BOUNDS[i] ?? low * 2
    const share = Math.min(1, Math.max(0, (age - low) / (high - low)))
    return sum + count * share
  }, 0)
}

/**
 * What another ttl would do, if reads went on as they did. A life of an entry begins with a miss, or with a load ahead of its
 * end that no reader waited for; the hits on it by age are what was counted, over all lives. A shorter ttl leaves those up to
 * its length; a longer one adds more at the pace of the second half of lives as they are, to those whose time was over.
 */
function foretell(view: TypeView, ttl: number): Pick<PolicyPreviewAnswer, 'hitRate' | 'loads' | 'unknown'> {
  const { reads, hits, stale, misses, missReasons, loads, ages, policy } = view
  const lives = Math.max(misses, loads)
  if (reads < LEAST_READS) return { unknown: 'few-reads' }
  if (lives < LEAST_LIVES) return { unknown: 'few-loads' }
  const now = policy.ttl
  // An entry whose time was over may be gone by the time it is missed, and then is absent like one that never was.
  const ranOut = missReasons.expired + missReasons.absent + lives - misses
  const pace = ranOut === 0 ? 0 : (hitsUpTo(ages, now) - hitsUpTo(ages, now / 2)) / (now / 2)
  const more = ttl < now ? hitsUpTo(ages, ttl) - hitsUpTo(ages, now) : pace * (ttl - now)
  const perLife = (misses + Math.max(0, hits + stale + more)) / lives
  // No more loads than reads; and what did not end because its time was over would end all the same.
  const [least, most] = ttl < now ? [lives, reads] : [lives - ranOut, lives]
  const planned = Math.min(most, Math.max(least, reads / perLife))
  const rate = (share: number): number => Math.round((1 - (misses * share) / reads) * 1000) / 10
  return {
    hitRate: { now: rate(1), planned: Math.max(0, rate(planned / lives)) },
    loads: { now: loads, planned: Math.round((loads * planned) / lives) },
  }
}

/** What each type does, and what it would do with another ttl. */
export function typeRoutes(room: Room): readonly Route[] {
  let made: { readonly at: number; readonly answer: Promise<TypesAnswer> } | undefined
  /** However many pages ask, the other processes are asked now and then. */
  const recent = (): Promise<TypesAnswer> => {
    const now = room.clock.now()
    if (made === undefined || now - made.at >= TYPES_AGE) made = { at: now, answer: typesOf(room) }
    return made.answer
  }
  const types: Route = {
    method: 'GET',
    path: '/api/cache/types',
    role: 'viewer',
    kind: 'read',
    name: 'types',
    answer: async () => ({ body: await recent() }),
  }
  const preview: Route = {
    method: 'POST',
    path: '/api/cache/policy-preview',
    role: 'operator',
    kind: 'look',
    name: 'policy-preview',
    async answer({ fields }) {
      onlyFields('body', fields, ['type', 'ttl'])
      const type = textOf('type', fields['type'])
      const given = fields['ttl']
      if (typeof given !== 'string' && typeof given !== 'number') {
        throw badOption('ttl', "milliseconds, or a text such as '5m'", given)
      }
      const ttl = toMilliseconds('ttl', given, { min: 1 })
      const { from, to, of, types: all } = await typesOf(room)
      const view = all.find(one => one.type === type)
      if (view === undefined) throw badOption('type', all.map(one => one.type).join(', '), type)
      const { policy, reads } = view
      const told = foretell(view, ttl)
      const answer: PolicyPreviewAnswer = {
        ...{ type, ttl: { now: policy.ttl, planned: ttl }, from, to, reads, of, oldest: ttl },
        ...told,
      }
      return { body: answer }
    },
  }
  return [types, preview]
}
