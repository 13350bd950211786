import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { NAMESPACE } from '../../src/key.ts'
import { encodeMessage } from '../../src/message.ts'
import { manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import type { CacheNode } from '../support/cache-node.ts'
import { faultRoom, measured, NEVER, never, onRedis, timed } from '../support/fault-room.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

/** Eight starting processes keep two cores busy: here it is answers that count, not how soon they come. */
const PATIENT: CacheOptions = { deadline: '5s', detectBudget: '20s' }

async function shared(backend: 'redis' | 'filesystem'): Promise<CacheOptions> {
  if (backend === 'redis') return { ...PATIENT, ...onRedis(await room.redis()) }
  return { ...PATIENT, backend, dir: join(await room.folder(), 'cache') }
}

async function processes(
  count: number,
  options: CacheOptions,
): Promise<{ readonly nodes: readonly CacheNode[]; loads(): Promise<readonly number[]> }> {
  const loads = join(await room.folder(), 'loads')
  await writeFile(loads, '')
  const nodes = await Promise.all(Array.from({ length: count }, () => room.node({ options, loads })))
  for (const node of nodes) expect(await node.status()).toMatchObject({ backend: options.backend, state: 'HEALTHY' })
  return {
    nodes,
    loads: async () => (await readFile(loads, 'utf8')).split('\n').filter(Boolean).map(Number),
  }
}

describe.each(['redis', 'filesystem'] as const)('processes that share %s', backend => {
  test('8 processes, 100 callers in each, one key that nobody has: one load, everybody is answered', async () => {
    const { nodes, loads } = await processes(8, await shared(backend))
    const took = await timed(async () => {
      const herds = await Promise.all(nodes.map(node => node.herd('cold', 100, 'loaded', 300)))
      for (const herd of herds) expect(herd).toEqual({ values: ['loaded'], failures: [] })
    })
    expect((await Promise.all(nodes.map(node => node.troubles()))).flat()).toEqual([])
    measured(`on ${backend}: load of 300 ms, all 800 answered after, ms`, took)
    expect(await loads()).toHaveLength(1)
  })

  test('the process that loads is killed: one other loads, and no third', async () => {
    const { nodes, loads } = await processes(4, await shared(backend))
    const [owner, ...others] = nodes
    const lost = owner?.load('key', 'never', 60_000).catch(() => 'killed')
    await until('the owner loads', async () => (await loads()).length === 1, NEVER)
    const waiting = others.map(node => node.herd('key', 20, 'loaded', 300))
    const took = await timed(async () => {
      owner?.kill('SIGKILL')
      expect(await lost).toBe('killed')
      for (const herd of await Promise.all(waiting)) expect(herd).toEqual({ values: ['loaded'], failures: [] })
    })
    measured(`on ${backend}: kill to all others answered, ms`, took)
    expect(await loads()).toHaveLength(2)
  })

  test('two processes claim each of fifty occurrences of a job at once: each is run by exactly one', async () => {
    const { nodes } = await processes(2, await shared(backend))
    const occurrences = Array.from({ length: 50 }, (_, i) => `report:2030-01-01T${String(i).padStart(2, '0')}:00`)
    const claims = await Promise.all(
      nodes.map(node => Promise.all(occurrences.map(occurrence => node.add(occurrence, node.pid)))),
    )
    const runs = occurrences.map((_occurrence, i) => claims.filter(claim => claim[i] === true).length)
    expect(runs).toEqual(occurrences.map(() => 1))
  })
})

test('the news that somebody made a stamp arrives while a factory runs that began with that stamp: its result is kept', async () => {
  const store = memoryStore()
  const a = await room.cache({ store })
  const b = await room.cache({ store: store.connect() })
  const begun = gate<void>()
  const source = gate<string>()
  const loading = a.getOrSet('key', () => {
    begun.open()
    return source.promise
  })
  await begun.promise
  const third = store.connect().openBus('default')
  let heard = false
  await third.attach({ message: () => undefined, lost: () => undefined })
  const fourth = store.connect().openBus('default')
  await fourth.attach({ message: () => (heard = true), lost: () => undefined })
  await third.publish(encodeMessage({ kind: 'made', names: [NAMESPACE] }))
  await until('the news arrived', () => heard, NEVER)
  source.open('loaded')
  expect(await loading).toBe('loaded')
  expect(await a.getOrSet('key', never)).toBe('loaded')
  expect(await b.getOrSet('key', never)).toBe('loaded')
  await third.close()
  await fourth.close()
})

test('two caches whose clocks are five seconds apart never run the same occurrence twice', async () => {
  const options = onRedis(await room.redis())
  const late = await room.cache({ ...options, clock: { ...systemClock, wall: () => Date.now() - 5000 } })
  const early = await room.cache(options)
  for (let i = 0; i < 20; i++) {
    const claimed = [await early.add(`job:${i}`, 1, { ttl: '1m' }), await late.add(`job:${i}`, 1, { ttl: '1m' })]
    expect(claimed).toEqual([true, false])
  }
})

test('10,000 readers of one key near its end: at most one load at a time, and none of them waits for it', async () => {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const caches = Array.from({ length: 10 }, () =>
    createCache({ logger: false, clock, store: store.connect(), defaults: { ttl: 10_000 } }),
  )
  for (const cache of caches) room.atEnd(() => cache.close())
  let running = 0
  let most = 0
  let loads = 0
  const load = (): Promise<number> => {
    loads++
    running++
    most = Math.max(most, running)
    return new Promise(resolve => {
      clock.after(200, () => {
        running--
        resolve(loads)
      })
    })
  }
  const first = Promise.all(caches.map(cache => cache.getOrSet('hot', load)))
  await clock.advance(1000)
  expect(new Set(await first)).toEqual(new Set([1]))
  let waited = 0
  // Ten lifetimes, each read 1,000 times by each cache, spread over its whole length.
  for (let step = 0; step < 1000; step++) {
    let answered = 0
    const reads = caches.flatMap(cache =>
      Array.from({ length: 10 }, () => cache.getOrSet('hot', load).then(() => answered++)),
    )
    // Everything that needs no time happens now.
    await clock.advance(0)
    waited += reads.length - answered
    await clock.advance(100)
  }
  measured('loads in ten lifetimes, most at once, readers that waited', `${loads} ${most} ${waited}`)
  expect(most).toBe(1)
  expect(waited).toBe(0)
  // A lifetime is 10 s and is renewed somewhat before its end.
  expect(loads).toBeGreaterThanOrEqual(10)
  expect(loads).toBeLessThanOrEqual(20)
})
