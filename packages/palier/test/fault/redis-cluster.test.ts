import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { slotOf } from '../../src/stores/redis/keys.ts'
import { redisStore } from '../../src/stores/redis/store.ts'
import { openOwned, OWN_CLIENTS, outcome } from '../support/redis-owned.ts'
import {
  type Ahead,
  answers,
  lendCluster,
  type RedisCluster,
  type RedisServer,
  startAhead,
  startCluster,
  until,
  whole,
} from '../support/redis-server.ts'

const recordOf = (key: string): Buffer =>
  encodeRecord(
    { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] },
    Buffer.from('x'),
  )

/** The clusters of one suite, for `broken` cases that each need a new one with replicas. */
interface Room {
  /** To be run after the case, the last one first. */
  readonly ends: (() => unknown)[]
  withReplicas(): Promise<RedisCluster>
  /** Three primaries, shared by the cases and empty. */
  plain(): Promise<RedisCluster>
}

/** The suites run side by side, for each of them mostly waits; so each has a room of its own. */
function createRoom(broken: number): Room {
  const ends: (() => unknown)[] = []
  let ahead: Ahead<RedisCluster> | undefined
  let shared: Ahead<RedisCluster> | undefined
  let cluster: RedisCluster | undefined
  beforeAll(() => {
    ahead = startAhead(broken, () => startCluster(3, { replicas: true }))
    shared = startAhead(1, () => startCluster(3))
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  afterAll(() => Promise.all([ahead?.stop(), shared?.stop()]))
  return {
    ends,
    async withReplicas() {
      const fresh = await ahead?.next()
      if (fresh === undefined) throw new Error('no suite has begun')
      ends.push(() => fresh.stop())
      return fresh
    },
    async plain() {
      cluster ??= await shared?.next()
      if (cluster === undefined) throw new Error('no suite has begun')
      await whole(cluster)
      for (const node of cluster.nodes) await node.ask('FLUSHALL')
      return cluster
    },
  }
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
  describe.concurrent(`a cluster, through ${client}`, () => {
    const { ends, withReplicas, plain } = createRoom(2)

    test.sequential('a primary that is killed is followed by its replica: bounded calls, told losses, new identity', async () => {
      const cluster = await withReplicas()
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

    test.sequential('a replica that takes over while every connection stays open is followed, and told before it answers', async () => {
      const cluster = await withReplicas()
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

    test.sequential('a primary that restarts is found again, with another identity', async () => {
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

    test.sequential('a frozen primary costs the deadline for its keys only, and is used again', async () => {
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

    test.sequential('a slot that moves, and one that is moving, are seen by nobody but the identity', async () => {
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

    test.sequential('no text of a key chooses its slot', async () => {
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

describe.concurrent('a borrowed client of a cluster', () => {
  const { ends, withReplicas } = createRoom(2)

  for (const kind of ['ioredis', 'redis'] as const) {
    test.sequential(`of ${kind} tells that a node is gone, and is used again after the failover`, async () => {
      const cluster = await withReplicas()
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
