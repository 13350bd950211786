import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { encodeRecord, recordHead } from '../../src/record.ts'
import { openOwned, OWN_CLIENTS, type Owned, outcome } from '../support/redis-owned.ts'
import { startProxy } from '../support/proxy.ts'
import { answers, type RedisServer, type RedisServerOptions, startRedis, until } from '../support/redis-server.ts'

const recordOf = (key: string): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] },
    Buffer.from('x'),
  )

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const QUICK = { args: ['--repl-diskless-sync-delay', '0'] } as const

/** Far above the deadline of 250 ms: what takes longer hangs. */
const SETTLED = 1000

for (const client of OWN_CLIENTS) {
  describe(`through ${client}, a server`, () => {
    async function start(options?: RedisServerOptions): Promise<RedisServer> {
      const server = await startRedis(options)
      ends.push(() => server.stop())
      return server
    }

    function open(url: string): Owned {
      const owned = openOwned(client, { url })
      ends.push(() => owned.close())
      return owned
    }

    async function setUp(options?: RedisServerOptions): Promise<Owned & { server: RedisServer }> {
      const server = await start(options)
      const owned = open(server.url)
      await answers(owned.store)
      await owned.store.set('a', recordOf('a'), 600_000)
      return { ...owned, server }
    }

    /** Writes are refused and told so; what is there is read as ever, through a claim too. */
    async function expectRefusal({ store, losses }: Owned, word: string): Promise<void> {
      const refused = { code: 'PALIER_STORE_REFUSED', cause: { code: word } }
      const lost = losses.length
      await expect(store.set('b', recordOf('b'), 60_000)).rejects.toMatchObject(refused)
      await expect(store.claim('b', { token: 't', ttl: 1000 })).rejects.toMatchObject(refused)
      expect((await store.get('a'))?.bytes).toEqual(recordOf('a'))
      expect((await store.getMany(['a', 'b'])).map(record => record?.bytes)).toEqual([recordOf('a'), undefined])
      const claimed = await store.claim('a', { token: 't', ttl: 1000 })
      expect(claimed.record?.bytes).toEqual(recordOf('a'))
      expect(claimed.granted).toBe(false)
      // The record is found wanting, so a lease is needed, and a lease is a write.
      const wanting = { token: 't', ttl: 1000, seen: recordHead(recordOf('a')) }
      await expect(store.claim('a', wanting)).rejects.toMatchObject(refused)
      expect(losses).toHaveLength(lost)
    }

    async function expectWell({ store }: Owned): Promise<void> {
      await answers(store)
      await store.set('b', recordOf('b'), 60_000)
      await store.delete(['b'])
      expect((await store.get('a'))?.bytes).toEqual(recordOf('a'))
    }

    /** Calls fail with our code, soon, and name the reason. */
    async function expectFailing({ store }: Owned, reason: RegExp): Promise<void> {
      for (const call of [() => store.get('a'), () => store.delete(['b']), () => store.getMany(['a'])]) {
        const { code, ms } = await outcome(call)
        expect(code).toMatch(/^PALIER_STORE_(FAILED|TIMEOUT)$/)
        expect(ms).toBeLessThan(SETTLED)
      }
      await until(`a call fails because of ${reason.source}`, () =>
        store.get('a').then(
          () => false,
          (error: unknown) => error instanceof Error && reason.test(error.message),
        ),
      )
      await expect(store.get('a')).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    }

    test('with too few replicas refuses writes and deletes, and answers reads', async () => {
      const owned = await setUp()
      await owned.server.ask('CONFIG SET min-replicas-to-write 1')
      await expectRefusal(owned, 'NOREPLICAS')
      await expect(owned.store.delete(['a'])).rejects.toMatchObject({ code: 'PALIER_STORE_REFUSED' })
      await owned.server.ask('CONFIG SET min-replicas-to-write 0')
      await expectWell(owned)
    })

    test('that cannot save refuses writes and deletes, and answers reads', async () => {
      const owned = await setUp()
      const { dir } = owned.server
      await mkdir(join(dir, 'dump.rdb'))
      await owned.server.ask('CONFIG SET save "3600 1"')
      await owned.server.ask('BGSAVE')
      await until('the save has failed', async () =>
        (await owned.server.ask('INFO persistence')).includes('rdb_last_bgsave_status:err'),
      )
      await expectRefusal(owned, 'MISCONF')
      await expect(owned.store.delete(['a'])).rejects.toMatchObject({ code: 'PALIER_STORE_REFUSED' })
      await rm(join(dir, 'dump.rdb'), { recursive: true })
      await owned.server.ask('CONFIG SET save ""')
      await expectWell(owned)
    })

    test('out of memory refuses writes, and takes deletes and releases', async () => {
      const owned = await setUp()
      await owned.store.set('c', recordOf('c'), 60_000)
      expect((await owned.store.claim('d', { token: 't', ttl: 60_000 })).granted).toBe(true)
      await owned.server.ask('CONFIG SET maxmemory 1')
      await expectRefusal(owned, 'OOM')
      await owned.store.delete(['c'])
      await owned.store.release('d', 't')
      await owned.server.ask('CONFIG SET maxmemory 0')
      expect(await owned.store.get('c')).toBeUndefined()
      expect((await owned.store.claim('d', { token: 'u', ttl: 1000 })).granted).toBe(true)
      await expectWell(owned)
    })

    test('that became a replica is left for whoever is the primary at its address, with sockets kept open', async () => {
      const [first, second] = [await start(QUICK), await start(QUICK)]
      const proxy = await startProxy({ port: first.port })
      ends.push(() => proxy.close())
      const owned = open(proxy.url)
      await answers(owned.store)
      const identity = await owned.store.identity()
      await first.ask(`REPLICAOF 127.0.0.1 ${second.port}`)
      await until('the replica is in step', async () =>
        (await first.ask('INFO replication')).includes('master_link_status:up'),
      )
      const refused = { code: 'PALIER_STORE_REFUSED', cause: { code: 'READONLY' } }
      await expect(owned.store.set('a', recordOf('a'), 60_000)).rejects.toMatchObject(refused)
      expect(owned.losses).toHaveLength(1)
      expect(owned.losses[0]).toContain('READONLY')
      proxy.retarget(second.port)
      const writes = async (): Promise<boolean> =>
        (await outcome(() => owned.store.set('a', recordOf('a'), 600_000))).code === 'ok'
      // Within 2 s, as is promised, and what a busy machine may add.
      await until('writes are taken by the new primary', writes, 3000)
      expect(await owned.store.identity()).not.toBe(identity)
      await expectWell(owned)
    })

    test('that became a replica and is a primary again is used again, and is not stormed meanwhile', async () => {
      const [other, owned] = [await start(), await setUp()]
      const identity = await owned.store.identity()
      await owned.server.ask(`REPLICAOF 127.0.0.1 ${other.port}`)
      const begun = performance.now()
      while (performance.now() - begun < 2500) await outcome(() => owned.store.set('b', recordOf('b'), 1000))
      // At once, after one second, after another one.
      expect(owned.losses.length).toBeLessThan(6)
      await owned.server.ask('REPLICAOF NO ONE')
      await until(
        'writes are taken again',
        async () => (await outcome(() => owned.store.set('a', recordOf('a'), 600_000))).code === 'ok',
      )
      expect(await owned.store.identity()).not.toBe(identity)
      await expectWell(owned)
    })

    test('that is loading is named so, and is used when it has loaded', async () => {
      const slow = ['--key-load-delay', '100', '--loading-process-events-interval-bytes', '1024']
      const owned = await setUp({ args: ['--save', '3600 1000000', ...slow] })
      await owned.server.ask(`EVAL "for i=1,20000 do redis.call('SET','k'..i,i) end" 0`)
      await owned.server.ask('SAVE')
      const restarted = owned.server.restart()
      await expectFailing(owned, /LOADING/)
      await restarted
      await expectWell(owned)
    })

    test('held up by a script fails calls within their deadline, and is used when it is over', async () => {
      const owned = await setUp()
      await owned.server.ask('CONFIG SET busy-reply-threshold 50')
      const endless = owned.server.ask('EVAL "while true do end" 0').catch(() => '')
      await until('the script holds the server up', async () => (await owned.server.ask('PING')).startsWith('-BUSY'))
      await expectFailing(owned, /script/)
      await owned.server.ask('SCRIPT KILL')
      await endless
      await expectWell(owned)
    })

    test('with too many clients is named so, and is used when there is room', async () => {
      const owned = await setUp()
      await owned.server.ask('CONFIG SET maxclients 1')
      const holder = open(owned.server.url)
      await owned.server.ask('CLIENT KILL TYPE normal')
      await until('one of them is refused', () =>
        [owned, holder].some(each => JSON.stringify(each.events).includes('max number of clients')),
      )
      const [out, inside] = JSON.stringify(owned.events).includes('max number') ? [owned, holder] : [holder, owned]
      await expectFailing(out, /too many clients|max number of clients/)
      await inside.close()
      await answers(out.store)
      await owned.server.ask('CONFIG SET maxclients 100').catch(() => '')
      expect(out.readies()).toBeGreaterThan(0)
    })

    test('that kills its clients is used again, and each loss is told before the next connection answers', async () => {
      const owned = await setUp()
      for (let i = 1; i <= 3; i++) {
        await owned.server.ask('CLIENT KILL TYPE normal')
        await until('the loss is told', () => owned.losses.length === i, SETTLED)
        await expectWell(owned)
        expect(owned.losses).toHaveLength(i)
      }
    })

    test('that is paused costs the deadline, and is used when it goes on', async () => {
      const owned = await setUp()
      await owned.server.ask('CLIENT PAUSE 1500 ALL')
      const { code, ms } = await outcome(() => owned.store.get('a'))
      expect(code).toBe('PALIER_STORE_TIMEOUT')
      expect(ms).toBeLessThan(SETTLED)
      await expectWell(owned)
    })

    test('that lost its scripts gets them again', async () => {
      const owned = await setUp()
      await owned.server.ask('SCRIPT FLUSH')
      expect((await owned.store.get('a'))?.bytes).toEqual(recordOf('a'))
      await owned.server.ask('SCRIPT FLUSH')
      await expectWell(owned)
      expect(owned.losses).toEqual([])
    })

    test('that restarted empty has another identity', async () => {
      const owned = await setUp()
      const identity = await owned.store.identity()
      expect(await owned.store.identity()).toBe(identity)
      await owned.server.restart()
      await answers(owned.store)
      expect(await owned.store.identity()).not.toBe(identity)
    })
  })

  describe(`through ${client}, a user`, () => {
    const RULES = '~palier:* &palier:* +@all'

    async function setUp(rules: string = RULES): Promise<Owned & { server: RedisServer }> {
      const server = await startRedis()
      ends.push(() => server.stop())
      await server.ask(`ACL SETUSER app on >secret ${rules}`)
      const owned = openOwned(client, { url: `redis://app:secret@127.0.0.1:${server.port}` })
      ends.push(() => owned.close())
      await answers(owned.store)
      return { ...owned, server }
    }

    test('that may not write: the write is refused, and reads go on', async () => {
      const owned = await setUp()
      await owned.store.set('a', recordOf('a'), 60_000)
      await owned.server.ask('ACL SETUSER app -@write')
      const refused = { code: 'PALIER_STORE_REFUSED', cause: { code: 'NOPERM' } }
      await expect(owned.store.delete(['a'])).rejects.toMatchObject(refused)
      await expect(owned.store.set('a', recordOf('a'), 1000)).rejects.toMatchObject(refused)
      expect((await owned.store.get('a'))?.bytes).toEqual(recordOf('a'))
      await owned.server.ask('ACL SETUSER app +@write')
      await owned.store.delete(['a'])
    })

    test('that may not read: the read has failed, which is no refusal', async () => {
      const owned = await setUp()
      await owned.server.ask('ACL SETUSER app -evalsha -eval')
      await expect(owned.store.get('a')).rejects.toMatchObject({
        code: 'PALIER_STORE_FAILED',
        cause: { code: 'NOPERM' },
      })
      await expect(owned.store.getMany(['a', 'b'])).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    })

    test('that may not read INFO is served, and each connection counts as another server', async () => {
      const owned = await setUp(`${RULES} -info -cluster -ping`)
      await owned.store.set('a', recordOf('a'), 60_000)
      const identity = await owned.store.identity()
      expect(await owned.store.identity()).toBe(identity)
      await owned.server.ask('CLIENT KILL TYPE normal')
      await until('it was lost and is back', () => owned.losses.length === 1 && owned.readies() === 2)
      expect(await owned.store.identity()).not.toBe(identity)
    })

    test('whose password was changed is told so once, and is served when it is put back', async () => {
      const owned = await setUp()
      await owned.server.ask('ACL SETUSER app resetpass >other')
      await owned.server.ask('CLIENT KILL TYPE normal')
      await until('the refusal is told', () => JSON.stringify(owned.events).includes('WRONGPASS'))
      await expect(owned.store.get('a')).rejects.toMatchObject({
        code: 'PALIER_STORE_FAILED',
        message: expect.stringContaining('WRONGPASS'),
      })
      const attempts = async (): Promise<number> =>
        Number(/total_connections_received:(\d+)/.exec(await owned.server.ask('INFO stats'))?.[1])
      const [before, begun] = [await attempts(), performance.now()]
      // What is looked for is that nothing happens, so there is nothing to wait for but time.
      await pause(2500)
      expect((await attempts()) - before).toBeLessThan(2 + (performance.now() - begun) / 250)
      expect(owned.events.filter(event => JSON.stringify(event).includes('WRONGPASS'))).toHaveLength(1)
      await owned.server.ask('ACL SETUSER app >secret')
      await answers(owned.store)
      expect(JSON.stringify(owned.events)).not.toContain('secret')
    })

    test('that was deleted loses its connection, and is served when it is made again', async () => {
      const owned = await setUp()
      await owned.server.ask('ACL DELUSER app')
      await until('the loss is told', () => owned.losses.length === 1, SETTLED)
      await until('the refusal is told', () => JSON.stringify(owned.events).includes('WRONGPASS'))
      await owned.server.ask(`ACL SETUSER app on >secret ${RULES}`)
      await answers(owned.store)
    })

    test('that may not listen or speak on the channel is told so, and the bus is not silently deaf', async () => {
      const owned = await setUp('~palier:* resetchannels +@all')
      const bus = owned.store.openBus('c')
      ends.push(() => bus.close())
      const denied = { code: 'PALIER_STORE_FAILED', message: expect.stringContaining('NOPERM') }
      await expect(bus.attach({ message: () => {}, lost: () => {} })).rejects.toMatchObject(denied)
      expect(bus.poll()).toBe(false)
      await expect(bus.publish('x')).rejects.toMatchObject({ cause: { code: 'NOPERM' } })
      await owned.server.ask('ACL SETUSER app &palier:*')
      await until('it is trusted', () => bus.poll())
    })
  })
}
