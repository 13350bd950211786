import { describe, expect, test } from 'vitest'
import { createCache, PalierError } from '../../src/index.ts'
import { memoryCache, pair } from '../support/caches.ts'

const failing = (code: string, ...words: string[]) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(words.map(word => `(?=.*${word})`).join('')) as string,
  })

describe('ttl', () => {
  test.each([0, -1, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY, 1.5, '', '5 parsecs', '-1s', null, {}])(
    '%s is refused, by name',
    async ttl => {
      const { cache } = memoryCache()
      const bad = failing('PALIER_BAD_OPTION', 'ttl', 'expected a whole number of milliseconds', 'received')
      await expect(cache.set('k', 1, { ttl: ttl as number })).rejects.toEqual(bad)
      await expect(cache.getOrSet('k', () => 1, { ttl: ttl as number })).rejects.toEqual(bad)
      expect(() => createCache({ backend: 'memory', logger: false, types: { user: { ttl: ttl as number } } })).toThrow(
        /types\.user\.ttl/,
      )
    },
  )

  test.each([1, '1ms', '5m', '1h 30m', '1.5h', '7d', 2 ** 31 + 5])('%s is a duration', async ttl => {
    const { cache, clock } = memoryCache()
    await cache.set('k', 1, { ttl })
    expect(await cache.get('k')).toBe(1)
    await clock.advance(0)
    expect(await cache.get('k')).toBe(1)
  })
})

describe('keys', () => {
  const lone = ['\ud800', 'a\udc00b', '\udc00\ud800']

  test.each(['', 5, undefined, null, {}, ...lone])('%j is refused by every verb', async wrong => {
    const { cache } = memoryCache()
    const key = wrong as string
    const bad = expect.objectContaining({ code: 'PALIER_BAD_KEY' })
    const calls = [
      cache.get(key),
      cache.set(key, 1),
      cache.getOrSet(key, () => 1),
      cache.delete(key),
      cache.getMany(['fine', key]),
      cache.add(key, 1),
      cache.touch(key),
      cache.expire(key),
      cache.has(key),
      cache.peek(key),
    ]
    for (const one of await Promise.allSettled(calls)) expect(one).toEqual({ status: 'rejected', reason: bad })
  })

  const strange = [
    'a:b',
    'a/b',
    'foo',
    'foo:bar',
    '__proto__',
    'constructor',
    '*',
    '?[a-z]\\',
    '{tag}',
    'ü',
    'u\u0308',
    '😀',
    ' ',
    'a\nb\0c',
    'A',
    'a',
    '../../etc/passwd',
    'x'.repeat(4096),
    `${'x'.repeat(4096)}y`,
    '%3A',
    ':',
  ]

  test('strange ones never meet', async () => {
    const { a, b } = pair()
    for (const key of strange) await a.set(key, key)
    for (const key of strange) {
      expect(await a.get(key)).toBe(key)
      expect(await b.get(key)).toBe(key)
    }
    await a.delete('foo')
    await a.delete('*')
    await a.deleteByPattern('a?b')
    const left = strange.filter(key => !['foo', '*', 'a:b', 'a/b'].includes(key))
    expect(await a.getMany(strange)).toEqual(strange.map(key => (left.includes(key) ? key : undefined)))
  })

  test.each(['whatsapp:1', 'campaign:7:cursor', 'celery', 'celery-task-meta-1', 'bull:queue:1', 'mine:x'])(
    '%s lies under a protected prefix and is refused',
    async key => {
      const { cache } = memoryCache({ protect: ['mine:'] })
      await expect(cache.get(key)).rejects.toEqual(failing('PALIER_PROTECTED', 'protected prefix'))
      await expect(cache.set(key, 1)).rejects.toEqual(failing('PALIER_PROTECTED'))
      await expect(cache.deleteByPattern(`${key}*`)).rejects.toEqual(failing('PALIER_PROTECTED'))
    },
  )

  test.each(['whatsapp', 'campaign', 'celery', 'bull'])('the namespace %s is refused', namespace => {
    expect(() => createCache({ namespace, backend: 'memory', logger: false })).toThrow(PalierError)
  })

  test('a type keeps its keys away from the protected prefixes', async () => {
    const { cache } = memoryCache()
    await cache.type('analytics').set('campaign:42', 1)
    expect(await cache.type('analytics').get('campaign:42')).toBe(1)
  })
})

describe('values', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  class Money {
    readonly cents = 5
  }

  test.each([
    ['a function', { f: () => 1 }, 'value.f'],
    ['a symbol', [Symbol('s')], 'value\\[0\\]'],
    ['a cycle', cyclic, 'value.self'],
    ['a class instance', { price: new Money() }, 'value.price'],
    ['a promise', { later: Promise.resolve(1) }, 'value.later'],
  ])('%s is refused, with its place', async (_name, value, path) => {
    const { cache } = memoryCache()
    await expect(cache.set('k', value)).rejects.toEqual(failing('PALIER_NOT_ENCODABLE', path))
    expect(await cache.get('k')).toBeUndefined()
  })

  test('undefined is refused by set', async () => {
    const { cache } = memoryCache()
    await expect(cache.set('k', undefined)).rejects.toEqual(failing('PALIER_NOT_ENCODABLE', 'null'))
  })

  test('a text of 500 MB is refused at once, and the application goes on', async () => {
    const { cache } = memoryCache()
    const huge = 'x'.repeat(500 * 2 ** 20)
    await expect(cache.set('k', huge)).rejects.toEqual(failing('PALIER_TOO_LARGE'))
    expect(await cache.getOrSet('k', () => huge)).toBe(huge)
    expect(await cache.get('k')).toBeUndefined()
  })

  test('nesting without end is refused without overflowing the stack', async () => {
    const { cache } = memoryCache()
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    await expect(cache.set('k', deep)).rejects.toEqual(failing('PALIER_NOT_ENCODABLE'))
  })
})

describe('options', () => {
  const wrong: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['backend', { backend: 'mongo' }, /backend: expected auto, redis, filesystem, memory, received "mongo"/],
    ['namespace', { namespace: '' }, /namespace/],
    ['memory.maxEntries', { memory: { maxEntries: 0 } }, /memory\.maxEntries: expected a number from 1/],
    ['a type field', { types: { user: { tll: 5 } } }, /types\.user\.tll: expected one of ttl, grace/],
    ['tags', { types: { user: { tags: 'x' } } }, /types\.user\.tags: expected an array of non-empty strings/],
    ['scope', { types: { user: { scope: 'tenant' } } }, /types\.user\.scope: expected 'public', 'role' or 'user'/],
    ['jitter', { types: { user: { jitter: 2 } } }, /types\.user\.jitter: expected a number from 0 to 0.5, received 2/],
    ['enabled', { enabled: 'yes' }, /enabled: expected true or false/],
    ['deadline', { deadline: 0 }, /deadline/],
    ['protect', { protect: [''] }, /protect/],
  ]

  test.each(wrong)('%s is named when it is wrong', (_name, options, message) => {
    expect(() => createCache({ logger: false, backend: 'memory', ...options })).toThrow(message)
  })

  test('a factory, tags and a batch are named too', async () => {
    const { cache } = memoryCache()
    await expect(cache.getOrSet('k', 5 as never)).rejects.toThrow(/factory: expected a function, received 5/)
    await expect(cache.deleteByTag('')).rejects.toThrow(/tag/)
    await expect(cache.deleteByTags(['a', 5 as never])).rejects.toThrow(/tags/)
    await expect(cache.set('k', 1, { tags: [''] })).rejects.toThrow(/tags/)
  })
})
