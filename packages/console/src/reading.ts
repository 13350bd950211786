import type { Stats, Status } from 'palier'
import { type Answer, problem } from './answer.ts'
import { bad, optionalText, textOf, wholeOf } from './input.ts'
import type { HistoryRange, Room } from './room.ts'
import type { Route } from './router.ts'
import { keyOptions } from './target.ts'

/** A snapshot is at least this old before another one is made, however many ask. */
const SNAPSHOT_AGE = 2000
const RANGES: readonly string[] = ['minutes', 'hours', 'days'] satisfies readonly HistoryRange[]
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Whether what the cache should use answers: its backend, or memory where nothing is shared. */
function isAvailable({ enabled, state, tiers }: Status): boolean {
  const backend = tiers.find(({ role }) => role === 'shared')
  return enabled && state !== 'DOWN' && (backend === undefined || backend.state !== 'open')
}

function statsOf(status: Status, stats: Stats): object {
  return {
    status: status.state,
    reason: status.reason,
    backend: status.backend,
    is_available: isAvailable(status),
    hits: stats.hits,
    stale_hits: stats.staleHits,
    misses: stats.misses,
    errors: stats.errors,
    total_requests: stats.requests,
    hit_rate: stats.hitRate,
    types: stats.types,
    tiers: stats.tiers,
    near: stats.near,
    miss_reasons: stats.missReasons,
    load: stats.load,
    loads: stats.loads,
    load_errors: stats.loadErrors,
    sets: stats.sets,
    deletes: stats.deletes,
  }
}

function healthOf({ state, reason, since, backend, why, tiers, outbox, processes, staleBound }: Status): object {
  return { state, reason, since, backend, why, tiers, outbox, processes, staleBound }
}

/** What a part of the answer gives, or why it cannot: the rest is of use without it. */
async function part(give: () => unknown): Promise<unknown> {
  try {
    return await give()
  } catch {
    return { unavailable: true }
  }
}

function createSnapshots({ cache, monitor, clock }: Room): (since: string | null) => Promise<Answer> {
  let made: { readonly at: number; readonly taken: number; readonly body: Promise<object> } | undefined

  const take = async (at: number): Promise<object> => {
    const status = cache.status()
    const own = { at, stats: statsOf(status, cache.stats()), health: healthOf(status), trace: status.trace }
    if (monitor === undefined) return own
    const [fleet, judged, alerts, events] = await Promise.all([
      part(() => monitor.fleet()),
      part(() => monitor.health()),
      part(() => monitor.alerts()),
      part(() => monitor.snapshot()),
    ])
    return { ...own, fleet, judged, alerts, events }
  }

  return async since => {
    const seen = since === null ? undefined : wholeOf('since', since, 0, Number.MAX_SAFE_INTEGER)
    if (made === undefined || clock.now() - made.taken >= SNAPSHOT_AGE) {
      // A clock that was set back must not make a new snapshot look like the one before.
      const at = Math.max(clock.wall(), (made?.at ?? 0) + 1)
      made = { at, taken: clock.now(), body: take(at) }
    }
    const { at, body } = made
    return { body: seen === at ? { at, unchanged: true } : await body }
  }
}

const read = (name: string, path: string, answer: Route['answer']): Route => ({
  method: 'GET',
  path,
  role: 'viewer',
  kind: 'read',
  name,
  answer,
})

/** All that only looks. */
export function readingRoutes(room: Room): readonly Route[] {
  const { cache, monitor, audit } = room
  const snapshot = createSnapshots(room)
  const missing = (): Answer => ({
    problem: problem(501, 'not-set-up', 'this needs a monitor: see the option `monitor` of createConsole'),
  })

  return [
    read('stats', '/api/cache/stats', async () => {
      const own = statsOf(cache.status(), cache.stats())
      return { body: monitor === undefined ? own : { ...own, fleet: await part(() => monitor.fleet()) } }
    }),
    read('health', '/api/cache/health', async () => {
      const own = healthOf(cache.status())
      return { body: monitor === undefined ? own : { ...own, judged: await part(() => monitor.health()) } }
    }),
    read('snapshot', '/api/cache/snapshot', ({ query }) => snapshot(query.get('since'))),
    read('keys', '/api/cache/keys', async ({ query }) => {
      const limit = query.get('limit')
      const asked = ['type', 'pattern', 'after'].map(name => [name, optionalText(name, query.get(name))] as const)
      const given = Object.fromEntries(asked.filter(([, value]) => value !== undefined))
      return {
        body: await cache.operator.keys({
          ...given,
          ...(limit !== null && { limit: wholeOf('limit', limit, 1, 1000) }),
        }),
      }
    }),
    read('explain', '/api/cache/explain/', async call => ({
      body: await cache.operator.explain(textOf('key', call.rest), keyOptions(call.query)),
    })),
    read('audit', '/api/cache/audit', async ({ query }) => ({
      body: await audit.read(optionalText('after', query.get('after'))),
    })),
    read('history', '/api/cache/history', async ({ query }) => {
      if (monitor === undefined) return missing()
      const range = query.get('range') ?? 'minutes'
      if (!RANGES.includes(range)) throw bad('range', RANGES.join(', '), range)
      return { body: await monitor.history(range as HistoryRange, optionalText('type', query.get('type'))) }
    }),
    read('metrics', '/metrics', async () =>
      monitor === undefined ? missing() : { body: await monitor.prometheus(), type: METRICS_TYPE },
    ),
  ]
}
