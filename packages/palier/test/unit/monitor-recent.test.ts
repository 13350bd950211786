import { afterEach, describe, expect, test } from 'vitest'
import {
  AGE_BOUNDS,
  type Alert,
  type Cache,
  type CacheOptions,
  createCache,
  createMonitor,
  memoryStore,
  type Monitor,
  type MonitorOptions,
} from '../../src/index.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'

const MINUTE = 60_000

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function node(
  clock: ManualClock = manualClock(),
  options: Partial<CacheOptions> & { readonly types?: Record<string, { ttl?: string }> } = {},
  watch: MonitorOptions = {},
): Promise<{ clock: ManualClock; cache: Cache; monitor: Monitor }> {
  const cache = createCache({ namespace: 'shop', backend: 'memory', clock, logger: false, ...options }) as Cache
  const monitor = createMonitor(cache, { clock, logger: false, advice: false, timer: false, ...watch })
  open.push(cache, monitor)
  await cache.ready()
  return { clock, cache, monitor }
}

describe('how old entries are at a hit', () => {
  const total = (ages: readonly number[] = []): number => ages.reduce((sum, one) => sum + one, 0)
  const at = (age: number): number => AGE_BOUNDS.findIndex(bound => age < bound)

  test('is counted by doubling ages, for near hits as for those of the store', async () => {
    const { clock, cache } = await node()
    await cache.set('k', 1, { ttl: '10d' })
    for (const age of [500, 5000, 3 * 3_600_000]) {
      await clock.advance(age - (await ageOf(cache)))
      const before = cache.stats().ages
      for (let i = 0; i < 80; i++) await cache.get('k')
      const added = cache.stats().ages.map((count, i) => count - (before[i] ?? 0))
      expect([age, added.findIndex(count => count > 0)]).toEqual([age, at(age)])
      expect(added[at(age)]).toBe(80)
    }
    const clock2 = manualClock()
    const store = memoryStore({ clock: clock2 })
    const { cache: writer } = await node(clock2, { store })
    await writer.set('k', 1, { ttl: '1h' })
    await clock2.advance(5000)
    const { cache: reader } = await node(clock2, { store: store.connect() })
    expect(await reader.get('k')).toBe(1)
    expect(reader.stats().ages[at(5000)]).toBe(1)
    expect(reader.stats().ages).toHaveLength(AGE_BOUNDS.length + 1)
  })

  test('adds up to the hits, whatever was read', async () => {
    const { cache } = await node()
    for (const key of ['a', 'b', 'c']) await cache.set(key, 1)
    for (let i = 0; i < 16; i++) cache.glance('a')
    for (let i = 0; i < 16; i++) await cache.getOrSet('b', () => 2)
    expect(total(cache.stats().ages)).toBe(32)
    expect(cache.stats().hits).toBe(32)
  })

  const ageOf = async (cache: Cache): Promise<number> => (await cache.peek('k'))?.age ?? 0
})

test('what was counted lately is that of all processes within about an hour', async () => {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const [a, b] = [await node(clock, { store }), await node(clock, { store: store.connect() })]
  const looks = async (minutes: number): Promise<void> => {
    for (let i = 0; i < minutes; i++) {
      await clock.advance(MINUTE)
      for (const { monitor } of [a, b]) {
        let isOver = false
        const look = monitor.tick().then(() => (isOver = true))
        while (!isOver) await clock.advance(5)
        await look
      }
    }
  }
  const reads = async (count: number): Promise<void> => {
    for (const { cache } of [a, b]) for (let i = 0; i < count; i++) await cache.type('user').get('none')
  }
  const missed = async (): Promise<number> => {
    let told: Awaited<ReturnType<Monitor['recent']>> | undefined
    const asked = a.monitor.recent().then(view => (told = view))
    while (told === undefined) await clock.advance(5)
    await asked
    expect(told.to - told.from).toBeLessThan(66 * MINUTE)
    return told.counts.types['user']?.misses.absent ?? 0
  }
  for (let i = 0; i < 3; i++) await a.cache.type('user').get('none')
  expect(await missed()).toBe(3)
  await looks(2)
  await reads(10)
  await looks(30)
  expect(await missed()).toBe(20)
  await looks(70)
  expect(await missed()).toBe(0)
  await reads(1)
  await looks(2)
  expect(await missed()).toBe(2)
})

test('the history knows why reads missed, and how long loads would have taken', async () => {
  const { clock, cache, monitor } = await node(manualClock(), { types: { page: { ttl: '10m' } } })
  const pages = cache.type('page')
  const slow = async (): Promise<number> => {
    await new Promise<void>(resolve => void clock.after(40, () => resolve()))
    return 1
  }
  const first = pages.getOrSet('p', slow)
  await clock.advance(40)
  await first
  for (let i = 0; i < 5; i++) await pages.getOrSet('p', slow)
  const anew = pages.getOrSet('p', slow, { fresh: true })
  await clock.advance(40)
  await anew
  await pages.get('none')
  await monitor.tick()
  const busy = async (type?: string) => (await monitor.history('minutes', type)).buckets.filter(one => one.reads > 0)
  for (const type of [undefined, 'page']) {
    expect(await busy(type)).toMatchObject([
      { hits: 5, loadMs: 80, savedMs: 200, missReasons: { absent: 2, forced: 1, expired: 0 } },
    ])
  }
})

test('rules say in words and numbers when an alert begins; a test alert goes where alerts go', async () => {
  const seen: Alert[] = []
  const lines: string[] = []
  const logger = { warn: (line: string) => void lines.push(line), info: () => undefined }
  const { monitor } = await node(
    manualClock(),
    {},
    { logger, onAlert: alert => seen.push(alert), alerts: { hitRate: 60, window: '10m' } },
  )
  expect(monitor.rules()).toContainEqual({
    id: 'hit-rate',
    text: 'hit rate under 60 % in 10 min, with at least 200 reads, not while warming',
    threshold: 60,
    unit: 'percent',
    window: 600_000,
    minReads: 200,
    notWhileWarming: true,
  })
  expect(monitor.channels()).toEqual(['log', 'callback'])
  expect(await monitor.testAlert()).toEqual([
    { channel: 'log', ok: true },
    { channel: 'callback', ok: true },
  ])
  expect(seen).toMatchObject([{ signature: 'test', namespace: 'shop' }])
  expect(lines).toContain('[CACHE ALERT] shop: Test: somebody asked for it; nothing is wrong')
  expect(monitor.alerts().active).toEqual([])
  const { monitor: off } = await node(manualClock(), {}, { alerts: false })
  expect(off.rules()).toEqual([])
})
