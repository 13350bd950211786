import { afterEach, describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { gate, memoryCache, pair } from '../support/caches.ts'
import { countedClock, type Remote, remoteServer, type Server } from '../support/remote.ts'

const MINUTE = 60_000
const LONG = { defaults: { ttl: '1h' } } as const
const LATE = { restored: false, reason: expect.stringContaining('ten minutes') }

const open: Cache[] = []
afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close()
})

function two(options: CacheOptions = LONG): ReturnType<typeof pair> {
  const made = pair(options)
  open.push(made.a, made.b)
  return made
}

async function entriesOf(store: SharedStore): Promise<string[]> {
  const keys: string[] = []
  for await (const some of store.scan('default:e:')) keys.push(...some)
  return keys
}

/** The token of a clear that can be undone. */
async function cleared(
  cache: Cache,
  target: Parameters<Cache['operator']['clear']>[0] = { kind: 'all' },
): Promise<string> {
  const { undo } = await cache.operator.clear(target)
  if (undo === undefined) throw new Error('it cannot be undone')
  return undo
}

describe('a clear', () => {
  test('can be undone until ten minutes have passed, and then its entries go', async () => {
    const { a, b, clock, store } = two()
    await a.set('k', 1)
    const undo = await cleared(a)
    await clock.advance(10 * MINUTE - 2000)
    expect(await entriesOf(store)).toHaveLength(1)
    expect(await b.operator.undo(undo)).toEqual({ restored: true })
    expect(await a.get('k')).toBe(1)
    const again = await cleared(a)
    await clock.advance(10 * MINUTE + 1000)
    expect(await entriesOf(store)).toEqual([])
    expect(await a.operator.undo(again)).toEqual(LATE)
    expect(await b.operator.undo('nonsense')).toEqual(LATE)
  })

  test('of what was undone and cleared again can be undone for ten minutes of its own', async () => {
    const { a, clock, store } = two()
    await a.set('k', 1)
    expect(await a.operator.undo(await cleared(a))).toEqual({ restored: true })
    await clock.advance(5 * MINUTE)
    const second = await cleared(a)
    // The ten minutes of the first one end here.
    await clock.advance(6 * MINUTE)
    expect(await entriesOf(store)).toHaveLength(1)
    expect(await a.operator.undo(second)).toEqual({ restored: true })
    expect(await a.get('k')).toBe(1)
  })

  test('leaves no timer of its own behind when the cache is closed, whenever that is', async () => {
    const clock = countedClock(manualClock())
    const store = memoryStore({ clock })
    const own = (): string[] => clock.timers().filter(timer => timer.includes('undo.ts'))
    const slow = faulty(store)
    const cache = createCache({ logger: false, clock, ...LONG, store: slow })
    await cache.type('user').set('k', 1)
    await cleared(cache)
    expect(own()).toHaveLength(1)
    slow.delay('commit', 50, clock)
    const clearing = cache.operator.clear({ kind: 'type', type: 'user' })
    await clock.advance(70)
    const closing = cache.close()
    await clock.advance(1000)
    await closing
    expect((await clearing).receipt.local).toBe(true)
    expect(own()).toEqual([])
  })

  test('is undone by two at once without a lie', async () => {
    const { a, b, clock } = two()
    await a.set('k', 1)
    const undo = await cleared(a)
    const told = Promise.all([a.operator.undo(undo), b.operator.undo(undo)])
    await clock.advance(1000)
    for (const { restored } of await told) expect(restored).toBe(true)
    for (const cache of [a, b]) expect(await cache.get('k')).toBe(1)
    expect(await b.operator.undo(undo)).toEqual(LATE)
  })

  test('of a tag nobody has, or of nothing, is a clear all the same', async () => {
    const { cache } = memoryCache()
    open.push(cache)
    expect(await cache.operator.clear({ kind: 'tag', tag: 'unheard of' })).toEqual({
      receipt: { local: true, shared: 'none' },
    })
    const off = memoryCache({ enabled: false })
    open.push(off.cache)
    expect(await off.cache.operator.clear({ kind: 'all' })).toEqual({ receipt: { local: true, shared: 'none' } })
  })

  test('that cannot be kept for an undo sweeps at once', async () => {
    const clock = manualClock()
    const server = remoteServer(clock)
    const remote = server.connect()
    const cache = createCache({ logger: false, clock, ...LONG, store: remote })
    open.push(cache)
    await cache.ready()
    await cache.set('k', 1)
    const { claim } = remote
    // The document of the undo is not taken; stamps are written.
    remote.claim = (key, asked) => (key.includes(':d:') ? Promise.reject(new Error('no room')) : claim(key, asked))
    const { receipt, undo } = await cache.operator.clear({ kind: 'all' })
    expect([receipt.shared, undo]).toEqual(['acked', undefined])
    await clock.advance(2000)
    expect(await entriesOf(remote)).toEqual([])
  })
})

describe('an undo brings nothing back that died in another way', () => {
  const MEANWHILE: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
    'the key was deleted': cache => cache.type('user').delete('k'),
    'the key was set': cache => cache.type('user').set('k', 'new'),
    'a tag of it was deleted': cache => cache.deleteByTag('t'),
    'its type was deleted': cache => cache.deleteByType('user'),
    'a pattern that means it': cache => cache.deleteByPattern('user:*'),
    'everything was cleared': cache => cache.clear(),
  }
  test.each(Object.entries(MEANWHILE))('%s', async (_name, change) => {
    const { a, b, clock } = two()
    await a.type('user').set('k', 'old', { tags: ['t', 'other'] })
    expect(await b.type('user').get('k')).toBe('old')
    const undo = await cleared(a, { kind: 'tag', tag: 'other' })
    await change(b)
    await clock.advance(100)
    expect(await a.operator.undo(undo)).toEqual({ restored: true })
    for (const cache of [a, b]) expect(await cache.type('user').get('k')).not.toBe('old')
    // The sweeps of the pattern, and what they let go of, change nothing about it.
    await clock.advance(20 * MINUTE)
    for (const cache of [a, b]) expect(await cache.type('user').get('k')).not.toBe('old')
  })

  test('a load that began before the clear ends after the key was deleted', async () => {
    const { a, b, clock } = two()
    const value = gate<string>()
    const loading = a.getOrSet('k', () => value.promise)
    await clock.advance(10)
    const undo = await cleared(b)
    await b.delete('k')
    value.open('old')
    expect(await loading).toBe('old')
    expect(await b.operator.undo(undo)).toEqual({ restored: true })
    for (const cache of [a, b]) expect(await cache.get('k')).toBeUndefined()
  })

  test('a load that began before the clear is as good as what was there: it may be seen after the undo only', async () => {
    const { a, b, clock } = two()
    const value = gate<string>()
    const loading = a.getOrSet('k', () => value.promise)
    await clock.advance(10)
    const undo = await cleared(b)
    value.open('of before')
    await loading
    for (const cache of [a, b]) expect(await cache.get('k')).toBeUndefined()
    expect(await b.operator.undo(undo)).toEqual({ restored: true })
    for (const cache of [a, b]) expect(['of before', undefined]).toContain(await cache.get('k'))
  })
})

describe('while the backend is out', () => {
  interface Room {
    readonly clock: ManualClock
    readonly server: Server
    readonly a: Cache
    readonly b: Cache
    readonly remotes: readonly Remote[]
  }

  async function room(): Promise<Room> {
    const clock = manualClock()
    const server = remoteServer(clock)
    const remotes = [server.connect(), server.connect()]
    const [a, b] = remotes.map(store => createCache({ logger: false, clock, ...LONG, store }))
    if (a === undefined || b === undefined) throw new Error('there are two')
    open.push(a, b)
    await Promise.all([a.ready(), b.ready()])
    await clock.advance(2000)
    return { clock, server, a, b, remotes }
  }

  const lose = async ({ clock, remotes }: Room): Promise<void> => {
    for (const remote of remotes) {
      remote.fail('*')
      remote.lost()
    }
    await clock.advance(100)
  }
  const heal = async ({ clock, remotes }: Room): Promise<void> => {
    for (const remote of remotes) {
      remote.heal()
      remote.ready()
    }
    await clock.advance(4000)
  }

  test('a clear waits and cannot be undone, and is done everywhere afterwards', async () => {
    const at = await room()
    await at.a.set('k', 1, { tags: ['t'] })
    await at.a.set('other', 1)
    await lose(at)
    const done = await at.a.operator.clear({ kind: 'tag', tag: 't' })
    expect(done).toEqual({ receipt: { local: true, shared: 'pending' } })
    expect(await at.a.get('k')).toBeUndefined()
    await heal(at)
    for (const cache of [at.a, at.b]) expect(await cache.getMany(['k', 'other'])).toEqual([undefined, 1])
  })

  test('an undo is refused, and works afterwards', async () => {
    const at = await room()
    await at.a.set('k', 1)
    const undo = await cleared(at.a)
    await lose(at)
    await expect(at.a.operator.undo(undo)).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    await heal(at)
    expect(await at.b.operator.undo(undo)).toEqual({ restored: true })
    for (const cache of [at.a, at.b]) expect(await cache.get('k')).toBe(1)
  })

  test.each(['clear', 'undo'] as const)('a failover that loses the %s brings nothing wrong about', async lost => {
    const at = await room()
    await at.a.set('k', 1)
    await at.a.delete('gone')
    let copy = await at.server.copy()
    const undo = await cleared(at.a)
    if (lost === 'undo') copy = await at.server.copy()
    if (lost === 'undo') expect(await at.b.operator.undo(undo)).toEqual({ restored: true })
    at.server.replace(copy)
    await at.clock.advance(6000)
    // The clear is told again, which no undo of before knows of.
    for (const cache of [at.a, at.b]) expect(await cache.get('k')).toBeUndefined()
    expect((await at.b.operator.undo(undo)).restored).toBe(false)
    for (const cache of [at.a, at.b]) expect(await cache.get('k')).toBeUndefined()
    await at.a.set('k', 2)
    await at.clock.advance(100)
    expect(await at.b.get('k')).toBe(2)
  })
})

describe('where nothing is shared', () => {
  test('a clear is undone for all that was not made anew in between', async () => {
    const { cache, clock } = memoryCache(LONG)
    open.push(cache)
    for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, key)
    const undo = await cleared(cache)
    expect(await cache.get('a')).toBeUndefined()
    await cache.set('b', 'new')
    expect(await cache.getOrSet('d', () => 'new')).toBe('new')
    await clock.advance(9 * MINUTE)
    expect(await cache.operator.undo(undo)).toEqual({ restored: true })
    // What was made or set carried the stamp that the undo took away.
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual(['a', undefined, 'c', undefined])
    await cache.deleteByPattern('c')
    expect(await cache.get('c')).toBeUndefined()
    const { undo: next } = await cache.operator.clear({ kind: 'all' })
    await clock.advance(10 * MINUTE)
    expect(await cache.operator.undo(next ?? '-')).toEqual(LATE)
    expect(cache.stats().near.entries).toBe(0)
  })
})
