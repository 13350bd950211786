import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { BACKENDS } from '../support/backends.ts'
import { gate, until } from '../support/caches.ts'

/** Every way to say that what is stored about `k` no longer counts. */
const MUTATIONS: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  delete: cache => cache.type('user').delete('k'),
  deleteMany: cache => cache.type('user').deleteMany(['other', 'k']),
  deleteByTag: cache => cache.deleteByTag('t'),
  deleteByType: cache => cache.deleteByType('user'),
  deleteByPattern: cache => cache.deleteByPattern('user:?'),
  'deleteByPattern of the type': cache => cache.type('user').deleteByPattern('*'),
  clear: cache => cache.clear(),
}

describe.each(BACKENDS)('$name', backend => {
  test.each(Object.entries(MUTATIONS))('%s during a load wins, in the same process', async (_name, mutate) => {
    await using group = await backend.open(1)
    const [cache] = group.caches
    const slow = gate<string>()
    const started = gate<void>()
    const options = { tags: ['t'] }
    const load = (): Promise<string> => {
      started.open()
      return slow.promise
    }
    const first = cache.type('user').getOrSet('k', load, options)
    await started.promise
    await mutate(cache)
    // Whoever comes after the mutation neither joins nor waits for the load that began before it.
    expect(await cache.type('user').getOrSet('k', () => 'new', options)).toBe('new')
    slow.open('old')
    expect(await first).toBe('old')
    expect(await cache.type('user').get('k')).toBe('new')
  })

  test.each(Object.entries(MUTATIONS))('%s between two loads is seen at once', async (_name, mutate) => {
    await using group = await backend.open(1)
    const [cache] = group.caches
    const options = { tags: ['t'] }
    expect(await cache.type('user').getOrSet('k', () => 1, options)).toBe(1)
    expect(await cache.type('user').getOrSet('k', () => 2, options)).toBe(1)
    await mutate(cache)
    expect(await cache.type('user').get('k')).toBeUndefined()
    expect(await cache.type('user').getOrSet('k', () => 3, options)).toBe(3)
  })

  test('set during a load wins', async () => {
    await using group = await backend.open(1)
    const [cache] = group.caches
    const slow = gate<string>()
    const started = gate<void>()
    const load = cache.getOrSet('k', () => {
      started.open()
      return slow.promise
    })
    await started.promise
    await cache.set('k', 'set')
    slow.open('loaded')
    expect(await load).toBe('loaded')
    expect(await cache.get('k')).toBe('set')
  })

  test('a tag that only the value names is deleted during the load: the value is not kept', async () => {
    await using group = await backend.open(1)
    const [cache] = group.caches
    const slow = gate<string>()
    const started = gate<void>()
    const load = cache.getOrSet('k', async context => {
      started.open()
      const value = await slow.promise
      context.tags(['late'])
      return value
    })
    await started.promise
    await cache.deleteByTag('late')
    const joined = cache.getOrSet('k', context => {
      context.tags(['late'])
      return 'new'
    })
    slow.open('old')
    expect(await load).toBe('old')
    expect(await joined).toBe('new')
    expect(await cache.get('k')).toBe('new')
  })
})

describe.each(BACKENDS.filter(backend => backend.shared))('$name, two processes', backend => {
  test.each(Object.entries(MUTATIONS))(
    '%s from another process during a load wins everywhere',
    async (_name, mutate) => {
      await using group = await backend.open(2)
      const [a, b] = group.caches
      const slow = gate<string>()
      const started = gate<void>()
      const load = a.type('user').getOrSet(
        'k',
        () => {
          started.open()
          return slow.promise
        },
        { tags: ['t'] },
      )
      await started.promise
      await mutate(b)
      slow.open('old')
      expect(await load).toBe('old')
      expect(await b.type('user').get('k')).toBeUndefined()
      await until('the mutation to reach the loader', async () => (await a.type('user').get('k')) === undefined, 2000)
      expect(await a.type('user').getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new')
      expect(await b.type('user').getOrSet('k', () => 'wrong', { tags: ['t'] })).toBe('new')
    },
  )

  test.each(Object.entries(MUTATIONS))('%s reaches the near tier of another process', async (_name, mutate) => {
    await using group = await backend.open(2)
    const [a, b] = group.caches
    const options = { tags: ['t'] }
    await a.type('user').getOrSet('k', () => 1, options)
    expect(await b.type('user').getOrSet('k', () => 2, options)).toBe(1)
    expect(await b.type('user').getOrSet('k', () => 3, options)).toBe(1)
    await mutate(a)
    expect(await a.type('user').get('k')).toBeUndefined()
    await until('the mutation to be seen', async () => (await b.type('user').get('k')) === undefined, 2000)
  })

  test('a set in one process replaces what the other has near', async () => {
    await using group = await backend.open(2)
    const [a, b] = group.caches
    await a.set('k', 1)
    expect(await b.get('k')).toBe(1)
    await a.set('k', 2)
    expect(await a.get('k')).toBe(2)
    await until('the new value to be seen', async () => (await b.get('k')) === 2, 2000)
  })

  test('100 callers in each of two caches run the factory once', async () => {
    await using group = await backend.open(2)
    let loads = 0
    const load = async (): Promise<number> => {
      loads++
      await new Promise(resolve => setTimeout(resolve, 30))
      return 7
    }
    const calls = group.caches.flatMap(cache => Array.from({ length: 100 }, () => cache.getOrSet('k', load)))
    expect(new Set(await Promise.all(calls))).toEqual(new Set([7]))
    expect(loads).toBe(1)
  })

  test('of 20 adds at once in two caches one succeeds', async () => {
    await using group = await backend.open(2)
    const calls = group.caches.flatMap((cache, c) => Array.from({ length: 10 }, (_, i) => cache.add('k', `${c}.${i}`)))
    const added = await Promise.all(calls)
    expect(added.filter(Boolean)).toHaveLength(1)
    const values = await Promise.all(group.caches.map(cache => cache.get('k')))
    expect(values[0]).toBe(values[1])
    expect(added[Number(String(values[0]).split('.')[0]) * 10 + Number(String(values[0]).split('.')[1])]).toBe(true)
  })

  test('two namespaces never see each other', async () => {
    await using one = await backend.open(1, { namespace: 'a' })
    await using two = await one.sibling({ namespace: 'a:e' })
    const [a] = one.caches
    const [b] = two.caches
    await a.set('k', 'a')
    await b.set('k', 'b')
    await b.type('user').set('k', 'b')
    await b.deleteByPattern('*')
    await b.clear()
    expect(await a.get('k')).toBe('a')
    expect(await b.get('k')).toBeUndefined()
  })
})
