import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AsyncMethod } from '../../src/cached.ts'
import { memoryCache, pair } from '../support/caches.ts'

describe('cached(fn)', () => {
  test('runs the function once per arguments, and keeps its signature', async () => {
    const { cache } = memoryCache()
    const calls: unknown[] = []
    async function add(a: number, b: number): Promise<number> {
      calls.push([a, b])
      return a + b
    }
    const sum = cache.cached(add)
    const result: number = await sum(1, 2)
    expect(result).toBe(3)
    expect(await sum(1, 2)).toBe(3)
    expect(await sum(2, 1)).toBe(3)
    expect(calls).toEqual([
      [1, 2],
      [2, 1],
    ])
  })

  test('of a plain function answers with a promise; its errors are untouched and not kept', async () => {
    const { cache } = memoryCache()
    const error = new Error('down')
    let fails = true
    const read = cache.cached(function read() {
      if (fails) throw error
      return 'v'
    })
    await expect(read()).rejects.toBe(error)
    fails = false
    expect(await read()).toBe('v')
  })

  test('callers at once share one run, in two caches too', async () => {
    const { a, b, clock } = pair()
    let runs = 0
    async function load(): Promise<number> {
      await new Promise<void>(resolve => void clock.after(5, resolve))
      return ++runs
    }
    const [one, two] = [a.cached(load), b.cached(load)]
    const [answers] = await Promise.all([Promise.all([one(), one(), two(), two()]), clock.advance(500)])
    expect(answers).toEqual([1, 1, 1, 1])
  })

  test('two different lists of arguments never share a key', async () => {
    const { cache } = memoryCache()
    const argument = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withSparseArray: true,
        maxDepth: 2,
      }),
      fc.constantFrom<unknown>('', '1', 1, 1n, -0, 0, '0', 'undefined', 'null', '[]', '{}', [], {}, [[]], ['1'], [1]),
    )
    const seen = cache.cached(async function echo(...args: unknown[]) {
      return { args }
    })
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { maxLength: 3 }), fc.array(argument, { maxLength: 3 }), async (one, two) => {
        try {
          await seen(...one)
          await seen(...two)
        } catch (error) {
          // What cannot be encoded cannot be a key either, and says so.
          expect(error).toMatchObject({ name: 'PalierError' })
          return
        }
        expect((await seen(...one)).args).toStrictEqual(one)
        expect((await seen(...two)).args).toStrictEqual(two)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    [['a', 'b'], ['ab']],
    [['a,b'], ['a', 'b']],
    [[['a', 'b']], ['a', 'b']],
    [[1], ['1']],
    [[1n], [1]],
    [[null], ['null']],
    [[undefined], []],
    [[{ a: 1 }], [{ a: '1' }]],
    [[new Map([[1, 2]])], [new Set([1, 2])]],
    [[new Date(0)], [0]],
    [[0], [-0]],
    [[Number.NaN], ['NaN']],
  ] as [unknown[], unknown[]][])('arguments that look alike are two calls: pair %#', async (one, two) => {
    const { cache } = memoryCache()
    let runs = 0
    const count = cache.cached(async function count(..._args: unknown[]) {
      return ++runs
    })
    await count(...one)
    await count(...two)
    expect(runs).toBe(2)
  })

  test('the order in which an object was filled makes no difference', async () => {
    const { cache } = memoryCache()
    let runs = 0
    const find = cache.cached(async function find(_where: { a?: number; b?: number }) {
      return ++runs
    })
    await find({ a: 1, b: 2 })
    await find({ b: 2, a: 1 })
    expect(runs).toBe(1)
  })

  test('arguments that cannot be a key are refused, and a key of their own makes them possible', async () => {
    const { cache } = memoryCache()
    async function each(id: number, _done: () => void): Promise<number> {
      return id
    }
    await expect(cache.cached(each)(1, () => undefined)).rejects.toMatchObject({ code: 'PALIER_NOT_ENCODABLE' })
    const keyed = cache.cached(each, { key: id => String(id) })
    expect(await keyed(1, () => undefined)).toBe(1)
    expect(await cache.get('each:1')).toBe(1)
  })

  test('keys of two functions never meet, whatever their names and keys are', async () => {
    const { cache } = memoryCache()
    const one = cache.cached(async () => 'one', { name: 'user', key: () => 'list:5' })
    const two = cache.cached(async () => 'two', { name: 'user:list', key: () => '5' })
    expect(await one()).toBe('one')
    expect(await two()).toBe('two')
  })

  test('a function without a name is refused at once, and a name helps', async () => {
    const { cache } = memoryCache()
    expect(() => cache.cached(async () => 1)).toThrow(/name: expected a name in the options/)
    expect(await cache.cached(async () => 1, { name: 'one' })()).toBe(1)
  })

  test('an unknown type is refused at once', () => {
    const { cache } = memoryCache()
    expect(() => cache.cached(async () => 1, { name: 'one', type: 'nosuch' })).toThrow(/type: expected one of/)
  })

  test('`this` is what it is called on', async () => {
    const { cache } = memoryCache()
    const shop = {
      name: 'corner',
      greet: cache.cached(async function greet(this: { name: string }, who: string) {
        return `${this.name} greets ${who}`
      } as (who: string) => Promise<string>),
    }
    expect(await shop.greet('Ada')).toBe('corner greets Ada')
  })

  test('obeys its ttl, its tags and its type', async () => {
    const { cache, clock } = memoryCache()
    let runs = 0
    const short = cache.cached(async () => ++runs, { name: 'short', ttl: '1s', tags: ['t'], type: 'user' })
    await short()
    await clock.advance(999)
    expect(await short()).toBe(1)
    await clock.advance(1)
    expect(await short()).toBe(2)
    await cache.deleteByTag('t')
    expect(await short()).toBe(3)
    await cache.deleteByType('user')
    expect(await short()).toBe(4)
    expect(cache.stats().types['user']?.loads).toBe(4)
  })

  test('keeps the results of each subject apart', async () => {
    const { cache } = memoryCache({ types: { mine: { scope: 'user' } } })
    const calls: string[] = []
    async function inbox(user: string, folder: string): Promise<string> {
      calls.push(user)
      return `${folder} of ${user}`
    }
    const read = cache.cached(inbox, { type: 'mine', key: (_user, folder) => folder, subject: user => user })
    expect(await read('ada', 'in')).toBe('in of ada')
    expect(await read('bob', 'in')).toBe('in of bob')
    expect(await read('ada', 'in')).toBe('in of ada')
    expect(calls).toEqual(['ada', 'bob'])
    await expect(cache.cached(inbox, { type: 'mine' })('ada', 'in')).rejects.toMatchObject({ code: 'PALIER_BAD_KEY' })
  })

  test('grace serves the old result while the function fails', async () => {
    const { cache, clock } = memoryCache()
    let fails = false
    const read = cache.cached(
      async () => {
        if (fails) throw new Error('down')
        return 'v'
      },
      { name: 'read', ttl: 1000, grace: '1h' },
    )
    await read()
    fails = true
    await clock.advance(2000)
    expect(await read()).toBe('v')
  })
})

describe('@cached', () => {
  const context = (name: string | symbol): ClassMethodDecoratorContext =>
    ({ kind: 'method', name, static: false, private: false }) as ClassMethodDecoratorContext

  test('wraps a method, by the standard protocol', async () => {
    const { cache } = memoryCache()
    let runs = 0
    async function total(this: { rate: number }, amount: number): Promise<number> {
      runs++
      return amount * this.rate
    }
    const decorate = cache.cached<[number]>({ ttl: '5m', tags: ['totals'] })
    const wrapped: AsyncMethod<{ rate: number }, [number], number> = decorate(total, context('total'))
    const bill = { rate: 3, wrapped }
    expect(await bill.wrapped(2)).toBe(6)
    expect(await bill.wrapped(2)).toBe(6)
    expect(runs).toBe(1)
    await cache.deleteByTag('totals')
    expect(await bill.wrapped(2)).toBe(6)
    expect(runs).toBe(2)
  })

  test('on the methods of a class, each instance is `this` of its own calls', async () => {
    const { cache } = memoryCache()
    class Reports {
      readonly year: number
      constructor(year: number) {
        this.year = year
      }
      async month(n: number): Promise<string> {
        return `${this.year}-${n}`
      }
    }
    const decorate = cache.cached<[number]>({ ttl: '5m' })
    Reports.prototype.month = decorate(Reports.prototype.month, context('month'))
    expect(await new Reports(2030).month(1)).toBe('2030-1')
    expect(await new Reports(2031).month(2)).toBe('2031-2')
    // `this` is no part of the key, as documented.
    expect(await new Reports(2031).month(1)).toBe('2030-1')
  })

  test('names a method by its name, a symbol too, or as it is told', async () => {
    const { cache } = memoryCache()
    const method = async (): Promise<number> => 1
    const named = cache.cached<[]>({ key: () => 'k' })(method, context('list'))
    await named.call(undefined)
    expect(await cache.get('list:k')).toBe(1)
    const symbol = cache.cached<[]>({ key: () => 'k' })(method, context(Symbol('secret')))
    await symbol.call(undefined)
    expect(await cache.get('Symbol(secret):k')).toBe(1)
    const told = cache.cached<[]>({ name: 'told', key: () => 'k' })(method, context('list'))
    await told.call(undefined)
    expect(await cache.get('told:k')).toBe(1)
  })
})
