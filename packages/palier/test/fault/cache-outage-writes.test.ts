import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { gate } from '../support/caches.ts'
import type { CacheNode } from '../support/cache-node.ts'
import { allOut, allUp, allWell, faultRoom, NEVER, never, onRedis } from '../support/fault-room.ts'
import type { Proxy } from '../support/proxy.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

interface Place {
  readonly here: Cache
  readonly there: CacheNode
  readonly path: Proxy
}

/** A cache here and one in another process, with one Redis behind a path that can be cut; the data survives the cut. */
async function twoProcesses(): Promise<Place> {
  const server = await room.redis()
  const path = await room.proxy(server.port)
  const here = await room.cache(onRedis(path))
  const there = await room.node({ options: onRedis(path) })
  await allWell(here)
  await until('the other process is healthy', async () => (await there.status()).state === 'HEALTHY', NEVER)
  return { here, there, path }
}

async function bothUp({ here, there }: Place): Promise<void> {
  await allUp(here)
  await until('the other process is well', async () => isWell(await there.status()), NEVER)
}

/** Both have noticed; what comes after it happens after their return, not before their loss. */
async function bothOut({ here, there }: Place): Promise<void> {
  await allOut(here)
  await until(
    'the other process has left Redis alone',
    async () => (await there.status()).tiers.some(tier => tier.role === 'shared' && tier.state === 'open'),
    NEVER,
  )
}

const isWell = (status: Awaited<ReturnType<CacheNode['status']>>): boolean =>
  status.backend === 'redis' && status.outbox.pending === 0

describe('Redis cannot be reached, and comes back with all that it held', () => {
  test('what was deleted meanwhile is returned by nobody, and never by the process that deleted it', async () => {
    const place = await twoProcesses()
    const { here, there, path } = place
    await here.set('key', 'old')
    expect(await there.get('key')).toBe('old')
    await path.mode('refuse')
    expect(await here.delete('key')).toEqual({ local: true, shared: 'pending' })
    const read: unknown[] = []
    const reading = new AbortController()
    const reader = (async (): Promise<void> => {
      while (!reading.signal.aborted) {
        read.push(await here.get('key'))
        await new Promise(resolve => setTimeout(resolve, 1))
      }
    })()
    await bothOut(place)
    await path.mode('pass')
    await bothUp(place)
    reading.abort()
    await reader
    expect(read.length).toBeGreaterThan(0)
    expect(read.filter(value => value !== undefined)).toEqual([])
    expect(await here.get('key')).toBeUndefined()
    expect(await there.get('key')).toBeUndefined()
  })

  test('what was set meanwhile is new or a miss afterwards, everywhere', async () => {
    const place = await twoProcesses()
    const { here, there, path } = place
    await here.set('key', 'old')
    expect(await there.get('key')).toBe('old')
    await path.mode('refuse')
    expect(await here.set('key', 'new')).toEqual({ local: true, shared: 'pending' })
    expect([undefined, 'new']).toContain(await here.get('key'))
    await bothOut(place)
    await path.mode('pass')
    await bothUp(place)
    expect([undefined, 'new']).toContain(await here.get('key'))
    expect([undefined, 'new']).toContain(await there.get('key'))
  })

  test('tags, types, patterns and everything deleted meanwhile are gone everywhere afterwards', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const types = { page: {}, list: {} }
    const here = await room.cache({ ...onRedis(path), types })
    const there = await room.cache({ ...onRedis(path), types })
    const fill = async (): Promise<void> => {
      await here.set('tagged', 'old', { tags: ['group'] })
      await here.type('dashboard').set('typed', 'old')
      await here.set('user-1', 'old')
      await here.set('kept', 'kept')
    }
    const read = (cache: Cache): Promise<unknown[]> =>
      Promise.all([cache.get('tagged'), cache.type('dashboard').get('typed'), cache.get('user-1'), cache.get('kept')])
    await allWell(here, there)
    await fill()
    expect(await read(there)).toEqual(['old', 'old', 'old', 'kept'])
    await path.mode('refuse')
    await allOut(here, there)
    const receipts = [
      await here.deleteByTag('group'),
      await here.deleteByType('dashboard'),
      await here.deleteByPattern('user-*'),
    ]
    expect(receipts).toEqual(Array.from({ length: 3 }, () => ({ local: true, shared: 'pending' })))
    await path.mode('pass')
    await allUp(here, there)
    for (const cache of [here, there]) {
      expect(await read(cache)).toEqual([undefined, undefined, undefined, 'kept'])
    }
    await path.mode('refuse')
    await allOut(here, there)
    expect(await here.clear()).toEqual({ local: true, shared: 'pending' })
    await path.mode('pass')
    await allUp(here, there)
    for (const cache of [here, there]) expect(await cache.get('kept')).toBeUndefined()
  })

  test('a process that begins cut off deletes: those that were never cut off hear of it when it gets through', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const types = { page: { tags: ['pages'] } }
    const there = await room.cache({ ...onRedis(server), types })
    await allWell(there)
    await there.set('key', 'old')
    await there.type('page').set('page', 'old')
    await until('it is in memory', async () => (await there.fetch('key', never)).tier === 'near', NEVER)
    expect(await there.type('page').get('page')).toBe('old')
    await path.mode('refuse')
    const here = await room.cache({ ...onRedis(path), types })
    expect(await here.delete('key')).toEqual({ local: true, shared: 'pending' })
    expect(await here.deleteByTag('pages')).toEqual({ local: true, shared: 'pending' })
    await path.mode('pass')
    await allUp(here)
    await until('the key is gone there', async () => (await there.get('key')) === undefined, 5000)
    await until('the tag is gone there', async () => (await there.type('page').get('page')) === undefined, 5000)
  })

  test('a load that began before the outage and ends during or after it stores nothing that was deleted', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const here = await room.cache(onRedis(path))
    const there = await room.cache(onRedis(path))
    await allWell(here, there)
    const source = gate<string>()
    const loading = here.getOrSet('key', () => source.promise)
    await until('the lease is taken', async () => (await server.ask('DBSIZE')) !== ':0', NEVER)
    await path.mode('refuse')
    await allOut(here, there)
    expect(await here.delete('key')).toEqual({ local: true, shared: 'pending' })
    await path.mode('pass')
    await allUp(here, there)
    source.open('old')
    expect(await loading).toBe('old')
    expect(await here.get('key')).toBeUndefined()
    expect(await there.get('key')).toBeUndefined()
  })

  test('receipts and status say what waits, since when, and that nothing does any more', async () => {
    const { here, path } = await twoProcesses()
    expect(here.status().outbox).toEqual({ pending: 0 })
    await path.mode('refuse')
    await allOut(here)
    const before = Date.now()
    expect(await here.delete('a')).toEqual({ local: true, shared: 'pending' })
    const after = Date.now()
    expect(await here.deleteMany(['b', 'c'])).toEqual({ local: true, shared: 'pending' })
    expect(await here.deleteByTag('group')).toEqual({ local: true, shared: 'pending' })
    // The same again waits once.
    await here.delete('a')
    const { outbox, state, reason } = here.status()
    expect(outbox.pending).toBe(4)
    expect(outbox.oldestAt).toBeGreaterThanOrEqual(before)
    expect(outbox.oldestAt).toBeLessThanOrEqual(after)
    expect(state).toBe('DEGRADED')
    expect(reason).toContain('4 invalidations waiting')
    expect(reason).toContain('next try in')
    await path.mode('pass')
    await allUp(here)
    expect(here.status().outbox).toEqual({ pending: 0 })
    await until('it is healthy again', () => here.status().state === 'HEALTHY', NEVER)
    expect(await here.delete('a')).toEqual({ local: true, shared: 'acked' })
  })

  test('deleting a key again and again during an outage, and setting it after, leaves the last value', async () => {
    const place = await twoProcesses()
    const { here, there, path } = place
    for (const round of [1, 2, 3]) {
      await here.set('key', `old${round}`)
      await path.mode('refuse')
      await here.delete('key')
      await here.set('key', 'meanwhile')
      await here.delete('key')
      await bothOut(place)
      await path.mode('pass')
      await bothUp(place)
      expect(await here.get('key')).toBeUndefined()
      expect(await there.get('key')).toBeUndefined()
      expect(await here.set('key', `new${round}`)).toEqual({ local: true, shared: 'acked' })
      expect(await here.get('key')).toBe(`new${round}`)
      expect(await there.get('key')).toBe(`new${round}`)
    }
  })
})

describe.each(['redis', 'filesystem'] as const)('a delete while a factory runs, on %s', backend => {
  async function pair(): Promise<readonly [Cache, Cache]> {
    if (backend === 'redis') {
      const server = await room.redis()
      return [await room.cache(onRedis(server)), await room.cache(onRedis(server))]
    }
    const dir = await room.folder()
    return [await room.cache({ backend, dir: `${dir}/cache` }), await room.cache({ backend, dir: `${dir}/cache` })]
  }

  test('on the same cache: the next read is not what the factory gave', async () => {
    const [here, there] = await pair()
    const begun = gate<void>()
    const source = gate<string>()
    const loading = here.getOrSet('key', () => {
      begun.open()
      return source.promise
    })
    await begun.promise
    expect(await here.delete('key')).toEqual({ local: true, shared: 'acked' })
    const next = here.getOrSet('key', () => 'new')
    source.open('old')
    expect(await loading).toBe('old')
    expect(await next).toBe('new')
    expect(await here.get('key')).toBe('new')
    expect(await there.get('key')).toBe('new')
  })

  test('on another cache: neither reads what the factory gave', async () => {
    const [here, there] = await pair()
    const begun = gate<void>()
    const source = gate<string>()
    const loading = here.getOrSet('key', () => {
      begun.open()
      return source.promise
    })
    await begun.promise
    expect(await there.delete('key')).toEqual({ local: true, shared: 'acked' })
    source.open('old')
    expect(await loading).toBe('old')
    expect(await there.get('key')).toBeUndefined()
    await until('the deletion was heard', async () => (await here.get('key')) === undefined, NEVER)
    expect(await here.getOrSet('key', () => 'new')).toBe('new')
    expect(await there.get('key')).toBe('new')
  })

  test('by tag, type, pattern or of everything: nothing of the factory is read afterwards', async () => {
    const [here, there] = await pair()
    const ways: readonly ((cache: Cache) => Promise<unknown>)[] = [
      cache => cache.deleteByTag('group'),
      cache => cache.deleteByType('dashboard'),
      cache => cache.deleteByPattern('dashboard:k*'),
      cache => cache.clear(),
    ]
    for (const [i, remove] of ways.entries()) {
      for (const by of [here, there]) {
        const key = `key${i}${by === here ? 'here' : 'there'}`
        const begun = gate<void>()
        const source = gate<string>()
        const loading = here.type('dashboard').getOrSet(
          key,
          () => {
            begun.open()
            return source.promise
          },
          { tags: ['group'] },
        )
        await begun.promise
        await remove(by)
        source.open('old')
        expect(await loading).toBe('old')
        expect(await there.type('dashboard').get(key)).toBeUndefined()
        await until('the deletion was heard', async () => (await here.type('dashboard').get(key)) === undefined, NEVER)
      }
    }
  })
})
