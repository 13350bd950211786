import { describe, expect, test } from 'vitest'
import type { Cache, Receipt } from '../../src/index.ts'
import { allWell, faultRoom, measured, NEVER, nextReturn, onRedis, timed } from '../support/fault-room.ts'
import type { Proxy } from '../support/proxy.ts'
import { type RedisServer, until } from '../support/redis-server.ts'

const room = faultRoom()

interface Pair {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** What the caches connect to. */
  readonly path: Proxy
  /** From here on the replica hears nothing of its primary. */
  cutReplica(): Promise<void>
  /** The replica takes the primary's place, on the same address. */
  failOver(): Promise<void>
}

async function pair(): Promise<Pair> {
  const fast = ['--repl-diskless-sync-delay', '0']
  const primary = await room.redis({ args: fast })
  const replica = await room.redis({ args: fast })
  const path = await room.proxy(primary.port)
  const wire = await room.proxy(primary.port)
  await replica.ask(`REPLICAOF 127.0.0.1 ${wire.port}`)
  await until(
    'the replica follows',
    async () => (await replica.ask('INFO replication')).includes('master_link_status:up'),
    NEVER,
  )
  return {
    primary,
    replica,
    path,
    cutReplica: () => wire.mode('blackhole'),
    async failOver() {
      await replica.ask('REPLICAOF NO ONE')
      path.retarget(replica.port)
      await primary.kill()
      await path.mode('cut')
    },
  }
}

/** Everything that is written so far is with the replica too. */
async function caughtUp({ primary, replica }: Pair): Promise<void> {
  const offset = async (server: RedisServer, field: string): Promise<string> =>
    new RegExp(`${field}:(\\d+)`).exec(await server.ask('INFO replication'))?.[1] ?? ''
  await until(
    'the replica has everything',
    async () => (await offset(primary, 'master_repl_offset')) === (await offset(replica, 'slave_repl_offset')),
    NEVER,
  )
}

const types = { page: { tags: ['pages'] } }

interface Way {
  readonly name: string
  seed(cache: Cache): Promise<unknown>
  remove(cache: Cache): Promise<Receipt>
  read(cache: Cache): Promise<unknown>
  /** What may be read afterwards. */
  readonly after: readonly unknown[]
}

const setPage = (cache: Cache): Promise<unknown> => cache.type('page').set('key', 'old')
const getPage = (cache: Cache): Promise<unknown> => cache.type('page').get('key')

const WAYS: readonly Way[] = [
  {
    name: 'deleted',
    seed: cache => cache.set('key', 'old'),
    remove: cache => cache.delete('key'),
    read: cache => cache.get('key'),
    after: [undefined],
  },
  {
    name: 'replaced by a new one',
    seed: cache => cache.set('key', 'old'),
    remove: cache => cache.set('key', 'new'),
    read: cache => cache.get('key'),
    after: [undefined, 'new'],
  },
  {
    name: 'deleted by its tag',
    seed: setPage,
    remove: cache => cache.deleteByTag('pages'),
    read: getPage,
    after: [undefined],
  },
  {
    name: 'deleted by its type',
    seed: setPage,
    remove: cache => cache.deleteByType('page'),
    read: getPage,
    after: [undefined],
  },
  {
    name: 'deleted by a pattern',
    seed: setPage,
    remove: cache => cache.deleteByPattern('page:k*'),
    read: getPage,
    after: [undefined],
  },
  {
    name: 'deleted with everything',
    seed: setPage,
    remove: cache => cache.clear(),
    read: getPage,
    after: [undefined],
  },
]

async function twoCaches(path: Proxy): Promise<readonly [Cache, Cache]> {
  const here = await room.cache({ ...onRedis(path), types })
  const there = await room.cache({ ...onRedis(path), types })
  await allWell(here, there)
  return [here, there]
}

describe('a replica that missed the last writes takes over', () => {
  test.each(WAYS)('what was $name, and acknowledged, does not come back', async way => {
    const servers = await pair()
    const [here, there] = await twoCaches(servers.path)
    await way.seed(here)
    expect(await way.read(there)).toBe('old')
    await caughtUp(servers)
    await servers.cutReplica()
    expect(await way.remove(here)).toEqual({ local: true, shared: 'acked' })
    const seen: unknown[] = []
    const reading = new AbortController()
    const reader = (async (): Promise<void> => {
      while (!reading.signal.aborted) {
        seen.push(await way.read(here))
        await new Promise(resolve => setTimeout(resolve, 1))
      }
    })()
    const returned = nextReturn(here, there)
    await servers.failOver()
    measured(`${way.name}: failover to in use, ms`, await timed(returned))
    reading.abort()
    await reader
    expect(seen.filter(value => !way.after.includes(value))).toEqual([])
    for (const cache of [here, there]) {
      await until('it is gone', async () => way.after.includes(await way.read(cache)), NEVER)
    }
    // The other cache may have asked before the deleting one was back: from here on nobody is right to see it.
    for (let again = 0; again < 20; again++) {
      for (const cache of [here, there]) expect(way.after).toContain(await way.read(cache))
    }
    const late = await room.cache({ ...onRedis(servers.path), types })
    expect(way.after).toContain(await way.read(late))
  })

  test('twice in a row, each time to one that missed the last writes', async () => {
    const first = await pair()
    const [here, there] = await twoCaches(first.path)
    await here.set('key', 'old')
    await caughtUp(first)
    // A second replica of the first, cut at the same moment, takes over after the first one has.
    const second = await room.redis({ args: ['--repl-diskless-sync-delay', '0'] })
    const wire = await room.proxy(first.primary.port)
    await second.ask(`REPLICAOF 127.0.0.1 ${wire.port}`)
    await until(
      'the second follows',
      async () => (await second.ask('INFO replication')).includes('master_link_status:up'),
      NEVER,
    )
    await first.cutReplica()
    await wire.mode('blackhole')
    expect(await here.delete('key')).toEqual({ local: true, shared: 'acked' })
    const once = nextReturn(here, there)
    await first.failOver()
    await once()
    expect(await here.get('key')).toBeUndefined()
    const twice = nextReturn(here, there)
    await second.ask('REPLICAOF NO ONE')
    first.path.retarget(second.port)
    await first.replica.kill()
    await first.path.mode('cut')
    await twice()
    for (const cache of [here, there]) {
      await until('it is gone', async () => (await cache.get('key')) === undefined, NEVER)
    }
    expect(await here.get('key')).toBeUndefined()
  })

  test('a load under way during the change stores nothing that was deleted', async () => {
    const servers = await pair()
    const [here, there] = await twoCaches(servers.path)
    let finish: (value: string) => void = () => undefined
    const source = new Promise<string>(resolve => (finish = resolve))
    let begun = false
    const loading = here.getOrSet('key', () => {
      begun = true
      return source
    })
    await until('the factory runs', () => begun, NEVER)
    await caughtUp(servers)
    await servers.cutReplica()
    // The replica keeps the lease that this deletion voids.
    expect(await there.delete('key')).toEqual({ local: true, shared: 'acked' })
    const returned = nextReturn(here, there)
    await servers.failOver()
    await returned()
    finish('old')
    expect(await loading).toBe('old')
    for (const cache of [here, there]) {
      await until('it is gone', async () => (await cache.get('key')) === undefined, NEVER)
    }
  })
})

describe('Redis loses what it held', () => {
  test('it starts again empty: caches load anew, once, and share what they loaded', async () => {
    const server = await room.redis()
    const a = await room.cache(onRedis(server))
    const b = await room.cache(onRedis(server))
    await allWell(a, b)
    await a.set('key', 'old')
    expect(await b.get('key')).toBe('old')
    const returned = nextReturn(a, b)
    await server.restart()
    measured('empty restart: answering to in use, ms', await timed(returned))
    let loads = 0
    const load = async (): Promise<string> => {
      loads++
      await new Promise(resolve => setTimeout(resolve, 50))
      return 'new'
    }
    const values = await Promise.all(
      [a, b].flatMap(cache => Array.from({ length: 50 }, () => cache.getOrSet('key', load))),
    )
    expect(new Set(values)).toEqual(new Set(['new']))
    expect(loads).toBe(1)
  })

  test('somebody runs FLUSHALL: memory may go on for its ttl, a deletion still ends it, and writing works', async () => {
    const server = await room.redis()
    const a = await room.cache(onRedis(server))
    const b = await room.cache(onRedis(server))
    await allWell(a, b)
    await a.set('key', 'old', { tags: ['group'] })
    expect(await b.get('key')).toBe('old')
    await server.ask('FLUSHALL')
    expect(await a.deleteByTag('group')).toEqual({ local: true, shared: 'acked' })
    expect(await a.get('key')).toBeUndefined()
    await until('the other has heard of it', async () => (await b.get('key')) === undefined, NEVER)
    expect(await a.set('key', 'new', { tags: ['group'] })).toEqual({ local: true, shared: 'acked' })
    expect(await a.get('key')).toBe('new')
    expect(await b.get('key')).toBe('new')
    await a.clear()
    expect(await a.get('key')).toBeUndefined()
    await until('the other has heard of it', async () => (await b.get('key')) === undefined, NEVER)
  })

  test('somebody runs SCRIPT FLUSH: no call fails for it', async () => {
    const server = await room.redis()
    const a = await room.cache(onRedis(server))
    const b = await room.cache(onRedis(server))
    await allWell(a, b)
    const errors: string[] = []
    a.on('error', ({ message }) => errors.push(message))
    for (let round = 0; round < 5; round++) {
      await server.ask('SCRIPT FLUSH')
      expect(await a.set('key', round)).toEqual({ local: true, shared: 'acked' })
      await server.ask('SCRIPT FLUSH')
      expect(await a.getOrSet(`load${round}`, () => round)).toBe(round)
      await server.ask('SCRIPT FLUSH')
      expect(await a.add(`add${round}`, round)).toBe(true)
      expect(await b.get(`load${round}`)).toBe(round)
      await until('the news arrive', async () => (await b.get('key')) === round, NEVER)
    }
    expect(errors).toEqual([])
  })
})
