import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { type RedisEvent, type RedisStoreOptions, redisStore } from '../../src/stores/redis/store.ts'
import { freePort } from '../support/ports.ts'
import { answers, CLIENT_KINDS, lend, type RedisServer, startRedis, until } from '../support/redis-server.ts'

const recordOf = (key: string, payload = 'x'): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: payload.length, stamps: [] },
    Buffer.from(payload),
  )

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start(options?: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
  const server = await startRedis(options)
  ends.push(() => server.stop())
  return server
}

function open(options: RedisStoreOptions) {
  const store = redisStore(options)
  ends.push(() => store.close())
  return store
}

const WAYS = [...CLIENT_KINDS.map(kind => `a borrowed ${kind} client`), 'a URL'] as const

async function optionsFor(way: string, server: RedisServer): Promise<RedisStoreOptions> {
  const kind = CLIENT_KINDS.find(each => way === `a borrowed ${each} client`)
  if (kind === undefined) return { url: server.url }
  const lent = await lend(kind, server.url)
  ends.push(() => lent.end())
  return { client: lent.client }
}

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await run()
  return performance.now() - begun
}

for (const way of WAYS) {
  describe(`redis through ${way}`, () => {
    test('a hanging server costs the deadline, and a late reply disturbs nobody', async () => {
      const server = await start()
      const store = await answers(open({ ...(await optionsFor(way, server)), deadline: 100 }))
      await store.set('a', recordOf('a'), 60_000)
      server.pause()
      const late = { code: 'PALIER_STORE_TIMEOUT' }
      const took = await milliseconds(() =>
        Promise.all([
          expect(store.get('a')).rejects.toMatchObject(late),
          expect(store.getMany(['a', 'b'])).rejects.toMatchObject(late),
          expect(store.claim('b', { token: 't', ttl: 1000 })).rejects.toMatchObject(late),
          expect(store.delete(['c'])).rejects.toMatchObject(late),
        ]),
      )
      expect(took).toBeGreaterThanOrEqual(99)
      expect(took).toBeLessThan(400)
      server.resume()
      await answers(store)
      expect((await store.get('a'))?.bytes).toEqual(recordOf('a'))
    })

    test('a server that dies fails the calls, and one in its place is used within 1.5 s', async () => {
      const server = await start()
      const store = await answers(open(await optionsFor(way, server)))
      await store.set('a', recordOf('a'), 60_000)
      const identity = await store.identity()
      await server.kill()
      await until('calls fail', () =>
        store.get('a').then(
          () => false,
          () => true,
        ),
      )
      const failing = await milliseconds(() => expect(store.get('a')).rejects.toMatchObject({ name: 'PalierError' }))
      expect(failing).toBeLessThan(400)
      await server.restart()
      const healed = await milliseconds(() => answers(store))
      // A borrowed client comes back when its owner said it should; ours must within a second and a half.
      if (way === 'a URL') expect(healed).toBeLessThan(1500)
      expect(await store.get('a')).toBeUndefined()
      expect(await store.identity()).not.toBe(identity)
      await store.set('a', recordOf('a'), 60_000)
    })
  })
}

describe('a write whose caller was told it failed', () => {
  for (const way of ['a URL', 'a borrowed redis client'] as const) {
    test(`is not made up for after the server came back, through ${way}`, async () => {
      const server = await start()
      const store = await answers(open({ ...(await optionsFor(way, server)), deadline: 100 }))
      await server.kill()
      await until('calls fail', () =>
        store.get('a').then(
          () => false,
          () => true,
        ),
      )
      await Promise.allSettled(Array.from({ length: 20 }, () => store.set('late', recordOf('late'), 60_000)))
      await server.restart()
      await answers(store)
      expect(await store.get('late')).toBeUndefined()
    })
  }
})

describe('a server that refuses', () => {
  test('writes for want of memory: sets fail, reads and deletes go on, and the lease is void all the same', async () => {
    const server = await start()
    const store = await answers(open({ url: server.url }))
    await store.set('a', recordOf('a'), 60_000)
    expect((await store.claim('b', { token: 't', ttl: 60_000 })).granted).toBe(true)
    await server.ask('CONFIG SET maxmemory 1')
    const refused = { code: 'PALIER_STORE_REFUSED', cause: { code: 'OOM' } }
    await expect(store.set('b', recordOf('b'), 60_000)).rejects.toMatchObject(refused)
    expect((await store.get('a'))?.bytes).toEqual(recordOf('a'))
    await store.delete(['a'])
    expect(await store.get('a')).toBeUndefined()
    await server.ask('CONFIG SET maxmemory 0')
    expect(await store.commit('b', 't', recordOf('b'), 60_000)).toBe(false)
  })

  test('writes because it is a replica: the refusal is told, reads go on', async () => {
    const primary = await start()
    const replica = await start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
    await until('the replica is in step', async () =>
      (await replica.ask('INFO replication')).includes('master_link_status:up'),
    )
    const [writer, reader] = [await answers(open({ url: primary.url })), await answers(open({ url: replica.url }))]
    await writer.set('a', recordOf('a'), 60_000)
    await until('the record got there', async () => (await reader.get('a')) !== undefined)
    const refused = { code: 'PALIER_STORE_REFUSED', cause: { code: 'READONLY' } }
    await expect(reader.delete(['a'])).rejects.toMatchObject(refused)
    // Whoever is the primary now is looked for at once, over a new connection.
    await answers(reader)
    expect((await reader.get('a'))?.bytes).toEqual(recordOf('a'))
    await expect(reader.set('a', recordOf('a'), 1000)).rejects.toMatchObject(refused)
  })
})

describe('a connection of the store that cannot be made', () => {
  test('fails each call fast with the reason, and close does not wait for it', async () => {
    const port = await freePort()
    const events: RedisEvent[] = []
    const store = open({ connect: { host: '127.0.0.1', port }, onEvent: event => events.push(event) })
    const failing = await milliseconds(() =>
      expect(store.get('a')).rejects.toMatchObject({ message: expect.stringMatching(/ECONNREFUSED|did not answer/) }),
    )
    expect(failing).toBeLessThan(400)
    await until('the trouble was reported', () => events.length > 0)
    await expect(store.get('a')).rejects.toMatchObject({ message: expect.stringContaining(`127.0.0.1:${port}`) })
    expect(events[0]).toMatchObject({ kind: 'trouble', why: expect.stringContaining('ECONNREFUSED') })
    expect(await milliseconds(() => store.close())).toBeLessThan(300)
  })

  test('is made as soon as a server is there', async () => {
    const port = await freePort()
    const store = open({ connect: { host: '127.0.0.1', port } })
    await expect(store.get('a')).rejects.toMatchObject({ name: 'PalierError' })
    const server = await start({ port })
    const took = await milliseconds(() => answers(store))
    expect(server.port).toBe(port)
    expect(took).toBeLessThan(1500)
  })

  test('with a wrong password never shows the password, not even in the cause', async () => {
    const server = await start({ password: 'the-right-one' })
    const events: RedisEvent[] = []
    const store = open({ url: `redis://:the-wrong-one@127.0.0.1:${server.port}`, onEvent: event => events.push(event) })
    await until('the trouble was reported', () => events.length > 0)
    const error: unknown = await store.get('a').catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'PALIER_STORE_FAILED', message: expect.stringContaining('WRONGPASS') })
    expect(inspect([error, events], { depth: 9 })).not.toMatch(/the-wrong-one|the-right-one/)
  })

  test('a call made before the first connection waits for it, within its deadline', async () => {
    const server = await start()
    const store = open({ url: server.url, deadline: 2000 })
    expect(await store.get('a')).toBeUndefined()
  })
})

describe('a borrowed ioredis client whose command failed', () => {
  test('does not pass its arguments on in the error', async () => {
    const server = await start()
    const store = open(await optionsFor('a borrowed ioredis client', server))
    await server.ask('CONFIG SET maxmemory 1')
    const error: unknown = await store
      .set('a', recordOf('a', 'a secret payload'), 1000)
      .catch((cause: unknown) => cause)
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret|command:/)
  })
})

describe('closing', () => {
  test('ends what waits with PALIER_CLOSED', async () => {
    const server = await start()
    const store = open({ url: server.url, deadline: 5000 })
    await store.get('a')
    server.pause()
    const waiting = Promise.allSettled([store.get('a'), store.delete(['a'])])
    await new Promise(setImmediate)
    await store.close()
    const closed = { status: 'rejected', reason: expect.objectContaining({ code: 'PALIER_CLOSED' }) }
    expect(await waiting).toEqual([closed, closed])
    server.resume()
  })
})
