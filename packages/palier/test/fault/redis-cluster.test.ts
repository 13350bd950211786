import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { slotOf } from '../../src/stores/redis/keys.ts'
import { redisStore } from '../../src/stores/redis/store.ts'
import { openOwned, OWN_CLIENTS, outcome } from '../support/redis-owned.ts'
import {
  answers,
  lendCluster,
  type Prepared,
  prepare,
  type RedisCluster,
  type RedisServer,
  startCluster,
  until,
  whole,
} from '../support/redis-server.ts'

const recordOf = (key: string): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] },
    Buffer.from('x'),
  )

const ends: (() => unknown)[] = []
/** For the cases that break one: there are six. */
let fresh: Prepared<RedisCluster>
let shared: RedisCluster
beforeAll(async () => {
  shared = await startCluster(3)
  fresh = await prepare(6, () => startCluster(3, { replicas: true }))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => Promise.all([fresh, shared].map(each => each.stop())))

function withReplicas(): RedisCluster {
  const cluster = fresh.next()
  ends.push(() => cluster.stop())
  return cluster
}

/** Three primaries, empty. */
async function plain(): Promise<RedisCluster> {
  await whole(shared)
  for (const node of shared.nodes) await node.ask('FLUSHALL')
  return shared
}

const nodeAt = (cluster: RedisCluster, index: number): RedisServer => {
  const node = cluster.nodes[index]
  if (node === undefined) throw new Error(`no node ${index}`)
  return node
}

/** Far above the deadline of 250 ms: what takes longer hangs. */
const SETTLED = 1000
const KEYS = Array.from({ length: 60 }, (_, i) => `k${i}`)

for (const client of OWN_CLIENTS) {
  describe(`a cluster, through ${client}`, () => {
    test('a primary that is killed is followed by its replica: bounded calls, told losses, new identity', async () => {
      const cluster = withReplicas()
      const owned = openOwned(client, { url: nodeAt(cluster, 0).url })
      ends.push(() => owned.close())
      await answers(owned.store)
      await Promise.all(KEYS.map(key => owned.store.set(key, recordOf(key), 600_000)))
      const identity = await owned.store.identity()
      expect(await owned.store.identity()).toBe(identity)
      await until('the replicas have it', async () => (await nodeAt(cluster, 3).ask('DBSIZE')) !== ':0')
      const readies = owned.readies()
      await nodeAt(cluster, 0).kill()
      await until('the loss is told', () => owned.losses.length > 0, SETTLED)
      const allWritten = async (): Promise<boolean> => {
        const outcomes = await Promise.all(KEYS.map(key => outcome(() => owned.store.set(key, recordOf(key), 600_000))))
        for (const { code, ms } of outcomes) {
          expect(code).toMatch(/^(ok|PALIER_STORE_(FAILED|TIMEOUT))$/)
          expect(ms).toBeLessThan(SETTLED)
        }
        return outcomes.every(({ code }) => code === 'ok')
      }
      await until('every key is taken again', allWritten, 20_000)
      expect((await owned.store.getMany(KEYS)).every(record => record !== undefined)).toBe(true)
      expect(await owned.store.identity()).not.toBe(identity)
      expect(owned.readies()).toBeGreaterThan(readies)
      const keys: string[] = []
      for await (const page of owned.store.scan('')) keys.push(...page)
      expect(keys.sort()).toEqual([...KEYS].sort())
    })

    test('a replica that takes over while every connection stays open is followed, and told before it answers', async () => {
      const cluster = withReplicas()
      const owned = openOwned(client, { url: nodeAt(cluster, 0).url })
      ends.push(() => owned.close())
      await answers(owned.store)
      const identity = await owned.store.identity()
      const key = KEYS.find(each => slotOf(each) < 5000) ?? ''
      expect(await nodeAt(cluster, 3).ask('CLUSTER FAILOVER')).toBe('+OK')
      await until('it is the primary', async () =>
        (await nodeAt(cluster, 3).ask('INFO replication')).includes('role:master'),
      )
      await until('the old one knows', async () =>
        (await nodeAt(cluster, 0).ask('INFO replication')).includes('role:slave'),
      )
      expect(owned.losses).toEqual([])
      const written = owned.store.set(key, recordOf(key), 60_000).then(() => owned.losses.length)
      expect(await written).toBeGreaterThan(0)
      await until('it may be used again', () => owned.readies() > 1)
      expect(await owned.store.identity()).not.toBe(identity)
      expect(await nodeAt(cluster, 3).ask(`EXISTS palier:{${key}}`)).toBe(':1')
    })

    test('a primary that restarts is found again, with another identity', async () => {
      const cluster = await plain()
      const owned = openOwned(client, { url: nodeAt(cluster, 1).url })
      ends.push(() => owned.close())
      await answers(owned.store)
      const identity = await owned.store.identity()
      await nodeAt(cluster, 1).kill()
      await until('the loss is told', () => owned.losses.length > 0, SETTLED)
      // One that cannot be asked is a change too.
      expect(await owned.store.identity()).not.toBe(identity)
      await nodeAt(cluster, 1).restart()
      await until('every key is taken', async () => {
        const all = await Promise.all(KEYS.map(key => outcome(() => owned.store.set(key, recordOf(key), 60_000))))
        return all.every(({ code }) => code === 'ok')
      })
      expect(await owned.store.identity()).not.toBe(identity)
    })

    test('a frozen primary costs the deadline for its keys only, and is used again', async () => {
      const cluster = await plain()
      const owned = openOwned(client, { url: nodeAt(cluster, 0).url })
      ends.push(() => owned.close())
      await answers(owned.store)
      await Promise.all(KEYS.map(key => owned.store.set(key, recordOf(key), 600_000)))
      nodeAt(cluster, 2).pause()
      ends.push(() => nodeAt(cluster, 2).resume())
      const outcomes = await Promise.all(KEYS.map(key => outcome(() => owned.store.get(key))))
      expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['ok', 'PALIER_STORE_TIMEOUT']))
      for (const { ms } of outcomes) expect(ms).toBeLessThan(SETTLED)
      owned.store.reconnect?.()
      await until('the silence is told', () => owned.losses.length > 0, SETTLED)
      nodeAt(cluster, 2).resume()
      await until('every key is read', async () =>
        (await Promise.all(KEYS.map(key => outcome(() => owned.store.get(key))))).every(({ code }) => code === 'ok'),
      )
    })

    test('a slot that moves, and one that is moving, are seen by nobody but the identity', async () => {
      const cluster = await plain()
      const owned = openOwned(client, { url: nodeAt(cluster, 0).url })
      ends.push(() => owned.close())
      await answers(owned.store)
      const identity = await owned.store.identity()
      const key = KEYS.find(each => slotOf(each) < 5000) ?? ''
      const slot = slotOf(key)
      await owned.store.set(key, recordOf(key), 600_000)
      const [from, to] = [nodeAt(cluster, 0), nodeAt(cluster, 1)]
      const [fromId, toId] = [await from.ask('CLUSTER MYID'), await to.ask('CLUSTER MYID')]
      await to.ask(`CLUSTER SETSLOT ${slot} IMPORTING ${fromId}`)
      await from.ask(`CLUSTER SETSLOT ${slot} MIGRATING ${toId}`)
      ends.push(async () => {
        for (const node of cluster.nodes) await node.ask('FLUSHALL')
        for (const node of cluster.nodes) await node.ask(`CLUSTER SETSLOT ${slot} NODE ${fromId}`)
      })
      await from.ask(`MIGRATE 127.0.0.1 ${to.port} palier:{${key}} 0 5000`)
      // The record is there and the slot is still here: the answer is ASK.
      expect((await owned.store.get(key))?.bytes).toEqual(recordOf(key))
      expect((await owned.store.getMany([key, key])).map(record => record?.bytes)).toEqual([
        recordOf(key),
        recordOf(key),
      ])
      await owned.store.set(key, recordOf(key), 600_000)
      await expect(owned.store.claim(key, { token: 't', ttl: 1000 })).rejects.toMatchObject({
        code: 'PALIER_STORE_FAILED',
        cause: { code: 'TRYAGAIN' },
      })
      await owned.store.delete([key])
      expect(await owned.store.get(key)).toBeUndefined()
      await owned.store.set(key, recordOf(key), 600_000)
      for (const node of cluster.nodes) await node.ask(`CLUSTER SETSLOT ${slot} NODE ${toId}`)
      expect((await owned.store.get(key))?.bytes).toEqual(recordOf(key))
      await owned.store.delete([key])
      expect((await owned.store.claim(key, { token: 't', ttl: 1000 })).granted).toBe(true)
      expect(await owned.store.commit(key, 't', recordOf(key), 60_000)).toBe(true)
      expect(await to.ask(`EXISTS palier:{${key}}`)).toBe(':1')
      await until('the identity is another one', async () => (await owned.store.identity()) !== identity)
      expect(owned.losses).toEqual([])
    })

    test('no text of a key chooses its slot', async () => {
      const cluster = await plain()
      const owned = openOwned(client, { url: nodeAt(cluster, 0).url })
      ends.push(() => owned.close())
      await answers(owned.store)
      const tagged = Array.from({ length: 60 }, (_, i) => `{same}:}{${i}`)
      await Promise.all(tagged.map(key => owned.store.set(key, recordOf(key), 60_000)))
      expect((await owned.store.getMany(tagged)).every(record => record !== undefined)).toBe(true)
      for (const node of cluster.nodes) expect(Number((await node.ask('DBSIZE')).slice(1))).toBeGreaterThan(5)
      await owned.store.delete(tagged)
      for (const node of cluster.nodes) expect(await node.ask('DBSIZE')).toBe(':0')
    })
  })
}

describe('a borrowed client of a cluster', () => {
  for (const kind of ['ioredis', 'redis'] as const) {
    test(`of ${kind} tells that a node is gone, and is used again after the failover`, async () => {
      const cluster = withReplicas()
      const lent = await lendCluster(kind, cluster)
      ends.push(() => lent.end())
      const store = redisStore({ client: lent.client })
      ends.push(() => store.close())
      await answers(store)
      const losses: string[] = []
      const unwatch = store.watch({ lost: reason => losses.push(reason), ready: () => {} })
      const identity = await store.identity()
      await nodeAt(cluster, 0).kill()
      await until('the loss is told', () => losses.length > 0, SETTLED)
      await until(
        'every key is taken again',
        async () => {
          const outcomes = await Promise.all(KEYS.map(key => outcome(() => store.set(key, recordOf(key), 60_000))))
          for (const { ms } of outcomes) expect(ms).toBeLessThan(SETTLED)
          return outcomes.every(({ code }) => code === 'ok')
        },
        40_000,
      )
      expect(await store.identity()).not.toBe(identity)
      unwatch()
    })
  }
})
