import { describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { memoryCache, pair } from '../support/caches.ts'

describe('status', () => {
  test('of memory alone', async () => {
    const { cache, clock } = memoryCache({ namespace: 'shop' })
    const status = await cache.ready()
    expect(status).toMatchObject({
      namespace: 'shop',
      enabled: true,
      backend: 'memory',
      state: 'HEALTHY',
      tiers: [{ name: 'memory', role: 'near', state: 'up', used: true }],
      outbox: { pending: 0 },
      processes: 1,
      staleBound: 0,
    })
    expect(status.why).toContain('always there')
    expect(status.trace.map(step => step.outcome)).toEqual(['not tried', 'not tried', 'chosen'])
    expect(status.configuration['backend']).toEqual({ value: 'memory', source: 'option' })
    expect(status.since).toBe(clock.wall())
  })

  test('of a store that was given', async () => {
    const { a, b } = pair()
    await b.ready()
    expect(await a.ready()).toMatchObject({
      backend: 'custom',
      why: 'a store was given',
      processes: 2,
      tiers: [
        { name: 'memory', role: 'near', state: 'up', used: true },
        { name: 'memory', role: 'shared', state: 'up', used: true, reason: 'the store answers' },
      ],
    })
  })

  test('of a disabled cache: no tier, and healthy', async () => {
    const { cache } = memoryCache({ enabled: false })
    expect(await cache.ready()).toMatchObject({ enabled: false, tiers: [], state: 'HEALTHY', outbox: { pending: 0 } })
    expect(cache.status().reason).toContain('disabled')
  })

  test('since is when the state began, and moves only with it', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, clock, store })
    const { since } = await cache.ready()
    await clock.advance(5000)
    expect(cache.status().since).toBe(since)
    store.fail('*')
    for (let i = 0; i < 3; i++) await cache.get('k')
    const failedAt = clock.wall()
    await clock.advance(700)
    expect(cache.status()).toMatchObject({ state: 'DEGRADED', since: failedAt })
    await cache.close()
  })

  test('the backend is what is in use now, and each tier says since when it is how it is', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, clock, store })
    const { tiers } = await cache.ready()
    const startedAt = clock.wall()
    expect(tiers[1]).toEqual({
      name: 'memory',
      role: 'shared',
      state: 'up',
      used: true,
      reason: 'the store answers',
      since: startedAt,
    })
    await clock.advance(5000)
    store.fail('*')
    await cache.get('k')
    const during = cache.status()
    expect(during).toMatchObject({ backend: 'memory', staleBound: 10_000 })
    expect(during.tiers[1]).toMatchObject({ state: 'open', used: false, since: startedAt + 5000 })
    expect(during.tiers[1]?.reason).toContain('as the test asked')
    expect(during.tiers[1]?.nextTryIn).toBeGreaterThan(0)
    expect(during.tiers[1]?.nextTryIn).toBeLessThanOrEqual(50)
    store.heal()
    await clock.advance(5000)
    expect(cache.status()).toMatchObject({ backend: 'custom', staleBound: 0 })
    expect(cache.status().tiers[1]).not.toHaveProperty('nextTryIn')
    await cache.close()
  })

  test('says since when the oldest deletion waits', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, clock, store })
    expect((await cache.ready()).outbox).toEqual({ pending: 0 })
    store.fail('*')
    const since = clock.wall()
    await cache.delete('a')
    await clock.advance(3000)
    await cache.delete('b')
    expect(cache.status().outbox).toEqual({ pending: 2, oldestAt: since })
    store.heal()
    await clock.advance(3000)
    expect(cache.status().outbox).toEqual({ pending: 0 })
    await cache.close()
  })

  test('counts what waits in the outbox', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, clock, store })
    await cache.ready()
    store.fail('*')
    await cache.deleteMany(['1', '2', '2', '3'])
    await cache.deleteByTags(['t', 'u'])
    await cache.deleteByPattern('x*')
    expect(cache.status()).toMatchObject({ outbox: { pending: 6 }, state: 'DEGRADED' })
    await cache.close()
  })

  test.each([
    ['redis://user:s3cret@host:1/0'],
    ['redis://:s3cret@host'],
    ['rediss://:p@s3cret@host:6380'],
    ['redis://:s3cret:more@host'],
    ['redis://:a/s3cret@host'],
    ['redis://host:6379?password=s3cret'],
    ['user:s3cret@host:6379'],
  ])('never shows the password of %s', async redisUrl => {
    const { cache } = memoryCache({ redisUrl })
    expect(JSON.stringify(await cache.ready())).not.toContain('s3cret')
  })

  test('a store that cannot open its bus leaves no caller waiting', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const openBus = (): never => {
      throw new Error('no bus here')
    }
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    try {
      const cache = createCache({ logger: false, clock, store: { ...backing, openBus } satisfies SharedStore })
      let answered = false
      void cache.getOrSet('k', () => 1).then(() => (answered = true))
      await clock.advance(5000)
      await new Promise(resolve => setImmediate(resolve))
      expect(unhandled).toEqual([])
      expect(answered).toBe(true)
      expect(cache.status()).toMatchObject({ state: 'DEGRADED' })
      await cache.close()
    } finally {
      process.off('unhandledRejection', note)
    }
  })

  test('works on a closed cache too', async () => {
    const { a } = pair()
    await a.set('k', 1)
    await a.close()
    expect(a.status().namespace).toBe('default')
    expect(a.stats().sets).toBe(1)
  })
})
