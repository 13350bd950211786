import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cache, CacheOptions } from '../../src/index.ts'
import { allOut, allUp, allWell, faultRoom, measured, NEVER, onRedis, timed } from '../support/fault-room.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

async function inChunks(keys: readonly string[], run: (key: string) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < keys.length; from += 50) await Promise.all(keys.slice(from, from + 50).map(run))
}

/** For what is about contents and not about time: many calls at once on a busy machine take longer than one. */
const PATIENT: CacheOptions = { deadline: '5s' }

async function seed(cache: Pick<Cache, 'set'>, keys: readonly string[]): Promise<void> {
  await inChunks(keys, async key => {
    const { shared } = await cache.set(key, 'old')
    if (shared !== 'acked') throw new Error(`${key} was not stored: ${shared}`)
  })
}

async function foundIn(cache: Cache, keys: readonly string[]): Promise<number> {
  let found = 0
  for (let from = 0; from < keys.length; from += 500) {
    const values = await cache.getMany(keys.slice(from, from + 500))
    found += values.filter(value => value !== undefined).length
  }
  return found
}

describe('more deletions wait than may', () => {
  const few: CacheOptions = { ...PATIENT, outage: { maxPending: 1000 } }

  test('20,000 keys of one type: at most 1,000 wait at any time, and none of the keys is read afterwards', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const here = await room.cache({ ...onRedis(path), ...few })
    const there = await room.cache({ ...onRedis(path), ...PATIENT })
    await allWell(here, there)
    const keys = names('key', 20_000)
    const sample = keys.filter((_key, i) => i % 100 === 0)
    await seed(here.type('user'), sample)
    await seed(here, ['other'])
    await path.mode('refuse')
    await allOut(here, there)
    let most = 0
    const took = await timed(() =>
      inChunks(keys, async key => {
        const { shared } = await here.type('user').delete(key)
        if (shared !== 'pending') throw new Error(`a receipt said ${shared}`)
        most = Math.max(most, here.status().outbox.pending)
      }),
    )
    measured('20,000 deletes during an outage, ms', took)
    measured('most that waited', most)
    expect(most).toBeLessThanOrEqual(1001)
    expect(here.status().outbox.pending).toBeGreaterThan(0)
    await path.mode('pass')
    measured('heal to drained, ms', await timed(() => allUp(here, there)))
    for (const cache of [here, there]) {
      const values = await cache.type('user').getMany(sample)
      expect(values.filter(value => value !== undefined)).toEqual([])
    }
    expect(await there.get('other')).toBe('old')
  })

  test('many tags: they become one deletion of everything, and nothing old is read afterwards', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const here = await room.cache({ ...onRedis(path), outage: { maxPending: 100 } })
    const there = await room.cache(onRedis(path))
    await allWell(here, there)
    const tags = names('tag', 500)
    for (const tag of tags.slice(0, 50)) await here.set(`of ${tag}`, 'old', { tags: [tag] })
    await path.mode('refuse')
    await allOut(here, there)
    let most = 0
    for (const tag of tags) {
      expect(await here.deleteByTag(tag)).toEqual({ local: true, shared: 'pending' })
      most = Math.max(most, here.status().outbox.pending)
    }
    // One more may wait beside the limit: that everybody must empty its memory.
    expect(most).toBeLessThanOrEqual(101)
    await path.mode('pass')
    await allUp(here, there)
    const keys = tags.slice(0, 50).map(tag => `of ${tag}`)
    expect(await foundIn(here, keys)).toBe(0)
    expect(await foundIn(there, keys)).toBe(0)
  })

  test('a limit of one holds too', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const here = await room.cache({ ...onRedis(path), outage: { maxPending: 1 } })
    const there = await room.cache(onRedis(path))
    await allWell(here, there)
    await seed(here, ['a', 'b', 'c'])
    await seed(here.type('user'), ['u'])
    await path.mode('refuse')
    await allOut(here, there)
    for (const key of ['a', 'b', 'c']) await here.delete(key)
    await here.type('user').delete('u')
    expect(here.status().outbox.pending).toBeLessThanOrEqual(2)
    await path.mode('pass')
    await allUp(here, there)
    expect(await foundIn(there, ['a', 'b', 'c'])).toBe(0)
    expect(await there.type('user').get('u')).toBeUndefined()
  })
})

describe('a process ends while 1,000 of its deletions wait for Redis', () => {
  /** Ends a process in the middle of an outage; another one on the same directory comes after it. */
  async function endAndFollow(end: 'SIGTERM' | 'SIGKILL') {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const dir = join(await room.folder(), 'cache')
    const options = { ...onRedis(path), ...PATIENT, dir }
    const witness = await room.cache({ ...onRedis(path), ...PATIENT })
    const first = await room.node({ options, closesOnTerm: true })
    await allWell(witness)
    const keys = names('key', 1000)
    await seed(witness, [...keys, 'kept'])
    await path.mode('refuse')
    await allOut(witness)
    expect(await first.deleteRange('key', 1000)).toEqual({ pending: 1000 })
    first.kill(end)
    const took = await timed(() => first.exited)
    measured(`${end} to exit, ms`, took)
    return { path, witness, keys, first, options, dir }
  }

  test('SIGTERM: it exits by itself, and the next process delivers them before it reads anything', async () => {
    const { path, witness, keys, first, options, dir } = await endAndFollow('SIGTERM')
    expect(await first.exited).toEqual({ code: 0, signal: null })
    expect(first.errors()).toBe('')
    expect((await readdir(dir, { recursive: true })).length).toBeGreaterThan(0)
    await path.mode('pass')
    // Nobody knows yet what the dead one deleted, and what is read now stays in memory.
    await allWell(witness)
    expect(await foundIn(witness, keys)).toBe(1000)
    const next = await room.cache(options)
    await allUp(next, witness)
    expect(await next.get('kept')).toBe('old')
    expect(await foundIn(next, keys)).toBe(0)
    await until('the witness has heard of it', async () => (await foundIn(witness, keys)) === 0, NEVER)
    expect(await witness.get('kept')).toBe('old')
  })

  test('kill -9: the next process delivers what was told to be pending', async () => {
    const { path, witness, keys, first, options } = await endAndFollow('SIGKILL')
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await path.mode('pass')
    const next = await room.cache(options)
    await allUp(next, witness)
    expect(await next.get('kept')).toBe('old')
    expect(await foundIn(next, keys)).toBe(0)
    await until('the witness has heard of it', async () => (await foundIn(witness, keys)) === 0, NEVER)
    expect(await witness.get('kept')).toBe('old')
  })

  test('the next process begins while Redis is still out, and delivers them when it returns', async () => {
    const { path, witness, keys, options } = await endAndFollow('SIGKILL')
    const next = await room.cache(options)
    expect(await next.delete('one more')).toEqual({ local: true, shared: 'pending' })
    await path.mode('pass')
    await allUp(next, witness)
    expect(await next.get('kept')).toBe('old')
    expect(await foundIn(next, keys)).toBe(0)
    await until('the witness has heard of it', async () => (await foundIn(witness, keys)) === 0, NEVER)
    expect(await witness.get('kept')).toBe('old')
  })

  test('what was delivered in time is not replayed: a value set since then stays', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const options = { ...onRedis(path), dir: join(await room.folder(), 'cache') }
    const first = await room.cache(options)
    const witness = await room.cache(onRedis(path))
    await allWell(first, witness)
    await path.mode('refuse')
    await allOut(first)
    expect(await first.delete('key')).toEqual({ local: true, shared: 'pending' })
    await path.mode('pass')
    await allUp(first, witness)
    expect(await witness.set('key', 'new')).toEqual({ local: true, shared: 'acked' })
    await first.close()
    const next = await room.cache(options)
    await allUp(next)
    expect(await next.get('key')).toBe('new')
    expect(await witness.get('key')).toBe('new')
  })
})

test('close() with Redis frozen and deletions waiting ends within a few deadlines, and the process exits by itself', async () => {
  const server = await room.redis()
  const node = await room.node({ options: onRedis(server), closesOnTerm: true })
  await until('it is healthy', async () => (await node.status()).state === 'HEALTHY', NEVER)
  server.pause()
  expect(await node.deleteRange('key', 100)).toEqual({ pending: 100 })
  node.kill('SIGTERM')
  measured('close() with Redis frozen, to exit, ms', await timed(() => node.exited))
  expect(await node.exited).toEqual({ code: 0, signal: null })
  expect(node.errors()).toBe('')
})
