import { createMonitor } from 'palier'
import { type ManualClock, manualClock } from 'palier/testing'
import { describe, expect, test } from 'vitest'
import { SHARED } from './support/backends.ts'
import { createConsole } from '../src/index.ts'
import { ask, asAdmin, asPerson, BEARER, person, rig, TOKEN } from './support/rig.ts'

/** A console with the monitor of its cache. */
async function monitored(time: { readonly clock?: ManualClock } = {}) {
  const made = await rig(time)
  const monitor = createMonitor(made.cache, { ...time, logger: false, advice: false })
  const console = createConsole(made.cache, { ...time, token: TOKEN, authorize: person, monitor, logger: false })
  return {
    cache: made.cache,
    console,
    monitor,
    async [Symbol.asyncDispose]() {
      await monitor.close()
      await made[Symbol.asyncDispose]()
    },
  }
}

describe('figures', () => {
  test('stats have the fields people ask for', async () => {
    await using own = await rig()
    const { cache } = own
    await cache.type('dashboard').getOrSet('kpis', () => 1)
    for (let i = 0; i < 3; i++) await cache.type('dashboard').get('kpis')
    const { status, body } = await asAdmin(own.console, 'GET /api/cache/stats')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'HEALTHY',
      backend: 'memory',
      is_available: true,
      hits: 3,
      misses: 1,
      errors: 0,
      total_requests: 4,
      hit_rate: 75,
      types: { dashboard: { hits: 3, misses: 1 } },
      near: { entries: 1 },
    })
    expect(body['tiers']).toEqual([expect.objectContaining({ name: 'near', hits: 3 })])
  })

  test('a cache that is switched off is not available', async () => {
    await using own = await rig({ enabled: false })
    expect((await asAdmin(own.console, 'GET /api/cache/stats')).body).toMatchObject({ is_available: false, hits: 0 })
  })

  test('health says in what state, why and since when', async () => {
    await using own = await rig()
    const { body } = await asAdmin(own.console, 'GET /api/cache/health')
    expect(body).toMatchObject({ state: 'HEALTHY', backend: 'memory', outbox: { pending: 0 }, processes: 1 })
    expect(body['reason']).toBeTypeOf('string')
    expect(body['tiers']).toEqual([expect.objectContaining({ name: 'memory', role: 'near' })])
  })

  test('a snapshot is made at most every two seconds, and says what happened since the one before', async () => {
    const clock = manualClock()
    await using own = await monitored({ clock })
    let fleets = 0
    const counted = { ...own.monitor, fleet: () => (fleets++, own.monitor.fleet()) }
    const console = createConsole(own.cache, { token: TOKEN, clock, monitor: counted, logger: false })
    const take = async (since?: string) => {
      const query = since === undefined ? '' : `?since=${since}`
      return (await asAdmin(console, `GET /api/cache/snapshot${query}`)).body as Record<string, unknown> & {
        next: string
      }
    }
    const [first, second] = await Promise.all([take(), take()])
    expect(first).toEqual(second)
    expect(first).toMatchObject({
      at: clock.wall(),
      stats: { hits: 0 },
      health: { state: 'HEALTHY' },
      judged: { state: 'WARMING' },
      fleet: { health: { processes: 1 } },
      events: [{ kind: 'start' }],
    })
    expect(await take(first.next)).toEqual({ next: first.next, unchanged: true })
    await own.cache.deleteByTag('org:1')
    const news = await take(first.next)
    expect(news).toMatchObject({ at: first['at'], events: [{ kind: 'clear' }] })
    await clock.advance(1999)
    expect(await take()).toMatchObject({ at: first['at'] })
    expect(fleets).toBe(1)
    await clock.advance(1)
    const next = await take(news.next)
    expect(next).toMatchObject({ at: Number(first['at']) + 2000, events: [] })
    expect(fleets).toBe(2)
    // The number of an event of another process means nothing here.
    expect((await take(next.next.replace(own.cache.id, '0123456789abcdef')))['events']).toHaveLength(2)
    clock.jumpWall(-60_000)
    await clock.advance(2000)
    expect(Number((await take(next.next))['at'])).toBeGreaterThan(Number(next['at']))
    expect((await asAdmin(console, 'GET /api/cache/snapshot?since=1')).status).toBe(400)
  })

  test('without a monitor a snapshot is of this process alone', async () => {
    await using own = await rig()
    const { body } = await asAdmin(own.console, 'GET /api/cache/snapshot')
    expect(body).toMatchObject({ stats: { hits: 0 }, health: { state: 'HEALTHY' } })
    expect(body['events']).toBeUndefined()
    const again = await asAdmin(own.console, `GET /api/cache/snapshot?since=${String(body['next'])}`)
    expect(again.body).toEqual({ next: body['next'], unchanged: true })
  })

  test('metrics, history and figures of all processes come from the monitor', async () => {
    await using own = await monitored()
    const { cache, console } = own
    await cache.type('product').getOrSet('17', () => 1)
    await cache.type('product').get('17')
    const metrics = await asPerson(console, 'viewer:ann', 'GET /metrics')
    expect(metrics.status).toBe(200)
    expect(metrics.text).toMatch(/^palier_cache_requests_total\{[^}]*type="product"[^}]*result="hit"[^}]*\} 1$/m)
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect((await asAdmin(console, 'GET /api/cache/stats')).body).toMatchObject({ hits: 1, fleet: { health: {} } })
    expect((await asAdmin(console, 'GET /api/cache/health')).body).toMatchObject({
      state: 'HEALTHY',
      judged: { state: 'WARMING' },
      alerts: { active: [] },
    })
    expect((await asAdmin(console, 'GET /api/cache/history')).body).toMatchObject({ range: 'minutes' })
    const days = await asAdmin(console, 'GET /api/cache/history?range=days&type=product')
    expect(days.body).toMatchObject({ range: 'days', step: 86_400_000 })
    expect((await asAdmin(console, 'GET /api/cache/history?range=years')).status).toBe(400)
  })

  test('without a monitor metrics and history say what is missing', async () => {
    await using own = await rig()
    for (const line of ['GET /metrics', 'GET /api/cache/history']) {
      expect(await asAdmin(own.console, line)).toMatchObject({ status: 501, body: { code: 'not-set-up' } })
    }
  })
})

describe('entries', () => {
  test('keys are listed in pages, without values and without whose they are', async () => {
    await using own = await rig({ types: { mine: { scope: 'user' } } })
    const { cache, console } = own
    for (let i = 0; i < 5; i++) await cache.type('product').set(`p${i}`, `secret ${i}`)
    await cache.type('mine').set('inbox', 'secret', { subject: 'user:1' })
    const first = await asPerson(console, 'viewer:ann', 'GET /api/cache/keys?type=product&limit=3')
    expect(first).toMatchObject({ status: 200, body: { complete: true } })
    const keys = (body: unknown) => (body as { keys: { key: string }[] }).keys.map(({ key }) => key)
    expect(keys(first.body)).toEqual(['p0', 'p1', 'p2'])
    const after = encodeURIComponent(String(first.body['after']))
    const second = await asAdmin(console, `GET /api/cache/keys?type=product&limit=3&after=${after}`)
    expect(keys(second.body)).toEqual(['p3', 'p4'])
    expect(second.body['after']).toBeUndefined()
    const some = await asAdmin(console, 'GET /api/cache/keys?pattern=mine:*')
    expect(keys(some.body)).toEqual(['inbox'])
    for (const { text } of [first, second, some]) expect(text).not.toMatch(/secret|user:1/)
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'type=typo']) {
      expect((await asAdmin(console, `GET /api/cache/keys?${query}`)).status).toBe(400)
    }
  })

  test.each(['memory', 'files', 'redis'])('explain tells all that is known of a key, on %s', async backend => {
    await using place = await SHARED[backend]?.()
    await using own = await rig({ ...place?.options })
    const { cache, console } = own
    const key = 'a/b?c=d&e=%20 é😀#:..'
    await cache.type('dashboard').getOrSet(key, () => 'secret', { tags: ['org:1'] })
    const line = `GET /api/cache/explain/${encodeURIComponent(key)}?type=dashboard`
    const fresh = await asPerson(console, 'viewer:ann', line)
    expect(fresh).toMatchObject({ status: 200, body: { type: 'dashboard', key, next: 'hit' } })
    expect(fresh.text).not.toContain('secret')
    const tiers = fresh.body['tiers'] as Record<string, unknown>[]
    expect(tiers).toHaveLength(backend === 'memory' ? 1 : 2)
    for (const tier of tiers) {
      expect(tier).toMatchObject({ state: 'fresh', tags: ['org:1'] })
      expect(tier['ttl']).toBeTypeOf('number')
      expect(tier['age']).toBeTypeOf('number')
      expect(tier['stamps']).toContainEqual({ group: 'tag', name: 'org:1', isCurrent: true })
    }
    // The near copy is this process's own.
    if (backend !== 'memory') expect(tiers[1]).toMatchObject({ writer: cache.id })
    await cache.deleteByTag('org:1')
    const dead = await asAdmin(console, line)
    expect(dead.body).toMatchObject({ next: 'miss' })
    const known = (dead.body['tiers'] as Record<string, unknown>[]).filter(({ state }) => state === 'dead')
    for (const tier of known) expect(tier['reason']).toContain('org:1')
    expect(known.length + Number(backend === 'memory')).toBeGreaterThan(0)
    expect((await asAdmin(console, 'GET /api/cache/explain/none?type=dashboard')).body).toMatchObject({ next: 'miss' })
  })
})

describe('every answer', () => {
  test('is not kept by anybody, says no more than it must, and every error has a code and an id', async () => {
    await using own = await rig({}, { limit: { changes: 1000, failures: 1000 } })
    const lines = [
      'GET /api/cache/stats',
      'GET /nothing',
      'PUT /api/cache/stats',
      'POST /api/cache/undo',
      'GET /metrics',
    ]
    for (const headers of [{}, BEARER]) {
      for (const line of lines) {
        const answer = await ask(own.console, line, { headers })
        expect(answer.headers.get('cache-control')).toBe('no-store')
        expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
        expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
        expect(answer.headers.get('access-control-allow-origin')).toBeNull()
        if (answer.status < 400) continue
        expect(answer.headers.get('content-type')).toBe('application/problem+json')
        expect(answer.body).toMatchObject({ type: 'about:blank', status: answer.status })
        expect(answer.body['code']).toBeTypeOf('string')
        expect(answer.body['id']).toMatch(/^[0-9a-f]{16}$/)
        expect(answer.text).not.toMatch(/\bat .*\.ts/)
      }
    }
  })

  test('knows its paths and methods', async () => {
    await using own = await rig()
    const cases: readonly (readonly [string, number, string | null])[] = [
      ['GET /', 501, null],
      ['GET /api/cache', 404, null],
      ['GET /api/cache/stats/', 404, null],
      ['GET /api/cache/explain/', 404, null],
      ['GET /api/cache/explain/%ZZ', 404, null],
      ['GET /API/cache/stats', 404, null],
      ['POST /api/cache/stats', 405, 'GET, HEAD, OPTIONS'],
      ['DELETE /api/cache/config', 405, 'GET, HEAD, PUT, OPTIONS'],
      ['GET /api/cache/clear-all', 405, 'POST, OPTIONS'],
      ['POST /api/cache/keys/a', 405, 'DELETE, OPTIONS'],
      ['OPTIONS /api/cache/config', 204, 'GET, HEAD, PUT, OPTIONS'],
      ['HEAD /api/cache/stats', 200, null],
    ]
    for (const [line, status, allow] of cases) {
      const answer = await ask(own.console, line, { headers: BEARER })
      expect([line, answer.status, answer.headers.get('allow')]).toEqual([line, status, allow])
      if (line.startsWith('HEAD')) expect(answer.text).toBe('')
    }
  })

  test('after close is 503, and the cache goes on', async () => {
    await using own = await rig()
    await own.console.close()
    expect(await asAdmin(own.console, 'GET /api/cache/stats')).toMatchObject({
      status: 503,
      body: { code: 'PALIER_CLOSED' },
    })
    expect(await own.cache.set('a', 1)).toMatchObject({ local: true })
  })
})

describe('bodies', () => {
  const line = 'POST /api/cache/invalidate-tag'
  const send = async (body: string, type: string | undefined) => {
    await using own = await rig()
    const headers = { ...BEARER, 'content-type': type ?? '' }
    return await ask(own.console, line, { body, headers })
  }

  test('must be JSON objects, said to be so, and at most 64 KB', async () => {
    const json = 'application/json'
    const fits = JSON.stringify({ tag: 'x'.repeat(100) }).padEnd(65_536)
    const cases: readonly (readonly [string, string | undefined, number, string | undefined])[] = [
      [fits, json, 200, undefined],
      ['{"tag":"a"}', 'Application/JSON; charset=utf-8', 200, undefined],
      [`${fits} `, json, 413, 'too-large'],
      ['x'.repeat(1_000_000), json, 413, 'too-large'],
      ['{"tag":"a"}', 'text/plain', 415, 'not-json'],
      ['tag=a', 'application/x-www-form-urlencoded', 415, 'not-json'],
      ['{"tag":"a"}', 'application/jsonp', 415, 'not-json'],
      ['{"tag":', json, 400, 'not-json'],
      ['[]', json, 400, 'not-json'],
      ['null', json, 400, 'not-json'],
      ['"tag"', json, 400, 'not-json'],
      ['', json, 400, 'PALIER_BAD_OPTION'],
      ['{"__proto__":{"tag":"a"}}', json, 400, 'PALIER_BAD_OPTION'],
    ]
    for (const [body, type, status, code] of cases) {
      const answer = await send(body, type)
      expect([body.slice(0, 20), type, answer.status, answer.body['code']]).toEqual([
        body.slice(0, 20),
        type,
        status,
        code,
      ])
    }
  })

  test('without a length are read no further than they may be', async () => {
    await using own = await rig()
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 16_384
        controller.enqueue(new Uint8Array(16_384).fill(32))
      },
    })
    const request = new Request(`http://app.test/api/cache/invalidate-tag`, {
      method: 'POST',
      headers: { ...BEARER, 'content-type': 'application/json' },
      body: endless,
      duplex: 'half',
    })
    expect((await own.console.handle(request)).status).toBe(413)
    expect(sent).toBeLessThan(200_000)
  })
})
