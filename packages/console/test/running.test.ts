import { describe, expect, test } from 'vitest'
import { SHARED } from './support/backends.ts'
import { startRedis, until } from './support/redis.ts'
import { asAdmin, asPerson, rig } from './support/rig.ts'

describe('configuration', () => {
  const put = 'PUT /api/cache/config'

  test('shows where each setting comes from, no password, and the policies', async () => {
    await using own = await rig({ redisUrl: 'redis://u:hunter2@localhost:1', defaults: { ttl: '1m' } })
    const answer = await asPerson(own.console, 'viewer:ann', 'GET /api/cache/config')
    expect(answer).toMatchObject({
      status: 200,
      body: {
        namespace: 'shop',
        backend: 'memory',
        settings: { backend: { value: 'memory', source: 'option' }, enabled: { value: 'true', source: 'default' } },
        types: { default: { ttl: 60_000 }, dashboard: { ttl: 300_000 } },
      },
    })
    expect(answer.text).not.toContain('hunter2')
  })

  test('a policy is changed while the application runs, and taken back', async () => {
    await using own = await rig()
    const { cache, console } = own
    const types = { dashboard: { ttl: '10m', grace: '1h' }, search: { grace: 0 } }
    const changed = await asAdmin(console, put, { types })
    expect(changed).toMatchObject({
      status: 200,
      body: { types: { dashboard: { ttl: 600_000, grace: 3_600_000, declared: { ttl: 300_000 } } } },
    })
    await cache.type('dashboard').set('kpis', 1)
    const explained = await cache.operator.explain('kpis', { type: 'dashboard' })
    expect(explained.tiers[0]?.ttl).toBeGreaterThan(500_000)
    const back = await asAdmin(console, put, { types: { dashboard: null } })
    expect(back.body).toMatchObject({ types: { dashboard: { ttl: 300_000 } } })
  })

  test('is changed whole or not at all', async () => {
    await using own = await rig()
    const { cache, console } = own
    await cache.operator.setPolicy('search', { ttl: '2m' })
    const before = cache.operator.policies()
    const cases: readonly (readonly [unknown, string])[] = [
      [{}, 'types: expected'],
      [{ types: {} }, 'types: expected'],
      [{ types: { dashboard: { ttl: '10m' } }, save: true }, 'body.save: expected'],
      [{ types: { dashboard: { ttl: '10m' }, typo: null } }, 'types: expected types of this cache'],
      [{ types: { dashboard: { ttl: '10m' }, constructor: null } }, 'types: expected types'],
      [{ types: { dashboard: { ttl: '10m', jitter: 1 } } }, 'types.dashboard.jitter: expected'],
      [{ types: { dashboard: { ttl: null } } }, 'types.dashboard.ttl: expected'],
      [{ types: { dashboard: {} } }, 'types.dashboard: expected'],
      [{ types: { dashboard: { ttl: '10m' }, search: { ttl: '3m' }, product: { ttl: 'soon' } } }, 'ttl: expected'],
    ]
    for (const [body, detail] of cases) {
      const answer = await asAdmin(console, put, body)
      expect([body, answer.status]).toEqual([body, 400])
      expect(answer.body['detail']).toContain(detail)
      expect(cache.operator.policies()).toEqual(before)
    }
  })

  test.each(Object.entries(SHARED))('on %s every process hears of it', async (_name, open) => {
    await using place = await open()
    await using here = await rig(place.options)
    await using there = await rig(place.options)
    await asAdmin(here.console, put, { types: { dashboard: { ttl: '10m' } } })
    await until('the other process knows', async () => {
      const { body } = await asAdmin(there.console, 'GET /api/cache/config')
      return JSON.stringify(body).includes('"dashboard":{"ttl":600000')
    })
  })
})

describe('tests of the backend', () => {
  const BASICS = ['reach', 'write', 'read back', 'compare and set', 'delete', 'expiry']
  const MORE = ['1 KB', '16 KB', '128 KB', '1024 KB', 'at once', 'lock']

  test.each([
    ['memory', 'simple', BASICS],
    ['memory', 'advanced', [...BASICS, ...MORE]],
    ['files', 'advanced', [...BASICS, ...MORE]],
    ['redis', 'advanced', [...BASICS, ...MORE]],
  ])('on %s, %s, find it in order, measure it, and leave nothing', async (backend, mode, checks) => {
    await using place = await SHARED[backend]?.()
    await using own = await rig({ ...place?.options })
    const { console, cache } = own
    await cache.set('kept', 1)
    const { status, body } = await asPerson(console, 'operator:ann', 'POST /api/cache/test', { body: { mode } })
    expect(status).toBe(200)
    expect(body).toMatchObject({ mode, ok: true, backend: cache.status().backend })
    expect((body['checks'] as { check: string }[]).map(({ check }) => check)).toEqual(checks)
    const { write, read } = body['speed'] as Record<'write' | 'read', Record<string, number>>
    for (const speed of [write, read]) {
      expect(speed['rounds']).toBeGreaterThan(0)
      expect(speed['p95']).toBeGreaterThanOrEqual(speed['p50'] ?? Number.NaN)
    }
    for await (const some of cache.documents('palier-console-probe').all()) expect(some).toEqual([])
    expect(await cache.get('kept')).toBe(1)
  })

  test('say what fails while the backend is out', async () => {
    const redis = await startRedis()
    try {
      await using own = await rig({
        backend: 'redis',
        redisUrl: redis.url,
        detectBudget: '30s',
        outage: { journal: false },
      })
      await until('Redis is in use', async () => (await own.cache.set('a', 1)).shared === 'acked')
      redis.pause()
      const { status, body } = await asAdmin(own.console, 'POST /api/cache/test')
      expect(status).toBe(200)
      expect(body).toMatchObject({ ok: false, speed: { read: { rounds: 0 } } })
      for (const check of body['checks'] as object[]) expect(check).toMatchObject({ ok: false })
    } finally {
      await redis.stop()
    }
  })

  test('run one at a time, and are asked for by name', async () => {
    await using own = await rig()
    const [one, other] = await Promise.all([
      asAdmin(own.console, 'POST /api/cache/test'),
      asAdmin(own.console, 'POST /api/cache/test'),
    ])
    expect(new Set([one.status, other.status])).toEqual(new Set([200, 409]))
    expect((await asAdmin(own.console, 'POST /api/cache/test', { mode: 'hard' })).status).toBe(400)
  })
})

describe('warm-ups', () => {
  test('are run by name or all, one after the other, and a failure is told without its reason', async () => {
    const ran: string[] = []
    const warm = {
      dashboard: async () => void ran.push('dashboard'),
      broken: () => Promise.reject(new Error('database password hunter2')),
      product: async () => void ran.push('product'),
    }
    await using own = await rig({}, { warm })
    const one = await asPerson(own.console, 'operator:ann', 'POST /api/cache/warm', { body: { type: 'product' } })
    expect(one).toMatchObject({ status: 200, body: { warmed: [{ name: 'product', ok: true }] } })
    const all = await asAdmin(own.console, 'POST /api/cache/warm')
    expect(all.body['warmed']).toMatchObject([
      { name: 'dashboard', ok: true },
      { name: 'broken', ok: false },
      { name: 'product', ok: true },
    ])
    expect(ran).toEqual(['product', 'dashboard', 'product'])
    expect(all.text).not.toContain('hunter2')
    const { id } = (all.body['warmed'] as { id: string }[])[1] ?? {}
    expect(own.lines).toContainEqual(expect.stringMatching(new RegExp(`${id}.*hunter2`)))
    expect((await asAdmin(own.console, 'POST /api/cache/warm', { type: 'toString' })).status).toBe(400)
  })

  test('that run already are waited for, not started again', async () => {
    let started = 0
    let finish: () => void = () => undefined
    const done = new Promise<void>(resolve => {
      finish = resolve
    })
    const warm = {
      async dashboard() {
        started++
        await done
      },
    }
    await using own = await rig({}, { warm })
    const both = Promise.all([
      asAdmin(own.console, 'POST /api/cache/warm'),
      asAdmin(own.console, 'POST /api/cache/warm', { type: 'dashboard' }),
    ])
    await until('it runs', () => started > 0)
    finish()
    for (const { body } of await both) expect(body).toMatchObject({ warmed: [{ name: 'dashboard', ok: true }] })
    expect(started).toBe(1)
  })
})
