import { afterEach, expect, test } from 'vitest'
import {
  type Cache,
  createCache,
  createMonitor,
  type HistoryBucket,
  memoryStore,
  type Monitor,
} from '../../src/index.ts'
import type { Clock } from '../../src/clock.ts'
import { NO_COUNTS } from '../../src/monitor/counts.ts'
import { createHistory } from '../../src/monitor/history.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { together } from '../support/passing.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

interface Node {
  readonly cache: Cache
  readonly monitor: Monitor
  readonly store: FaultyStore
}

function nodes(size: number): { clock: ManualClock; all: Node[] } {
  const clock = manualClock()
  const shared = memoryStore({ clock })
  const all = Array.from({ length: size }, (_, i): Node => {
    const store = faulty(i === 0 ? shared : shared.connect())
    const cache = createCache({ namespace: 'shop', store, clock, logger: false, memory: { maxEntries: 10 } })
    const monitor = createMonitor(cache, { clock, logger: false, advice: false, timer: false, alerts: false })
    open.push(cache, monitor)
    return { cache, monitor, store }
  })
  return { clock, all }
}

async function reads(node: Node | undefined, hits: number, misses: number): Promise<void> {
  await node?.cache.ready()
  const users = node?.cache.type('user')
  if (hits > 0) await users?.set('k', 1)
  for (let i = 0; i < hits; i++) await users?.get('k')
  for (let i = 0; i < misses; i++) await users?.get(`none ${i}`)
}

const busy = (buckets: readonly HistoryBucket[] | undefined): readonly HistoryBucket[] =>
  (buckets ?? []).filter(one => one.reads > 0)

test('what several processes did is in one bucket, with a rate only where there are enough reads', async () => {
  const { all, clock } = nodes(2)
  const [a, b] = all
  await reads(a, 150, 30)
  await reads(b, 0, 19)
  await together(
    clock,
    () => a?.monitor.tick(),
    () => b?.monitor.tick(),
  )
  const few = busy((await a?.monitor.history('minutes'))?.buckets)
  expect(few).toMatchObject([{ reads: 199, hits: 150, misses: 49, known: true, rate: undefined }])
  await reads(b, 0, 1)
  await clock.advance(100)
  await b?.monitor.tick()
  // Not brought yet, but its own process knows.
  const enough = busy((await b?.monitor.history('minutes'))?.buckets)
  expect(enough).toMatchObject([{ reads: 200, hits: 150, rate: 75 }])
  expect(busy((await b?.monitor.history('hours'))?.buckets)).toMatchObject([{ reads: 200, rate: 75 }])
  expect(busy((await b?.monitor.history('days', 'user'))?.buckets)).toMatchObject([{ reads: 200, rate: 75 }])
})

test('minutes, hours and days each keep their own number of buckets, and the last is filling', async () => {
  const { all, clock } = nodes(1)
  const { monitor } = all[0] as Node
  for (const [range, type, count, step] of [
    ['minutes', undefined, 24 * 60, MINUTE],
    ['minutes', 'user', 6 * 60, MINUTE],
    ['hours', 'user', 30 * 24, HOUR],
    ['days', undefined, 400, DAY],
  ] as const) {
    const view = await monitor.history(range, type)
    expect(view.step).toBe(step)
    expect(view.buckets).toHaveLength(count)
    expect(view.buckets.every(({ at }, i) => i === 0 || at - (view.buckets[i - 1]?.at ?? 0) === step)).toBe(true)
    const last = view.buckets.at(-1)?.at ?? 0
    expect(clock.wall() - last).toBeLessThan(step)
    expect(view.buckets.every(one => !one.known && one.rate === undefined)).toBe(true)
  }
  await expect(monitor.history('weeks' as 'days')).rejects.toThrow(/range: expected 'minutes', 'hours' or 'days'/)
})

test('time in which nothing ran is a gap; time in which nothing was read is a zero', async () => {
  const { all, clock } = nodes(1)
  const [a] = all
  await reads(a, 5, 0)
  await a?.monitor.tick()
  for (let i = 0; i < 12; i++) {
    await clock.advance(MINUTE)
    await a?.monitor.tick()
  }
  await clock.advance(30 * MINUTE)
  await reads(a, 7, 0)
  await a?.monitor.tick()
  const { buckets = [] } = (await a?.monitor.history('minutes')) ?? {}
  const tail = buckets.slice(-43)
  expect(tail[0]).toMatchObject({ known: true, hits: 5 })
  expect(tail.slice(1, 13).every(one => one.known && one.reads === 0)).toBe(true)
  expect(tail.slice(13, 42).every(one => !one.known)).toBe(true)
  expect(tail[42]).toMatchObject({ known: true, hits: 7 })
  const { buckets: users = [] } = (await a?.monitor.history('minutes', 'user')) ?? {}
  expect(users.slice(-43)[0]).toMatchObject({ known: true, hits: 5 })
})

test('an addition whose answer was lost is not made twice', async () => {
  const { all, clock } = nodes(1)
  const [a] = all
  await reads(a, 10, 0)
  a?.store.lose('commit', 4)
  await a?.monitor.tick()
  a?.store.heal()
  await reads(a, 5, 0)
  for (let i = 0; i < 3; i++) {
    await clock.advance(MINUTE)
    await a?.monitor.tick()
  }
  for (const range of ['minutes', 'hours', 'days'] as const) {
    const { buckets = [] } = (await a?.monitor.history(range)) ?? {}
    expect(buckets.reduce((sum, one) => sum + one.hits, 0)).toBe(15)
  }
})

test('what the backend did not take is brought later, in its own minute', async () => {
  const { all, clock } = nodes(1)
  const [a] = all
  await reads(a, 10, 0)
  a?.store.fail('commit')
  await a?.monitor.tick()
  await clock.advance(5 * MINUTE)
  a?.store.heal()
  await a?.monitor.tick()
  await a?.monitor.close()
  const { buckets = [] } = (await a?.monitor.history('minutes')) ?? {}
  expect(buckets.at(-6)).toMatchObject({ hits: 10 })
  expect(buckets.at(-1)).toMatchObject({ known: true, reads: 0 })
})

/** Time that goes by in leaps, and in which no timer is due: years would be made of a timer a second. */
function leaping(): { clock: Clock; leap(ms: number): void } {
  let passed = 1000
  const never = () => () => undefined
  const clock = { now: () => passed, wall: () => Date.UTC(2030, 0, 1) + passed, after: never, hold: never }
  return { clock, leap: ms => void (passed += ms) }
}

test('old minutes go, and years of work take bounded room', async () => {
  const { clock, leap } = leaping()
  const cache = createCache({ namespace: 'shop', store: memoryStore({ clock }), clock, logger: false })
  open.push(cache)
  await cache.ready()
  const history = createHistory(cache, clock)
  const load = { count: 0, total: 0, buckets: [] }
  const some = { stale: 0, loads: 0, loadErrors: 0, sets: 0, deletes: 0, errors: 0, load }
  const misses = { absent: 0, expired: 0, invalidated: 0, damaged: 0, store: 0, disabled: 0, forced: 0 }
  const used = async (): Promise<number> => {
    let bytes = 0
    for await (const page of cache.documents<unknown>('monitor.history').all()) {
      for (const one of page) bytes += JSON.stringify(one.value).length
    }
    return bytes
  }
  const live = async (days: number): Promise<void> => {
    for (let i = 0; i < days * 2; i++) {
      history.add({ ...NO_COUNTS, types: { user: { ...some, hits: 3, misses } } })
      leap(12 * HOUR)
      if (i % 4 === 3) await history.flush()
    }
  }
  await live(430)
  const bytes = await used()
  await live(170)
  expect(Math.abs((await used()) - bytes)).toBeLessThan(bytes / 10)
  const { buckets } = await history.view('days', 'user')
  expect(buckets.filter(one => one.hits === 6)).toHaveLength(399)
  const { buckets: hours } = await history.view('hours', undefined)
  expect(hours.filter(one => one.hits === 3)).toHaveLength(30 * 2 - 1)
})

test('what is usual at this hour is the median of the week before', async () => {
  const { clock, leap } = leaping()
  const cache = createCache({ namespace: 'shop', store: memoryStore({ clock }), clock, logger: false })
  open.push(cache)
  await cache.ready()
  const history = createHistory(cache, clock)
  const load = { count: 0, total: 0, buckets: [] }
  const some = { stale: 0, loads: 0, loadErrors: 0, sets: 0, deletes: 0, errors: 0, load }
  const misses = { expired: 0, invalidated: 0, damaged: 0, store: 0, disabled: 0, forced: 0 }
  expect(await history.usual()).toBeUndefined()
  // The fourth of them has too few reads to count.
  for (const hits of [900, 100, 800, 20, 700, 600]) {
    const absent = hits === 20 ? 0 : 1000 - hits
    history.add({ ...NO_COUNTS, types: { user: { ...some, hits, misses: { ...misses, absent } } } })
    await history.flush()
    leap(DAY)
  }
  expect(await history.usual()).toBe(70)
})
