import { afterEach, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { openOwned, OWN_CLIENTS, type Owned, outcome } from '../support/redis-owned.ts'
import { type Proxy, startProxy } from '../support/proxy.ts'
import { answers, type RedisServer, startRedis, until } from '../support/redis-server.ts'

const recordOf = (key: string): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] },
    Buffer.from('x'),
  )

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Far above the deadline of 250 ms: what takes longer hangs. */
const SETTLED = 1000
/** From heal to use: 1.5 s are promised, and the machine may be busy. */
const HEALED = 2500

for (const client of OWN_CLIENTS) {
  describe(`a store of its own connections through ${client}`, () => {
    async function setUp(): Promise<Owned & { server: RedisServer; proxy: Proxy }> {
      const server = await startRedis()
      ends.push(() => server.stop())
      const proxy = await startProxy({ port: server.port })
      ends.push(() => proxy.close())
      const owned = openOwned(client, { url: proxy.url })
      ends.push(() => owned.close())
      await answers(owned.store)
      await owned.store.set('a', recordOf('a'), 60_000)
      return { ...owned, server, proxy }
    }

    /** Every kind of call fails with one of our codes, and soon. */
    async function expectBounded({ store }: Owned): Promise<void> {
      const calls = await Promise.all([
        outcome(() => store.get('a')),
        outcome(() => store.getMany(['a', 'b'])),
        outcome(() => store.claim('b', { token: 't', ttl: 1000 })),
        outcome(() => store.set('late', recordOf('late'), 60_000)),
        outcome(() => store.delete(['c'])),
        outcome(() => store.identity()),
      ])
      for (const { code, ms } of calls) {
        expect(code).toMatch(/^PALIER_STORE_(FAILED|TIMEOUT)$/)
        expect(ms).toBeLessThan(SETTLED)
      }
    }

    async function expectHealed({ store }: Owned): Promise<void> {
      const begun = performance.now()
      await answers(store)
      expect(performance.now() - begun).toBeLessThan(HEALED)
      expect((await store.get('a'))?.bytes).toEqual(recordOf('a'))
    }

    /** What its caller was told had failed did not happen later. */
    const expectNothingLate = async ({ store }: Owned): Promise<void> => expect(await store.get('late')).toBeUndefined()

    test('refused: lost is told at once, calls fail at once, and it is used again soon after', async () => {
      const owned = await setUp()
      const identity = await owned.store.identity()
      await owned.proxy.mode('refuse')
      await until('the loss is told', () => owned.losses.length === 1, SETTLED)
      const readies = owned.readies()
      await expectBounded(owned)
      await until('the reason is told', () => owned.events.some(event => event.kind === 'trouble'))
      expect(JSON.stringify(owned.events)).toContain('ECONNREFUSED')
      await owned.proxy.mode('pass')
      await expectHealed(owned)
      await expectNothingLate(owned)
      expect(owned.readies()).toBe(readies + 1)
      expect(owned.losses).toHaveLength(1)
      expect(await owned.store.identity()).toBe(identity)
    })

    test('packets that vanish: calls keep their deadline, and it is used again soon after', async () => {
      const owned = await setUp()
      await owned.proxy.mode('blackhole')
      await expectBounded(owned)
      await until('the silence is noticed', () => owned.losses.length === 1, 4000)
      expect(owned.losses[0]).toContain('silent')
      const dead = await outcome(() => owned.store.get('a'))
      expect(dead).toMatchObject({ code: 'PALIER_STORE_FAILED' })
      // Long enough for attempts to have come to their longest.
      await until('several attempts ran out of time', () => owned.proxy.accepted() > 4, 10_000)
      await owned.proxy.mode('pass')
      await expectHealed(owned)
      await expectNothingLate(owned)
    })

    test('a half-open connection is replaced although nothing heals', async () => {
      const owned = await setUp()
      await owned.proxy.mode('half-open')
      await owned.proxy.mode('pass')
      await expectBounded(owned)
      await until('the silence is noticed', () => owned.losses.length === 1, 4000)
      await expectHealed(owned)
    })

    test('a frozen server: calls keep their deadline, and it is used again soon after', async () => {
      const owned = await setUp()
      owned.server.pause()
      await expectBounded(owned)
      await until('the silence is noticed', () => owned.losses.length === 1, 4000)
      await until('an attempt ran out of time', () => owned.events.some(event => event.kind === 'trouble'))
      owned.server.resume()
      // A write that lay in the server's own buffer is carried out: a call that ran out of time may have happened.
      await expectHealed(owned)
    })

    test('a slow path costs the deadline and no connection', async () => {
      const owned = await setUp()
      await owned.proxy.mode('delay:200')
      for (let i = 0; i < 3; i++) await expectBounded(owned)
      await owned.proxy.mode('pass')
      await answers(owned.store)
      expect(owned.losses).toEqual([])
      expect(owned.proxy.accepted()).toBe(1)
    })

    test('a path that flaps is not stormed, and leaves nothing behind', async () => {
      const owned = await setUp()
      for (let i = 0; i < 10; i++) {
        await owned.proxy.mode('cut')
        await until('it was lost and is back', () => owned.losses.length > i && owned.readies() > i + 1, 5000)
      }
      // Ten connections lost, ten made: no attempt was made in vain.
      expect(owned.proxy.accepted()).toBe(11)
      await expectHealed(owned)
      const connected = async (): Promise<string | undefined> =>
        /connected_clients:(\d+)/.exec(await owned.server.ask('INFO clients'))?.[1]
      await until('one connection is left, and the one that asks', async () => (await connected()) === '2')
    })

    test('reconnect gives a silent connection up at once, in any state, and never throws', async () => {
      const owned = await setUp()
      await owned.proxy.mode('half-open')
      await owned.proxy.mode('pass')
      const hung = outcome(() => owned.store.get('a'))
      await new Promise(setImmediate)
      const losses = owned.losses.length
      owned.store.reconnect?.()
      expect(owned.losses).toHaveLength(losses + 1)
      for (let i = 0; i < 5; i++) owned.store.reconnect?.()
      expect(owned.losses).toHaveLength(losses + 1)
      expect((await hung).code).toMatch(/^PALIER_STORE_(FAILED|TIMEOUT)$/)
      await expectHealed(owned)
      await owned.proxy.mode('refuse')
      owned.store.reconnect?.()
      await owned.proxy.mode('pass')
      await answers(owned.store)
      await owned.store.close()
      owned.store.reconnect?.()
      const connected = async (): Promise<string | undefined> =>
        /connected_clients:(\d+)/.exec(await owned.server.ask('INFO clients'))?.[1]
      await until('only the one that asks is connected', async () => (await connected()) === '1')
    })
  })
}
