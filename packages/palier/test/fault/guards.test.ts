import { afterEach, describe, expect, test } from 'vitest'
import type { OnOutage } from '../../src/guard-room.ts'
import { createLimiter, type DecisionSource, type Limiter } from '../../src/limiter.ts'
import { createLockDoor } from '../../src/lock.ts'
import { redisStore } from '../../src/stores/redis/store.ts'
import { guardRoom } from '../support/guard-room.ts'
import { answers, type RedisServer, startRedis, until } from '../support/redis-server.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function server(): Promise<RedisServer> {
  const started = await startRedis()
  ends.push(() => started.stop())
  return started
}

/** Twice the usual one: a machine busy with other tests must not look like an outage. */
const DEADLINE = 500

/** What a cache gives to its guards, on a store of its own. */
async function roomOn({ url }: RedisServer, processes: number = 1) {
  const store = await answers(redisStore({ url, deadline: DEADLINE }))
  const room = await guardRoom(store, { processes, deadline: DEADLINE })
  ends.push(
    () => store.close(),
    () => room.close(),
  )
  await until('the store is up', () => room.link.usable())
  return room
}

/** Far above the deadline: a decision that waits for a client's own time-outs or retries takes longer. */
const HANG = 3_000

async function timed<T>(work: Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const result = await work
  expect(performance.now() - startedAt).toBeLessThan(HANG)
  return result
}

const OUTAGES: readonly (readonly [string, (server: RedisServer) => unknown, (server: RedisServer) => unknown])[] = [
  ['refuses connections', server => server.kill(), server => server.restart()],
  ['has stopped answering', server => server.pause(), server => server.resume()],
]

const SOURCES: readonly (readonly [OnOutage, DecisionSource])[] = [
  ['closed', 'policy'],
  ['open', 'policy'],
  ['local', 'local'],
]

/** Admitted requests of so many, each of which must be decided in time. */
async function admitted(limiter: Limiter, times: number, key: string): Promise<number> {
  let count = 0
  for (let i = 0; i < times; i++) if ((await timed(limiter.take(key))).allowed) count++
  return count
}

const backToShared = (limiter: Limiter): Promise<void> =>
  until('decisions are shared again', async () => (await limiter.take('probe', 0)).source === 'shared')

for (const [what, begin, heal] of OUTAGES) {
  describe(`a server that ${what}`, () => {
    for (const [onOutage, source] of SOURCES) {
      test(`leaves limiters that are ${onOutage} to decide in time, and has them back after it heals`, async () => {
        const redis = await server()
        const limiter = createLimiter(await roomOn(redis, 4), 'login', { limit: 10, window: '10m', onOutage })
        expect((await limiter.take('k', 3)).source).toBe('shared')
        await begin(redis)
        expect((await timed(limiter.take('k'))).source).toBe(source)
        const count = await admitted(limiter, 30, 'k')
        // The first request took one of the three that are this process's share.
        expect(count).toBe({ closed: 0, open: 30, local: 2 }[onOutage])
        await heal(redis)
        await backToShared(limiter)
        expect(await admitted(limiter, 30, 'fresh')).toBe(10)
      })
    }

    test('gives locks by policy in time, and real ones after it heals', async () => {
      const redis = await server()
      const locks = createLockDoor(await roomOn(redis))
      await begin(redis)
      expect(await timed(locks.lock('job'))).toBeUndefined()
      const [one, two] = [
        await timed(locks.lock('job', { onOutage: 'local' })),
        await timed(locks.lock('job', { onOutage: 'local' })),
      ]
      expect([one?.held(), one?.fence, two]).toEqual([true, undefined, undefined])
      expect((await timed(locks.lock('job', { onOutage: 'open' })))?.held()).toBe(true)
      const waiting = locks.lock('job', { wait: '20s' })
      await heal(redis)
      expect((await waiting)?.fence).toBeGreaterThan(0)
      expect(await one?.release()).toBe(true)
    })

    test('tells the holder of a lock in time, and grants it to the next with a greater fence', async () => {
      const redis = await server()
      const [mine, theirs] = [createLockDoor(await roomOn(redis)), createLockDoor(await roomOn(redis))]
      const ttl = 1_000
      const lock = await mine.lock('job', { ttl })
      if (lock === undefined) throw new Error('the lock was not granted')
      const lost = new Promise<void>(resolve => lock.signal.addEventListener('abort', () => resolve()))
      await begin(redis)
      await lost
      expect(lock.held()).toBe(false)
      await heal(redis)
      const next = await theirs.lock('job', { wait: '20s' })
      expect(next?.fence).toBeGreaterThan(lock.fence ?? Number.POSITIVE_INFINITY)
      expect(await lock.release()).toBe(false)
      expect(next?.held()).toBe(true)
    })
  })
}

describe('a failover that loses what was written', () => {
  test('admits at most one more window', async () => {
    const redis = await server()
    const limiter = createLimiter(await roomOn(redis), 'api', { limit: 20, window: '10m', onOutage: 'closed' })
    expect(await admitted(limiter, 50, 'k')).toBe(20)
    await redis.restart()
    await backToShared(limiter)
    expect(await admitted(limiter, 50, 'k')).toBe(20)
  })

  test('may grant a held lock again, with a greater fence, and the former holder is told', async () => {
    const redis = await server()
    const [mine, theirs] = [createLockDoor(await roomOn(redis)), createLockDoor(await roomOn(redis))]
    const lock = await mine.lock('job', { ttl: '10s' })
    if (lock === undefined) throw new Error('the lock was not granted')
    const lost = new Promise<void>(resolve => lock.signal.addEventListener('abort', () => resolve()))
    await redis.restart()
    const next = await theirs.lock('job', { wait: '20s' })
    expect(next?.fence).toBeGreaterThan(lock.fence ?? Number.POSITIVE_INFINITY)
    await lost
    expect(await lock.release()).toBe(false)
    expect(next?.held()).toBe(true)
    expect(await next?.release()).toBe(true)
  })

  test('to a server whose clock is behind keeps nobody waiting for longer than two windows', async () => {
    const redis = await server()
    const limiter = createLimiter(await roomOn(redis), 'api', { limit: 5, window: '1m', onOutage: 'closed' })
    expect(await admitted(limiter, 5, 'k')).toBe(5)
    // The counters as such a server finds them: a window that begins in ten hours.
    const name = 'palier:{test:r:api:60000:k}:r'
    await redis.ask(`SET ${name} "${Date.now() + 36_000_000} 5 0" PX 36100000`)
    const { allowed, retryAfter, source } = await limiter.take('k')
    expect([allowed, source]).toEqual([false, 'shared'])
    expect(retryAfter).toBeLessThanOrEqual(120_000)
    expect(Number((await redis.ask(`PTTL ${name}`)).slice(1))).toBeLessThanOrEqual(120_000)
  })
})

describe('on the server', () => {
  test('a request whose answer never came was counted once at most', async () => {
    const redis = await server()
    const limiter = createLimiter(await roomOn(redis), 'api', { limit: 10, window: '10m', onOutage: 'open' })
    redis.pause()
    expect((await timed(limiter.take('k'))).source).toBe('policy')
    redis.resume()
    await backToShared(limiter)
    expect((await limiter.take('k', 0)).remaining).toBeGreaterThanOrEqual(9)
  })

  test('every name of a lock or a limit has an end, and none lies where records do', async () => {
    const redis = await server()
    const room = await roomOn(redis)
    const lock = await createLockDoor(room).lock('a:{b}')
    await createLimiter(room, 'api', { limit: 1, window: '1m', onOutage: 'closed' }).take('k:{b}')
    for (const [name, least, most] of [
      ['palier:{test:k:a:%7Bb%7D}:k', 1, 30_000],
      ['palier:{test:k:a:%7Bb%7D}:f', 86_400_000, 31 * 86_400_000],
      ['palier:{test:r:api:60000:k:%7Bb%7D}:r', 60_000, 120_000],
    ] as const) {
      const left = Number((await redis.ask(`PTTL ${name}`)).slice(1))
      expect(left).toBeGreaterThanOrEqual(least)
      expect(left).toBeLessThanOrEqual(most)
    }
    expect(await redis.ask('DBSIZE')).toBe(':3')
    expect(await lock?.release()).toBe(true)
  })

  test('a limit is counted and a lock granted where something else lies under their names', async () => {
    const redis = await server()
    const room = await roomOn(redis)
    const limiter = createLimiter(room, 'api', { limit: 2, window: '1m', onOutage: 'closed' })
    await redis.ask('LPUSH palier:{test:r:api:60000:k}:r x')
    await redis.ask('LPUSH palier:{test:k:job}:f x')
    expect(await admitted(limiter, 5, 'k')).toBe(2)
    expect((await createLockDoor(room).lock('job'))?.fence).toBeGreaterThan(0)
  })
})
