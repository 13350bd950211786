import type { EventEmitter } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../src/stores/redis/store.ts'
import {
  answers,
  CLIENT_KINDS,
  type Lent,
  lend,
  lendCluster,
  type RedisCluster,
  startCluster,
  startRedis,
  until,
} from '../support/redis-server.ts'

interface Backing {
  readonly cluster: RedisCluster
  lend(): Promise<Lent>
}

const KINDS: Readonly<Record<string, () => Promise<Backing>>> = {
  ...Object.fromEntries(
    CLIENT_KINDS.map(kind => [
      `a borrowed ${kind} client`,
      async () => {
        const server = await startRedis()
        return { cluster: { nodes: [server], stop: () => server.stop() }, lend: () => lend(kind, server.url) }
      },
    ]),
  ),
  ...Object.fromEntries(
    (['ioredis', 'redis'] as const).map(kind => [
      `a borrowed ${kind} client of a cluster`,
      async () => {
        const cluster = await startCluster(3)
        return { cluster, lend: () => lendCluster(kind, cluster) }
      },
    ]),
  ),
}

interface HasNodes {
  nodes(): EventEmitter[]
}

const hasNodes = (client: object): client is HasNodes => 'nodes' in client && typeof client.nodes === 'function'

for (const [name, start] of Object.entries(KINDS)) {
  describe(name, () => {
    let backing: Backing
    beforeAll(async () => {
      backing = await start()
    })
    afterAll(() => backing.cluster.stop())

    const killClients = (): Promise<unknown> =>
      Promise.all(backing.cluster.nodes.map(node => node.ask('CLIENT KILL TYPE normal')))

    /** Listeners on the client, and on each node of it where there are some. */
    const listeners = ({ client }: Lent): unknown => {
      const on = [client, ...(hasNodes(client) ? client.nodes() : [])]
      return on.map(each => each.eventNames().map(event => [event, each.listenerCount(event)]))
    }

    test('tells of a lost connection and of the next one, in this order', async () => {
      const lent = await backing.lend()
      const store = await answers(redisStore({ client: lent.client, deadline: 2000 }))
      const told: string[] = []
      store.watch({ lost: () => told.push('lost'), ready: () => told.push('ready') })
      await killClients()
      await until('it is told', () => told.includes('lost') && told.includes('ready'))
      expect(told[0]).toBe('lost')
      await answers(store)
      await store.close()
      lent.end()
    })

    test('has no listener of the store left once nobody watches, or once the store is closed', async () => {
      const lent = await backing.lend()
      const store = await answers(redisStore({ client: lent.client, deadline: 2000 }))
      const before = listeners(lent)
      const calm = { lost: () => {}, ready: () => {} }
      const [first, second] = [store.watch(calm), store.watch(calm)]
      expect(listeners(lent)).not.toEqual(before)
      first()
      first()
      expect(listeners(lent)).not.toEqual(before)
      second()
      expect(listeners(lent)).toEqual(before)
      store.watch(calm)
      await store.close()
      expect(listeners(lent)).toEqual(before)
      lent.end()
    })

    test('tells nobody who has stopped listening, and is not touched by reconnect', async () => {
      const lent = await backing.lend()
      const store = await answers(redisStore({ client: lent.client, deadline: 2000 }))
      const [mine, other]: [string[], string[]] = [[], []]
      const stop = store.watch({ lost: reason => mine.push(reason), ready: () => {} })
      store.watch({ lost: reason => other.push(reason), ready: () => {} })
      stop()
      store.reconnect()
      expect(other).toEqual([])
      await killClients()
      await until('the other one is told', () => other.length > 0)
      expect(mine).toEqual([])
      await store.close()
      lent.end()
    })
  })
}

describe('a write that a borrowed client sends to a replica', () => {
  for (const kind of CLIENT_KINDS) {
    test(`tells that the server is no longer the one to write to, through ${kind}`, async () => {
      const [primary, replica] = [await startRedis(), await startRedis()]
      const lent = await lend(kind, replica.url)
      const store = await answers(redisStore({ client: lent.client, deadline: 2000 }))
      const told: string[] = []
      store.watch({ lost: reason => told.push(reason), ready: () => told.push('ready') })
      await replica.ask(`REPLICAOF 127.0.0.1 ${primary.port}`)
      await until('it answers as a replica', async () => (await replica.ask('SET x 1')).startsWith('-READONLY'))
      await expect(store.delete(['a'])).rejects.toMatchObject({ code: 'PALIER_STORE_REFUSED' })
      await until('it is told', () => told.some(each => each.startsWith('READONLY')))
      expect(told.at(-1)).toBe('ready')
      const count = told.length
      // Once a second at most, however many writes are refused.
      await Promise.allSettled(Array.from({ length: 20 }, () => store.delete(['a'])))
      expect(told).toHaveLength(count)
      await store.close()
      lent.end()
      await Promise.all([primary.stop(), replica.stop()])
    })
  }
})
