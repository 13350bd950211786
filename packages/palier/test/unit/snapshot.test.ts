import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { PalierError } from '../../src/errors.ts'
import { DEFAULT_LIMITS, readValue, takeSnapshot } from '../../src/snapshot.ts'
import { same, withHoles } from '../support/same.ts'

const take = (value: unknown, limits = DEFAULT_LIMITS) => takeSnapshot(value, limits)
const copyOf = (value: unknown): unknown => readValue(take(value))

function errorOf(run: () => unknown): PalierError {
  try {
    run()
  } catch (error) {
    if (error instanceof PalierError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const messageFor = (value: unknown): string => {
  const error = errorOf(() => take(value))
  expect(error.code).toBe('PALIER_NOT_ENCODABLE')
  return error.message
}

describe('plain values', () => {
  test('are copied, frozen deeply, and shared by all readers', () => {
    const original = { a: [1, { b: 'x' }], c: null }
    const snapshot = take(original)
    expect(snapshot.plain).toBe(true)
    const value = readValue(snapshot) as typeof original
    expect(value).toEqual(original)
    expect(value).toBe(readValue(snapshot))
    expect([value, value.a, value.a[1]].every(Object.isFrozen)).toBe(true)
    expect(Object.isFrozen(original)).toBe(false)
    expect(Object.isFrozen(original.a)).toBe(false)
  })

  test.each([['text'], [0], [1.5], [true], [null], [[]], [{}]])('%j is plain', value => {
    expect(take(value)).toMatchObject({ plain: true, value })
  })

  test.each([
    [undefined],
    [Number.NaN],
    [-0],
    [Number.POSITIVE_INFINITY],
    [5n],
    [{ a: undefined }],
    [withHoles(2, { 1: 1 })],
  ])('%o is not plain', value => {
    expect(take(value).plain).toBe(false)
    expect(same(copyOf(value), value)).toBe(true)
  })

  test('an object without a prototype becomes an ordinary one', () => {
    const value = copyOf(Object.assign(Object.create(null), { a: 1 }))
    expect(same(value, { a: 1 })).toBe(true)
  })

  test('an object of another realm counts as ordinary', () => {
    expect(same(copyOf(runInNewContext('({ a: [1, { b: 2 }] })')), { a: [1, { b: 2 }] })).toBe(true)
  })

  test('an accessor is read once and becomes a property', () => {
    let reads = 0
    const snapshot = take({
      get a() {
        return ++reads
      },
    })
    expect(readValue(snapshot)).toEqual({ a: 1 })
    expect(readValue(snapshot)).toEqual({ a: 1 })
    expect(reads).toBe(1)
  })

  test('a shared reference becomes two copies', () => {
    const shared = { n: 1 }
    const value = copyOf({ a: shared, b: shared, c: [shared, shared] }) as Record<'a' | 'b', object>
    expect(value.a).toEqual(value.b)
    expect(value.a).not.toBe(value.b)
  })

  test('what someone put on Object.prototype is not taken for a property', () => {
    Reflect.set(Object.prototype, 'polluted', () => 1)
    const copies: unknown[] = []
    try {
      copies.push(copyOf({ a: { b: 1 } }), copyOf({ a: new Date(0) }))
    } finally {
      Reflect.deleteProperty(Object.prototype, 'polluted')
    }
    expect(copies.map(copy => Object.keys(copy as object))).toEqual([['a'], ['a']])
  })

  test.each([['{"__proto__":{"admin":true},"a":1}'], ['{"__proto__":1}'], ['{"a":{"__proto__":{"x":[1]}}}']])(
    'an own __proto__ key stays a key: %s',
    text => {
      for (const extra of [{}, { at: new Date(0) }]) {
        const value = copyOf({ ...JSON.parse(text), ...extra }) as object
        expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
        expect(same(value, { ...JSON.parse(text), ...extra })).toBe(true)
        expect('admin' in value).toBe(false)
      }
    },
  )
})

describe('values beyond JSON', () => {
  const samples: [string, unknown][] = [
    ['a date', new Date(1_700_000_000_000)],
    ['an invalid date', new Date(Number.NaN)],
    [
      'a map',
      new Map<unknown, unknown>([
        ['a', { b: 1 }],
        [{ k: 1 }, new Set([1])],
      ]),
    ],
    ['a set', new Set([1, '1', { a: 1 }])],
    ['a bigint', -(2n ** 200n)],
    ['a regular expression', /a(?<b>c)\/d/giu],
    ['a url', new URL('https://example.com/a?b=ü#c')],
    ['a buffer', Buffer.from('hello')],
    ['bytes', new Uint8Array([1, 2, 3])],
    ['doubles', new Float64Array([1.5, -0, Number.NaN])],
    ['big integers', new BigInt64Array([-1n])],
    ['an array buffer', new Uint8Array([9, 8]).buffer],
    ['a view', new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)],
    ['holes', withHoles(4, { 0: 1, 2: 3 })],
  ]

  test.each(samples)('%s comes back equal, and private to each reader', (_, sample) => {
    const snapshot = take({ deep: [sample] })
    expect(snapshot.plain).toBe(false)
    const one = readValue(snapshot) as { deep: unknown[] }
    const other = readValue(snapshot) as { deep: unknown[] }
    expect(same(one, { deep: [sample] })).toBe(true)
    expect(one).not.toBe(other)
    expect(one.deep).not.toBe(other.deep)
    expect(Object.isFrozen(one.deep)).toBe(false)
    if (typeof sample === 'object') expect(one.deep[0]).not.toBe(other.deep[0])
  })

  test('a buffer stays a buffer, with memory that nothing else lies in', () => {
    const value = copyOf(Buffer.from('hello')) as Buffer
    expect(Buffer.isBuffer(value)).toBe(true)
    expect(value.buffer.byteLength).toBe(5)
  })

  test('a window into a large array keeps the window only', () => {
    const value = copyOf(new Uint16Array(new ArrayBuffer(1000), 10, 3)) as Uint16Array
    expect(value.length).toBe(3)
    expect(value.buffer.byteLength).toBe(6)
  })

  test('a regular expression begins at the start again', () => {
    const pattern = /a/g
    pattern.lastIndex = 7
    expect((copyOf(pattern) as RegExp).lastIndex).toBe(0)
  })

  test('an error keeps class, name, message and cause; its stack is one line', () => {
    const error = new TypeError('no', { cause: new Error('why', { cause: [1] }) })
    error.name = 'Special'
    const value = copyOf(error) as TypeError
    expect(value).toBeInstanceOf(TypeError)
    expect(value).toMatchObject({ name: 'Special', message: 'no', stack: 'Special: no' })
    expect(value.cause).toMatchObject({ name: 'Error', message: 'why', cause: [1] })
    expect(Object.keys(value)).toEqual([])
  })

  test('what the caller does to the original later changes nothing', () => {
    const original = { list: [1], when: new Date(1), bytes: Buffer.from('a'), map: new Map([['a', [1]]]) }
    const snapshot = take(original)
    original.list.push(2)
    original.when.setTime(9)
    original.bytes.fill(0)
    original.map.get('a')?.push(2)
    original.map.set('b', [])
    const expected = { list: [1], when: new Date(1), bytes: Buffer.from('a'), map: new Map([['a', [1]]]) }
    expect(same(readValue(snapshot), expected)).toBe(true)
  })
})

describe('what cannot be stored is refused with its path', () => {
  class User {
    name = 'x'
  }
  const cycle: { self?: unknown; list: unknown[] } = { list: [] }
  cycle.list.push({ back: cycle })

  test.each<[string, unknown, string]>([
    ['a function', () => 1, 'value: expected'],
    ['a function', { user: { tags: [0, 1, 2, () => 1] } }, 'value.user.tags[3]: expected'],
    ['a symbol', { 'a b': Symbol('x') }, 'value["a b"]: expected'],
    ['an object with a symbol as key', [{ [Symbol('x')]: 1 }], 'value[0]: expected'],
    ['an instance of User', new Map([['k', new User()]]), 'value.get("k"): expected'],
    ['an instance of User', new Set([new User()]), 'value.values(): expected'],
    ['an instance of User', new Error('x', { cause: new User() }), 'value.cause: expected'],
    ['an instance of WeakMap', { a: new WeakMap() }, 'value.a: expected'],
    ['an instance of String', [Object('x')], 'value[0]: expected'],
    ['an instance of List', [new (class List extends Array {})()], 'value[0]: expected'],
    ['a promise (is an await missing?)', { a: Promise.resolve(1) }, 'value.a: expected'],
    ['a cycle: it is value again', cycle, 'value.list[0].back: expected'],
    ['an instance of Object', Object.create({ a: 1 }), 'value: expected'],
    ['an object with a prototype of its own', Object.create(Object.create(null)), 'value: expected'],
    ['an instance of SharedArrayBuffer', [new SharedArrayBuffer(1)], 'value[0]: expected'],
  ])('%s', (received, value, start) => {
    const message = messageFor(value)
    expect(message.slice(0, start.length)).toBe(start)
    expect(message.slice(message.indexOf('received'))).toBe(`received ${received}`)
  })

  test('an accessor that throws is named, and its error is the cause', () => {
    const cause = new Error('mine')
    const value = {
      a: {
        get b(): never {
          throw cause
        },
      },
    }
    const error = errorOf(() => take(value))
    expect(error).toMatchObject({ code: 'PALIER_NOT_ENCODABLE', cause })
    expect(error.message).toContain('value.a')
  })

  test.each([Date, Map, Set, RegExp, URL, Uint8Array, Buffer, DataView, ArrayBuffer])(
    'an object that only pretends: %o',
    maker => {
      messageFor([Object.create(maker.prototype)])
    },
  )

  test('nesting is allowed up to the limit, and 100,000 levels overflow nothing', () => {
    const nest = (levels: number): unknown => {
      let value: unknown = []
      for (let i = 1; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value }
      return value
    }
    expect(take(nest(200)).plain).toBe(true)
    expect(messageFor(nest(201))).toContain('more than 200 levels of nesting')
    expect(messageFor(nest(100_000)).length).toBeLessThan(1000)
    expect(errorOf(() => take(nest(100_000), { maxBytes: 1e9, maxDepth: 1e9 })).code).toBe('PALIER_NOT_ENCODABLE')
    expect(take(nest(1000), { maxBytes: 1e9, maxDepth: 1e9 }).plain).toBe(true)
  })
})

describe('size', () => {
  test('a value above the limit is refused before it is copied or encoded', () => {
    const huge = 'x'.repeat(2 ** 29 - 24)
    const values = [huge, { a: huge }, [{ [huge]: 1 }], new Map([[huge, 1]]), new Array(2 ** 31)]
    const started = performance.now()
    for (const value of values) {
      expect(errorOf(() => take(value)).code).toBe('PALIER_TOO_LARGE')
    }
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('the message names the place and the limit', () => {
    const error = errorOf(() => take({ a: { b: ['x'.repeat(2000)] } }, { maxBytes: 1000, maxDepth: 10 }))
    expect(error.message).toBe('value.a.b: the value is larger than the limit of 1000 bytes')
  })

  test('references that multiply are stopped at the limit', () => {
    let value: unknown = ['x']
    for (let i = 0; i < 60; i++) value = [value, value]
    expect(errorOf(() => take(value)).code).toBe('PALIER_TOO_LARGE')
  })

  test('grows with what is in the value', () => {
    expect(take('x'.repeat(1000)).size).toBeGreaterThanOrEqual(1000)
    expect(take('€'.repeat(1000)).size).toBeGreaterThanOrEqual(2000)
    expect(take(new Uint8Array(5000)).size).toBeGreaterThanOrEqual(5000)
    expect(take(new Array(100).fill(1)).size).toBeGreaterThanOrEqual(800)
    expect(take(2n ** 80_000n).size).toBeGreaterThanOrEqual(10_000)
  })
})
