import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openCaching } from '../../server/caching.ts'
import { createStamps, type Stamp } from '../../server/events/stamps.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

const NOW = 1_000_000

async function pair() {
  const dir = freshDirectory()
  const open = async () => {
    const caching = openCaching({
      databaseId: 'stamps',
      dir,
      backend: 'filesystem',
      detectBudget: '10s',
      logger: { warn() {}, info() {} },
    })
    onTestFinished(() => caching.close())
    await caching.cache.ready()
    return caching
  }
  return { one: await open(), other: await open() }
}

function listenTo(caching: Awaited<ReturnType<typeof pair>>['one']) {
  const stamps = createStamps(caching, () => NOW)
  onTestFinished(() => stamps.close())
  const told: Stamp[] = []
  stamps.listen(stamp => told.push(stamp))
  return { stamps, told }
}

describe('stamps', () => {
  test('tell what this process deleted, and what another one did', async () => {
    const { one, other } = await pair()
    const { told } = listenTo(one)
    await one.forget(['contacts'], 'now', () => undefined)
    await other.forget(['messages', 'campaign:7'], 'now', () => undefined)
    await vi.waitFor(() => expect(told.map(stamp => stamp.tags)).toEqual([['contacts'], ['messages', 'campaign:7']]))
    expect(told[0]).toEqual({ number: NOW + 1, at: NOW, tags: ['contacts'] })
  })

  test('say nothing of accounts and keys, and everything when it may have been anything', async () => {
    const { one } = await pair()
    const { told } = listenTo(one)
    await one.forget(['user:7', 'users', 'key:1'], 'now', () => undefined)
    await one.forget(['user:8'], 'now', () => undefined)
    await one.cache.clear()
    expect(told.map(stamp => stamp.tags)).toEqual([['users'], ['*']])
  })

  test('are told again to whoever was away, unless nobody can know what they missed', async () => {
    const { one } = await pair()
    const { stamps } = listenTo(one)
    const began = stamps.last
    for (const tag of ['contacts', 'messages'] as const) await one.forget([tag], 'now', () => undefined)
    expect(stamps.since(began)?.map(stamp => stamp.tags)).toEqual([['contacts'], ['messages']])
    expect(stamps.since(stamps.last)).toEqual([])
    expect(stamps.since(began - 1)).toBeUndefined()
    expect(stamps.since(stamps.last + 1)).toBeUndefined()
    for (let i = 0; i < 500; i++) await one.forget(['contacts'], 'now', () => undefined)
    expect(stamps.since(began)).toBeUndefined()
    expect(stamps.since(stamps.last - 499)).toHaveLength(499)
  })
})

describe('deletions of pace soon', () => {
  test('are put together and told at the end of the window, or when settled', async () => {
    const dir = freshDirectory()
    const caching = openCaching({
      databaseId: 'window',
      dir,
      backend: 'filesystem',
      coalesce: 3_600_000,
      detectBudget: '10s',
      logger: { warn() {}, info() {} },
    })
    onTestFinished(() => caching.close())
    await caching.cache.ready()
    const { told } = listenTo(caching)
    const heard: number[] = []
    for (let i = 0; i < 100; i++) await caching.forget(['messages', `campaign:${i % 3}`], 'soon', () => heard.push(i))
    expect(told).toEqual([])
    await caching.settle()
    expect(told.map(stamp => stamp.tags)).toEqual([['messages', 'campaign:0', 'campaign:1', 'campaign:2']])
    expect(heard).toHaveLength(100)
    await caching.settle()
    expect(told).toHaveLength(1)
  })
})
