import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Cache, Clock } from '../../src/index.ts'
import { systemClock } from '../../src/clock.ts'
import { gate } from '../support/caches.ts'
import { allUp, allWell, faultRoom, measured, never, NEVER, onRedis, timed } from '../support/fault-room.ts'
import { type RedisServer, until } from '../support/redis-server.ts'

const room = faultRoom()

async function twoCaches(options: { readonly clock?: Clock } = {}): Promise<readonly [Cache, Cache, RedisServer]> {
  const server = await room.redis()
  const a = await room.cache({ ...onRedis(server), ...options })
  const b = await room.cache(onRedis(server))
  await allWell(a, b)
  return [a, b, server]
}

const tierOf = async (cache: Cache, key: string): Promise<string> => (await cache.fetch(key, never)).tier

/** The news of a write may be on its way when the key is first read: then that copy is not kept. */
const servedNear = (cache: Cache, key: string): Promise<void> =>
  until('it is served from memory', async () => (await tierOf(cache, key)) === 'near', NEVER)

describe('the connection that brings the news is lost, and the one for the data is not', () => {
  test('nothing is served from memory until it is back, and from memory again then', async () => {
    const [a, b, server] = await twoCaches()
    await a.set('key', 'value')
    await servedNear(b, 'key')
    let flushes = 0
    b.on('flush', () => flushes++)
    expect(await server.ask('CLIENT KILL TYPE pubsub')).toBe(':2')
    await until('the loss was noticed', () => flushes > 0, NEVER)
    expect(await tierOf(b, 'key')).not.toBe('near')
    const resumed = await timed(() => servedNear(b, 'key'))
    measured('bus killed: flush to near hits again, ms', resumed)
    expect(await b.get('key')).toBe('value')
  })

  test('what was deleted in that moment is not served from memory afterwards', async () => {
    const [a, b, server] = await twoCaches()
    for (let round = 0; round < 20; round++) {
      const key = `key${round}`
      expect(await a.set(key, 'old')).toEqual({ local: true, shared: 'acked' })
      // A flush in the middle of a read makes it a miss.
      await until('it is read', async () => (await b.get(key)) === 'old', NEVER)
      await Promise.all([server.ask('CLIENT KILL TYPE pubsub'), a.delete(key)])
      expect(await a.get(key)).toBeUndefined()
      await until('it is gone in the other cache', async () => (await b.get(key)) === undefined, NEVER)
      await allUp(a, b)
      for (let again = 0; again < 20; again++) expect(await b.get(key)).toBeUndefined()
    }
  })

  test('a bus that is forbidden is no silent one: memory is off, reads stay right, and status says why', async () => {
    const [a, b, server] = await twoCaches()
    await a.set('key', 'old')
    await b.get('key')
    // Redis closes the connections that listen to what is forbidden now.
    await server.ask('ACL SETUSER default resetchannels')
    await until('it is degraded', () => b.status().state === 'DEGRADED', NEVER)
    expect(b.status().reason).toContain('bus')
    await a.set('key', 'new')
    expect(await a.get('key')).toBe('new')
    expect(await b.get('key')).toBe('new')
    await a.delete('key')
    expect(await b.get('key')).toBeUndefined()
    await server.ask('ACL SETUSER default allchannels')
    await allWell(a, b)
    await a.set('key', 'newest')
    await until('it is heard again', async () => (await b.get('key')) === 'newest', NEVER)
    await servedNear(b, 'key')
  })
})

test('a cache that cannot hear the bus tries again and again, and keeps nothing of each try', async () => {
  const server = await room.redis()
  await server.ask('ACL SETUSER default resetchannels')
  const cache = await room.cache(onRedis(server))
  let failures = 0
  cache.on('error', ({ operation }) => void (operation === 'bus' && failures++))
  let signal: AbortSignal | undefined
  await cache.getOrSet('key', context => {
    ;({ signal } = context)
    return 1
  })
  const listeners = async (tries: number): Promise<number> => {
    const from = failures
    await until('it has tried again', () => failures >= from + tries, NEVER)
    return signal === undefined ? -1 : getEventListeners(signal, 'abort').length
  }
  const before = await listeners(2)
  expect(before).toBeGreaterThanOrEqual(0)
  expect(await listeners(3)).toBeLessThanOrEqual(before)
  await server.ask('ACL SETUSER default allchannels')
  await allWell(cache)
})

interface JumpingClock extends Clock {
  jump(ms: number): void
}

/** The clock of this machine, whose wall clock an administrator sets. */
function jumpingClock(): JumpingClock {
  let ahead = 0
  return { ...systemClock, wall: () => Date.now() + ahead, jump: ms => void (ahead += ms) }
}

const HOUR = 3_600_000

describe('the wall clock jumps an hour ahead, and then two hours back', () => {
  test('nothing in memory or in Redis ends because of it, and what ends does so in its own time', async () => {
    const clock = jumpingClock()
    const [a, b] = await twoCaches({ clock })
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`)
    for (const key of keys) await a.set(key, key, { ttl: '10m' })
    await a.getMany(keys)
    for (const jump of [HOUR, -2 * HOUR]) {
      clock.jump(jump)
      for (const key of keys) expect(await tierOf(a, key)).toBe('near')
      expect(await b.getMany(keys)).toEqual(keys)
      await a.set('short', 'short', { ttl: 300 })
      await a.set('fresh', 'fresh', { ttl: '10m' })
      expect(await a.get('short')).toBe('short')
      expect(await b.get('fresh')).toBe('fresh')
      const lasted = await timed(() => until('it ends', async () => (await a.get('short')) === undefined, NEVER))
      expect(lasted).toBeGreaterThan(100)
      expect(await b.get('short')).toBeUndefined()
      expect(await a.get('fresh')).toBe('fresh')
      expect(a.status().state).toBe('HEALTHY')
    }
  })

  test('a load under way keeps its lease: the other process waits for it and does not load', async () => {
    const clock = jumpingClock()
    const [a, b] = await twoCaches({ clock })
    for (const [key, jump] of [
      ['ahead', HOUR],
      ['back', -2 * HOUR],
    ] as const) {
      const begun = gate<void>()
      const source = gate<string>()
      const loading = a.getOrSet(key, () => {
        begun.open()
        return source.promise
      })
      await begun.promise
      clock.jump(jump)
      const waiting = b.getOrSet(key, never)
      source.open('loaded once')
      expect(await loading).toBe('loaded once')
      expect(await waiting).toBe('loaded once')
      expect(await a.get(key)).toBe('loaded once')
    }
  })

  test('an outage that a jump falls into ends as any other, and what was deleted in it stays deleted', async () => {
    const clock = jumpingClock()
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const a = await room.cache({ ...onRedis(path), clock })
    const b = await room.cache(onRedis(path))
    await allWell(a, b)
    await a.set('key', 'old', { ttl: '10m' })
    await path.mode('refuse')
    expect(await a.delete('key')).toEqual({ local: true, shared: 'pending' })
    clock.jump(HOUR)
    expect(await a.getOrSet('other', () => 1)).toBe(1)
    clock.jump(-2 * HOUR)
    expect(await a.getOrSet('other', never)).toBe(1)
    await path.mode('pass')
    await allUp(a, b)
    expect(await a.get('key')).toBeUndefined()
    expect(await b.get('key')).toBeUndefined()
  })
})
