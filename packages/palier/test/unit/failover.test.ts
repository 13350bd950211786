import { describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

const TAGGED = { tags: ['t'] }

/** Every way to say that `user:k`, tagged `t`, no longer counts. */
const MUTATIONS: Readonly<Record<string, (cache: Cache) => Promise<{ readonly shared: string }>>> = {
  set: cache => cache.type('user').set('k', 'new'),
  delete: cache => cache.type('user').delete('k'),
  deleteMany: cache => cache.type('user').deleteMany(['other', 'k']),
  deleteByTag: cache => cache.deleteByTag('t'),
  deleteByType: cache => cache.deleteByType('user'),
  deleteByPattern: cache => cache.deleteByPattern('us*:k'),
  clear: cache => cache.clear(),
}

/** What each way of reading finds of `user:k`. */
async function seen(cache: Cache): Promise<unknown[]> {
  const user = cache.type('user')
  const peeked = await user.peek('k')
  const got = await user.get('k')
  const [many] = await user.getMany(['k'])
  const fetched = await user.fetch('k', context => (context.skip(), 'from the source'), TAGGED)
  return [peeked?.value, got, many, fetched.value]
}

const old = (cache: Cache): Promise<unknown> => cache.type('user').set('k', 'old', TAGGED)
const isOld = (values: readonly unknown[]): boolean => values.includes('old')

describe('an outage of a store that was given', () => {
  interface Given {
    readonly cache: Cache
    readonly peer: Cache
    readonly store: FaultyStore
    readonly clock: ManualClock
    readonly moves: string[]
    down(): Promise<void>
    up(): Promise<void>
  }

  async function given(options: CacheOptions = {}): Promise<Given> {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const store = faulty({ ...backing, name: 'redis' })
    const cache = createCache({ logger: false, clock, ...options, store })
    const peer = createCache({ logger: false, clock, ...options, store: backing.connect() })
    await Promise.all([cache.ready(), peer.ready()])
    const moves: string[] = []
    cache.on('failover', ({ from, to }) => moves.push(`${from} > ${to}`))
    return {
      cache,
      peer,
      store,
      clock,
      moves,
      async down() {
        store.fail('*')
        await cache.get('nothing')
        await clock.advance(0)
      },
      async up() {
        store.heal()
        await clock.advance(1500)
      },
    }
  }

  test('is an event with its reason, and so is its end', async () => {
    const at = await given()
    const events: unknown[] = []
    at.cache.on('failover', event => events.push(event))
    await at.down()
    await at.up()
    expect(events).toEqual([
      { from: 'redis', to: 'memory', reason: expect.stringContaining('as the test asked'), namespace: 'default' },
      { from: 'memory', to: 'redis', reason: 'the store answers', namespace: 'default' },
    ])
    await at.cache.close()
  })

  test('each state of the link is an event', async () => {
    const at = await given()
    const states: string[] = []
    at.cache.on('link', ({ store, state }) => states.push(`${store} ${state}`))
    await at.down()
    await at.up()
    expect(states).toEqual(['redis suspect', 'redis open', 'redis draining', 'redis up'])
    await at.cache.close()
  })

  test('what is loaded meanwhile is kept in memory, for ten seconds at most', async () => {
    const at = await given()
    await at.down()
    expect(await at.cache.getOrSet('k', () => 1)).toBe(1)
    expect(await at.cache.getOrSet('k', () => 2)).toBe(1)
    expect(await at.cache.peek('k')).toMatchObject({ value: 1, ttl: 10_000 })
    await at.clock.advance(9999)
    expect(await at.cache.get('k')).toBe(1)
    await at.clock.advance(1)
    expect(await at.cache.get('k')).toBeUndefined()
    await at.cache.close()
  })

  test('its ttl bounds fresh and stale together, and never lengthens what a type says', async () => {
    const at = await given({ outage: { ttl: '6s' } })
    await at.down()
    await at.cache.getOrSet('short', () => 1, { ttl: '2s' })
    await at.cache.getOrSet('graced', () => 1, { ttl: '4s', grace: '1h' })
    await at.clock.advance(3999)
    expect(await at.cache.get('short')).toBeUndefined()
    expect(await at.cache.peek('graced')).toMatchObject({ state: 'fresh' })
    await at.clock.advance(1)
    expect(await at.cache.peek('graced')).toMatchObject({ state: 'stale' })
    await at.clock.advance(2000)
    expect(await at.cache.peek('graced')).toBeUndefined()
    await at.cache.close()
  })

  test('with a ttl of 0 nothing is kept, and every read goes to the source', async () => {
    const at = await given({ outage: { ttl: 0 } })
    await at.down()
    for (let i = 0; i < 3; i++) expect(await at.cache.getOrSet('k', () => i, { grace: '1h' })).toBe(i)
    await at.cache.set('k', 'v')
    expect(await at.cache.peek('k')).toBeUndefined()
    await at.up()
    expect(await at.cache.getOrSet('k', () => 'stored')).toBe('stored')
    expect(await at.peer.get('k')).toBe('stored')
    await at.cache.close()
  })

  test('nothing loaded before it is served during it, nor anything loaded during it after it', async () => {
    const at = await given()
    await at.cache.set('before', 1, { grace: '1h' })
    expect(await at.cache.get('before')).toBe(1)
    await at.down()
    expect(await at.cache.get('before')).toBeUndefined()
    expect(await at.cache.peek('before')).toBeUndefined()
    await at.cache.getOrSet('during', () => 2)
    await at.cache.set('set', 3)
    expect(await at.cache.getMany(['during', 'set'])).toEqual([2, 3])
    await at.up()
    expect(await at.cache.getMany(['before', 'during', 'set'])).toEqual([1, undefined, undefined])
    expect(await at.peer.get('during')).toBeUndefined()
    await at.cache.close()
  })

  test('a value of one outage is not seen in the next, however soon that is', async () => {
    const at = await given()
    await at.down()
    await at.cache.getOrSet('k', () => 'first')
    await at.up()
    await at.down()
    expect(await at.cache.get('k')).toBeUndefined()
    expect(at.moves).toEqual(['redis > memory', 'memory > redis', 'redis > memory'])
    await at.cache.close()
  })

  test.each(Object.entries(MUTATIONS))(
    '%s meanwhile is pending, obeyed here at once and delivered after',
    async (name, mutate) => {
      const at = await given()
      await old(at.cache)
      expect(await at.peer.type('user').get('k')).toBe('old')
      await at.down()
      await at.cache.type('user').getOrSet('k', () => 'old', TAGGED)
      expect(await at.cache.type('user').get('k')).toBe('old')
      expect(await mutate(at.cache)).toEqual({ local: true, shared: 'pending' })
      expect(isOld(await seen(at.cache))).toBe(false)
      if (name === 'set') expect(await at.cache.type('user').get('k')).toBe('new')
      expect(at.cache.status().outbox.pending).toBeGreaterThan(0)
      await at.up()
      expect(at.cache.status().outbox).toEqual({ pending: 0 })
      expect(isOld(await seen(at.cache))).toBe(false)
      expect(isOld(await seen(at.peer))).toBe(false)
      await at.cache.close()
    },
  )

  test('setMany and deleteMany give the least that can be said of all', async () => {
    const at = await given()
    expect(
      await at.cache.setMany([
        ['a', 1],
        ['b', 2],
      ]),
    ).toEqual({ local: true, shared: 'acked' })
    expect(await at.cache.setMany([])).toEqual({ local: true, shared: 'none' })
    expect(await at.cache.deleteMany([])).toEqual({ local: true, shared: 'none' })
    at.store.fail('set', 1)
    expect(
      await at.cache.setMany([
        ['a', 1],
        ['b', 2],
      ]),
    ).toEqual({ local: true, shared: 'refused' })
    await at.down()
    expect(
      await at.cache.setMany([
        ['a', 1],
        ['b', 2],
      ]),
    ).toEqual({ local: true, shared: 'pending' })
    expect(await at.cache.deleteMany(['a', 'b'])).toEqual({ local: true, shared: 'pending' })
    await at.up()
    expect(await at.cache.deleteMany(['a', 'b'])).toEqual({ local: true, shared: 'acked' })
    await at.cache.close()
  })

  test('a load that began before it and lands during it is given to its caller and kept nowhere', async () => {
    const at = await given()
    const source = gate<string>()
    const load = at.cache.getOrSet('k', () => source.promise)
    await at.clock.advance(0)
    await at.down()
    source.open('old')
    expect(await load).toBe('old')
    expect(await at.cache.get('k')).toBeUndefined()
    await at.up()
    expect(await at.cache.get('k')).toBeUndefined()
    await at.cache.close()
  })

  test.each(Object.entries(MUTATIONS))(
    'a load that began during it and lands after it loses against a %s in between',
    async (_name, mutate) => {
      const at = await given()
      await at.down()
      const source = gate<string>()
      const load = at.cache.type('user').getOrSet('k', () => source.promise, TAGGED)
      await at.clock.advance(0)
      await mutate(at.cache)
      await at.up()
      source.open('old')
      expect(await load).toBe('old')
      expect(isOld(await seen(at.cache))).toBe(false)
      expect(isOld(await seen(at.peer))).toBe(false)
      await at.cache.close()
    },
  )

  test.each(Object.entries(MUTATIONS))(
    'a load from before it that lands after it loses against a %s during it',
    async (_name, mutate) => {
      const at = await given()
      const source = gate<string>()
      const load = at.cache.type('user').getOrSet('k', () => source.promise, TAGGED)
      await at.clock.advance(0)
      await at.down()
      await mutate(at.cache)
      await at.up()
      source.open('old')
      expect(await load).toBe('old')
      expect(isOld(await seen(at.cache))).toBe(false)
      expect(isOld(await seen(at.peer))).toBe(false)
      await at.cache.close()
    },
  )

  test('more deletions than are kept one by one kill more than was asked, and never less', async () => {
    const at = await given({ outage: { maxPending: 3 } })
    const user = at.cache.type('user')
    for (let i = 0; i < 20; i++) await user.set(`${i}`, 'old')
    await at.cache.type('product').set('p', 'other type')
    await at.down()
    for (let i = 0; i < 19; i++) await user.delete(`${i}`)
    expect(at.cache.status().outbox.pending).toBeLessThanOrEqual(3)
    await at.up()
    for (const cache of [at.cache, at.peer]) {
      expect((await cache.type('user').getMany(Array.from({ length: 19 }, (_, i) => `${i}`))).filter(Boolean)).toEqual(
        [],
      )
      expect(await cache.type('product').get('p')).toBe('other type')
    }
    await at.cache.close()
  })

  test('deletions that arrive while others are delivered are delivered too', async () => {
    const at = await given()
    const keys = Array.from({ length: 1200 }, (_, i) => `${i}`)
    for (const key of keys) await at.cache.set(key, 'old')
    await at.down()
    await at.cache.deleteMany(keys.slice(0, 1100))
    at.store.heal()
    at.store.delay('delete', 60, at.clock)
    const late: Promise<unknown>[] = []
    for (let i = 1100; i < 1200; i++) {
      await at.clock.advance(5)
      late.push(at.cache.delete(`${i}`))
    }
    await at.clock.advance(2000)
    await Promise.all(late)
    expect(at.cache.status()).toMatchObject({ outbox: { pending: 0 }, backend: 'custom' })
    expect((await at.peer.getMany(keys)).filter(Boolean)).toEqual([])
    expect((await at.cache.getMany(keys)).filter(Boolean)).toEqual([])
    await at.cache.close()
  })

  describe.each(Object.entries(MUTATIONS))('%s while the store is told what it missed', (_name, mutate) => {
    test.each([0, 1, 20, 40, 60, 100, 140])('%i ms after the first trial: obeyed here and elsewhere', async moment => {
      const at = await given()
      await old(at.cache)
      await at.down()
      await at.cache.delete('something')
      await at.cache.deleteByTag('some')
      at.store.heal()
      for (const method of ['delete', 'set', 'claim', 'commit'] as const) at.store.delay(method, 40, at.clock)
      while (at.cache.status().tiers[1]?.state !== 'draining') await at.clock.advance(1)
      await at.clock.advance(moment)
      const mutated = mutate(at.cache)
      await at.clock.advance(1)
      at.store.delay('attach', 0, at.clock)
      await at.clock.advance(3000)
      await mutated
      at.store.heal()
      await at.clock.advance(1000)
      expect(at.cache.status()).toMatchObject({ backend: 'custom', outbox: { pending: 0 } })
      expect(isOld(await seen(at.cache))).toBe(false)
      expect(isOld(await seen(at.peer))).toBe(false)
      await at.cache.close()
    })
  })

  test('a deletion whose answer comes while the tiers are switched is obeyed', async () => {
    const at = await given()
    await old(at.cache)
    at.store.delay('delete', 100, at.clock)
    const deleted = at.cache.type('user').delete('k')
    at.store.fail('get')
    at.store.fail('set')
    await at.clock.advance(50)
    await at.cache.get('a')
    await at.cache.get('b')
    await at.cache.get('c')
    expect(at.cache.status().tiers[1]?.state).toBe('open')
    await at.clock.advance(100)
    await deleted
    expect(isOld(await seen(at.cache))).toBe(false)
    await at.up()
    expect(isOld(await seen(at.cache))).toBe(false)
    expect(isOld(await seen(at.peer))).toBe(false)
    await at.cache.close()
  })

  test('a store that is lost and found again and again: reads answer, and nothing deleted is ever seen', async () => {
    const at = await given()
    for (let round = 0; round < 20; round++) {
      await at.cache.set('k', `old ${round}`)
      at.store.fail('*')
      if (round % 2 === 0) await at.cache.get('nothing')
      await at.cache.delete('k')
      expect(await at.cache.get('k')).toBeUndefined()
      at.store.heal()
      await at.clock.advance(round * 40)
      expect([undefined]).toContain(await at.cache.get('k'))
    }
    await at.clock.advance(2000)
    expect(await at.peer.get('k')).toBeUndefined()
    await at.cache.close()
  })
})

describe('a message that cannot be sent when a deletion is at last delivered', () => {
  test.each(Object.entries(MUTATIONS))(
    '%s: other processes come right without waiting for a ttl',
    async (_name, mutate) => {
      const clock = manualClock()
      const backing = memoryStore({ clock })
      const store = faulty(backing)
      const a = createCache({ logger: false, clock, store })
      const b = createCache({ logger: false, clock, store: backing.connect() })
      await Promise.all([a.ready(), b.ready()])
      await old(a)
      expect(await b.type('user').get('k')).toBe('old')
      store.fail('*')
      await mutate(a)
      store.heal()
      store.fail('publish')
      await clock.advance(3000)
      store.heal()
      await clock.advance(5000)
      expect(isOld(await seen(b))).toBe(false)
      await Promise.all([a.close(), b.close()])
    },
  )
})
