import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { probeRedis, redisStore } from '../../src/stores/redis/store.ts'
import { openOwned, OWN_CLIENTS, outcome } from '../support/redis-owned.ts'
import { answers, type Prepared, prepare, type RedisSentinels, startSentinels, until } from '../support/redis-server.ts'

const recordOf = (key: string): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] },
    Buffer.from('x'),
  )

const ends: (() => unknown)[] = []
/** For seven cases without passwords, and two with. */
let open: Prepared<RedisSentinels>
let locked: Prepared<RedisSentinels>
beforeAll(async () => {
  open = await prepare(7, startSentinels)
  locked = await prepare(2, () => startSentinels({ password: 'for-servers', sentinelPassword: 'for-sentinels' }))
})
afterAll(() => Promise.all([open, locked].map(each => each.stop())))
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function start(sentinels: RedisSentinels = open.next()): RedisSentinels {
  ends.push(() => sentinels.stop())
  return sentinels
}

/** Far above the deadline of 250 ms: what takes longer hangs. */
const SETTLED = 1000

for (const client of OWN_CLIENTS) {
  describe(`sentinels, through ${client}`, () => {
    test('a primary that is killed under load is followed by another one: bounded calls, told losses, new identity', async () => {
      const sentinels = start()
      const owned = openOwned(client, { url: sentinels.url })
      ends.push(() => owned.close())
      await answers(owned.store)
      expect(owned.events).toContainEqual({ kind: 'ready', client, mode: 'sentinel' })
      const identity = await owned.store.identity()
      const before = await sentinels.primary()
      let slowest = 0
      let isRunning = true
      const load = (async () => {
        for (let i = 0; isRunning; i++) {
          const { code, ms } = await outcome(() => owned.store.set(`k${i % 50}`, recordOf('k'), 60_000))
          slowest = Math.max(slowest, ms)
          expect(code).toMatch(/^(ok|PALIER_STORE_(FAILED|TIMEOUT|REFUSED))$/)
          await new Promise(setImmediate)
        }
      })()
      await until('the load runs', async () => (await owned.store.get('k9')) !== undefined)
      await before.kill()
      await until('another one is named', async () => (await sentinels.primary()) !== before, 20_000)
      const begun = performance.now()
      await until(
        'writes are taken',
        async () => (await outcome(() => owned.store.set('after', recordOf('after'), 60_000))).code === 'ok',
      )
      expect(performance.now() - begun).toBeLessThan(3000)
      isRunning = false
      await load
      expect(slowest).toBeLessThan(SETTLED)
      expect(await owned.store.identity()).not.toBe(identity)
      expect(owned.losses.length).toBeGreaterThan(0)
      expect(owned.readies()).toBeGreaterThan(1)
    })

    test('a primary that was replaced but lives is left although its connections stay open', async () => {
      const sentinels = start()
      const owned = openOwned(client, { url: sentinels.url })
      ends.push(() => owned.close())
      await answers(owned.store)
      const before = await sentinels.primary()
      expect(await sentinels.sentinels[0]?.ask('SENTINEL FAILOVER main')).toBe('+OK')
      await until('another one is named', async () => (await sentinels.primary()) !== before, 20_000)
      await until('the loss is told', () => owned.losses.length > 0, 3000)
      await until(
        'writes are taken',
        async () => (await outcome(() => owned.store.set('after', recordOf('after'), 60_000))).code === 'ok',
      )
      expect(await (await sentinels.primary()).ask('EXISTS palier:{after}')).toBe(':1')
    })

    test('passwords of the servers and of the sentinels are told apart, and dead sentinels are passed over', async () => {
      const sentinels = start(locked.next())
      await sentinels.sentinels[0]?.kill()
      sentinels.sentinels[1]?.pause()
      const nodes = sentinels.sentinels.map(({ host, port }) => ({ host, port }))
      const sentinel = { nodes, name: 'main', password: 'for-sentinels' }
      const owned = openOwned(client, { url: 'redis://:for-servers@ignored', sentinel })
      ends.push(() => owned.close())
      await answers(owned.store)
      await owned.store.set('a', recordOf('a'), 60_000)
      const wrong = openOwned(client, { url: sentinels.url, sentinel: { ...sentinel, password: 'wrong' } })
      ends.push(() => wrong.close())
      await until('the refusal is told', () => JSON.stringify(wrong.events).includes('WRONGPASS'))
      expect(JSON.stringify([owned.events, wrong.events])).not.toMatch(/for-servers|for-sentinels|wrong"/)
    })
  })
}

describe('the URL of sentinels', () => {
  test('is all a store and the probe need', async () => {
    const sentinels = start(await startSentinels({ password: 'p/w:@' }))
    expect(await probeRedis({ url: sentinels.url }, 2000)).toMatchObject({ ok: true, mode: 'sentinel' })
    const store = redisStore({ url: sentinels.url })
    ends.push(() => store.close())
    await answers(store)
    const bus = store.openBus('c')
    ends.push(() => bus.close())
    await bus.attach({ message: () => {}, lost: () => {} })
    expect(bus.poll()).toBe(true)
  })

  test('with a name nobody knows is told so', async () => {
    const sentinels = start()
    const url = sentinels.url.replace(/main$/, 'other')
    expect(await probeRedis({ url }, 2000)).toMatchObject({ ok: false, why: expect.stringContaining('this name') })
    const store = redisStore({ url })
    ends.push(() => store.close())
    await until('a call names the reason', () =>
      store.get('a').then(
        () => false,
        (error: unknown) => error instanceof Error && error.message.includes('knows no primary by the name other'),
      ),
    )
  })
})

describe('a borrowed client of sentinels', () => {
  for (const kind of ['ioredis', 'redis'] as const) {
    test(`of ${kind} is used, tells of a failover, and is used again`, async () => {
      const sentinels = start()
      const nodes = sentinels.sentinels.map(({ host, port }) => ({ host, port }))
      const client =
        kind === 'ioredis'
          ? new Redis({ sentinels: nodes, name: 'main' })
          : createSentinel({ name: 'main', sentinelRootNodes: nodes })
      client.on('error', () => {})
      if (!(client instanceof Redis)) await client.connect()
      ends.push(() => (client instanceof Redis ? client.disconnect() : client.destroy()))
      const store = redisStore({ client, deadline: 500 })
      ends.push(() => store.close())
      await answers(store)
      const losses: string[] = []
      store.watch({ lost: reason => losses.push(reason), ready: () => {} })
      const identity = await store.identity()
      await store.set('a', recordOf('a'), 60_000)
      const bus = store.openBus('c')
      ends.push(() => bus.close())
      await bus.attach({ message: () => {}, lost: () => {} })
      const before = await sentinels.primary()
      await before.kill()
      await until('another one is named', async () => (await sentinels.primary()) !== before, 20_000)
      await until(
        'writes are taken',
        async () => (await outcome(() => store.set('after', recordOf('after'), 60_000))).code === 'ok',
        20_000,
      )
      expect(losses.length).toBeGreaterThan(0)
      expect(await store.identity()).not.toBe(identity)
      await until('the bus is trusted again', () => bus.poll(), 20_000)
    })
  }
})
