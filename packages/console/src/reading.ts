import { badOption, type HistoryRange, type Stats, type Status } from 'palier'
import { type Answer, problem } from './answer.ts'
import type { BootstrapAnswer, HealthAnswer, SnapshotAnswer, StatsAnswer, UnchangedAnswer } from './api.ts'
import { optionalText, textOf, wholeOf } from './input.ts'
import type { ConsoleMonitor, Room } from './room.ts'
import type { Call, Route } from './router.ts'
import { keyOptions } from './target.ts'

/** A snapshot is at least this old before another one is made, however many ask. */
const SNAPSHOT_AGE = 2000
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Whether what the cache should use answers: its backend, or memory where nothing is shared. */
function isAvailable({ enabled, state, tiers }: Status): boolean {
  const backend = tiers.find(({ role }) => role === 'shared')
  return enabled && state !== 'DOWN' && (backend === undefined || backend.state !== 'open')
}

function statsOf(status: Status, stats: Stats): StatsAnswer {
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

/** How the cache is; with a monitor also how it was over time, and what people should know of. */
export function healthOf(status: Status, monitor: ConsoleMonitor | undefined): HealthAnswer {
  const { state, reason, since, backend, why, tiers, outbox, processes, staleBound } = status
  return {
    ...{ state, reason, since, backend, why, tiers, outbox, processes, staleBound },
    ...(monitor !== undefined && { judged: monitor.health(), alerts: monitor.alerts() }),
  }
}

const POLL_EVERY = 5000
const LANGUAGES = ['en', 'fr'] as const

/** The first of ours that a browser asks for. */
function languageOf(header: string | null): 'en' | 'fr' {
  const wanted = (header ?? '').split(',').map(part => {
    const [name = '', ...parameters] = part.split(';').map(one => one.trim().toLowerCase())
    const quality = parameters.find(one => one.startsWith('q='))
    return { name: name.split('-')[0], quality: quality === undefined ? 1 : Number(quality.slice(2)) }
  })
  const best = wanted.sort((a, b) => b.quality - a.quality).find(({ name }) => name === 'en' || name === 'fr')
  return best?.name === 'fr' ? 'fr' : 'en'
}

/** All that a page must know before it can show anything. */
function bootstrapOf({ cache, monitor, warm, environment, version, clock }: Room, call: Call): BootstrapAnswer {
  const { namespace, tiers } = cache.status()
  const { role, name, session } = call.who
  return {
    namespace,
    role,
    ...(name !== undefined && { name }),
    environment,
    version,
    features: {
      monitor: monitor !== undefined,
      warm: Object.keys(warm),
      undo: true,
      tryNow: tiers.some(tier => tier.role === 'shared'),
      bypass: false,
      signOut: session !== undefined,
    },
    pollEvery: POLL_EVERY,
    languages: LANGUAGES,
    language: languageOf(call.headers.get('accept-language')),
    types: Object.keys(cache.operator.policies()),
    now: clock.wall(),
  }
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

type Taken = Pick<SnapshotAnswer, 'stats' | 'health' | 'trace' | 'fleet'>

function createSnapshots({ cache, monitor, clock }: Room): (since: string | null) => Promise<Answer> {
  let made: { readonly at: number; readonly taken: number; readonly body: Promise<Taken> } | undefined

  const take = async (): Promise<Taken> => {
    const status = cache.status()
    const own = { stats: statsOf(status, cache.stats()), health: healthOf(status, undefined), trace: status.trace }
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
    if (seen?.at === at && seen.sequence === sequence) {
      const same: UnchangedAnswer = { next, unchanged: true }
      return { body: same }
    }
    const told = monitor &&
      news && { judged: news.health, alerts: news.alerts, events: news.events, budgets: monitor.budgets() }
    const answer: SnapshotAnswer = { next, at, ...(await body), ...told }
    return { body: answer }
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
    read('bootstrap', '/api/cache/bootstrap', call => Promise.resolve({ body: bootstrapOf(room, call) })),
    read('health', '/api/cache/health', () => Promise.resolve({ body: healthOf(cache.status(), monitor) })),
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
