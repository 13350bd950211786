import { describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache } from '../../src/index.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'
import type { SharedStore } from '../../src/store.ts'
import { type Gate, gate } from '../support/caches.ts'
import { type Remote, remoteServer, type Server } from '../support/remote.ts'

const TAGGED = { tags: ['t'] }
const WINDOW = 60_000

/** Everything after which `user:k`, tagged `t`, must not be seen again. */
const MUTATIONS: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  set: cache => cache.type('user').set('k', 'new', TAGGED),
  delete: cache => cache.type('user').delete('k'),
  deleteMany: cache => cache.type('user').deleteMany(['other', 'k']),
  deleteByTag: cache => cache.deleteByTag('t'),
  deleteByType: cache => cache.deleteByType('user'),
  deleteByPattern: cache => cache.deleteByPattern('us*:k'),
  clear: cache => cache.clear(),
  expire: cache => cache.type('user').expire('k'),
}

interface Two {
  readonly server: Server
  readonly a: Cache
  readonly b: Cache
  readonly ra: Remote
  readonly rb: Remote
  readonly clock: ManualClock
  /** Another server, which has what `copy` has, takes over after `ms` without any. */
  failOver(copy: SharedStore, ms?: number): Promise<void>
}

async function two(options: CacheOptions = {}, wrap: (store: Remote) => SharedStore = store => store): Promise<Two> {
  const clock = manualClock()
  const server = remoteServer(clock)
  const [ra, rb] = [server.connect(), server.connect()]
  const a = createCache({ logger: false, clock, ...options, store: wrap(ra) })
  const b = createCache({ logger: false, clock, ...options, store: rb })
  await Promise.all([a.ready(), b.ready()])
  // The links are known to be good by now.
  await clock.advance(2000)
  return {
    server,
    a,
    b,
    ra,
    rb,
    clock,
    async failOver(copy, ms = 500) {
      for (const store of [ra, rb]) {
        store.fail('*')
        store.lost()
      }
      await clock.advance(ms)
      server.replace(copy)
      for (const store of [ra, rb]) {
        store.heal()
        store.ready()
      }
      await clock.advance(2000)
    },
  }
}

async function seen(cache: Cache): Promise<unknown[]> {
  const user = cache.type('user')
  return [(await user.peek('k'))?.value, await user.get('k'), (await user.getMany(['k']))[0]]
}

async function neverOld(at: Two): Promise<void> {
  expect(await seen(at.a)).not.toContain('old')
  expect(await seen(at.b)).not.toContain('old')
}

async function stored(at: Two): Promise<SharedStore> {
  // Loaded, not set: a set would be told again as a deletion of its own.
  await at.a.type('user').getOrSet('k', () => 'old', TAGGED)
  expect(await at.b.type('user').get('k')).toBe('old')
  return at.server.copy()
}

describe.each(Object.entries(MUTATIONS))('%s, acknowledged by a server that is lost', (_name, mutate) => {
  test('is told to the one in its place, by whoever made it', async () => {
    const at = await two()
    const copy = await stored(at)
    await mutate(at.a)
    await at.failOver(copy)
    expect(at.a.status()).toMatchObject({ backend: 'custom', outbox: { pending: 0 } })
    await neverOld(at)
  })

  test('nobody is told that another server answers: it is found out all the same', async () => {
    const at = await two()
    const copy = await stored(at)
    await mutate(at.a)
    at.server.replace(copy)
    await at.clock.advance(4000)
    await neverOld(at)
  })

  test('the next server may be lost as well: what was told again is told again', async () => {
    const at = await two()
    const copy = await stored(at)
    await mutate(at.a)
    await at.clock.advance(WINDOW - 5000)
    await at.failOver(await copyOf(copy, at))
    await at.clock.advance(20_000)
    await at.failOver(copy)
    await neverOld(at)
  })

  test('an outage longer than the window forgets nothing', async () => {
    const at = await two({ types: { user: { ttl: '1h' } } })
    const copy = await stored(at)
    await mutate(at.a)
    await at.clock.advance(WINDOW / 2)
    await at.failOver(copy, 5 * WINDOW)
    await neverOld(at)
  })

  test('the server in its place fails while it is being told', async () => {
    const at = await two()
    const copy = await stored(at)
    await mutate(at.a)
    for (const store of [at.ra, at.rb]) store.lost()
    at.server.replace(copy)
    for (const method of ['delete', 'set', 'claim', 'commit'] as const) at.ra.fail(method, 2)
    await at.clock.advance(5000)
    await neverOld(at)
  })
})

/** A third server that started from the same copy. */
async function copyOf(copy: SharedStore, at: Two): Promise<SharedStore> {
  const other = remoteServer(at.clock)
  other.replace(copy)
  return other.copy()
}

describe('acknowledged by a server that is lost', () => {
  test('what is older than the window is not told again', async () => {
    const at = await two()
    await at.a.delete('long ago')
    await at.clock.advance(WINDOW + 5000)
    await at.a.delete('lately')
    const copy = await at.server.copy()
    const calls = at.ra.calls('delete')
    await at.failOver(copy)
    expect(at.ra.calls('delete') - calls).toBe(1)
  })

  test('the same server back again is told only what it missed', async () => {
    const at = await two()
    await at.a.delete('k')
    const calls = at.ra.calls('delete')
    at.ra.lost()
    at.ra.ready()
    await at.clock.advance(1000)
    expect(at.ra.calls('delete')).toBe(calls)
    at.ra.fail('*')
    at.ra.lost()
    await at.a.delete('l')
    at.ra.heal()
    at.ra.ready()
    await at.clock.advance(1000)
    expect(at.ra.calls('delete')).toBe(calls + 1)
  })

  test('everything learned from it is forgotten, whoever deleted', async () => {
    const at = await two()
    await at.a.set('k', 'lost')
    const before = await at.server.copy()
    await at.b.set('k', 'lost with the server')
    expect(await at.a.get('k')).toBe('lost with the server')
    await at.failOver(before)
    // What b set was told again as a deletion, so that nobody takes the older value for it.
    expect(await at.a.get('k')).toBeUndefined()
    expect(await at.b.get('k')).toBeUndefined()
  })

  test('more than is told one by one is told as types', async () => {
    const at = await two({ outage: { maxPending: 5 } })
    const user = at.a.type('user')
    const keys = Array.from({ length: 50 }, (_, i) => `${i}`)
    for (const key of keys) await user.set(key, 'old')
    const copy = await at.server.copy()
    await user.deleteMany(keys)
    await at.failOver(copy)
    expect((await user.getMany(keys)).filter(Boolean)).toEqual([])
    expect((await at.b.type('user').getMany(keys)).filter(Boolean)).toEqual([])
  })
})

describe('an acknowledgement that was on its way when the server was lost', () => {
  /** The answers of one method come when the test lets them. */
  function held(method: 'delete' | 'set'): {
    wrap: (store: Remote) => SharedStore
    waiting: Gate<void>[]
    hold(): void
  } {
    const waiting: Gate<void>[] = []
    let holding = false
    const pass = async (): Promise<void> => {
      if (!holding) return
      holding = false
      const answer = gate<void>()
      waiting.push(answer)
      await answer.promise
    }
    return {
      waiting,
      hold: () => void (holding = true),
      wrap: store => ({
        ...store,
        async delete(keys) {
          await store.delete(keys)
          if (method === 'delete') await pass()
        },
        async set(key, bytes, ttl) {
          await store.set(key, bytes, ttl)
          if (method === 'set') await pass()
        },
      }),
    }
  }

  const swap = async (at: Two, copy: SharedStore): Promise<void> => {
    at.ra.lost()
    at.rb.lost()
    at.server.replace(copy)
    at.ra.ready()
    at.rb.ready()
    await at.clock.advance(20)
    expect(at.a.status().backend).toBe('custom')
  }

  test('a deletion is not taken for done by the one in its place', async () => {
    const { wrap, waiting, hold } = held('delete')
    const at = await two({}, wrap)
    const copy = await stored(at)
    hold()
    const deleted = at.a.type('user').delete('k')
    await at.clock.advance(10)
    await swap(at, copy)
    waiting[0]?.open()
    await deleted
    await at.clock.advance(2000)
    await neverOld(at)
  })

  test('a new stamp is not taken for known by the one in its place', async () => {
    const { wrap, waiting, hold } = held('set')
    const at = await two({}, wrap)
    const copy = await stored(at)
    hold()
    const deleted = at.a.deleteByTag('t')
    await at.clock.advance(10)
    await swap(at, copy)
    waiting[0]?.open()
    await deleted
    await at.clock.advance(2000)
    await neverOld(at)
  })

  test('a value that was set is not taken for stored by the one in its place', async () => {
    const { wrap, waiting, hold } = held('set')
    const at = await two({}, wrap)
    const copy = await stored(at)
    hold()
    const set = at.a.type('user').set('k', 'new')
    await at.clock.advance(10)
    await swap(at, copy)
    waiting[0]?.open()
    await set
    await at.clock.advance(2000)
    await neverOld(at)
  })

  test('a deletion that was being tried again is not taken for done either', async () => {
    const { wrap, waiting, hold } = held('delete')
    const at = await two({}, wrap)
    const copy = await stored(at)
    at.ra.fail('delete', 1)
    expect(await at.a.type('user').delete('k')).toMatchObject({ shared: 'pending' })
    hold()
    await at.clock.advance(500)
    expect(waiting).toHaveLength(1)
    at.ra.lost()
    at.rb.lost()
    at.server.replace(copy)
    at.ra.ready()
    at.rb.ready()
    await at.clock.advance(5)
    waiting[0]?.open()
    await at.clock.advance(2000)
    await neverOld(at)
  })
})

test('what was acknowledged at the beginning of the window is not forgotten while nobody knows of the failover yet', async () => {
  const at = await two({ types: { user: { ttl: '1h' } } })
  const copy = await stored(at)
  // The link asks who answers every two seconds, and has just done so.
  await at.clock.advance(10)
  await at.a.type('user').delete('k')
  await at.clock.advance(WINDOW - 5)
  at.server.replace(copy)
  await at.clock.advance(1900)
  await at.a.delete('something else')
  await at.clock.advance(3000)
  await neverOld(at)
})
