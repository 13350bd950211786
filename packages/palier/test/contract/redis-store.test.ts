import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../src/stores/redis/store.ts'
import { busContract, storeContract } from '../../src/testing.ts'
import {
  answers,
  CLIENT_KINDS,
  type Lent,
  lend,
  lendCluster,
  type RedisCluster,
  type RedisServer,
  startCluster,
  startRedis,
  until,
} from '../support/redis-server.ts'

/**
 * How a store comes by its connection. The cases of one kind share its servers, emptied before each, and two clients:
 * a store must leave a borrowed client as it found it, so that the next one can work through it.
 */
interface Kind {
  readonly name: string
  start(): Promise<RedisCluster>
  open(nodes: readonly RedisServer[]): Promise<Opening>
}

interface Opening {
  readonly options: RedisStoreOptions
  end(): void
}

async function single(): Promise<RedisCluster> {
  const server = await startRedis()
  return { nodes: [server], stop: () => server.stop() }
}

const urlOf = ([first]: readonly RedisServer[]): string => first?.url ?? ''
const borrowed = ({ client, end }: Lent) => ({ options: { client }, end })
const own = (url: string) => ({ options: { url }, end: () => {} })
const asCluster = (nodes: readonly RedisServer[]): RedisCluster => ({ nodes, stop: async () => {} })

const KINDS: readonly Kind[] = [
  ...CLIENT_KINDS.map(kind => ({
    name: `a borrowed ${kind} client`,
    start: single,
    open: async (nodes: readonly RedisServer[]) => borrowed(await lend(kind, urlOf(nodes))),
  })),
  { name: 'a URL', start: single, open: async nodes => own(urlOf(nodes)) },
  ...(['ioredis', 'redis'] as const).map(kind => ({
    name: `a borrowed ${kind} client of a cluster`,
    start: startCluster,
    open: async (nodes: readonly RedisServer[]) => borrowed(await lendCluster(kind, asCluster(nodes))),
  })),
  { name: 'the URL of one node of a cluster', start: startCluster, open: async nodes => own(urlOf(nodes)) },
]

for (const kind of KINDS) {
  // Most cases wait for something to end, so the kinds wait together; the cases of one share its servers.
  describe.concurrent(`redis through ${kind.name}`, () => {
    let backing: RedisCluster | undefined
    const openings: Opening[] = []
    beforeAll(async () => {
      backing = await kind.start()
      openings.push(await kind.open(backing.nodes), await kind.open(backing.nodes))
    })
    afterAll(async () => {
      for (const { end } of openings) end()
      await backing?.stop()
    })

    async function group() {
      const nodes = backing?.nodes ?? []
      await Promise.all(nodes.map(node => node.ask('FLUSHALL')))
      const stores: RedisStore[] = []
      return {
        nodes,
        async open() {
          // Deadlines are tried elsewhere; here a busy machine must not look like a broken rule.
          const store = redisStore({ ...openings[stores.length % openings.length]?.options, deadline: 5000 })
          stores.push(store)
          // A cluster is looked up first, which takes longer than one command may.
          return answers(store)
        },
        async close() {
          for (const store of stores) await store.close()
        },
      }
    }

    async function storeUnderTest() {
      const { open, close } = await group()
      const passTime = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
      return { store: await open(), second: open, passTime, realTime: true, close }
    }

    async function busesUnderTest() {
      const { nodes, open, close } = await group()
      const [one, two] = [await open(), await open()]
      // Channels of its own for each case: a message of the one before may still be on its way through a cluster.
      const channel = randomUUID()
      const [first, second, other] = [one.openBus(channel), two.openBus(channel), one.openBus(`${channel} other`)]
      return {
        first,
        second,
        other,
        settle: (is: () => boolean) => until('what the case waits for', is),
        async breakLink() {
          for (const node of nodes) await node.ask('CLIENT KILL TYPE pubsub')
        },
        async close() {
          for (const bus of [first, second, other]) await bus.close()
          await close()
        },
      }
    }

    for (const { name, run } of storeContract(storeUnderTest)) test(name, { concurrent: false }, run)
    for (const { name, run } of busContract(busesUnderTest)) test(name, { concurrent: false }, run)
  })
}
