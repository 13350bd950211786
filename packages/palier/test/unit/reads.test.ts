import { describe, expect, test } from 'vitest'
import { type Cache, cacheType, createCache, memoryStore, PalierError } from '../../src/index.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { gate, memoryCache, pair } from '../support/caches.ts'

interface User {
  readonly id: number
  readonly orgId: number
}

function code(expected: string): object {
  return expect.objectContaining({ code: expected })
}

describe('getOrSet', () => {
  test('runs the factory on a miss and not on a hit', async () => {
    const { cache } = memoryCache()
    let runs = 0
    const load = (): number => ++runs
    expect(await cache.getOrSet('k', load)).toBe(1)
    expect(await cache.getOrSet('k', load)).toBe(1)
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, loads: 1, hitRate: 50 })
  })

  test('1,000 callers at once run the factory once', async () => {
    const { cache } = memoryCache()
    const slow = gate<string>()
    let runs = 0
    const calls = Array.from({ length: 1000 }, () => cache.getOrSet('k', () => (runs++, slow.promise)))
    slow.open('v')
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['v']))
    expect(runs).toBe(1)
  })

  test('null is a value, undefined is not kept', async () => {
    const { cache } = memoryCache()
    let runs = 0
    await cache.getOrSet('none', () => (runs++, null))
    expect(await cache.getOrSet('none', () => (runs++, 'x'))).toBeNull()
    expect(runs).toBe(1)
    expect(await cache.getOrSet('void', () => undefined)).toBeUndefined()
    expect(await cache.getOrSet('void', () => 'x')).toBe('x')
  })

  test.each([0, '', false, [], {}])('%j is a hit like any other value', async value => {
    const { cache } = memoryCache()
    await cache.getOrSet('k', () => value)
    expect(await cache.getOrSet('k', () => 'other')).toEqual(value)
  })

  test('a negative ttl applies to null alone', async () => {
    const { cache, clock } = memoryCache({ defaults: { ttl: 1000, negativeTtl: 100 } })
    await cache.getOrSet('none', () => null)
    await cache.getOrSet('some', () => 1)
    await clock.advance(101)
    expect(await cache.get('none')).toBeUndefined()
    expect(await cache.get('some')).toBe(1)
  })

  test('an entry is fresh until its ttl ends, to the millisecond', async () => {
    const { cache, clock } = memoryCache()
    await cache.set('k', 1, { ttl: 250 })
    await clock.advance(249)
    expect(await cache.get('k')).toBe(1)
    await clock.advance(1)
    expect(await cache.get('k')).toBeUndefined()
    expect(cache.stats().missReasons.absent + cache.stats().missReasons.expired).toBe(1)
  })

  test('a factory error reaches every caller untouched and is not kept', async () => {
    const { cache } = memoryCache()
    const slow = gate<string>()
    const error = new Error('source is down')
    const calls = [1, 2, 3].map(() => cache.getOrSet('k', () => slow.promise))
    slow.fail(error)
    const settled = await Promise.allSettled(calls)
    for (const one of settled) expect(one).toEqual({ status: 'rejected', reason: error })
    expect(await cache.getOrSet('k', () => 'well')).toBe('well')
  })

  test('a factory that throws undefined or throws before it returns rejects, and the next call runs', async () => {
    const { cache } = memoryCache()
    const nothing = gate<string>()
    nothing.fail(undefined)
    await expect(cache.getOrSet('k', () => nothing.promise)).rejects.toBeUndefined()
    await expect(
      cache.getOrSet('k', () => {
        throw new Error('at once')
      }),
    ).rejects.toThrow('at once')
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
  })

  test('the factory decides the ttl, the tags, and whether anything is kept', async () => {
    const { cache, clock } = memoryCache()
    await cache.getOrSet('short', context => (context.ttl('1s'), 1))
    await cache.getOrSet('tagged', context => (context.tags(['t']), 1))
    await cache.getOrSet('skipped', context => (context.skip(), 1))
    expect(await cache.get('skipped')).toBeUndefined()
    expect(await cache.get('tagged')).toBe(1)
    await cache.deleteByTag('t')
    expect(await cache.get('tagged')).toBeUndefined()
    await clock.advance(1000)
    expect(await cache.get('short')).toBeUndefined()
  })

  test('fresh: true passes over what is there', async () => {
    const { cache } = memoryCache()
    await cache.set('k', 'old')
    expect(await cache.getOrSet('k', () => 'new', { fresh: true })).toBe('new')
    expect(await cache.get('k')).toBe('new')
  })

  test('a value that cannot be kept goes to its caller, and is an event', async () => {
    const { cache } = memoryCache()
    const errors: string[] = []
    cache.on('error', event => errors.push(event.code))
    const value = { run: () => 1 }
    expect(await cache.getOrSet('k', () => value)).toBe(value)
    expect(await cache.get('k')).toBeUndefined()
    expect(errors).toEqual(['PALIER_NOT_ENCODABLE'])
  })
})

describe('the same value for everybody', () => {
  const samples: readonly unknown[] = [
    { a: [1, { b: 'x' }], n: null },
    { at: new Date(5), list: new Map([[1, new Set(['x'])]]), big: 12n, bytes: new Uint8Array([1, 2]) },
    [undefined, Number.NaN, -0, Number.POSITIVE_INFINITY],
  ]

  test.each(samples)('on a miss, a near hit and a shared hit: sample %#', async sample => {
    const { a, b } = pair()
    const miss = await a.getOrSet('k', () => sample)
    const near = await a.getOrSet('k', () => 'wrong')
    const shared = await b.getOrSet('k', () => 'wrong')
    expect(miss).toStrictEqual(sample)
    expect(near).toStrictEqual(sample)
    expect(shared).toStrictEqual(sample)
    expect(b.stats().tiers[1]?.hits).toBe(1)
  })

  test('nobody can change what others will read', async () => {
    const { cache } = memoryCache()
    const original = { list: [1], at: new Date(1) }
    const plain = { list: [1] }
    await cache.set('mixed', original)
    await cache.set('plain', plain)
    original.list.push(2)
    plain.list.push(2)
    const got = (await cache.get<{ list: number[]; at: Date }>('mixed')) ?? original
    got.list.push(3)
    got.at.setTime(9)
    expect(await cache.get('mixed')).toEqual({ list: [1], at: new Date(1) })
    const frozen = (await cache.get<{ list: number[] }>('plain')) ?? plain
    expect(() => frozen.list.push(3)).toThrow(TypeError)
    expect(await cache.get('plain')).toEqual({ list: [1] })
  })
})

describe('batches', () => {
  test('getMany answers in the order of the keys, with gaps', async () => {
    const { a, b } = pair()
    await a.setMany([
      ['1', 'one'],
      ['3', 'three'],
    ])
    expect(await b.getMany(['3', '2', '1', '3'])).toEqual(['three', undefined, 'one', 'three'])
    expect(await b.getMany([])).toEqual([])
  })

  test('getOrSetMany loads the missing ones in one call', async () => {
    const { a, b } = pair()
    await a.set('1', 'one')
    const calls: (readonly string[])[] = []
    const load = (keys: readonly string[]): string[] => {
      calls.push(keys)
      return keys.map(key => `loaded ${key}`)
    }
    expect(await b.getOrSetMany(['2', '1', '3', '2'], load)).toEqual(['loaded 2', 'one', 'loaded 3', 'loaded 2'])
    expect(calls).toEqual([['2', '3']])
    expect(await a.getMany(['2', '3'])).toEqual(['loaded 2', 'loaded 3'])
  })

  test('a factory of the wrong length is named', async () => {
    const { cache } = memoryCache()
    await expect(cache.getOrSetMany(['1', '2'], () => [1])).rejects.toThrow(
      /an array of 2 values.*received an array of 1/,
    )
  })
})

describe('add, touch, expire, has, peek, delete', () => {
  test.each(['memory', 'shared'])('%s', async kind => {
    const two = pair()
    const one = memoryCache()
    const cache: Cache = kind === 'memory' ? one.cache : two.a
    const clock = kind === 'memory' ? one.clock : two.clock
    expect(await cache.add('k', 1, { ttl: 1000 })).toBe(true)
    expect(await cache.add('k', 2)).toBe(false)
    expect(await cache.get('k')).toBe(1)
    await clock.advance(900)
    expect(await cache.touch('k', { ttl: 1000 })).toBe(true)
    await clock.advance(900)
    expect(await cache.has('k')).toBe(true)
    expect(await cache.peek('k')).toMatchObject({ value: 1, state: 'fresh', tags: [] })
    expect(await cache.expire('k', { grace: 5000 })).toBe(true)
    expect(await cache.has('k')).toBe(false)
    expect(await cache.peek('k')).toMatchObject({ value: 1, state: 'stale', ttl: 0 })
    expect(await cache.add('k', 3)).toBe(true)
    expect(await cache.delete('k')).toEqual({ local: true, shared: kind === 'memory' ? 'none' : 'acked' })
    expect(await cache.touch('k')).toBe(false)
    expect(await cache.expire('k')).toBe(false)
    expect(await cache.peek('k')).toBeUndefined()
  })
})

test('of 20 adds at once one succeeds', async () => {
  const { cache } = memoryCache()
  const added = await Promise.all(Array.from({ length: 20 }, (_, i) => cache.add('k', i)))
  expect(added).toEqual([true, ...Array.from({ length: 19 }, () => false)])
  expect(await cache.get('k')).toBe(0)
})

test('a caller who comes as a load lands never starts another', async () => {
  const { cache } = memoryCache()
  let loads = 0
  const calls: Promise<number>[] = []
  const first = cache.getOrSet('k', async () => {
    loads++
    await Promise.resolve()
    return 1
  })
  // One call after each microtask of the landing, so that one of them falls on every step of it.
  for (let i = 0; i < 40; i++) {
    calls.push(cache.getOrSet('k', () => ++loads))
    await Promise.resolve()
  }
  expect(await first).toBe(1)
  expect(new Set(await Promise.all(calls))).toEqual(new Set([1]))
  expect(loads).toBe(1)
})

describe('types', () => {
  test('each has its policy, its keys and its tags', async () => {
    const clock = memoryCache().clock
    const cache = createCache({
      logger: false,
      backend: 'memory',
      clock,
      types: { user: cacheType<User>({ ttl: '1m', tags: user => [`org:${user.orgId}`] }), note: { ttl: '1h' } },
    })
    await cache.type('user').set('1', { id: 1, orgId: 7 })
    await cache.type('note').set('1', 'text')
    expect(await cache.get('1')).toBeUndefined()
    const user: User | undefined = await cache.type('user').get('1')
    expect(user?.orgId).toBe(7)
    await cache.deleteByTag('org:7')
    expect(await cache.type('user').get('1')).toBeUndefined()
    expect(await cache.type('note').get('1')).toBe('text')
  })

  test('an unknown type is named, with those there are', () => {
    const { cache } = memoryCache()
    expect(() => cache.type('nosuch' as 'user')).toThrow(/type: expected one of dashboard, search.*received "nosuch"/)
  })

  test('the five ready types have their ttl', async () => {
    const { cache, clock } = memoryCache()
    const ttls = { dashboard: 300, search: 3600, user: 1800, product: 7200, analytics: 600 } as const
    for (const [name, seconds] of Object.entries(ttls)) {
      const one = await cache.type(name as 'user').fetch('k', () => 1)
      expect(one.outcome).toBe('miss')
      expect(one.ttl).toBe(seconds * 1000)
    }
    await clock.advance(300_000)
    expect(await cache.type('dashboard').has('k')).toBe(false)
    expect(await cache.type('analytics').has('k')).toBe(true)
  })

  test('a scoped type keeps subjects apart and asks for one', async () => {
    const cache = createCache({ logger: false, backend: 'memory', types: { profile: { scope: 'user' } } })
    const profile = cache.type('profile')
    await profile.set('me', 'Ada', { subject: 'a' })
    await profile.set('me', 'Bob', { subject: 'b' })
    await profile.set('b:me', 'Eve', { subject: 'a' })
    expect(await profile.get('me', { subject: 'a' })).toBe('Ada')
    expect(await profile.get('me', { subject: 'b' })).toBe('Bob')
    await expect(profile.get('me')).rejects.toEqual(code('PALIER_BAD_KEY'))
    await expect(cache.get('k', { subject: 'a' })).rejects.toEqual(code('PALIER_BAD_OPTION'))
  })
})

describe('a disabled cache', () => {
  test('goes to the source each time, and keeps nothing', async () => {
    const { cache } = memoryCache({ enabled: false })
    let runs = 0
    expect(await cache.getOrSet('k', () => ++runs)).toBe(1)
    expect(await cache.getOrSet('k', () => ++runs)).toBe(2)
    expect(await cache.set('k', 1)).toEqual({ local: true, shared: 'none' })
    expect(await cache.get('k')).toBeUndefined()
    expect(cache.status()).toMatchObject({ enabled: false, state: 'HEALTHY' })
  })
})

describe('close', () => {
  test('later calls reject, closing twice is fine', async () => {
    const { cache } = memoryCache()
    await cache.set('k', 1)
    await cache.close()
    await cache.close()
    await expect(cache.get('k')).rejects.toBeInstanceOf(PalierError)
    await expect(cache.deleteByTag('t')).rejects.toEqual(code('PALIER_CLOSED'))
  })

  test('a call that a hung store never answers is settled by it', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, backend: 'memory', clock, store })
    await cache.ready()
    store.hang('get')
    const answer = cache.get('k')
    await clock.advance(1)
    await cache.close()
    expect(await answer).toBeUndefined()
  })
})

describe('a glance', () => {
  test('gives what memory holds fresh, at once and itself, and counts a hit', async () => {
    const { cache, clock } = memoryCache({ types: { page: { ttl: '1m' }, mine: { scope: 'user' } } })
    const pages = cache.type('page')
    expect(pages.glance('a')).toBeUndefined()
    expect(cache.stats().misses).toBe(0)
    const bytes = new Uint8Array([1, 2, 3])
    await pages.set('a', bytes)
    await clock.advance(10_000)
    const seen = pages.glance('a')
    expect(seen).toEqual({ value: bytes, age: 10_000, ttl: 50_000 })
    expect(pages.glance('a')?.value).toBe(seen?.value)
    expect(seen?.value).not.toBe(bytes)
    expect(cache.stats().hits).toBe(2)
    await clock.advance(50_000)
    expect(pages.glance('a')).toBeUndefined()
    await pages.set('a', 1)
    await cache.deleteByType('page')
    expect(pages.glance('a')).toBeUndefined()
    await cache.type('mine').set('a', 1, { subject: 'ann' })
    expect(cache.type('mine').glance('a')).toBeUndefined()
    await pages.set('a', 1)
    await cache.close()
    expect(pages.glance('a')).toBeUndefined()
  })

  test('of a value that is copied for readers leaves them their copies', async () => {
    const { cache } = memoryCache()
    await cache.set('a', { at: new Date(0) })
    const kept = cache.glance<{ at: Date }>('a')?.value
    const copy = await cache.get<{ at: Date }>('a')
    expect(copy).toEqual(kept)
    expect(copy).not.toBe(kept)
    const shared = await cache.fetch('a', () => ({ at: new Date(1) }), { share: true })
    expect(shared.value).toBe(kept)
    await cache.close()
  })
})
