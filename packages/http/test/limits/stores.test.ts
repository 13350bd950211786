import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manualClock } from 'palier/testing'
import { createCache } from 'palier'
import { expressRateLimitStore, fastifyRateLimitStore, type FastifyHits } from '../../src/index.ts'
import { BACKENDS } from '../support/backing.ts'
import { type LimitRoom, limitRoom } from '../support/limit-room.ts'
import { WAYS } from '../support/limit-site.ts'

let room: LimitRoom
let names = 0
const fresh = (): string => `limit ${++names}`
const MINUTE = 60_000

beforeAll(async () => {
  room = await limitRoom()
})
afterAll(() => room.close())

describe.each(BACKENDS)('requests limited on %s', backend => {
  test.each(WAYS)(
    'by %s are admitted up to the limit, for each client, and by all sites of one name together',
    async way => {
      const name = fresh()
      const caches = backend === 'memory' ? 1 : 2
      const sites = await Promise.all(
        Array.from({ length: caches }, async () => {
          const cache = await room.open(backend)
          return room.site(way, { cache, name, limit: 4, window: MINUTE, onOutage: 'closed' })
        }),
      )
      const visits = Array.from({ length: 3 }, () =>
        sites.flatMap(site => Array.from({ length: 12 / 3 / caches }, () => site.visit('one'))),
      )
      const statuses = (await Promise.all(visits.flat())).map(({ status }) => status)
      expect(statuses.filter(status => status === 200)).toHaveLength(4)
      expect(statuses.filter(status => status === 429)).toHaveLength(8)
      expect((await sites[0]?.visit('two'))?.status).toBe(200)
    },
  )

  test('give express-rate-limit what it asks of a store', async () => {
    const cache = await room.open(backend)
    const store = expressRateLimitStore(cache, { name: fresh(), onOutage: 'closed' })
    expect([store.localKeys, store.prefix]).toEqual([false, `limit ${names}:`])
    store.init({ windowMs: MINUTE })
    expect(await store.get('k')).toBeUndefined()
    await store.decrement('k')
    expect(await store.get('k')).toBeUndefined()
    const [first, second] = [await store.increment('k'), await store.increment('k')]
    expect([first.totalHits, second.totalHits]).toEqual([1, 2])
    const left = second.resetTime.getTime() - Date.now()
    expect(left > 0 && left <= MINUTE).toBe(true)
    for (let i = 0; i < 3; i++) await store.decrement('k')
    expect((await store.get('k'))?.totalHits).toBe(0)
    expect((await store.increment('k')).totalHits).toBe(1)
    await store.resetKey('k')
    expect(await store.get('k')).toBeUndefined()
  })

  test('are all reset at once, here and for a store that comes later', async () => {
    const name = fresh()
    const cache = await room.open(backend)
    const store = expressRateLimitStore(cache, { name, onOutage: 'closed' })
    store.init({ windowMs: MINUTE })
    for (const key of ['a', 'b', 'b']) await store.increment(key)
    await store.resetAll()
    expect((await store.increment('b')).totalHits).toBe(1)
    const later = expressRateLimitStore(cache, { name, onOutage: 'closed' })
    later.init({ windowMs: MINUTE })
    expect((await later.increment('b')).totalHits).toBe(2)
  })

  test('give @fastify/rate-limit what it asks of a store, for each route apart', async () => {
    const Store = fastifyRateLimitStore(await room.open(backend), { name: fresh(), onOutage: 'closed' })
    const ask = (store: InstanceType<typeof Store>, what: 'incr' | 'read', window = MINUTE): Promise<FastifyHits> =>
      new Promise((resolve, reject) => {
        store[what](
          'k',
          (error, hits) => (hits === undefined ? reject(error ?? new Error('no hits')) : resolve(hits)),
          window,
          2,
        )
      })
    const [store, same] = [new Store({}), new Store({})]
    expect(await ask(store, 'read')).toEqual({ current: 0, ttl: 0 })
    expect((await ask(store, 'incr')).current).toBe(1)
    expect((await ask(same, 'incr')).current).toBe(2)
    expect((await ask(store, 'read')).current).toBe(2)
    const route = { routeInfo: { method: 'GET', url: '/a' } }
    expect((await ask(store.child(route), 'incr')).current).toBe(1)
    expect((await ask(same.child(route), 'incr')).current).toBe(2)
    expect((await ask(store.child({ routeInfo: { method: 'POST', url: '/a' } }), 'incr')).current).toBe(1)
    expect((await ask(store.child({ routeInfo: {} }), 'incr')).current).toBe(1)
    expect((await ask(store.child({ routeInfo: {} }), 'incr')).current).toBe(1)
  })
})

describe('who goes on above the limit of @fastify/rate-limit', () => {
  const setup = (settings: object) => {
    const clock = manualClock()
    const cache = createCache({ backend: 'memory', clock, logger: false })
    const store = new (fastifyRateLimitStore(cache, { name: 'api', onOutage: 'closed' }))(settings)
    const ttl = (what: 'incr' | 'read'): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        store[what]('k', (error, hits) => (error === null ? resolve(hits?.ttl) : reject(error)), 1_000, 2)
      })
    return { clock, cache, ttl }
  }

  test.each([
    [{ continueExceeding: true }, [1_000, 900, 1_000, 1_000, 1_000]],
    [{ exponentialBackoff: true }, [1_000, 900, 1_000, 2_000, 4_000]],
    [{}, [1_000, 900, 800, 700, 600]],
  ])('waits as %o says', async (settings, expected) => {
    const { clock, cache, ttl } = setup(settings)
    await cache.ready()
    for (const wait of expected) {
      expect(await ttl('incr')).toBe(wait)
      await clock.advance(100)
    }
    expect(await ttl('read')).toBe((expected.at(-1) ?? 0) - 100)
    await cache.close()
  })
})

describe('a sliding store of express-rate-limit', () => {
  test('admits no burst at the seam of two windows, and counts no denied hit', async () => {
    const clock = manualClock()
    const cache = createCache({ backend: 'memory', clock, logger: false })
    await cache.ready()
    const store = expressRateLimitStore(cache, { name: 'api', onOutage: 'closed', algorithm: 'sliding' })
    store.init({ windowMs: 1_000, limit: 4 })
    const hits = async (): Promise<number> => (await store.increment('k')).totalHits
    expect([await hits(), await hits(), await hits(), await hits(), await hits()]).toEqual([1, 2, 3, 4, 5])
    await clock.advance(1_000)
    expect(await hits()).toBe(5)
    await clock.advance(500)
    expect([await hits(), await hits(), await hits()]).toEqual([3, 4, 5])
    await cache.close()
  })

  test('refuses what it cannot serve, and goes on refusing', async () => {
    const cache = await room.open('memory')
    for (const settings of [
      { limit: () => 3 },
      { limit: 3, skipFailedRequests: true },
      {},
      { limit: 3, skipSuccessfulRequests: true },
    ]) {
      const store = expressRateLimitStore(cache, { name: fresh(), onOutage: 'open', algorithm: 'sliding' })
      const refusal = expect.objectContaining({ code: 'PALIER_BAD_OPTION' })
      expect(() => store.init({ windowMs: 1_000, ...settings })).toThrow(refusal)
      await expect(store.increment('k')).rejects.toEqual(refusal)
    }
  })
})

describe('a store', () => {
  test.each([
    ['name', { onOutage: 'open' }],
    ['onOutage', { name: 'api' }],
    ['onOutage', { name: 'api', onOutage: 'shut' }],
    ['processes', { name: 'api', onOutage: 'local', processes: 0 }],
    ['options.limit', { name: 'api', onOutage: 'open', limit: 3 }],
    ['options', undefined],
  ])('is refused by the name of %s', async (field, options) => {
    const cache = await room.open('memory')
    for (const make of [expressRateLimitStore, fastifyRateLimitStore]) {
      expect(() => make(cache, options as never)).toThrow(`${field}: expected`)
    }
    expect(() => expressRateLimitStore(undefined as never, { name: 'api', onOutage: 'open' })).toThrow(
      'cache: expected',
    )
  })
})

test('a store of a closed cache counts nothing, whatever its policy', async () => {
  const cache = createCache({ backend: 'memory', logger: false })
  await cache.ready()
  const store = expressRateLimitStore(cache, { name: 'api', onOutage: 'open' })
  store.init({ windowMs: MINUTE })
  await store.increment('k')
  await cache.close()
  await expect(store.increment('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  await expect(store.decrement('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
})

describe('keys that a client makes up', () => {
  test('are gone from Redis when their window ends, and each of them has its end', async () => {
    const store = expressRateLimitStore(await room.open('redis'), { name: fresh(), onOutage: 'closed' })
    store.init({ windowMs: MINUTE })
    for (let i = 0; i < 50; i++) await store.increment(`flood ${names} ${'x'.repeat(i * 100)}${i}`)
    const found = await room.redis.ask(
      "EVAL \"local n, e = 0, 0 for _, k in ipairs(redis.call('KEYS', '*')) do n = n + 1 if redis.call('PTTL', k) > 0 then e = e + 1 end end return n - e\" 0",
    )
    expect(found).toBe(':0')
  })
})
