import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { allUp, allWell, faultRoom, measured, NEVER, onRedis, sharedTier, timed } from '../support/fault-room.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, type RedisServerOptions, until } from '../support/redis-server.ts'

const room = faultRoom()

interface Refusal {
  readonly name: string
  /** What the error of a refused write says. */
  readonly says: string
  start(): Promise<Refusing>
}

interface Refusing {
  readonly server: RedisServer
  refuse(): Promise<unknown>
  relent(): Promise<unknown>
}

const plain = async (options: RedisServerOptions, refuse: string, relent: string): Promise<Refusing> => {
  const server = await room.redis(options)
  return { server, refuse: () => server.ask(refuse), relent: () => server.ask(relent) }
}

/** A server that cannot save: where its file would be there is a directory. */
async function cannotSave(): Promise<Refusing> {
  const folder = await room.folder()
  const server = await room.redis({ args: ['--enable-protected-configs', 'yes'] })
  const saved = (how: string): Promise<void> =>
    until(`saving went ${how}`, async () => {
      await server.ask('BGSAVE')
      const info = await server.ask('INFO persistence')
      return info.includes(`rdb_last_bgsave_status:${how}`) && info.includes('rdb_bgsave_in_progress:0')
    })
  return {
    server,
    async refuse() {
      await mkdir(join(folder, 'taken', 'not-empty'), { recursive: true })
      await server.ask(`CONFIG SET dir ${folder}`)
      await server.ask('CONFIG SET dbfilename taken')
      await server.ask('CONFIG SET save "3600 1"')
      await saved('err')
    },
    async relent() {
      await rm(join(folder, 'taken'), { recursive: true })
      await saved('ok')
    },
  }
}

const REFUSALS: readonly Refusal[] = [
  {
    name: 'has become a replica (READONLY)',
    says: 'READONLY',
    // A replica of nobody: it goes on answering reads with what it has.
    start: async () => {
      const port = await freePort()
      return plain({ args: ['--replica-serve-stale-data', 'yes'] }, `REPLICAOF 127.0.0.1 ${port}`, 'REPLICAOF NO ONE')
    },
  },
  {
    name: 'misses its replicas (NOREPLICAS)',
    says: 'NOREPLICAS',
    start: () => plain({}, 'CONFIG SET min-replicas-to-write 1', 'CONFIG SET min-replicas-to-write 0'),
  },
  { name: 'cannot save to its disk (MISCONF)', says: 'MISCONF', start: cannotSave },
  {
    name: 'no longer lets its user delete (NOPERM)',
    says: 'NOPERM',
    start: () => plain({}, 'ACL SETUSER default -@write', 'ACL SETUSER default +@all'),
  },
]

async function twoOn(server: RedisServer): Promise<readonly [Cache, Cache]> {
  const a = await room.cache(onRedis(server))
  const b = await room.cache(onRedis(server))
  await allWell(a, b)
  return [a, b]
}

describe.each(REFUSALS)('Redis answers reads and $name', refusal => {
  test('a deletion is pending, its key is not read here, health says why, and it is delivered in the end', async () => {
    const { server, refuse, relent } = await refusal.start()
    const [a, b] = await twoOn(server)
    await a.set('key', 'old')
    await a.set('tagged', 'old', { tags: ['group'] })
    await a.type('user').set('typed', 'old')
    await a.set('kept', 'kept')
    expect(await b.getMany(['key', 'tagged', 'kept'])).toEqual(['old', 'old', 'kept'])
    const errors: string[] = []
    a.on('error', ({ message }) => errors.push(message))
    await refuse()
    expect(await a.delete('key')).toEqual({ local: true, shared: 'pending' })
    expect(await a.deleteByTag('group')).toEqual({ local: true, shared: 'pending' })
    expect(await a.deleteByType('user')).toEqual({ local: true, shared: 'pending' })
    expect(errors.some(message => message.includes(refusal.says))).toBe(true)
    const look = async (): Promise<void> => {
      expect(await a.getMany(['key', 'tagged'])).toEqual([undefined, undefined])
      expect(await a.type('user').get('typed')).toBeUndefined()
    }
    await look()
    expect(await a.getOrSet('key', () => 'anew')).toBe('anew')
    expect(await a.delete('key')).toEqual({ local: true, shared: 'pending' })
    await look()
    const { state, reason, outbox } = a.status()
    expect(state).toBe('DEGRADED')
    expect(reason).toMatch(/waiting|is out/)
    expect(outbox.pending).toBeGreaterThanOrEqual(3)
    expect(outbox.oldestAt).toBeLessThanOrEqual(Date.now())
    await relent()
    measured(`${refusal.says}: cause gone to delivered, ms`, await timed(() => allUp(a, b)))
    await look()
    await until('the other has heard of it', async () => (await b.get('key')) === undefined, NEVER)
    expect(await b.getMany(['key', 'tagged'])).toEqual([undefined, undefined])
    expect(await b.type('user').get('typed')).toBeUndefined()
    await allWell(a, b)
    expect(await a.set('key', 'new')).toEqual({ local: true, shared: 'acked' })
    expect(await b.get('key')).toBe('new')
  })

  test('a set is not acknowledged, and the value before it is never read here again', async () => {
    const { server, refuse, relent } = await refusal.start()
    const [a, b] = await twoOn(server)
    await a.set('key', 'old')
    expect(await b.get('key')).toBe('old')
    await refuse()
    expect((await a.set('key', 'new')).shared).toBe('pending')
    expect([undefined, 'new']).toContain(await a.get('key'))
    await relent()
    await allUp(a, b)
    expect([undefined, 'new']).toContain(await a.get('key'))
    await until('the other has heard of it', async () => (await b.get('key')) !== 'old', NEVER)
  })

  test('every read and every load goes on being answered', async () => {
    const { server, refuse, relent } = await refusal.start()
    const [a] = await twoOn(server)
    await a.set('key', 'value')
    await refuse()
    for (let i = 0; i < 50; i++) expect(await a.getOrSet(`key${i}`, () => i)).toBe(i)
    expect(['value', undefined]).toContain(await a.get('key'))
    await relent()
    await allUp(a)
    expect(await a.getOrSet('key50', () => 50)).toBe(50)
    await until('it is stored again', async () => (await a.set('key', 'new')).shared === 'acked', NEVER)
  })
})

describe('Redis is out of memory', () => {
  async function full(): Promise<{ a: Cache; b: Cache; server: RedisServer }> {
    const server = await room.redis({ args: ['--maxmemory-policy', 'noeviction'] })
    const [a, b] = await twoOn(server)
    await a.set('key', 'old')
    await a.set('kept', 'kept')
    expect(await b.getMany(['key', 'kept'])).toEqual(['old', 'kept'])
    await server.ask('CONFIG SET maxmemory 1')
    return { a, b, server }
  }

  test('sets are refused, deletions are acknowledged, reads go on, and the link stays up', async () => {
    const { a, b, server } = await full()
    const links: string[] = []
    a.on('link', ({ state }) => links.push(state))
    for (let i = 0; i < 20; i++) expect((await a.set(`new${i}`, i)).shared).toBe('refused')
    expect(await b.get('kept')).toBe('kept')
    expect(await a.delete('key')).toEqual({ local: true, shared: 'acked' })
    expect(await a.get('key')).toBeUndefined()
    await until('the other has heard of it', async () => (await b.get('key')) === undefined, NEVER)
    for (let i = 0; i < 20; i++) expect(await a.getOrSet(`loaded${i}`, () => i)).toBe(i)
    expect(links.filter(state => state === 'open')).toEqual([])
    expect(sharedTier(a)).toMatchObject({ used: true })
    await server.ask('CONFIG SET maxmemory 0')
    expect(await a.set('key', 'new')).toEqual({ local: true, shared: 'acked' })
    expect(await b.get('key')).toBe('new')
  })

  test('a set over an old value leaves nothing old behind', async () => {
    const { a, b, server } = await full()
    expect((await a.set('key', 'new')).shared).toBe('refused')
    expect([undefined, 'new']).toContain(await a.get('key'))
    await until('the other has heard of it', async () => (await b.get('key')) === undefined, NEVER)
    await server.ask('CONFIG SET maxmemory 0')
    await allUp(a, b)
    expect([undefined, 'new']).toContain(await a.get('key'))
    expect(await b.get('key')).toBeUndefined()
  })

  test('tags, types and everything can be deleted: nothing old is read anywhere', async () => {
    const { a, b, server } = await full()
    await server.ask('CONFIG SET maxmemory 0')
    await a.set('tagged', 'old', { tags: ['group'] })
    await a.type('user').set('typed', 'old')
    await server.ask('CONFIG SET maxmemory 1')
    await a.deleteByTag('group')
    await a.deleteByType('user')
    for (const cache of [a, b]) {
      await until('the tag is gone', async () => (await cache.get('tagged')) === undefined, NEVER)
      await until('the type is gone', async () => (await cache.type('user').get('typed')) === undefined, NEVER)
    }
    await a.clear()
    for (const cache of [a, b]) {
      await until('everything is gone', async () => (await cache.get('kept')) === undefined, NEVER)
    }
    await server.ask('CONFIG SET maxmemory 0')
    await allUp(a, b)
    for (const cache of [a, b]) {
      expect(await cache.getMany(['tagged', 'kept', 'key'])).toEqual([undefined, undefined, undefined])
      expect(await cache.type('user').get('typed')).toBeUndefined()
    }
  })
})
