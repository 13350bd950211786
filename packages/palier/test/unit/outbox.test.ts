import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { PalierError } from '../../src/errors.ts'
import { entryKey, entryId, NAMESPACE, tagStamp, typeStamp } from '../../src/key.ts'
import { createOutbox, type Outbox, type OutboxParts, type Ticket } from '../../src/outbox.ts'
import type { SharedStore } from '../../src/store.ts'
import { FLUSH_TARGET, keyTarget, patternTarget, stampTarget, WIDEST, widened } from '../../src/targets.ts'
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

const keyOf = (type: string, key: string): string => keyTarget(entryKey('n', type, entryId(key)))
const fullOf = (type: string, key: string): string => entryKey('n', type, entryId(key))

interface Room {
  readonly outbox: Outbox
  readonly clock: ManualClock
  /** What was delivered, call by call. */
  readonly told: (readonly string[])[]
  /** What the ring of acknowledged invalidations was given. */
  readonly remembered: string[]
  readonly recorded: (readonly string[])[]
  readonly begun: string[]
  readonly done: string[]
  /** The size of the outbox each time it said that it changed. */
  readonly sizes: number[]
}

/** An outbox alone, whose deliveries all succeed unless said otherwise. */
function room(given: Partial<OutboxParts> = {}): Room {
  const clock = manualClock()
  const lists = { told: [], remembered: [], recorded: [], begun: [], done: [], sizes: [] }
  const made: Omit<Room, 'outbox'> = { clock, ...lists }
  const outbox: Outbox = createOutbox({
    clock,
    namespace: 'n',
    recents: {
      add: targets => void made.remembered.push(...targets),
      freeze: () => undefined,
      thaw: () => undefined,
      within: () => [],
    },
    max: 1000,
    begin: targets => void made.begun.push(...targets),
    done: targets => void made.done.push(...targets),
    reachable: () => true,
    isRefusal: error => error instanceof PalierError && error.code === 'PALIER_STORE_REFUSED',
    record: targets => Promise.resolve(void made.recorded.push(targets)),
    changed: () => void made.sizes.push(outbox.size),
    without: new Set(),
    ...given,
    async deliver(targets) {
      made.told.push(targets)
      await given.deliver?.(targets)
    },
  })
  return { ...made, outbox }
}

/** A delivery that failed at its first try. */
function wait({ outbox }: Room, ...targets: string[]): Promise<void> {
  return outbox.failed(outbox.put(targets))
}

const down = (): Promise<never> => Promise.reject(new PalierError('PALIER_STORE_FAILED', 'down'))
const refuse = (): Promise<never> => Promise.reject(new PalierError('PALIER_STORE_REFUSED', 'read-only'))
const A = keyOf('user', 'a')
const B = keyOf('user', 'b')
const TAG = stampTarget(tagStamp('t'))

describe('the outbox', () => {
  test('keeps one entry per target, delivered once', async () => {
    const at = room()
    await wait(at, A)
    await wait(at, A)
    expect(at.outbox.size).toBe(1)
    await at.clock.advance(500)
    expect(at.told).toEqual([[A]])
    expect(at.outbox.size).toBe(0)
    expect(at.remembered).toEqual([A])
    expect(at.clock.pending()).toBe(0)
  })

  test('what was put is not believed from then on, and counts as waiting only once it failed', async () => {
    const at = room()
    const tickets = at.outbox.put([A, TAG])
    expect(at.begun).toEqual([A, TAG])
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    expect(at.outbox.hasKey(fullOf('user', 'b'), 'user')).toBe(false)
    expect(at.outbox.hasStamp(tagStamp('t'))).toBe(true)
    expect(at.outbox.size).toBe(0)
    at.outbox.delivered(tickets)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
    expect(at.outbox.hasStamp(tagStamp('t'))).toBe(false)
    expect(at.remembered).toEqual([A, TAG])
    expect(at.done).toEqual([A, TAG])
    expect(at.recorded).toEqual([])
    expect(at.sizes).toEqual([])
  })

  test('the acknowledgement of an older put leaves the newer one', async () => {
    const at = room()
    const older = at.outbox.put([A])
    const newer = at.outbox.put([A])
    at.outbox.delivered(older)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.outbox.failed(newer)
    expect(at.outbox.size).toBe(1)
  })

  test('the failure of an older put is of no account once a newer one was acknowledged', async () => {
    const at = room()
    const older = at.outbox.put([A])
    at.outbox.delivered(at.outbox.put([A]))
    await at.outbox.failed(older)
    expect(at.outbox.size).toBe(0)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
  })

  test('a target put again while its delivery is under way stays', async () => {
    const answer = gate<void>()
    const at = room({ deliver: () => answer.promise })
    await wait(at, A)
    await at.clock.advance(500)
    const again = at.outbox.put([A])
    answer.open()
    await at.clock.advance(0)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.outbox.failed(again)
    await at.clock.advance(1000)
    expect(at.told).toEqual([[A], [A]])
    expect(at.outbox.size).toBe(0)
  })

  test('a target taken while its delivery is under way is delivered once more: the answer may be of the server before', async () => {
    const answer = gate<void>()
    const at = room({ deliver: () => answer.promise })
    await wait(at, A)
    await at.clock.advance(500)
    at.outbox.take([A])
    answer.open()
    await at.clock.advance(0)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.clock.advance(1000)
    expect(at.told).toEqual([[A], [A]])
  })

  test('delivers keys first, 500 at once, then stamps, then patterns and the flush', async () => {
    const at = room({ max: 10_000 })
    const keys = Array.from({ length: 501 }, (_, i) => keyOf('user', `${i}`))
    const stamps = Array.from({ length: 101 }, (_, i) => stampTarget(tagStamp(`${i}`)))
    const patterns = [patternTarget({ glob: 'a*', type: undefined }), patternTarget({ glob: 'b*', type: 'user' })]
    await wait(at, FLUSH_TARGET, ...patterns, ...stamps, ...keys)
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told.map(one => one.length)).toEqual([500, 1, 100, 1, 1, 1, 1])
    expect(at.told.flat()).toEqual([...keys, ...stamps, ...patterns, FLUSH_TARGET])
    expect(at.outbox.size).toBe(0)
  })

  test('a target of a kind this version does not know is delivered too, and holds nobody up', async () => {
    const at = room()
    at.outbox.take(['x:of the future'])
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([['x:of the future']])
    expect(at.outbox.size).toBe(0)
  })

  test('what the store refuses does not hold up the other kinds', async () => {
    const at = room({ deliver: targets => (targets[0]?.startsWith('k:') ? refuse() : Promise.resolve()) })
    await wait(at, A, TAG, patternTarget({ glob: 'a*', type: undefined }), FLUSH_TARGET)
    expect(await at.outbox.drain()).toBe(false)
    expect(at.told.map(one => one[0]?.slice(0, 2))).toEqual(['k:', 's:', 'p:', 'fl'])
    expect(at.outbox.size).toBe(1)
    await at.clock.advance(1000)
    expect(at.told.filter(one => one[0] === A).length).toBeGreaterThanOrEqual(2)
    at.outbox.close()
  })

  test('a store that fails ends the run, and what waits is tried again while it can be reached', async () => {
    let failing = true
    const at = room({ deliver: () => (failing ? down() : Promise.resolve()) })
    await wait(at, A, TAG)
    await expect(at.outbox.drain()).rejects.toThrow('down')
    expect(at.told).toEqual([[A]])
    expect(at.outbox.size).toBe(2)
    failing = false
    await at.clock.advance(500)
    expect(at.outbox.size).toBe(0)
    expect(at.clock.pending()).toBe(0)
  })

  test('a store that cannot be reached is not tried, and needs no timer', async () => {
    let reachable = false
    const at = room({ reachable: () => reachable })
    await wait(at, A)
    await at.clock.advance(5000)
    expect(at.told).toEqual([])
    expect(at.clock.pending()).toBe(0)
    reachable = true
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([[A]])
  })

  test('those who drain at once share one run', async () => {
    const answer = gate<void>()
    const at = room({ deliver: () => answer.promise })
    await wait(at, A)
    const runs = [at.outbox.drain(), at.outbox.drain()]
    answer.open()
    expect(await Promise.all(runs)).toEqual([true, true])
    expect(at.told).toEqual([[A]])
  })

  test('dropped for a write in its place, unless it was put again since', async () => {
    const at = room()
    await wait(at, A)
    const before = at.outbox.find(A)
    at.outbox.drop(before)
    expect(at.outbox.size).toBe(0)
    expect(at.outbox.find(A)).toBeUndefined()
    await wait(at, A)
    const older = at.outbox.find(A)
    at.outbox.put([A])
    at.outbox.drop(older)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    at.outbox.drop(undefined)
    at.outbox.close()
  })

  test('cleared, it knows nothing any more', async () => {
    const at = room()
    await wait(at, A, TAG)
    at.outbox.put([B])
    at.outbox.clear()
    expect(at.outbox.size).toBe(0)
    expect(at.outbox.oldestAt).toBeUndefined()
    for (const key of ['a', 'b']) expect(at.outbox.hasKey(fullOf('user', key), 'user')).toBe(false)
    expect(at.outbox.hasStamp(tagStamp('t'))).toBe(false)
    expect(at.done).toEqual(expect.arrayContaining([A, B, TAG]))
    expect(at.sizes).toEqual([2, 0])
    await at.clock.advance(5000)
    expect(at.told).toEqual([])
  })

  test('says when something waits, and when nothing does any more', async () => {
    const at = room()
    await wait(at, A)
    await wait(at, B)
    expect(at.sizes).toEqual([1])
    await at.outbox.drain()
    expect(at.sizes).toEqual([1, 0])
  })

  test('what was taken waits, is delivered and is not recorded', async () => {
    const at = room()
    at.outbox.take([A, TAG])
    expect(at.begun).toEqual([A, TAG])
    expect(at.outbox.size).toBe(2)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([[A], [TAG]])
    expect(at.remembered).toEqual([A, TAG])
    expect(at.recorded).toEqual([])
  })

  test('each target is recorded once for as long as it waits, before its failure is answered', async () => {
    const disk = gate<void>()
    const recorded: (readonly string[])[] = []
    const at = room({ record: targets => (recorded.push(targets), disk.promise) })
    let answered = false
    const failing = wait(at, A, TAG).then(() => (answered = true))
    await at.clock.advance(0)
    expect({ recorded, answered }).toEqual({ recorded: [[A, TAG]], answered: false })
    disk.open()
    await failing
    await wait(at, A)
    expect(recorded).toEqual([[A, TAG]])
    await at.outbox.drain()
    await wait(at, A)
    expect(recorded).toEqual([[A, TAG], [A]])
    at.outbox.close()
  })

  test('closed, it tries no more and leaves no timer', async () => {
    const at = room({ deliver: down })
    await wait(at, A)
    await at.clock.advance(1100)
    expect(at.told).toHaveLength(2)
    at.outbox.close()
    await wait(at, B)
    await at.clock.advance(5000)
    expect(at.told).toHaveLength(2)
    expect(at.clock.pending()).toBe(0)
  })

  test('what waits at close is tried once more', async () => {
    const at = await two()
    await at.a.set('k', 'old')
    at.store.fail('delete', 1)
    await at.a.delete('k')
    await at.a.close()
    expect(await at.b.get('k')).toBeUndefined()
  })
})

describe('more than an outbox holds one by one', () => {
  const USER = stampTarget(typeStamp('user'))
  const PAGE = stampTarget(typeStamp('page'))

  test('the keys become their types; whoever reads one of the type passes the store over', async () => {
    const at = room({ max: 3 })
    await wait(at, A, B, keyOf('page', 'a'))
    expect(at.outbox.size).toBe(3)
    await wait(at, keyOf('user', 'c'))
    expect(at.outbox.size).toBe(2)
    for (const key of ['a', 'c', 'never deleted']) {
      expect(at.outbox.hasKey(fullOf('user', key), 'user')).toBe(true)
    }
    expect(at.outbox.hasKey(fullOf('search', 'a'), 'search')).toBe(false)
    expect(at.outbox.hasStamp(typeStamp('user'))).toBe(true)
    // A type that stands for keys kills like one that was deleted.
    expect(at.begun).toEqual(expect.arrayContaining([USER, PAGE]))
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([[USER, PAGE]])
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
  })

  test('too many groups become the namespace', async () => {
    const at = room({ max: 3 })
    await wait(at, ...['1', '2', '3', '4'].map(tag => stampTarget(tagStamp(tag))))
    expect(at.outbox.size).toBe(1)
    expect(at.outbox.hasStamp(NAMESPACE)).toBe(true)
    expect(at.outbox.hasKey(fullOf('any', 'key'), 'any')).toBe(true)
    await wait(at, A, TAG, patternTarget({ glob: '*', type: undefined }))
    expect(at.outbox.size).toBe(1)
    await at.outbox.drain()
    expect(at.told).toEqual([[WIDEST]])
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
  })

  test('groups beside keys that became types are recorded too', async () => {
    const at = room({ max: 3 })
    await wait(at, A, B)
    await wait(at, keyOf('user', 'c'), TAG)
    expect(at.outbox.size).toBe(2)
    const lines = at.recorded.flat()
    expect(lines).toContain(USER)
    expect(lines).toContain(TAG)
    at.outbox.close()
  })

  test('the oldest is as old as the oldest that it stands for', async () => {
    const at = room({ max: 2, reachable: () => false })
    const since = at.clock.wall()
    await wait(at, A)
    await at.clock.advance(1000)
    await wait(at, TAG)
    await at.clock.advance(1000)
    await wait(at, B)
    expect(at.outbox.size).toBe(2)
    expect(at.outbox.oldestAt).toBe(since)
  })

  test('what a wider one stands for that is on its way already is not done with that delivery', async () => {
    const answer = gate<void>()
    let slow = true
    const at = room({ deliver: () => (slow ? answer.promise : Promise.resolve()) })
    await wait(at, USER)
    const run = at.outbox.drain()
    // Deleted after the new stamp went out: what was stored in between carries that stamp.
    await wait(at, A)
    slow = false
    answer.open()
    await run
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.clock.advance(1000)
    expect(at.outbox.size).toBe(0)
    expect(at.told.length).toBe(2)
  })

  test('keys that became a type while their delivery was under way: the type goes out all the same', async () => {
    const answer = gate<void>()
    let slow = true
    const at = room({ max: 2, deliver: () => (slow ? answer.promise : Promise.resolve()) })
    await wait(at, A, B)
    const run = at.outbox.drain()
    await wait(at, keyOf('user', 'c'))
    slow = false
    answer.open()
    await run
    expect(at.told).toContainEqual([USER])
    expect(at.outbox.size).toBe(0)
  })
})

/** What one of the actors does: the callers who delete or set, the drain, and the store that answers. */
type Act =
  | { readonly do: 'put' | 'set' | 'take'; readonly target: number }
  | { readonly do: 'failed' | 'delivered' | 'setAcked'; readonly which: number }
  | { readonly do: 'drain' }
  | { readonly do: 'answer'; readonly how: 'ok' | 'refused' | 'failed' }

const TARGETS = [
  ...['a', 'b'].map(key => keyOf('user', key)),
  keyOf('page', 'a'),
  stampTarget(typeStamp('user')),
  stampTarget(tagStamp('t')),
  patternTarget({ glob: '*', type: undefined }),
  WIDEST,
]
/** The first so many are keys. */
const KEYS = 3

const acts = (kinds: readonly Act['do'][]): fc.Arbitrary<Act> => {
  const target = fc.nat(TARGETS.length - 1)
  const which = fc.nat(5)
  const all: Readonly<Record<Act['do'], fc.Arbitrary<Act>>> = {
    put: fc.record({ do: fc.constant('put'), target }),
    set: fc.record({ do: fc.constant('set'), target: fc.nat(KEYS - 1) }),
    take: fc.record({ do: fc.constant('take'), target }),
    failed: fc.record({ do: fc.constant('failed'), which }),
    delivered: fc.record({ do: fc.constant('delivered'), which }),
    setAcked: fc.record({ do: fc.constant('setAcked'), which }),
    drain: fc.constant({ do: 'drain' }),
    answer: fc.record({ do: fc.constant('answer'), how: fc.constantFrom('ok', 'refused', 'failed') }),
  }
  return fc.oneof(...kinds.map(kind => all[kind]))
}

interface Underway {
  readonly targets: readonly string[]
  readonly startedAt: number
  readonly answer: Gate<void>
}

/** The outbox beside a model that knows, for every target, the last deletion that no delivery begun after it has covered. */
function beside(max: number) {
  let now = 0
  const dirty = new Map<string, number>()
  const underway: Underway[] = []
  const tickets: { ticket: Ticket; at: number }[] = []
  const sets: { target: string; ticket: Ticket | undefined; at: number }[] = []
  const journal = new Set<string>()
  const at = room({
    max,
    deliver(targets) {
      const answer = gate<void>()
      underway.push({ targets, startedAt: ++now, answer })
      return answer.promise
    },
    record: targets => Promise.resolve(targets.forEach(target => journal.add(target))),
    changed() {
      if (at.outbox.size === 0) journal.clear()
    },
  })
  const covers = (wide: string, target: string): boolean =>
    wide === target || wide === WIDEST || wide === widened('n', target)
  const acknowledge = (delivered: string, startedAt: number): void => {
    for (const [target, since] of dirty) if (since <= startedAt && covers(delivered, target)) dirty.delete(target)
  }
  const passedOver = (target: string): boolean => {
    if (at.outbox.find(target) !== undefined || at.outbox.find(WIDEST) !== undefined) return true
    return at.outbox.find(widened('n', target)) !== undefined
  }
  const act = async (one: Act): Promise<void> => {
    if (one.do === 'put' || one.do === 'set' || one.do === 'take') {
      const target = TARGETS[one.target] ?? WIDEST
      now++
      if (one.do === 'set') sets.push({ target, ticket: at.outbox.find(target), at: now })
      else {
        dirty.set(target, now)
        if (one.do === 'take') at.outbox.take([target])
        else tickets.push(...at.outbox.put([target]).map(ticket => ({ ticket, at: now })))
      }
    } else if (one.do === 'drain') at.outbox.drain().catch(() => undefined)
    else if (one.do === 'answer') {
      const call = underway.shift()
      if (one.how === 'ok') for (const target of call?.targets ?? []) acknowledge(target, call?.startedAt ?? 0)
      if (one.how === 'ok') call?.answer.open()
      else call?.answer.fail(new PalierError(one.how === 'refused' ? 'PALIER_STORE_REFUSED' : 'PALIER_STORE_FAILED', ''))
    } else if (one.do === 'setAcked') {
      const [set] = sets.splice(one.which % Math.max(1, sets.length), 1)
      if (set !== undefined) {
        at.outbox.drop(set.ticket)
        const since = dirty.get(set.target)
        if (since !== undefined && since <= set.at) dirty.delete(set.target)
      }
    } else {
      const [call] = tickets.splice(one.which % Math.max(1, tickets.length), 1)
      if (call !== undefined && one.do === 'failed') await at.outbox.failed([call.ticket])
      if (call !== undefined && one.do === 'delivered') {
        at.outbox.delivered([call.ticket])
        acknowledge(call.ticket.target, call.at)
      }
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  const finish = async (): Promise<void> => {
    while (tickets.length > 0) await act({ do: 'failed', which: 0 })
    for (let tries = 0; at.outbox.size > 0 && tries < 100; tries++) {
      at.outbox.drain().catch(() => undefined)
      for (let calls = 0; calls < 10; calls++) await act({ do: 'answer', how: 'ok' })
    }
  }
  return { at, act, finish, dirty, passedOver, journal, tickets }
}

describe('whatever happens in whatever order', () => {
  const ALL: readonly Act['do'][] = ['put', 'failed', 'failed', 'delivered', 'drain', 'answer', 'answer', 'set', 'setAcked']

  test('what was deleted and not acknowledged since is passed over, and nothing is dirty once nothing waits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(acts(ALL), { maxLength: 40, size: 'max' }), async (max, list) => {
        const { at, act, finish, dirty, passedOver } = beside(max)
        for (const one of list) {
          await act(one)
          for (const target of dirty.keys()) expect({ target, passed: passedOver(target) }).toEqual({ target, passed: true })
          expect(at.outbox.size).toBeLessThanOrEqual(max)
        }
        await finish()
        expect(at.outbox.size).toBe(0)
        expect([...dirty.keys()]).toEqual([])
        at.outbox.close()
      }),
      { numRuns: 1000 },
    )
  })

  test('the journal holds each that waits, or something wider', async () => {
    const kinds: readonly Act['do'][] = ['put', 'failed', 'failed', 'drain', 'answer', 'set', 'setAcked']
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(acts(kinds), { maxLength: 40, size: 'max' }), async (max, list) => {
        const { at, act, dirty, journal, tickets } = beside(max)
        for (const one of list) {
          await act(one)
          const open = new Set(tickets.map(({ ticket }) => ticket.target))
          for (const target of dirty.keys()) {
            if (open.has(target)) continue
            const written = [target, widened('n', target), WIDEST].some(line => journal.has(line))
            expect({ target, written }).toEqual({ target, written: true })
          }
        }
        at.outbox.close()
      }),
      { numRuns: 1000 },
    )
  })
})
