import { describe, expect, test } from 'vitest'
import { gate, memoryCache, pair } from '../support/caches.ts'

const failing = (): Promise<string> => Promise.reject(new Error('down'))

describe.each(['memory', 'shared'])('grace, %s', kind => {
  function make() {
    if (kind === 'memory')
      return memoryCache({ defaults: { ttl: 1000, grace: 10_000, softTimeout: 100, throttle: 500 } })
    const { a, clock } = pair({ defaults: { ttl: 1000, grace: 10_000, softTimeout: 100, throttle: 500 } })
    return { cache: a, clock }
  }

  test('a stale value stands in for a failing factory, and the failure is an event', async () => {
    const { cache, clock } = make()
    const errors: unknown[] = []
    cache.on('error', event => errors.push(event.operation))
    await cache.set('k', 'old')
    await clock.advance(1500)
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.fetch('k', failing)).toMatchObject({ value: 'old', outcome: 'stale', ttl: 0 })
    expect(errors).toEqual(['factory'])
    expect(cache.stats().staleHits).toBe(1)
  })

  test('past its grace the error reaches the caller', async () => {
    const { cache, clock } = make()
    await cache.set('k', 'old')
    await clock.advance(11_000)
    await expect(cache.getOrSet('k', failing)).rejects.toThrow('down')
  })

  test('after a failed refresh the source is left alone for the throttle', async () => {
    const { cache, clock } = make()
    await cache.set('k', 'old')
    await clock.advance(1500)
    await cache.getOrSet('k', failing)
    let runs = 0
    const load = (): string => {
      runs++
      return 'new'
    }
    await clock.advance(400)
    expect(await cache.getOrSet('k', load)).toBe('old')
    expect(runs).toBe(0)
    await clock.advance(200)
    expect(await cache.getOrSet('k', load)).toBe('new')
    expect(runs).toBe(1)
  })

  test('a slow factory: the stale value after the soft time-out, and the late result still fills', async () => {
    const { cache, clock } = make()
    await cache.set('k', 'old')
    await clock.advance(1500)
    const slow = gate<string>()
    const answer = cache.fetch('k', () => slow.promise)
    await clock.advance(99)
    await clock.advance(1)
    expect(await answer).toMatchObject({ value: 'old', outcome: 'stale' })
    slow.open('new')
    await clock.advance(1)
    expect(await cache.get('k')).toBe('new')
  })

  test('what was deleted is never served stale', async () => {
    const { cache, clock } = make()
    await cache.set('k', 'old', { tags: ['t'] })
    await clock.advance(1500)
    await cache.deleteByTag('t')
    await expect(cache.getOrSet('k', failing)).rejects.toThrow('down')
  })

  test('a deletion while the refresh runs takes the stale value away too', async () => {
    const { cache, clock } = make()
    await cache.set('k', 'old')
    await clock.advance(1500)
    const slow = gate<string>()
    const answer = cache.getOrSet('k', () => slow.promise)
    await clock.advance(1)
    await cache.delete('k')
    slow.fail(new Error('down'))
    await expect(answer).rejects.toThrow('down')
  })
})

describe('the hard time-out', () => {
  test('rejects with its own code, and the late result still fills', async () => {
    const { cache, clock } = memoryCache({ defaults: { hardTimeout: 1000 } })
    const slow = gate<string>()
    const answer = cache.getOrSet('k', () => slow.promise)
    const failure = answer.then(() => undefined).catch((error: unknown) => error)
    await clock.advance(1000)
    expect(await failure).toMatchObject({ code: 'PALIER_FACTORY_TIMEOUT', key: 'k' })
    slow.open('late')
    await clock.advance(1)
    expect(await cache.get('k')).toBe('late')
  })

  test('a factory that never settles leaves no caller waiting', async () => {
    const { cache, clock } = memoryCache()
    const never = new Promise<string>(() => undefined)
    const answers = Promise.allSettled([cache.getOrSet('k', () => never), cache.getOrSet('k', () => never)])
    await clock.advance(30_000)
    expect((await answers).map(one => one.status)).toEqual(['rejected', 'rejected'])
  })
})

describe('early refresh', () => {
  test.each(['memory', 'shared'])(
    '%s: a hot key is refreshed before its end, by one caller, and nobody waits',
    async kind => {
      const two = pair()
      const one = memoryCache()
      const cache = kind === 'memory' ? one.cache : two.a
      const clock = kind === 'memory' ? one.clock : two.clock
      let loads = 0
      const load = async (): Promise<number> => {
        loads++
        await new Promise<void>(resolve => void clock.after(200, resolve))
        return loads
      }
      const first = cache.getOrSet('k', load, { ttl: 10_000 })
      await clock.advance(200)
      expect(await first).toBe(1)
      const seen = new Set<number>()
      for (let ms = 0; ms < 9_990; ms += 10) {
        await clock.advance(10)
        const answers = await Promise.all([
          cache.getOrSet('k', load, { ttl: 10_000 }),
          cache.getOrSet('k', load, { ttl: 10_000 }),
        ])
        for (const answer of answers) seen.add(answer)
      }
      expect([...seen]).toEqual([1, 2])
      expect(loads).toBe(2)
      expect(cache.stats().misses).toBe(1)
    },
  )

  test('switched off, the value is served to its end', async () => {
    const { cache, clock } = memoryCache({ defaults: { early: 0, ttl: 1000 } })
    let loads = 0
    await cache.getOrSet('k', async () => (await Promise.resolve(), ++loads))
    for (let ms = 0; ms < 990; ms += 10) {
      await clock.advance(10)
      await cache.getOrSet('k', () => ++loads)
    }
    expect(loads).toBe(1)
  })
})

describe('jitter', () => {
  test('spreads the ends of entries within its share', async () => {
    const { cache } = memoryCache({ defaults: { ttl: 100_000, jitter: 0.2 } })
    const ttls = new Set<number>()
    for (let i = 0; i < 50; i++) ttls.add((await cache.fetch(`k${i}`, () => i)).ttl)
    expect(Math.min(...ttls)).toBeGreaterThanOrEqual(80_000)
    expect(Math.max(...ttls)).toBeLessThanOrEqual(100_000)
    expect(ttls.size).toBeGreaterThan(20)
  })
})
