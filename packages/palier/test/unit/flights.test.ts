import { describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { createFlights, Flight, type Landing } from '../../src/flight.ts'
import type { SharedStore } from '../../src/store.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { gate, memoryCache, pair } from '../support/caches.ts'

interface Slow {
  readonly a: Cache
  readonly b: Cache
  readonly clock: ManualClock
  readonly store: FaultyStore
}

/** Two caches of which the first has a store that can be made slow. */
async function slowPair(options: CacheOptions = {}): Promise<Slow> {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  const store = faulty(backing)
  const a = createCache({ logger: false, clock, ...options, store })
  const b = createCache({ logger: false, clock, ...options, store: backing.connect() })
  await Promise.all([a.ready(), b.ready()])
  return { a, b, clock, store }
}

/** Full keys with a live lease on `key`, found out by asking for it. */
async function leased(store: SharedStore, key: string): Promise<boolean> {
  const { granted } = await store.claim(key, { token: 'probe', ttl: 1 })
  if (granted) await store.release(key, 'probe')
  return !granted
}

describe('leases', () => {
  test('a factory of 20 s keeps its lease, and another cache does not load meanwhile', async () => {
    const { a, b, clock } = pair()
    const slow = gate<string>()
    let loads = 0
    const first = a.getOrSet('k', () => (loads++, slow.promise))
    await clock.advance(1)
    const second = b.getOrSet('k', () => (loads++, 'second'))
    await clock.advance(9000)
    expect(loads).toBe(1)
    slow.open('first')
    await clock.advance(100)
    expect(await Promise.all([first, second])).toEqual(['first', 'first'])
    expect(loads).toBe(1)
  })

  test('is renewed for as long as the factory runs', async () => {
    const { a, clock, store } = pair()
    const slow = gate<string>()
    const answer = a.getOrSet('k', () => slow.promise)
    for (let second = 1; second <= 20; second++) {
      await clock.advance(1000)
      expect(await leased(store, 'default:e:::k')).toBe(true)
    }
    slow.open('v')
    expect(await answer).toBe('v')
    expect(await store.get('default:e:::k')).toBeDefined()
  })

  test('a waiter gives up after 10 s and loads for itself, storing nothing', async () => {
    const { a, b, clock, store } = pair()
    const slow = gate<string>()
    const first = a.getOrSet('k', () => slow.promise)
    await clock.advance(1)
    const asked = clock.now()
    const second = b.getOrSet('k', () => 'own').then(value => [value, clock.now() - asked] as const)
    await clock.advance(11_000)
    const [value, waited] = await second
    expect(value).toBe('own')
    expect(waited).toBeGreaterThanOrEqual(9900)
    expect(waited).toBeLessThanOrEqual(10_100)
    expect(await store.get('default:e:::k')).toBeUndefined()
    slow.open('first')
    expect(await first).toBe('first')
    expect(await b.get('k')).toBe('first')
  })

  test('of a dead owner is taken over when its time has run out', async () => {
    const { a, clock, store } = pair()
    expect((await store.claim('default:e:::k', { token: 'dead', ttl: 6000 })).granted).toBe(true)
    const asked = clock.now()
    const answer = a.getOrSet('k', () => 'v').then(value => [value, clock.now() - asked] as const)
    await clock.advance(7000)
    const [value, waited] = await answer
    expect(value).toBe('v')
    expect(waited).toBeLessThanOrEqual(6100)
    expect(await a.get('k')).toBe('v')
    expect(await store.get('default:e:::k')).toBeDefined()
  })

  test('a factory that hangs for good loses it after five minutes', async () => {
    const { a, b, clock, store } = pair()
    const never = new Promise<string>(() => undefined)
    const answer = a.getOrSet('k', () => never)
    const failure = answer.catch((error: unknown) => error)
    await clock.advance(299_000)
    expect(await failure).toMatchObject({ code: 'PALIER_FACTORY_TIMEOUT' })
    expect(await leased(store, 'default:e:::k')).toBe(true)
    await clock.advance(10_000)
    expect(await leased(store, 'default:e:::k')).toBe(false)
    expect(await b.getOrSet('k', () => 'v')).toBe('v')
  })

  test('is given back when the factory fails, skips, or gives undefined', async () => {
    const { a, store } = pair()
    await a.getOrSet('k', () => Promise.reject(new Error('down'))).catch(() => undefined)
    expect(await leased(store, 'default:e:::k')).toBe(false)
    await a.getOrSet('k', context => (context.skip(), 1))
    expect(await leased(store, 'default:e:::k')).toBe(false)
    await a.getOrSet('k', () => undefined)
    expect(await leased(store, 'default:e:::k')).toBe(false)
  })

  test('a stale value is served at once while another process loads', async () => {
    const { a, b, clock } = pair({ defaults: { ttl: 1000, grace: 60_000 } })
    await a.set('k', 'old')
    await clock.advance(1500)
    const slow = gate<string>()
    const first = a.getOrSet('k', () => slow.promise)
    await clock.advance(1)
    const { value, outcome } = await b.fetch('k', () => 'own')
    expect({ value, outcome }).toEqual({ value: 'old', outcome: 'stale' })
    slow.open('new')
    expect(await first).toBe('new')
  })
})

describe('a factory that asks the cache', () => {
  test.each(['memory', 'shared'])('for another key gets it: %s', async kind => {
    const cache = kind === 'memory' ? memoryCache().cache : pair().a
    const outer = cache.getOrSet('outer', async () => `outer of ${await cache.getOrSet('inner', () => 'inner')}`)
    expect(await outer).toBe('outer of inner')
    expect(await cache.getMany(['outer', 'inner'])).toEqual(['outer of inner', 'inner'])
  })

  test.each(['memory', 'shared'])('for its own key waits for itself, until the hard time-out: %s', async kind => {
    const one = memoryCache({ defaults: { hardTimeout: 2000 } })
    const two = pair({ defaults: { hardTimeout: 2000 } })
    const cache = kind === 'memory' ? one.cache : two.a
    const clock = kind === 'memory' ? one.clock : two.clock
    const outer = cache.getOrSet('k', async () => cache.getOrSet('k', () => 'inner'))
    const failure = outer.catch((error: unknown) => error)
    await clock.advance(5000)
    expect(await failure).toMatchObject({ code: 'PALIER_FACTORY_TIMEOUT' })
    expect(await cache.getOrSet('k', () => 'after')).toBe('after')
  })

  test('sets and deletes its own key: the set is what stays', async () => {
    const { a } = pair()
    const answer = await a.getOrSet('k', async () => {
      await a.set('k', 'set')
      return 'loaded'
    })
    expect(answer).toBe('loaded')
    expect(await a.get('k')).toBe('set')
    expect(await a.getOrSet('l', async () => (await a.delete('l'), 'loaded'))).toBe('loaded')
    expect(await a.get('l')).toBeUndefined()
  })
})

describe('getOrSetMany', () => {
  test('in two caches with crossed keys does not deadlock', async () => {
    const { a, b, clock } = pair()
    let loads = 0
    const load = (keys: readonly string[]): string[] => keys.map(key => (loads++, `v${key}`))
    const answers = Promise.all([a.getOrSetMany(['1', '2'], load), b.getOrSetMany(['2', '1'], load)])
    await clock.advance(1000)
    expect(await answers).toEqual([
      ['v1', 'v2'],
      ['v2', 'v1'],
    ])
    expect(loads).toBe(2)
  })

  test('fresh, with a key twice, answers all', async () => {
    const { cache, clock } = memoryCache()
    const answer = cache.getOrSetMany(['k', 'k', 'l'], keys => keys.map(() => 'v'), { fresh: true })
    const settled = Promise.allSettled([answer])
    await clock.advance(31_000)
    expect(await settled).toEqual([{ status: 'fulfilled', value: ['v', 'v', 'v'] }])
  })

  test('a factory that fails fails the call, and the next one is asked anew', async () => {
    const { cache } = memoryCache()
    await expect(cache.getOrSetMany(['1', '2'], () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    expect(await cache.getOrSetMany(['1', '2'], keys => [...keys])).toEqual(['1', '2'])
  })

  test('a key that another process loads is waited for, not asked for again', async () => {
    const { a, b, clock } = pair()
    const slow = gate<string>()
    const first = a.getOrSet('1', () => slow.promise)
    await clock.advance(1)
    const asked: (readonly string[])[] = []
    const many = b.getOrSetMany(['1', '2'], keys => {
      asked.push(keys)
      return keys.map(key => `b${key}`)
    })
    await clock.advance(100)
    slow.open('a1')
    await clock.advance(100)
    expect(await many).toEqual(['a1', 'b2'])
    expect(asked).toEqual([['2']])
    expect(await first).toBe('a1')
  })
})

describe('nothing deleted comes back', () => {
  const grace: CacheOptions = { defaults: { ttl: 1000, grace: 60_000, throttle: 10_000 } }

  test.each(['memory', 'shared'])('through a refresh that failed after the deletion: %s', async kind => {
    const one = memoryCache(grace)
    const two = pair(grace)
    const cache = kind === 'memory' ? one.cache : two.a
    const clock = kind === 'memory' ? one.clock : two.clock
    await cache.set('k', 'old')
    await clock.advance(1500)
    const slow = gate<string>()
    const answer = cache.getOrSet('k', () => slow.promise)
    const failure = answer.catch((error: unknown) => error)
    await clock.advance(1)
    await cache.delete('k')
    slow.fail(new Error('down'))
    expect(await failure).toEqual(new Error('down'))
    expect(await cache.peek('k')).toBeUndefined()
    expect(await cache.getOrSet('k', () => 'new')).toBe('new')
  })

  const mutations: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
    delete: cache => cache.delete('k'),
    deleteByTag: cache => cache.deleteByTag('t'),
    deleteByPattern: cache => cache.deleteByPattern('k'),
    clear: cache => cache.clear(),
  }

  describe.each(Object.entries(mutations))('%s', (_name, mutate) => {
    test.each(['claim', 'commit'] as const)('beside a touch whose %s is slow', async method => {
      const { a, b, clock, store } = await slowPair()
      await a.set('k', 'old', { tags: ['t'] })
      store.delay(method, 50, clock)
      const touching = a.touch('k')
      await clock.advance(10)
      const deleting = mutate(a)
      await clock.advance(500)
      await Promise.all([touching, deleting])
      expect(await a.get('k')).toBeUndefined()
      expect(await b.get('k')).toBeUndefined()
    })

    test('beside a touch in memory alone, whatever the order of their steps', async () => {
      for (let steps = 0; steps < 12; steps++) {
        const { cache } = memoryCache()
        await cache.set('k', 'old', { tags: ['t'] })
        const touching = cache.touch('k')
        for (let i = 0; i < steps; i++) await Promise.resolve()
        await mutate(cache)
        await touching
        expect(await cache.get('k')).toBeUndefined()
      }
    })

    test('beside a set whose write is slow: both caches say the same afterwards', async () => {
      const { a, b, clock, store } = await slowPair()
      await a.getOrSet('warm', () => 1, { tags: ['t'] })
      store.delay('set', 50, clock)
      const setting = a.set('k', 'v', { tags: ['t'] })
      await clock.advance(10)
      const deleting = mutate(a)
      await clock.advance(500)
      await Promise.all([setting, deleting])
      expect(await b.get('k')).toBe(await a.get('k'))
    })

    test('beside a read whose answer is slow', async () => {
      const { a, b, clock, store } = await slowPair()
      await b.set('k', 'old', { tags: ['t'] })
      store.delay('get', 50, clock)
      store.delay('getMany', 50, clock)
      const reading = Promise.all([a.get('k'), a.getMany(['k'])])
      await clock.advance(10)
      const deleting = mutate(a)
      await clock.advance(500)
      await Promise.all([reading, deleting])
      const [now] = await Promise.all([a.get('k'), clock.advance(500)])
      expect(now).toBeUndefined()
    })
  })

  test('a joiner after the deletion of a tag the skipped load named gets a new value', async () => {
    const { cache } = memoryCache()
    const slow = gate<string>()
    const started = gate<void>()
    const first = cache.getOrSet('k', async context => {
      started.open()
      context.tags(['late'])
      context.skip()
      return slow.promise
    })
    await started.promise
    await cache.deleteByTag('late')
    const second = cache.getOrSet('k', () => 'new')
    slow.open('old')
    expect(await first).toBe('old')
    expect(await second).toBe('new')
  })
})

describe('add', () => {
  test.each(['memory', 'shared'])('of 20 at once one succeeds: %s', async kind => {
    const two = pair()
    const cache = kind === 'memory' ? memoryCache().cache : two.a
    const [added] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, (_, i) => cache.add('k', i))),
      two.clock.advance(2000),
    ])
    expect(added.filter(Boolean)).toHaveLength(1)
    expect(await cache.get('k')).toBe(added.indexOf(true))
  })
})

describe('touch and expire', () => {
  test('touch gives the entry its own ttl again, not the one of its type', async () => {
    const { cache, clock } = memoryCache({ defaults: { ttl: 1000 } })
    await cache.set('k', 1, { ttl: 60_000 })
    await cache.touch('k')
    await clock.advance(2000)
    expect(await cache.get('k')).toBe(1)
  })

  test('expire leaves the entry its own grace', async () => {
    const { cache } = memoryCache()
    await cache.set('k', 1, { grace: 60_000 })
    await cache.expire('k')
    expect(await cache.peek('k')).toMatchObject({ value: 1, state: 'stale' })
  })
})

describe('early refresh', () => {
  const options: CacheOptions = { defaults: { ttl: 10_000, early: 100, throttle: 5000 } }

  async function nearItsEnd(): Promise<{ cache: Cache; clock: ManualClock; errors: string[]; tries: () => number }> {
    const { cache, clock } = memoryCache(options)
    const errors: string[] = []
    cache.on('error', event => errors.push(event.operation))
    const first = cache.getOrSet('k', async () => {
      await new Promise<void>(resolve => void clock.after(500, resolve))
      return 'v'
    })
    await clock.advance(500)
    await first
    await clock.advance(9900)
    let failures = 0
    for (let i = 0; i < 50; i++) {
      await cache.getOrSet('k', () => {
        failures++
        return Promise.reject(new Error('down'))
      })
      await clock.advance(1)
    }
    return { cache, clock, errors, tries: () => failures }
  }

  test('that fails is an event', async () => {
    const { errors, tries } = await nearItsEnd()
    expect(tries()).toBeGreaterThan(0)
    expect(errors).toContain('factory')
  })

  test('that fails leaves the source alone for the throttle', async () => {
    const { tries } = await nearItsEnd()
    expect(tries()).toBe(1)
  })
})

describe('the book of flights', () => {
  const landing: Landing = { entry: undefined, raw: 1, outcome: 'miss', tier: 'source', reason: 'absent' }

  test('a flight that takes the place of another detaches it, and only the last is found', async () => {
    const flights = createFlights()
    const slow = gate<Landing>()
    const first = new Flight('', 'k', 1, 0)
    const second = new Flight('', 'k', 2, 0)
    const one = flights.launch('k', first, () => slow.promise)
    const two = flights.launch('k', second, () => slow.promise)
    expect(first.detached).toBe(true)
    expect(flights.find('k')).toBe(second)
    slow.open(landing)
    await Promise.all([one, two])
    expect(flights.size).toBe(0)
  })

  test('detachWhere takes those it is told to', () => {
    const flights = createFlights()
    const never = new Promise<Landing>(() => undefined)
    void flights.launch('a', new Flight('', 'a', 1, 0), () => never)
    void flights.launch('b', new Flight('', 'b', 1, 0), () => never)
    flights.detachWhere(flight => flight.key === 'a')
    expect(flights.find('a')).toBeUndefined()
    expect(flights.find('b')).toBeDefined()
  })
})
