import { describe, expect, test } from 'vitest'
import type { Cache, CacheOptions } from '../../src/index.ts'
import { faultRoom, NEVER, onRedis, timed } from '../support/fault-room.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

const BACKENDS: readonly { readonly name: string; options(): Promise<CacheOptions> }[] = [
  { name: 'memory', options: async () => ({ backend: 'memory' }) },
  { name: 'files', options: async () => ({ backend: 'filesystem' }) },
  { name: 'Redis', options: async () => onRedis(await room.redis()) },
  { name: 'a Redis that is out', options: async () => onRedis({ url: `redis://127.0.0.1:${await freePort()}` }) },
]

const HARD = 200

interface Bad {
  readonly name: string
  make(): unknown
  /** What callers are told; PALIER_FACTORY_TIMEOUT for what takes too long. */
  readonly reason: unknown
}

const TIMEOUT = expect.objectContaining({ code: 'PALIER_FACTORY_TIMEOUT' })
const afterwards = (ms: number, settle: () => void): void => void setTimeout(settle, ms)

function thrown(what: unknown): never {
  throw what
}

const FACTORIES: readonly Bad[] = [
  { name: 'throws undefined', make: () => thrown(undefined), reason: undefined },
  { name: 'throws null', make: () => thrown(null), reason: null },
  { name: 'throws a text', make: () => thrown('no'), reason: 'no' },
  { name: 'throws an error at once', make: () => thrown(new RangeError('at once')), reason: new RangeError('at once') },
  { name: 'rejects with undefined', make: () => Promise.resolve().then(() => thrown(undefined)), reason: undefined },
  {
    name: 'rejects after its time is over',
    make: () => new Promise((_, reject) => afterwards(2 * HARD, () => reject(new Error('late')))),
    reason: TIMEOUT,
  },
  { name: 'never settles', make: () => new Promise(() => undefined), reason: TIMEOUT },
  {
    name: 'gives what throws when it is awaited',
    // oxlint-disable-next-line unicorn/no-thenable
    make: () => ({ then: () => thrown(new Error('then')) }),
    reason: new Error('then'),
  },
]

async function reasonsOf(cache: Cache, key: string, make: () => unknown): Promise<unknown[]> {
  const calls = Array.from({ length: 20 }, () => cache.getOrSet(key, make, { hardTimeout: HARD }))
  return (await Promise.allSettled(calls)).map(call => (call.status === 'rejected' ? call.reason : call))
}

describe.each(BACKENDS)('on $name, a factory that', backend => {
  test.each(FACTORIES)('$name: each of its callers is told, in time, and the next factory is asked', async bad => {
    const unhandled: unknown[] = []
    const hear = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', hear)
    room.atEnd(() => process.off('unhandledRejection', hear))
    const cache = await room.cache(await backend.options())
    const took = await timed(async () => {
      const reasons = await reasonsOf(cache, 'key', () => bad.make())
      expect(reasons).toEqual(Array.from({ length: 20 }, () => bad.reason))
    })
    // Thirty seconds is the default, which the call has shortened.
    expect(took).toBeLessThan(10_000)
    expect(await cache.getOrSet('key', () => 'good', { fresh: true })).toBe('good')
    if (bad.name.includes('after its time')) {
      await until('it has rejected', () => cache.stats().types['default']?.loadErrors === 1, NEVER)
    }
    expect(await cache.getOrSet('key', () => thrown(new Error('asked again')))).toBe('good')
    expect(unhandled).toEqual([])
  })

  test('fails with a stale value at hand: everybody gets that', async () => {
    const options = {
      ...(await backend.options()),
      defaults: { ttl: 20, grace: '1m', softTimeout: 50, hardTimeout: HARD },
    }
    const cache = await room.cache(options)
    for (const bad of FACTORIES) {
      await cache.getOrSet(bad.name, () => 'old')
      await until('it is stale', async () => (await cache.get(bad.name)) === undefined, NEVER)
      const values = await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet(bad.name, () => bad.make())))
      expect(new Set(values)).toEqual(new Set(['old']))
    }
  })
})
