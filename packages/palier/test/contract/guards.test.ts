import { afterAll, beforeAll, describe, test } from 'vitest'
import { fileStore } from '../../src/stores/file/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis/store.ts'
import { limitContract, lockContract, manualClock } from '../../src/testing.ts'
import { freshDir } from '../support/file-store.ts'
import { answers, type RedisServer, startRedis } from '../support/redis-server.ts'

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

describe('redis keeps the contracts of locks and limits', () => {
  let server: RedisServer | undefined
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server?.stop())

  async function redis() {
    await server?.ask('FLUSHALL')
    const opened: { close(): Promise<void> }[] = []
    // Deadlines are tried elsewhere; here a busy machine must not look like a broken rule.
    const second = async () => {
      const store = redisStore({ url: server?.url ?? '', deadline: 5_000 })
      opened.push(store)
      return answers(store)
    }
    const passTime = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    const close = async () => {
      await Promise.all(opened.map(each => each.close()))
    }
    return { store: await second(), second, passTime, realTime: true, close }
  }

  for (const { name, run } of lockContract(redis)) test(name, run)
  for (const { name, run } of limitContract(redis)) test(name, run)
})
