import { describe, expect, test } from 'vitest'
import type { Place } from '../../src/detect.ts'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { countedClock, engineOn, place, type Remote, remoteServer } from '../support/remote.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

interface Room {
  readonly clock: ManualClock
  readonly redis: Remote
  readonly disk: FaultyStore
  readonly proof: { answer: Promise<void> }
  cache: Cache
  /** The timers that the cache set and that still wait. */
  timers(): string[]
}

type Choice = 'redis' | 'filesystem' | 'memory'

function room(chosen: Choice, wanted: boolean, options: CacheOptions, absent: boolean): Room {
  const clock = manualClock()
  const counted = countedClock(clock)
  const redis = remoteServer(clock).connect()
  const disk = faulty({ ...memoryStore({ clock }), name: 'filesystem' })
  const proof = { answer: Promise.resolve() }
  if (absent) redis.fail('*')
  const places: Place[] = [
    place('redis', redis, { wanted, prove: () => proof.answer }),
    place('filesystem', disk, { prove: () => proof.answer }),
    place('memory', undefined),
  ]
  const at = { redis: 0, filesystem: 1, memory: 2 }[chosen]
  const cache = engineOn({ clock: counted, places, chosen: at, options })
  return { clock, redis, disk, proof, cache, timers: counted.timers }
}

interface Case {
  readonly chosen?: Choice
  readonly wanted?: boolean
  readonly absent?: boolean
  readonly options?: CacheOptions
  begin(at: Room): Promise<void> | void
}

const ready = async (at: Room): Promise<void> => {
  await Promise.all([at.cache.ready(), at.clock.advance(20)])
}

const down = async (at: Room, ms: number): Promise<void> => {
  await ready(at)
  at.redis.fail('*')
  at.redis.lost()
  await at.clock.advance(ms)
}

const CASES: Readonly<Record<string, Case>> = {
  'at once': { begin: () => undefined },
  'while the first connection is waited for': {
    absent: true,
    begin: async at => at.clock.advance(100),
  },
  'while the first connection hangs': {
    begin: async at => {
      at.redis.hang('*')
      await at.clock.advance(100)
    },
  },
  up: { begin: ready },
  'suspect, with its question under way': {
    async begin(at) {
      await ready(at)
      at.redis.hang('*')
      void at.cache.get('k')
      await at.clock.advance(260)
    },
  },
  'in an outage, from memory': { begin: at => down(at, 100) },
  'in an outage, while the directory is being proven': {
    async begin(at) {
      at.proof.answer = new Promise(() => undefined)
      await down(at, 300)
    },
  },
  'in an outage, while the directory is found wanting again and again': {
    async begin(at) {
      at.proof.answer = Promise.reject(new Error('full'))
      at.proof.answer.catch(() => undefined)
      await down(at, 2300)
    },
  },
  'in an outage, from the directory': { begin: at => down(at, 500) },
  'in an outage, the directory`s bus out of reach': {
    async begin(at) {
      at.disk.fail('attach')
      await down(at, 500)
    },
  },
  'in an outage of both': {
    async begin(at) {
      await down(at, 500)
      at.disk.fail('*')
      await at.cache.get('k')
      await at.clock.advance(100)
    },
  },
  'while memory goes on with what it had': {
    options: { outage: { serveFor: '1m' } },
    begin: at => down(at, 500),
  },
  'while the store is told what it missed': {
    async begin(at) {
      await down(at, 100)
      await at.cache.delete('k')
      at.redis.heal()
      at.redis.hang('delete')
      at.redis.ready()
      await at.clock.advance(10)
      expect(at.cache.status().tiers[1]?.state).toBe('draining')
    },
  },
  'just after the switch back': {
    async begin(at) {
      await down(at, 500)
      at.redis.heal()
      at.redis.ready()
      await at.clock.advance(1)
    },
  },
  'with patterns, tags and keys still waiting': {
    async begin(at) {
      await down(at, 500)
      await at.cache.deleteByPattern('a*')
      await at.cache.deleteByTag('t')
      await at.cache.delete('k')
      await at.cache.clear()
    },
  },
  'with patterns that were delivered': {
    async begin(at) {
      await ready(at)
      await at.cache.deleteByPattern('a*')
      await at.clock.advance(100)
    },
  },
  'between two looks for a better backend': {
    chosen: 'filesystem',
    begin: async at => {
      await ready(at)
      await at.clock.advance(3000)
    },
  },
  'while a better backend is being proven': {
    chosen: 'filesystem',
    async begin(at) {
      at.proof.answer = new Promise(() => undefined)
      await ready(at)
      await at.clock.advance(6000)
    },
  },
  'while a better backend is found and does not answer': {
    chosen: 'filesystem',
    async begin(at) {
      await ready(at)
      at.redis.hang('*')
      await at.clock.advance(5300)
    },
  },
  'with another backend than the one that was asked for': {
    chosen: 'filesystem',
    wanted: true,
    absent: true,
    async begin(at) {
      await ready(at)
      await at.clock.advance(1000)
    },
  },
  'with memory instead of the one that was asked for': {
    chosen: 'memory',
    wanted: true,
    absent: true,
    async begin(at) {
      await ready(at)
      await at.clock.advance(1000)
    },
  },
  'with a load under way that outlives it': {
    async begin(at) {
      await ready(at)
      void at.cache.getOrSet('k', () => new Promise(() => undefined)).catch(() => undefined)
      await at.clock.advance(10)
    },
  },
}

describe('close', () => {
  test.each(Object.entries(CASES))('%s: resolves soon, and nothing goes on', async (_name, one) => {
    const { chosen = 'redis', wanted = chosen === 'redis', absent = false, options = {} } = one
    const at = room(chosen, wanted, options, absent)
    await one.begin(at)
    let closed = false
    const closing = at.cache.close().then(() => (closed = true))
    await at.clock.advance(2000)
    expect(closed).toBe(true)
    await closing
    // Whoever waits for a factory waits on: that is the caller's time, not the cache's.
    const left = at.timers().filter(timer => !/landing\.ts|lease\.ts/.test(timer))
    expect(left).toEqual([])
    const calls = at.redis.calls('*') + at.disk.calls('*')
    at.redis.heal()
    at.disk.heal()
    at.redis.lost()
    at.redis.ready()
    await at.clock.advance(10_000)
    expect(at.redis.calls('*') + at.disk.calls('*')).toBe(calls)
    expect(at.redis.watchers).toBe(0)
  })

  test('a probe that fails after it sets no timer any more', async () => {
    const clock = manualClock()
    const counted = countedClock(clock)
    const proof = gate<void>()
    const disk = memoryStore({ clock })
    const redis = remoteServer(clock).connect()
    const cache = engineOn({
      clock: counted,
      chosen: 1,
      places: [
        place('redis', redis, { prove: () => proof.promise }),
        place('filesystem', disk),
        place('memory', undefined),
      ],
    })
    await Promise.all([cache.ready(), clock.advance(20)])
    await clock.advance(6000)
    await cache.close()
    proof.fail(new Error('nobody listens'))
    await clock.advance(0)
    expect(counted.timers()).toEqual([])
  })

  test('while the search for a backend goes on, it closes what is found after it', async () => {
    const clock = manualClock()
    let closed = 0
    const backing = memoryStore({ clock })
    const redis = { ...backing, close: async () => void closed++ }
    const cache = engineOn({ clock, places: [place('redis', redis, { wanted: true })] })
    await Promise.all([cache.close(), clock.advance(100)])
    expect(closed).toBe(1)
  })

  test('what waits is delivered first when the store can be reached', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const store = faulty(backing)
    const cache = createCache({ logger: false, clock, store })
    const peer = createCache({ logger: false, clock, store: backing.connect() })
    await Promise.all([cache.ready(), peer.ready()])
    await cache.set('k', 'old')
    expect(await peer.get('k')).toBe('old')
    store.fail('delete', 1)
    expect(await cache.delete('k')).toEqual({ local: true, shared: 'pending' })
    await cache.close()
    expect(await peer.get('k')).toBeUndefined()
    await peer.close()
  })

  test('every caller gets an answer, whatever the store does', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, clock, store })
    await cache.ready()
    store.hang('*')
    const calls: Readonly<Record<string, Promise<unknown>>> = {
      get: cache.get('k'),
      getMany: cache.getMany(['k']),
      getOrSet: cache.getOrSet('l', () => 1),
      set: cache.set('k', 1),
      add: cache.add('m', 1),
      touch: cache.touch('n'),
      delete: cache.delete('k'),
      deleteByTag: cache.deleteByTag('t'),
      deleteByPattern: cache.deleteByPattern('a*'),
      clear: cache.clear(),
    }
    const waiting = new Set(Object.keys(calls))
    for (const [name, call] of Object.entries(calls)) {
      const done = (): void => void waiting.delete(name)
      call.then(done, done)
    }
    await clock.advance(10)
    const closing = cache.close()
    await clock.advance(2000)
    await closing
    expect([...waiting]).toEqual([])
    store.heal()
  })
})
