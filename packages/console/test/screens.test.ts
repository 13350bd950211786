import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Alert, type CacheOptions, createMonitor, type Monitor, type MonitorOptions } from 'palier'
import { manualClock } from 'palier/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type {
  AlertsAnswer,
  BootstrapAnswer,
  PolicyPreviewAnswer,
  ReportAnswer,
  RetentionAnswer,
  SnapshotAnswer,
  TestAnswer,
  TypesAnswer,
} from '../src/api.ts'
import { startRedis, until } from './support/redis.ts'
import { asAdmin, asPerson, ask, BEARER, type Rig, rig } from './support/rig.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'palier-console-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

interface Watched extends Rig {
  readonly monitor: Monitor
}

/** A rig whose console has a monitor, which looks when it is told to. */
async function watched(options: CacheOptions = {}, monitorOptions: MonitorOptions = {}): Promise<Watched> {
  const made: { monitor?: Monitor } = {}
  // The console asks for it with each request only.
  const lent = new Proxy({} as Monitor, { get: (_none, name) => made.monitor?.[name as keyof Monitor] })
  const own = await rig(options, { monitor: lent, environmentName: 'staging' })
  const monitor = createMonitor(own.cache, { logger: false, advice: false, timer: false, ...monitorOptions })
  made.monitor = monitor
  return {
    ...own,
    monitor,
    async [Symbol.asyncDispose]() {
      await monitor.close()
      await own[Symbol.asyncDispose]()
    },
  }
}

const get = async <T>(own: Rig, path: string): Promise<T> => {
  const answer = await ask(own.console, `GET /api/cache/${path}`, { headers: BEARER })
  expect(answer.status).toBe(200)
  return answer.body as T
}

describe('a page that begins', () => {
  test('is told who asks, where it is, and what can be done there', async () => {
    await using own = await watched()
    const asked = { headers: { 'accept-language': 'de, fr-CA;q=0.9, en;q=0.8' } }
    const { body } = await asPerson(own.console, 'viewer:ann', 'GET /api/cache/bootstrap', asked)
    expect(body).toEqual({
      namespace: 'shop',
      role: 'viewer',
      name: 'ann',
      environment: 'staging',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      features: { monitor: true, warm: [], undo: true, tryNow: false, bypass: false, signOut: false },
      pollEvery: 5000,
      languages: ['en', 'fr'],
      language: 'fr',
      types: expect.arrayContaining(['default', 'dashboard']),
      now: expect.any(Number),
    } satisfies Record<keyof BootstrapAnswer, unknown>)
    await using bare = await rig({}, { warm: { dashboard: async () => undefined } })
    const { features, environment } = await get<BootstrapAnswer>(bare, 'bootstrap')
    expect(environment).toBe(process.env['NODE_ENV'])
    expect(features).toMatchObject({ monitor: false, warm: ['dashboard'] })
  })

  test('is told budgets with each snapshot', async () => {
    await using own = await watched({}, { budgets: () => [{ name: 'disk', used: 1, limit: 4 }] })
    await own.monitor.tick()
    const { budgets, fleet } = await get<SnapshotAnswer>(own, 'snapshot')
    expect(budgets).toEqual([{ name: 'disk', used: 1, limit: 4 }])
    expect(fleet?.processes[0]?.rss).toBeGreaterThan(10_000_000)
  })
})

/** Reads of many keys at their own pace for three hours, and what came of them. */
async function traffic(ttl: number) {
  const clock = manualClock()
  const own = await rig({ clock, types: { price: { ttl, early: 0 } } })
  let seed = 7
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
  const next = Array.from({ length: 30 }, (_, i) => ({ key: `p${i}`, pace: 4000 * (1 + i), at: random() * 60_000 }))
  for (let now = 0; now < 3 * 3_600_000; now += 5000) {
    await clock.advance(5000)
    for (const one of next) {
      if (one.at > now) continue
      await own.cache.type('price').getOrSet(one.key, () => 1)
      one.at += -Math.log(random()) * one.pace
    }
  }
  return own
}

describe('types', () => {
  test('are told with what was read of them lately, and how old it was', async () => {
    await using own = await watched({ types: { product: { ttl: '1m' } } })
    await own.monitor.tick()
    const products = own.cache.type('product')
    for (let i = 0; i < 210; i++) await products.getOrSet(`p${i % 2}`, () => i)
    const { of, types, ageBounds } = await get<TypesAnswer>(own, 'types')
    expect(of).toBe('fleet')
    const product = types.find(({ type }) => type === 'product')
    expect(product).toMatchObject({ reads: 210, hits: 208, misses: 2, hitRate: 99, loads: 2, policy: { ttl: 60_000 } })
    expect(product?.missReasons.absent).toBe(2)
    expect(product?.ages).toHaveLength(ageBounds.length + 1)
    expect(product?.ages[0]).toBe(208)
    expect(types.find(({ type }) => type === 'dashboard')).toMatchObject({ reads: 0 })
    expect(types.find(({ type }) => type === 'dashboard')).not.toHaveProperty('hitRate')
  })

  test('would do with another ttl about what they then do', async () => {
    const [minute, short, long] = [60_000, 20_000, 180_000]
    await using now = await traffic(minute)
    for (const ttl of [short, long]) {
      await using really = await traffic(ttl)
      const then = really.cache.stats().types['price']
      const answer = await asAdmin(now.console, 'POST /api/cache/policy-preview', { type: 'price', ttl })
      const told = answer.body as unknown as PolicyPreviewAnswer
      expect(told).toMatchObject({ of: 'process', ttl: { now: minute, planned: ttl }, oldest: ttl })
      expect(Math.abs((told.hitRate?.planned ?? 0) - (then?.hitRate ?? 0))).toBeLessThan(3)
      expect(Math.abs((told.loads?.planned ?? 0) / (then?.loads ?? 1) - 1)).toBeLessThan(0.1)
    }
  })

  test('say when too little is known, and which field is wrong', async () => {
    await using own = await rig()
    const preview = (body: unknown) => asPerson(own.console, 'operator:bob', 'POST /api/cache/policy-preview', { body })
    expect((await preview({ type: 'dashboard', ttl: '10m' })).body).toMatchObject({ unknown: 'few-reads', reads: 0 })
    for (let i = 0; i < 300; i++) await own.cache.type('dashboard').getOrSet('kpis', () => 1)
    expect((await preview({ type: 'dashboard', ttl: '10m' })).body).toMatchObject({ unknown: 'few-loads' })
    for (const [body, field] of [
      [{ type: 'nothing', ttl: 1 }, 'type:'],
      [{ type: 'dashboard', ttl: 'soon' }, 'ttl:'],
      [{ type: 'dashboard', ttl: 0 }, 'ttl:'],
      [{ type: 'dashboard' }, 'ttl:'],
      [{ type: 'dashboard', ttl: 1, grace: 1 }, 'body.grace:'],
    ] as const) {
      const answer = await preview(body)
      expect([answer.status, answer.body['code']]).toEqual([400, 'PALIER_BAD_OPTION'])
      expect(answer.body['detail']).toContain(field)
    }
  })
})

describe('alerts', () => {
  const down = { budgets: () => [{ name: 'disk', used: 95, limit: 100 }] }

  test('come with their rules, and are acknowledged for a time by somebody with a reason', async () => {
    await using own = await watched({}, down)
    const acknowledge = (who: string, body: unknown) =>
      asPerson(own.console, who, 'POST /api/cache/alerts/acknowledge', { body })
    const known = { signature: 'budget:disk', reason: 'a bigger disk comes on Monday', for: '4h' }
    expect((await acknowledge('operator:bob', known)).body['detail']).toContain('there is none')
    expect(await get<AlertsAnswer>(own, 'alerts')).not.toHaveProperty('lookedAt')
    await own.monitor.tick()
    expect((await acknowledge('viewer:ann', known)).status).toBe(403)
    expect((await acknowledge('operator:bob', known)).status).toBe(200)
    const told = await get<AlertsAnswer>(own, 'alerts')
    expect(told.rules.map(({ id, threshold }) => [id, threshold])).toEqual([
      ['backend', undefined],
      ['hit-rate', 50],
      ['misses', 80],
      ['errors', 10],
      ['budget', 90],
    ])
    expect(told.lookedAt).toBeGreaterThan(0)
    expect(told.channels).toEqual([])
    expect(told.active).toMatchObject([
      {
        signature: 'budget:disk',
        acknowledged: { reason: known.reason, by: { role: 'operator', name: 'bob' } },
      },
    ])
    const { until: end, at } = told.acknowledgements[0] ?? { until: 0, at: 0 }
    expect(end - at).toBe(4 * 3_600_000)
    expect((await acknowledge('operator:bob', { ...known, for: '31d' })).body['detail']).toContain('for:')
    expect((await acknowledge('operator:bob', { ...known, reason: '' })).body['detail']).toContain('reason:')
    const back = await acknowledge('operator:bob', { signature: known.signature, for: null })
    expect(back.body).toEqual({ acknowledgements: [] })
    expect((await get<AlertsAnswer>(own, 'alerts')).active[0]).not.toHaveProperty('acknowledged')
  })

  test('are tried out by an administrator, who is told how that went', async () => {
    const seen: Alert[] = []
    const fails = (): never => {
      throw new Error('no mail today')
    }
    const line = 'POST /api/cache/alerts/test'
    await using own = await watched({}, { onAlert: alert => seen.push(alert) })
    expect((await asPerson(own.console, 'operator:bob', line)).status).toBe(403)
    expect((await asPerson(own.console, 'admin:eve', line)).body).toEqual({ sent: [{ channel: 'callback', ok: true }] })
    expect(seen).toMatchObject([{ signature: 'test', text: 'Test' }])
    await using broken = await watched({}, { onAlert: fails })
    const { body } = await asAdmin(broken.console, line)
    expect(body).toEqual({ sent: [{ channel: 'callback', ok: false, error: 'no mail today' }] })
  })
})

describe('tests of the backend', () => {
  test('are kept for all processes, and told with the last one like it', async () => {
    const place = { backend: 'filesystem', dir: join(dir, 'tests'), deadline: '10s' } as const
    await using one = await rig(place)
    await using two = await rig(place)
    const run = async (own: Rig): Promise<TestAnswer> =>
      (await asAdmin(own.console, 'POST /api/cache/test', { mode: 'simple' })).body as unknown as TestAnswer
    const first = await run(one)
    expect(first).toMatchObject({ kept: true, mode: 'simple', backend: 'filesystem', by: { name: 'token' } })
    expect(first).not.toHaveProperty('previous')
    const second = await run(two)
    expect(second.previous).toMatchObject({ at: first.at, speed: first.speed })
    const { runs } = await get<{ runs: { at: number }[] }>(one, 'tests')
    expect(runs.map(({ at }) => at)).toEqual([second.at, first.at])
  })
})

test('a backend that is out is tried at once when somebody says so', async () => {
  const redis = await startRedis()
  try {
    await using own = await rig(
      { backend: 'redis', redisUrl: redis.url, deadline: '500ms', dir: join(dir, 'redis') },
      { limit: { changes: 1000 } },
    )
    const now = (who = 'operator:bob') => asPerson(own.console, who, 'POST /api/cache/try-now')
    const reached = async (): Promise<boolean> =>
      (await asAdmin(own.console, 'POST /api/cache/try-now')).body['reached'] === true
    expect((await get<BootstrapAnswer>(own, 'bootstrap')).features.tryNow).toBe(true)
    await until('it is in use', reached)
    redis.pause()
    await until('it is out', () => own.cache.status().state === 'DEGRADED')
    expect((await now()).body).toMatchObject({ reached: false, health: { state: 'DEGRADED' } })
    redis.resume()
    await until('it is reached again', reached)
    expect((await now('viewer:ann')).status).toBe(403)
  } finally {
    await redis.stop()
  }
})

describe('keys that were chosen', () => {
  const line = 'POST /api/cache/keys/clear'

  test('are cleared together, each of its type, under one receipt', async () => {
    await using own = await rig({ types: { mine: { scope: 'user' } } })
    const { cache } = own
    const mine = cache.type('mine')
    await cache.set('a', 1)
    await cache.set('b', 1)
    await cache.type('dashboard').set('a', 1)
    for (const subject of ['u1', 'u2']) await mine.set('m', 1, { subject })
    const keys = [
      { type: 'default', key: 'a' },
      { type: 'dashboard', key: 'a' },
      { type: 'mine', key: 'm', subject: 'u1' },
    ]
    const answer = await asPerson(own.console, 'operator:bob', line, { body: { keys } })
    expect(answer.body).toEqual({ receipt: { local: true, shared: 'none' }, entries: 3 })
    const left = [await cache.get('a'), await cache.type('dashboard').get('a'), await mine.get('m', { subject: 'u1' })]
    expect(left).toEqual([undefined, undefined, undefined])
    expect([await cache.get('b'), await mine.get('m', { subject: 'u2' })]).toEqual([1, 1])
    const { entries } = await get<{ entries: { what: string; target: string; count: number }[] }>(own, 'audit')
    expect(entries[0]).toMatchObject({ what: 'clear-keys', target: '3 keys: default:a, dashboard:a, mine:m', count: 3 })
  })

  test('are cleared all or none', async () => {
    await using own = await rig({ types: { mine: { scope: 'user' } } }, { limit: { changes: 1000 } })
    await own.cache.set('a', 1)
    const good = { type: 'default', key: 'a' }
    for (const [keys, field] of [
      [[good, { type: 'none', key: 'a' }], 'type'],
      [[good, { type: 'mine', key: 'm' }], 'subject'],
      [[good, { type: 'default' }], 'keys[1].key'],
      [[good, { ...good, tag: 'x' }], 'keys[1].tag'],
      [[good, 'a'], 'keys[1]'],
      [[], 'keys'],
      [Array.from({ length: 201 }, () => good), 'keys'],
      [undefined, 'keys'],
    ] as const) {
      const answer = await asAdmin(own.console, line, { keys })
      expect([field, answer.status]).toEqual([field, 400])
      expect(answer.body['detail']).toContain(field)
    }
    expect((await asAdmin(own.console, line, { keys: [good, { type: 'default', key: 'celery-task' }] })).status).toBe(
      403,
    )
    expect(await own.cache.get('a')).toBe(1)
  })
})

describe('a report', () => {
  test('has what a ticket needs as JSON and as a text, and nobody’s secrets, keys or values', async () => {
    await using own = await watched({
      ...{ backend: 'filesystem', dir: join(dir, 'report'), deadline: '10s' },
      redisUrl: 'redis://u:hunter2@localhost:1',
    })
    await own.cache.set('key-of-ann', 'value-of-ann')
    await own.monitor.tick()
    await asAdmin(own.console, 'POST /api/cache/test')
    const report = await get<ReportAnswer>(own, 'report')
    expect(report.id).toMatch(/^[0-9a-f]{8}$/)
    expect(report).toMatchObject({
      versions: { node: process.version },
      config: { namespace: 'shop', settings: { backend: { value: 'filesystem', source: 'option', locked: 'code' } } },
      processes: [{ name: 'node', backend: 'filesystem' }],
      tests: [{ mode: 'simple', ok: true }],
    })
    const { text, headers } = await asPerson(own.console, 'viewer:ann', 'GET /api/cache/report?format=text')
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(text).toMatch(/^Palier report [0-9a-f]{8}, 20/)
    for (const part of [
      'namespace shop',
      'backend filesystem:',
      'backend = filesystem (option)',
      'simple on filesystem',
    ]) {
      expect(text).toContain(part)
    }
    for (const all of [text, JSON.stringify(report)]) expect(all).not.toMatch(/hunter2|of-ann/)
    expect((await asAdmin(own.console, 'GET /api/cache/report?format=pdf')).status).toBe(400)
  })

  test('what is kept is told in documents and bytes', async () => {
    await using own = await watched()
    for (let i = 0; i < 5; i++) await own.cache.get('x')
    await own.monitor.tick()
    await asAdmin(own.console, 'POST /api/cache/invalidate/dashboard')
    const { history = [], audit, undo } = await get<RetentionAnswer>(own, 'retention')
    expect(history.map(({ name, documents }) => [name, documents])).toEqual([
      ['minutes', 1],
      ['minutes-of-types', 1],
      ['hours', 1],
      ['days', 1],
    ])
    expect(history.every(({ bytes }) => bytes > 50)).toBe(true)
    expect([audit.entries, undo.keep]).toEqual([1, 600_000])
    await using bare = await rig()
    expect(await get<RetentionAnswer>(bare, 'retention')).not.toHaveProperty('history')
  })
})
