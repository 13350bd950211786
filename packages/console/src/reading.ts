import { badOption, type HistoryRange, type Stats, type Status } from 'palier'
import { type Answer, problem } from './answer.ts'
import { optionalText, textOf, wholeOf } from './input.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'
import { keyOptions } from './target.ts'

/** A snapshot is at least this old before another one is made, however many ask. */
const SNAPSHOT_AGE = 2000
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

/** Where a snapshot ends: in which process, with which event, made when. */
interface Place {
  readonly id: string
  readonly sequence: number
  readonly at: number
}

function placeOf(since: string | null): Place | undefined {
  if (since === null) return undefined
  const [, id, sequence, at] = /^([0-9a-f]{16})\.(\d{1,15})\.(\d{1,15})$/.exec(since) ?? []
  if (id === undefined) throw badOption('since', 'the `next` of a snapshot', since)
  return { id, sequence: Number(sequence), at: Number(at) }
}

function createSnapshots({ cache, monitor, clock }: Room): (since: string | null) => Promise<Answer> {
  let made: { readonly at: number; readonly taken: number; readonly body: Promise<object> } | undefined

  const take = async (): Promise<object> => {
    const status = cache.status()
    const own = { stats: statsOf(status, cache.stats()), health: healthOf(status), trace: status.trace }
    return monitor === undefined ? own : { ...own, fleet: await monitor.fleet() }
  }

  return async text => {
    const since = placeOf(text)
    if (made === undefined || clock.now() - made.taken >= SNAPSHOT_AGE) {
      // A clock that was set back must not make a new snapshot look like the one before.
      const at = Math.max(clock.wall(), (made?.at ?? 0) + 1)
      made = { at, taken: clock.now(), body: take() }
    }
    const { at, body } = made
    // Events are numbered by each process for itself.
    const seen = since?.id === cache.id ? since : undefined
    const news = monitor?.snapshot(seen?.sequence ?? 0)
    const sequence = news?.sequence ?? 0
    const next = `${cache.id}.${sequence}.${at}`
    if (seen?.at === at && seen.sequence === sequence) return { body: { next, unchanged: true } }
    const told = news && { judged: news.health, alerts: news.alerts, events: news.events }
    return { body: { next, at, ...(await body), ...told } }
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
      return { body: monitor === undefined ? own : { ...own, fleet: await monitor.fleet() } }
    }),
    read('health', '/api/cache/health', () => {
      const own = healthOf(cache.status())
      return Promise.resolve({
        body: monitor === undefined ? own : { ...own, judged: monitor.health(), alerts: monitor.alerts() },
      })
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
      // The monitor says which ranges there are.
      const range = (query.get('range') ?? 'minutes') as HistoryRange
      return { body: await monitor.history(range, optionalText('type', query.get('type'))) }
    }),
    read('metrics', '/metrics', async () =>
      monitor === undefined ? missing() : { body: await monitor.prometheus(), type: METRICS_TYPE },
    ),
  ]
}
