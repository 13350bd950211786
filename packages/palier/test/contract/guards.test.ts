import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileStore } from '../../src/stores/file/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { type RedisStoreOptions, redisStore } from '../../src/stores/redis/store.ts'
import { limitContract, lockContract, manualClock } from '../../src/testing.ts'
import { freshDir } from '../support/file-store.ts'
import {
  answers,
  type Lent,
  lend,
  lendCluster,
  type RedisCluster,
  type RedisServer,
  startCluster,
  startRedis,
} from '../support/redis-server.ts'

async function memory() {
  const clock = manualClock()
  const store = memoryStore({ clock })
  return {
    store,
    second: async () => store.connect(),
    passTime: (ms: number) => clock.advance(ms),
    realTime: false,
    close: () => store.close(),
  }
}

const file = (io: 'sync' | 'async') => async () => {
  const { dir, remove } = freshDir()
  const clock = manualClock()
  const stores = [fileStore({ dir, io, clock })] as const
  const opened = [...stores]
  return {
    store: stores[0],
    async second() {
      const other = fileStore({ dir, io, clock })
      opened.push(other)
      return other
    },
    passTime: (ms: number) => clock.advance(ms),
    realTime: false,
    async close() {
      await Promise.all(opened.map(each => each.close()))
      remove()
    },
  }
}

describe('memory keeps the contracts of locks and limits', () => {
  for (const { name, run } of lockContract(memory)) test(name, run)
  for (const { name, run } of limitContract(memory)) test(name, run)
})

for (const io of ['sync', 'async'] as const) {
  describe(`files keep the contracts of locks and limits, ${io}`, () => {
    for (const { name, run } of lockContract(file(io))) test(name, run)
    for (const { name, run } of limitContract(file(io))) test(name, run)
  })
}

interface Kind {
  readonly name: string
  start(): Promise<RedisCluster>
  options(nodes: readonly RedisServer[]): Promise<{ readonly options: RedisStoreOptions; end(): void }>
}

const single = async (): Promise<RedisCluster> => {
  const server = await startRedis()
  return { nodes: [server], stop: () => server.stop() }
}
const urlOf = ([first]: readonly RedisServer[]): string => first?.url ?? ''
const borrowed = ({ client, end }: Lent) => ({ options: { client }, end })

const KINDS: readonly Kind[] = [
  { name: 'a URL', start: single, options: async nodes => ({ options: { url: urlOf(nodes) }, end: () => {} }) },
  {
    name: 'a borrowed redis client',
    start: single,
    options: async nodes => borrowed(await lend('redis', urlOf(nodes))),
  },
  {
    name: 'a borrowed ioredis client of a cluster',
    start: startCluster,
    options: async nodes => borrowed(await lendCluster('ioredis', { nodes, stop: async () => {} })),
  },
]

for (const kind of KINDS) {
  describe(`redis keeps the contracts of locks and limits through ${kind.name}`, () => {
    let backing: RedisCluster | undefined
    beforeAll(async () => {
      backing = await kind.start()
    })
    afterAll(() => backing?.stop())

    async function redis() {
      const nodes = backing?.nodes ?? []
      for (const node of nodes) await node.ask('FLUSHALL')
      const ends: (() => unknown)[] = []
      const second = async () => {
        const { options, end } = await kind.options(nodes)
        // Deadlines are tried elsewhere; here a busy machine must not look like a broken rule.
        const store = redisStore({ ...options, deadline: 5_000 })
        ends.push(end, () => store.close())
        return answers(store)
      }
      const passTime = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
      const close = async () => {
        for (const end of ends.reverse()) await end()
      }
      return { store: await second(), second, passTime, realTime: true, close }
    }

    for (const { name, run } of lockContract(redis)) test(name, run)
    for (const { name, run } of limitContract(redis)) test(name, run)
  })
}

describe('a count on redis', () => {
  const KEY = 'palier:{key}:n'
  const WINDOW = 600_000
  let server: RedisServer
  const open = () => answers(redisStore({ url: server.url, deadline: 5_000 }))
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  test('always has its end with it, and is gone when it was reset', async () => {
    const store = await open()
    try {
      for (const cost of [1, 1, -1, -5, 2]) {
        await store.limits.count('key', WINDOW, cost)
        const left = Number((await server.ask(`PTTL ${KEY}`)).slice(1))
        expect(left).toBeGreaterThan(0)
        expect(left).toBeLessThanOrEqual(WINDOW)
      }
      await store.limits.reset('key')
      for (const cost of [0, -1]) await store.limits.count('key', WINDOW, cost)
      expect(await server.ask(`EXISTS ${KEY}`)).toBe(':0')
    } finally {
      await store.close()
    }
  })

  test('of a server whose clock went back, or that cannot be read, holds nobody for longer than its window', async () => {
    const store = await open()
    try {
      const ahead = Date.now() + 50 * WINDOW
      await server.ask(`SET ${KEY} "${ahead} ${ahead + WINDOW} 7"`)
      expect(await store.limits.count('key', WINDOW, 0)).toEqual({ count: 7, resetAfter: WINDOW })
      const { count, resetAfter } = await store.limits.count('key', WINDOW, 1)
      expect([count, resetAfter <= WINDOW]).toEqual([8, true])
      expect(Number((await server.ask(`PTTL ${KEY}`)).slice(1))).toBeLessThanOrEqual(WINDOW)
      for (const nonsense of ['SET', 'LPUSH']) {
        await server.ask(`DEL ${KEY}`)
        await server.ask(`${nonsense} ${KEY} nonsense`)
        expect(await store.limits.count('key', WINDOW, 1)).toEqual({ count: 1, resetAfter: WINDOW })
      }
    } finally {
      await store.close()
    }
  })
})
