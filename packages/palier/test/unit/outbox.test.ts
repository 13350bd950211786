import { describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { type Gate, gate } from '../support/caches.ts'

interface Two {
  readonly a: Cache
  readonly b: Cache
  readonly store: FaultyStore
  readonly clock: ManualClock
}

async function two(options: CacheOptions = {}, wrap: (store: SharedStore) => SharedStore = one => one): Promise<Two> {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  const store = faulty(wrap(backing))
  const own: CacheOptions = { logger: false, clock, ...options }
  const a = createCache({ ...own, store })
  const b = createCache({ ...own, store: backing.connect() })
  await Promise.all([a.ready(), b.ready()])
  return { a, b, store, clock }
}

const TAGGED = { tags: ['t'] }

/** Every way to say that `user:k`, tagged `t`, no longer counts. */
const MUTATIONS: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  delete: cache => cache.type('user').delete('k'),
  deleteMany: cache => cache.type('user').deleteMany(['other', 'k']),
  deleteByTag: cache => cache.deleteByTag('t'),
  deleteByTags: cache => cache.deleteByTags(['u', 't']),
  deleteByType: cache => cache.deleteByType('user'),
  deleteByPattern: cache => cache.deleteByPattern('us*:k'),
  'deleteByPattern of the type': cache => cache.type('user').deleteByPattern('?'),
  clear: cache => cache.clear(),
}

/** What each way of reading finds of the old value. */
async function seen(cache: Cache): Promise<unknown[]> {
  const user = cache.type('user')
  const [peeked, got, many, has, fetched] = [
    await user.peek('k'),
    await user.get('k'),
    await user.getMany(['k']),
    await user.has('k'),
    await user.fetch('k', context => (context.skip(), 'from the source'), TAGGED),
  ]
  return [peeked, got, many[0], has, fetched.value]
}

const NOTHING = [undefined, undefined, undefined, false, 'from the source']

describe('a mutation while the store fails', () => {
  describe.each(Object.entries(MUTATIONS))('%s', (_name, mutate) => {
    test.each(['fail', 'hang'] as const)(
      'while it would %s: pending, and the old value is never seen again',
      async how => {
        const at = await two()
        await at.a.type('user').set('k', 'old', TAGGED)
        at.store[how]('*')
        const [receipt] = await Promise.all([mutate(at.a), at.clock.advance(300)])
        expect(receipt).toEqual({ local: true, shared: 'pending' })
        expect(at.a.status().outbox.pending).toBeGreaterThan(0)
        expect(at.a.status()).toMatchObject({ state: 'DEGRADED' })
        const [during] = await Promise.all([seen(at.a), at.clock.advance(3000)])
        expect(during).toEqual(NOTHING)
        at.store.heal()
        // Healed, but not yet drained: the store still holds the old value, and nobody here may see it.
        const [between] = await Promise.all([seen(at.a), at.clock.advance(1)])
        expect(between).toEqual(NOTHING)
        await at.clock.advance(3000)
        expect(at.a.status().outbox.pending).toBe(0)
        expect(at.a.status()).toMatchObject({ state: 'HEALTHY' })
        expect(await seen(at.a)).toEqual(NOTHING)
        expect(await seen(at.b)).toEqual(NOTHING)
        await at.a.type('user').set('k', 'new', TAGGED)
        expect(await at.a.type('user').get('k')).toBe('new')
        expect(await at.b.type('user').get('k')).toBe('new')
      },
    )

    test('that fails once is carried out by itself', async () => {
      const at = await two()
      await at.a.type('user').set('k', 'old', TAGGED)
      expect(await at.b.type('user').get('k')).toBe('old')
      at.store.fail('*', 1)
      expect(await mutate(at.a)).toEqual({ local: true, shared: 'pending' })
      await at.clock.advance(2000)
      expect(at.a.status().outbox.pending).toBe(0)
      expect(await seen(at.b)).toEqual(NOTHING)
    })

    test('whose answer is lost still counts everywhere', async () => {
      const at = await two()
      await at.a.type('user').set('k', 'old', TAGGED)
      expect(await at.b.type('user').get('k')).toBe('old')
      at.store.lose('*', 1)
      await mutate(at.a)
      expect(await seen(at.a)).toEqual(NOTHING)
      await at.clock.advance(2000)
      expect(at.a.status().outbox.pending).toBe(0)
      expect(await seen(at.b)).toEqual(NOTHING)
    })
  })

  test.each(Object.entries(MUTATIONS))(
    '%s twice over is as good as once: nothing stays behind',
    async (_name, mutate) => {
      const at = await two()
      await at.a.type('user').set('k', 'old', TAGGED)
      at.store.fail('*')
      await mutate(at.a)
      await mutate(at.a)
      at.store.heal()
      await at.clock.advance(5000)
      expect(at.a.status().outbox.pending).toBe(0)
      await at.a.type('user').set('k', 'new', TAGGED)
      // Something else changes, so that the entry is judged anew.
      await at.a.deleteByTag('unrelated')
      expect(await at.a.type('user').get('k')).toBe('new')
      expect(await at.b.type('user').get('k')).toBe('new')
    },
  )
})

describe('while a deletion waits', () => {
  test('touch does not bring the old value back', async () => {
    const at = await two()
    await at.a.set('k', 'old')
    at.store.fail('delete')
    await at.a.delete('k')
    expect(await at.a.touch('k')).toBe(false)
    expect(await at.a.get('k')).toBeUndefined()
  })

  test('expire does not bring the old value back as a stale one', async () => {
    const at = await two({ defaults: { grace: '1h' } })
    await at.a.set('k', 'old')
    at.store.fail('delete')
    await at.a.delete('k')
    expect(await at.a.expire('k')).toBe(false)
    expect(await at.a.peek('k')).toBeUndefined()
    await expect(at.a.getOrSet('k', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
  })

  test('add finds nothing there', async () => {
    const at = await two()
    await at.a.set('k', 'old')
    at.store.fail('delete', 1)
    await at.a.delete('k')
    expect(await at.a.add('k', 'new')).toBe(true)
    await at.clock.advance(2000)
    expect(await at.a.get('k')).toBe('new')
    expect(await at.b.get('k')).toBe('new')
  })

  test('a set that is acknowledged makes it moot', async () => {
    const at = await two()
    await at.a.set('k', 'old')
    at.store.fail('delete')
    await at.a.delete('k')
    expect(await at.a.set('k', 'new')).toEqual({ local: true, shared: 'acked' })
    expect(at.a.status().outbox.pending).toBe(0)
    at.store.heal()
    await at.clock.advance(2000)
    expect(await at.a.get('k')).toBe('new')
    expect(await at.b.get('k')).toBe('new')
  })

  test('the factory gives the value, which is not stored', async () => {
    const at = await two()
    await at.a.set('k', 'old')
    at.store.fail('delete')
    await at.a.delete('k')
    expect(await at.a.getOrSet('k', () => 1)).toBe(1)
    expect(await at.a.getOrSet('k', () => 2)).toBe(2)
    expect(at.a.stats().missReasons.store).toBe(2)
  })
})

describe('two invalidations of one target at once', () => {
  /** A store whose answers to one method come when the test lets them. */
  function slowAnswers(method: 'delete' | 'set'): { wrap: (store: SharedStore) => SharedStore; waiting: Gate<void>[] } {
    const waiting: Gate<void>[] = []
    let slow = 1
    const hold = async (): Promise<void> => {
      if (slow-- <= 0) return
      const answer = gate<void>()
      waiting.push(answer)
      await answer.promise
    }
    return {
      waiting,
      wrap: store => ({
        ...store,
        async delete(keys) {
          await store.delete(keys)
          if (method === 'delete') await hold()
        },
        async set(key, bytes, ttl) {
          await store.set(key, bytes, ttl)
          if (method === 'set') await hold()
        },
      }),
    }
  }

  test('a late acknowledgement of the first deletion does not stand for the second', async () => {
    const { wrap, waiting } = slowAnswers('delete')
    const at = await two({}, wrap)
    const first = at.a.delete('k')
    await at.clock.advance(0)
    await at.b.set('k', 'between')
    at.store.fail('delete')
    expect(await at.a.delete('k')).toEqual({ local: true, shared: 'pending' })
    waiting[0]?.open()
    await first
    expect(await at.a.get('k')).toBeUndefined()
    at.store.heal()
    await at.clock.advance(5000)
    expect(await at.b.get('k')).toBeUndefined()
  })

  test('a late acknowledgement of the first new stamp does not stand for the second', async () => {
    const { wrap, waiting } = slowAnswers('set')
    const at = await two({}, wrap)
    const first = at.a.deleteByTag('t')
    await at.clock.advance(0)
    await at.a.getOrSet('k', () => 'between', TAGGED)
    at.store.fail('set')
    expect(await at.a.deleteByTag('t')).toEqual({ local: true, shared: 'pending' })
    waiting[0]?.open()
    await first
    expect(await at.a.get('k')).toBeUndefined()
    at.store.heal()
    await at.clock.advance(5000)
    expect(await at.a.get('k')).toBeUndefined()
    expect(await at.b.get('k')).toBeUndefined()
  })

  test('two processes renew one tag: afterwards they agree on it', async () => {
    const { wrap, waiting } = slowAnswers('set')
    const at = await two({}, wrap)
    const first = at.a.deleteByTag('t')
    await at.clock.advance(0)
    await at.b.deleteByTag('t')
    waiting[0]?.open()
    await first
    await at.a.getOrSet('k', () => 'v', TAGGED)
    expect(await at.b.get('k')).toBe('v')
  })
})

describe('patterns and outages', () => {
  test('a pattern after a clear that still waits is obeyed', async () => {
    const at = await two()
    at.store.fail('set', 1)
    expect(await at.a.clear()).toEqual({ local: true, shared: 'pending' })
    await at.a.set('k1', 'old')
    await at.a.deleteByPattern('k*')
    expect(await at.a.get('k1')).toBeUndefined()
    await at.clock.advance(3000)
    expect(await at.a.get('k1')).toBeUndefined()
    expect(await at.b.get('k1')).toBeUndefined()
  })

  test('while it waits it kills only what it matches', async () => {
    const at = await two()
    await at.a.set('ka', 1)
    await at.a.set('b', 2)
    at.store.fail('claim', 1)
    expect(await at.a.deleteByPattern('k*')).toEqual({ local: true, shared: 'pending' })
    expect(await at.a.getMany(['ka', 'b'])).toEqual([undefined, 2])
  })
})

describe('a message that could not be sent', () => {
  test.each(Object.entries(MUTATIONS))(
    '%s: other processes come right without waiting for a ttl',
    async (_name, mutate) => {
      const at = await two()
      await at.a.type('user').set('k', 'old', TAGGED)
      expect(await at.b.type('user').get('k')).toBe('old')
      at.store.fail('publish')
      await mutate(at.a)
      await at.clock.advance(2000)
      at.store.heal()
      await at.clock.advance(10_000)
      expect(await at.b.type('user').get('k')).toBeUndefined()
    },
  )
})

describe('close', () => {
  test('what waits at close is tried once more', async () => {
    const at = await two()
    await at.a.set('k', 'old')
    at.store.fail('delete', 1)
    await at.a.delete('k')
    await at.a.close()
    expect(await at.b.get('k')).toBeUndefined()
  })
})
