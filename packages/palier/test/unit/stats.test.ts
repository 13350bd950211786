import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { Histogram, LATENCY_BOUNDS } from '../../src/stats.ts'
import { gate, memoryCache, pair } from '../support/caches.ts'

interface Counts {
  hits: number
  misses: number
  loads: number
  loadErrors: number
  sets: number
  deletes: number
}

const none = (): Counts => ({ hits: 0, misses: 0, loads: 0, loadErrors: 0, sets: 0, deletes: 0 })

type Name = '' | 'user'
type Step = (cache: Cache, count: (type: Name) => Counts, advance: (ms: number) => Promise<void>) => Promise<void>

const on = (cache: Cache, type: Name) => (type === '' ? cache : cache.type(type))
const type = fc.constantFrom<Name>('', 'user')
const key = fc.constantFrom('a', 'b', 'c')
const keys = fc.array(key, { maxLength: 5 })

const steps: readonly fc.Arbitrary<Step>[] = [
  fc.tuple(type, key).map(
    ([t, k]): Step =>
      async (cache, count) => {
        const found = await on(cache, t).get(k)
        if (found === undefined) count(t).misses++
        else count(t).hits++
      },
  ),
  fc.tuple(type, keys).map(
    ([t, list]): Step =>
      async (cache, count) => {
        for (const found of await on(cache, t).getMany(list)) {
          if (found === undefined) count(t).misses++
          else count(t).hits++
        }
      },
  ),
  fc.tuple(type, key, fc.boolean(), fc.boolean()).map(
    ([t, k, fails, fresh]): Step =>
      async (cache, count) => {
        let loaded = false
        const load = (): number => {
          loaded = true
          if (fails) throw new Error('down')
          return 1
        }
        await on(cache, t)
          .getOrSet(k, load, { fresh })
          .catch(() => undefined)
        if (!loaded) count(t).hits++
        else if (fails) count(t).loadErrors++
        else {
          count(t).loads++
          count(t).misses++
        }
      },
  ),
  fc.tuple(type, keys).map(
    ([t, list]): Step =>
      async (cache, count) => {
        const unique = [...new Set(list)]
        let missing: readonly string[] = []
        await on(cache, t).getOrSetMany(unique, asked => ((missing = asked), asked.map(() => 1)))
        count(t).loads += missing.length
        count(t).misses += missing.length
        count(t).hits += unique.length - missing.length
      },
  ),
  fc.tuple(type, keys).map(
    ([t, list]): Step =>
      async (cache, count) => {
        await on(cache, t).setMany(list.map(k => [k, 1] as const))
        count(t).sets += list.length
      },
  ),
  fc.tuple(type, key).map(
    ([t, k]): Step =>
      async (cache, count) => {
        if (await on(cache, t).add(k, 1)) count(t).sets++
      },
  ),
  fc.tuple(type, keys).map(
    ([t, list]): Step =>
      async (cache, count) => {
        await on(cache, t).deleteMany(list)
        count(t).deletes += list.length
      },
  ),
  fc.tuple(type, key).map(
    ([t, k]): Step =>
      async cache => {
        await on(cache, t).has(k)
        await on(cache, t).peek(k)
        await on(cache, t).touch(k)
      },
  ),
  fc.constantFrom<Step>(
    async cache => void (await cache.clear()),
    async cache => void (await cache.deleteByType('user')),
    async (_cache, _count, advance) => advance(700),
  ),
]

const history = fc.array(fc.oneof(...steps), { maxLength: 40 })

describe('counts equal what happened', () => {
  test.each(['memory', 'shared'])('%s', async kind => {
    await fc.assert(
      fc.asyncProperty(history, async run => {
        const options = { defaults: { ttl: 1000, early: 0 } }
        const two = pair(options)
        const one = memoryCache(options)
        const [cache, clock] = kind === 'memory' ? [one.cache, one.clock] : [two.a, two.clock]
        const events: Counts & { seen: number } = { ...none(), seen: 0 }
        cache.on('hit', () => events.hits++)
        cache.on('miss', () => events.misses++)
        cache.on('load', () => events.loads++)
        cache.on('set', () => events.sets++)
        const counted: Record<Name, Counts> = { '': none(), user: none() }
        for (const step of run)
          await step(
            cache,
            name => counted[name],
            ms => clock.advance(ms),
          )
        const stats = cache.stats()
        const names = { '': 'default', user: 'user' } as const
        for (const name of ['', 'user'] as const) {
          const own = counted[name]
          const used = Object.values(own).some(count => count > 0)
          if (used) expect(stats.types[names[name]]).toMatchObject(own)
          else expect(stats.types[names[name]]).toBeUndefined()
        }
        const total = (field: keyof Counts): number => counted[''][field] + counted.user[field]
        for (const field of ['hits', 'misses', 'loads', 'loadErrors', 'sets', 'deletes'] as const) {
          expect(stats[field]).toBe(total(field))
        }
        for (const field of ['hits', 'misses', 'loads', 'sets'] as const) expect(events[field]).toBe(total(field))
        expect(stats.requests).toBe(total('hits') + total('misses'))
        const reads = total('hits') + total('misses')
        expect(stats.hitRate).toBeCloseTo(reads === 0 ? 0 : (100 * total('hits')) / reads, 2)
        expect(Object.values(stats.missReasons).reduce((a, b) => a + b, 0)).toBe(stats.misses)
        expect(stats.load.count).toBe(stats.loads)
        await cache.close()
      }),
      { numRuns: 200 },
    )
  })

  test('a load that every caller gets stale is a stale hit, in a batch too', async () => {
    const { cache, clock } = memoryCache({ defaults: { ttl: 1000, grace: 60_000, throttle: 0 } })
    await cache.setMany([
      ['1', 1],
      ['2', 2],
    ])
    await clock.advance(1500)
    const down = (): Promise<never> => Promise.reject(new Error('down'))
    expect(await cache.getOrSet('1', down)).toBe(1)
    expect(await cache.getOrSetMany(['1', '2'], down)).toEqual([1, 2])
    expect(cache.stats()).toMatchObject({ staleHits: 3, misses: 0, hitRate: 100 })
  })

  test('a batch with fresh: true counts its misses as forced', async () => {
    const { cache } = memoryCache()
    await cache.getOrSet('k', () => 1, { fresh: true })
    await cache.getOrSetMany(['1', '2'], keys => [...keys], { fresh: true })
    expect(cache.stats()).toMatchObject({ misses: 3, missReasons: { forced: 3 } })
  })

  test('a look counts in no tier', async () => {
    const { a, b } = pair()
    await a.set('k', 1)
    await b.peek('k')
    await b.peek('k')
    expect(b.stats().tiers.map(tier => tier.hits)).toEqual([0, 0])
    expect(b.stats()).toMatchObject({ hits: 0, misses: 0 })
  })

  test('per tier: hits near and shared, bytes, errors', async () => {
    const { a, b } = pair()
    await a.set('k', 'x'.repeat(100))
    await b.get('k')
    await b.get('k')
    await b.get('k')
    const [near, shared] = b.stats().tiers
    expect(near).toMatchObject({ name: 'near', hits: 2, errors: 0 })
    expect(shared).toMatchObject({ name: 'memory', hits: 1, errors: 0, bytesWritten: 0 })
    expect(shared?.bytesRead).toBeGreaterThan(100)
    expect(shared?.latency.count).toBe(1)
    expect(a.stats().tiers[1]?.bytesWritten).toBe(shared?.bytesRead)
    expect(b.stats().near.entries).toBe(1)
    expect(b.stats().near.bytes).toBeGreaterThan(100)
  })

  test('why a read missed is told: expired, invalidated, damaged, store', async () => {
    const { a, b, clock, store } = pair({ defaults: { grace: '1h' } })
    await a.set('expired', 1, { ttl: 100 })
    await a.set('invalidated', 1, { tags: ['t'] })
    await a.set('damaged', 1)
    await store.set('default:e:::damaged', new Uint8Array(100), 1000)
    await clock.advance(200)
    await b.get('expired')
    await b.get('warm')
    await a.deleteByTag('t')
    await b.get('invalidated')
    await b.get('damaged')
    expect(b.stats().missReasons).toMatchObject({ expired: 1, absent: 1, invalidated: 1, damaged: 1 })
  })

  test('why a read missed is the same in memory alone', async () => {
    const { cache, clock } = memoryCache({ defaults: { grace: '1h' } })
    await cache.set('k', 1, { ttl: 100 })
    await clock.advance(200)
    await cache.get('k')
    expect(cache.stats().missReasons).toMatchObject({ expired: 1, absent: 0 })
  })

  test('callers who share a load each count, the load once', async () => {
    const { cache, clock } = memoryCache()
    const slow = gate<number>()
    const calls = Array.from({ length: 10 }, () => cache.getOrSet('k', () => slow.promise))
    await clock.advance(40)
    slow.open(1)
    await Promise.all(calls)
    const { misses, loads, load } = cache.stats()
    expect({ misses, loads, count: load.count }).toEqual({ misses: 10, loads: 1, count: 1 })
    expect(load.p50).toBeGreaterThan(40_000 * 0.93)
    expect(load.p50).toBeLessThan(40_000 * 1.07)
  })
})

describe('percentiles', () => {
  const milliseconds = fc.double({ min: 0.001, max: 100_000, noNaN: true })

  function exact(sorted: readonly number[], share: number): number {
    return (sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0) * 1000
  }

  test('are within 7 % of the exact ones, from a microsecond to 100 seconds', () => {
    fc.assert(
      fc.property(fc.array(milliseconds, { minLength: 1, maxLength: 400 }), values => {
        const histogram = new Histogram()
        for (const value of values) histogram.add(value)
        const sorted = values.toSorted((a, b) => a - b)
        const { count, p50, p95, p99 } = histogram.read()
        expect(count).toBe(values.length)
        for (const [got, share] of [
          [p50, 0.5],
          [p95, 0.95],
          [p99, 0.99],
        ] as const) {
          const wanted = exact(sorted, share)
          expect(Math.abs(got - wanted) / wanted).toBeLessThanOrEqual(0.07)
        }
      }),
    )
  })

  test.each([110_000, 180_000, 300_000])('are as right for a load of %i ms', ms => {
    const histogram = new Histogram()
    histogram.add(ms)
    expect(Math.abs(histogram.read().p50 / (ms * 1000) - 1)).toBeLessThanOrEqual(0.07)
  })

  test('of a sum are those of all values together', () => {
    fc.assert(
      fc.property(fc.array(milliseconds), fc.array(milliseconds), (some, others) => {
        const [one, two, all] = [new Histogram(), new Histogram(), new Histogram()]
        for (const value of some) one.add(value)
        for (const value of others) two.add(value)
        for (const value of [...some, ...others]) all.add(value)
        expect(Histogram.sum([one, two]).read()).toEqual(all.read())
      }),
    )
  })

  test('of nothing are nothing, and no value breaks them', () => {
    const histogram = new Histogram()
    expect(histogram.read()).toEqual({
      count: 0,
      total: 0,
      buckets: LATENCY_BOUNDS.map(() => 0),
      p50: 0,
      p95: 0,
      p99: 0,
    })
    for (const value of [0, -1, 1e-9, 1e12, Number.MAX_VALUE]) histogram.add(value)
    const { count, p50, p99 } = histogram.read()
    expect(count).toBe(5)
    expect(Number.isFinite(p50) && Number.isFinite(p99)).toBe(true)
  })

  test('count exactly how many took at most as long as each bound, and how long all took', () => {
    const histogram = new Histogram()
    for (const ms of [0.2, 1, 1.001, 2.5, 9, 10_000, 10_001]) histogram.add(ms)
    const { buckets, total, count } = histogram.read()
    expect(Object.fromEntries(LATENCY_BOUNDS.map((bound, i) => [bound, buckets[i]]))).toMatchObject({
      1: 2,
      2.5: 4,
      5: 4,
      10: 5,
      5000: 5,
      10000: 6,
    })
    expect(count).toBe(7)
    expect(total).toBeCloseTo(20_014.701, 6)
  })
})
