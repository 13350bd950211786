import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { isRedisClient, redisStore } from '../../src/stores/redis/store.ts'
import { answers, CLIENT_KINDS, lend, type RedisServer, startRedis, until } from '../support/redis-server.ts'

const recordOf = (key: string, payload = 'x'): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: payload.length, stamps: [] },
    Buffer.from(payload),
  )

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
beforeEach(() => server.ask('FLUSHALL'))

const commandsSoFar = async (name: string): Promise<number> => {
  const line = new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(await server.ask('INFO commandstats'))
  return Number(line?.[1] ?? 0)
}
const connections = async (): Promise<number> =>
  Number(/connected_clients:(\d+)/.exec(await server.ask('INFO clients'))?.[1])

for (const kind of CLIENT_KINDS) {
  describe(`a borrowed ${kind} client`, () => {
    test('is left as it was: no listener, no connection, still open', async () => {
      const lent = await lend(kind, server.url)
      const listeners = (): unknown[] => lent.client.eventNames().map(name => [name, lent.client.listenerCount(name)])
      const [before, open] = [listeners(), await connections()]
      const store = redisStore({ client: lent.client, deadline: 5000 })
      const bus = store.openBus('c')
      await bus.attach({ message: () => {}, lost: () => {} })
      await store.set('a', recordOf('a'), 10_000)
      await bus.close()
      await store.close()
      await store.close()
      await expect(store.get('a')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
      expect(listeners()).toEqual(before)
      await until('the connection of the bus is gone', async () => (await connections()) === open)
      const again = redisStore({ client: lent.client, deadline: 5000 })
      expect((await again.get('a'))?.bytes).toEqual(recordOf('a'))
      await again.close()
      lent.end()
    })

    test('reads of one tick travel in one command, whoever asks', async () => {
      const lent = await lend(kind, server.url)
      const store = redisStore({ client: lent.client, deadline: 5000 })
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
      await Promise.all(keys.map(key => store.set(key, recordOf(key), 10_000)))
      await Promise.all([store.get('k0'), store.get('k1')])
      const before = await commandsSoFar('evalsha')
      const records = await Promise.all(keys.map(async key => Promise.resolve().then(() => store.get(key))))
      expect((await commandsSoFar('evalsha')) - before).toBe(1)
      expect(records.map(record => record?.bytes)).toEqual(keys.map(key => recordOf(key)))
      expect((await store.getMany(keys)).every(record => record !== undefined)).toBe(true)
      expect((await commandsSoFar('evalsha')) - before).toBe(2)
      await store.close()
      lent.end()
    })

    test('a server that lost its scripts gets them again', async () => {
      const lent = await lend(kind, server.url)
      const store = redisStore({ client: lent.client, deadline: 5000 })
      await store.set('a', recordOf('a'), 10_000)
      await server.ask('SCRIPT FLUSH')
      expect((await Promise.all([store.get('a'), store.get('a')])).map(record => record?.bytes)).toEqual([
        recordOf('a'),
        recordOf('a'),
      ])
      await server.ask('SCRIPT FLUSH')
      expect((await store.claim('b', { token: 't', ttl: 1000 })).granted).toBe(true)
      await server.ask('SCRIPT FLUSH')
      expect(await store.commit('b', 't', recordOf('b'), 10_000)).toBe(true)
      await store.close()
      lent.end()
    })

    test('the remaining time is that of the server', async () => {
      const lent = await lend(kind, server.url)
      const store = redisStore({ client: lent.client, deadline: 5000 })
      await store.set('a', recordOf('a'), 60_000)
      await server.ask('PEXPIRE palier:{a} 5000')
      const remaining = (await store.get('a'))?.remaining ?? 0
      expect(remaining).toBeGreaterThan(4000)
      expect(remaining).toBeLessThanOrEqual(5000)
      await server.ask('PERSIST palier:{a}')
      // A record that never ends is not one of ours.
      expect(await store.get('a')).toBeUndefined()
      await store.close()
      lent.end()
    })
  })
}

describe('a client with a prefix of its own', () => {
  test('keeps its keys under it, and scan finds them', async () => {
    const { Redis } = await import('ioredis')
    const client = new Redis(server.url, { keyPrefix: 'app*:' })
    const store = redisStore({ client })
    await store.set('a', recordOf('a'), 10_000)
    await server.ask('SET appX:palier:{b} 1 PX 10000')
    expect(await server.ask('EXISTS app*:palier:{a}')).toBe(':1')
    const keys: string[] = []
    for await (const page of store.scan('')) keys.push(...page)
    expect(keys).toEqual(['a'])
    expect(await store.usage('')).toEqual({ entries: 1, bytes: recordOf('a').length })
    await store.close()
    client.disconnect()
  })
})

describe('what is given to redisStore', () => {
  test('a thing that is no client is refused by name', () => {
    expect(isRedisClient({})).toBe(false)
    expect(() => redisStore({ client: { sendCommand: undefined } as never })).toThrow(
      /client: expected a client made by/,
    )
  })

  test('a bad URL or port is refused without being shown', () => {
    for (const url of [
      'hunter2',
      'http://:hunter2@x',
      'redis://:hunter2@x:99999',
      'redis://:hunter2@x/db',
      'redis://:%hunter2@x',
    ])
      expect(() => redisStore({ url })).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
      )
    expect(() => redisStore({ connect: { port: 0 } })).toThrow(/connect.port/)
    expect(() => redisStore({ deadline: 0 })).toThrow(/deadline/)
  })

  test('the parts of a URL reach the server: password, database', async () => {
    const locked = await startRedis({ password: 'p%40ss:w/rd' })
    const store = await answers(redisStore({ url: `${locked.url}/3` }))
    await store.set('a', recordOf('a'), 10_000)
    expect(await locked.ask('INFO keyspace')).toContain('db3:keys=1')
    await store.close()
    await locked.stop()
  })
})
