import { describe, expect, test } from 'vitest'
import { createCache } from '../../src/index.ts'
import type { CacheOptions } from '../../src/index.ts'
import { faultRoom, NEVER, onRedis } from '../support/fault-room.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

const BACKENDS: readonly { readonly name: string; options(): Promise<CacheOptions> }[] = [
  { name: 'memory', options: async () => ({ backend: 'memory' }) },
  { name: 'files', options: async () => ({ backend: 'filesystem' }) },
  { name: 'Redis', options: async () => onRedis(await room.redis()) },
]

const DAY = 86_400_000
const REFUSED = [
  0,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1.5,
  1e21,
  2 ** 53,
  2 ** 63,
  '0s',
  '-5m',
  '',
]
/** Above 2^31 - 1 a timer of Node fires at once. */
const LONG = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1, 25 * DAY, '25d', 3650 * DAY]

const bad = expect.objectContaining({ code: 'PALIER_BAD_OPTION' })

describe.each(BACKENDS)('on $name', backend => {
  test.each(REFUSED)('a ttl of %s is refused by every verb, and nothing is stored or loaded', async ttl => {
    const cache = await room.cache(await backend.options())
    let loads = 0
    const load = (): number => ++loads
    await expect(cache.set('key', 1, { ttl })).rejects.toEqual(bad)
    await expect(cache.setMany([['key', 1]], { ttl })).rejects.toEqual(bad)
    await expect(cache.add('key', 1, { ttl })).rejects.toEqual(bad)
    await expect(cache.getOrSet('key', load, { ttl })).rejects.toEqual(bad)
    await expect(cache.getOrSet('key', load, { hardTimeout: ttl })).rejects.toEqual(bad)
    await expect(cache.touch('key', { ttl })).rejects.toEqual(bad)
    expect(loads).toBe(0)
    expect(await cache.get('key')).toBeUndefined()
  })

  test('a factory that asks for a ttl that is none fails its callers, and nothing is stored', async () => {
    const cache = await room.cache(await backend.options())
    for (const ttl of REFUSED) {
      const load = cache.getOrSet('key', context => {
        context.ttl(ttl)
        return 1
      })
      await expect(load).rejects.toEqual(bad)
      expect(await cache.get('key')).toBeUndefined()
    }
  })

  test('the longest times are kept: nothing ends at once, while what is short ends', async () => {
    const cache = await room.cache(await backend.options())
    for (const [i, ttl] of LONG.entries()) {
      await cache.set(`set${i}`, 'long', { ttl })
      await cache.set(`grace${i}`, 'long', { ttl: '1h', grace: ttl })
      await cache.add(`add${i}`, 'long', { ttl })
      await cache.getOrSet(`load${i}`, () => 'long', { ttl })
    }
    await cache.set('short', 'short', { ttl: 60 })
    await until('the short one ends', async () => (await cache.get('short')) === undefined, NEVER)
    for (const i of LONG.keys()) {
      const keys = ['set', 'grace', 'add', 'load'].map(name => `${name}${i}`)
      expect(await cache.getMany(keys)).toEqual(['long', 'long', 'long', 'long'])
      for (const key of keys) expect((await cache.peek(key))?.ttl).toBeGreaterThan(3_000_000)
    }
  })

  test('the longest times are waited for: no call times out at once', async () => {
    const cache = await room.cache(await backend.options())
    for (const [i, time] of LONG.entries()) {
      const slow = (): Promise<string> => new Promise(resolve => setTimeout(() => resolve('loaded'), 30))
      const times = { hardTimeout: time, softTimeout: time, negativeTtl: time }
      expect(await cache.getOrSet(`key${i}`, slow, times)).toBe('loaded')
    }
  })

  test('a deadline that is no bound is refused', async () => {
    for (const time of LONG) {
      await expect((async () => createCache({ deadline: time, logger: false }))()).rejects.toThrow(
        /^deadline: expected/,
      )
      await expect((async () => createCache({ detectBudget: time, logger: false }))()).rejects.toThrow(
        /^detectBudget: expected/,
      )
    }
  })

  test('the longest times of an outage and of a type are kept too', async () => {
    for (const time of LONG) {
      const cache = await room.cache({
        ...(await backend.options()),
        outage: { ttl: time, serveFor: time },
        defaults: { ttl: time, near: time, throttle: time, hardTimeout: time, softTimeout: time },
      })
      expect(await cache.getOrSet('key', () => 'value')).toBe('value')
      expect(await cache.get('key')).toBe('value')
      await cache.close()
    }
  })
})
