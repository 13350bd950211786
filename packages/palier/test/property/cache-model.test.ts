import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { matchesGlob } from '../../src/key.ts'
import { memoryCache, pair } from '../support/caches.ts'

const TYPES = ['', 'user', 'search'] as const
type TypeName = (typeof TYPES)[number]

interface Kept {
  readonly value: unknown
  readonly tags: readonly string[]
  readonly until: number
}

/** What a cache should hold, in the plainest words. */
class Model {
  readonly kept = new Map<string, Kept & { readonly type: TypeName; readonly key: string }>()
  now = 0

  find(type: TypeName, key: string): Kept | undefined {
    const found = this.kept.get(JSON.stringify([type, key]))
    return found !== undefined && this.now < found.until ? found : undefined
  }

  set(type: TypeName, key: string, value: unknown, tags: readonly string[], ttl: number): void {
    this.kept.set(JSON.stringify([type, key]), { type, key, value, tags, until: this.now + ttl })
  }

  drop(chosen: (type: TypeName, key: string, tags: readonly string[]) => boolean): void {
    for (const [id, { type, key, tags }] of this.kept) if (chosen(type, key, tags)) this.kept.delete(id)
  }
}

type Step = (caches: readonly Cache[], model: Model, advance: (ms: number) => Promise<void>) => Promise<void>

function on(cache: Cache, type: TypeName) {
  return type === '' ? cache : cache.type(type)
}

const type = fc.constantFrom(...TYPES)
const key = fc.constantFrom('a', 'b', 'a:b', 'ab', 'search:a', '*', 'é')
const tag = fc.constantFrom('t', 'u', 't:u')
const tags = fc.uniqueArray(tag, { maxLength: 2 })
const which = fc.nat({ max: 1 })
const ttl = fc.constantFrom(10, 100, 1000)
const at = (caches: readonly Cache[], i: number): Cache => caches[i % caches.length] as Cache

/** A step that says what it does: a failing history is printed as calls. */
function op<A>(name: string, given: fc.Arbitrary<A>, make: (given: A) => Step): fc.Arbitrary<Step> {
  return given.map(args => Object.assign(make(args), { [fc.toStringMethod]: () => `${name}(${JSON.stringify(args)})` }))
}

const steps: fc.Arbitrary<Step>[] = [
  op('set', fc.tuple(which, type, key, fc.integer(), tags, ttl), ([w, t, k, v, g, ms]) => async (caches, model) => {
    await on(at(caches, w), t).set(k, v, { tags: g, ttl: ms })
    model.set(t, k, v, g, ms)
  }),
  op(
    'getOrSet',
    fc.tuple(which, type, key, fc.integer(), tags, ttl),
    ([w, t, k, v, g, ms]) =>
      async (caches, model) => {
        const before = model.find(t, k)
        const got = await on(at(caches, w), t).getOrSet(k, () => v, { tags: g, ttl: ms })
        expect(got).toBe(before === undefined ? v : before.value)
        if (before === undefined) model.set(t, k, v, g, ms)
      },
  ),
  op('get', fc.tuple(which, type, key), ([w, t, k]) => async (caches, model) => {
    expect(await on(at(caches, w), t).get(k)).toBe(model.find(t, k)?.value)
  }),
  op('getMany', fc.tuple(which, type, fc.array(key, { maxLength: 4 })), ([w, t, keys]) => async (caches, model) => {
    expect(await on(at(caches, w), t).getMany(keys)).toEqual(keys.map(k => model.find(t, k)?.value))
  }),
  op('add', fc.tuple(which, type, key, fc.integer()), ([w, t, k, v]) => async (caches, model) => {
    const there = model.find(t, k) !== undefined
    expect(await on(at(caches, w), t).add(k, v, { ttl: 100 })).toBe(!there)
    if (!there) model.set(t, k, v, [], 100)
  }),
  op('delete', fc.tuple(which, type, key), ([w, t, k]) => async (caches, model) => {
    await on(at(caches, w), t).delete(k)
    model.drop((mt, mk) => mt === t && mk === k)
  }),
  op('expire', fc.tuple(which, type, key), ([w, t, k]) => async (caches, model) => {
    await on(at(caches, w), t).expire(k)
    model.drop((mt, mk) => mt === t && mk === k)
  }),
  op('deleteByTag', fc.tuple(which, tag), ([w, g]) => async (caches, model) => {
    await at(caches, w).deleteByTag(g)
    model.drop((_t, _k, own) => own.includes(g))
  }),
  op('deleteByType', fc.tuple(which, fc.constantFrom('user', 'search')), ([w, t]) => async (caches, model) => {
    await at(caches, w).deleteByType(t)
    model.drop(mt => mt === t)
  }),
  op(
    'deleteByPattern',
    fc.tuple(which, fc.constantFrom('a*', '*b', '?', '\\*', 'search:*', 'user:a?', '*')),
    ([w, glob]) =>
      async (caches, model) => {
        await at(caches, w).deleteByPattern(glob)
        model.drop((t, k) => matchesGlob(glob, t === '' ? k : `${t}:${k}`))
      },
  ),
  op('clear', which, w => async (caches, model) => {
    await at(caches, w).clear()
    model.drop(() => true)
  }),
  op('advance', fc.constantFrom(1, 9, 50, 500), ms => async (_caches, model, advance) => {
    await advance(ms)
    model.now += ms
  }),
]

const history = fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 40 })

describe('a cache agrees with a Map that has a clock, whatever is done to it', () => {
  test('in memory alone', async () => {
    await fc.assert(
      fc.asyncProperty(history, async run => {
        const { cache, clock } = memoryCache({ defaults: { early: 0 } })
        const model = new Model()
        for (const step of run) await step([cache], model, ms => clock.advance(ms))
        await cache.close()
      }),
      { numRuns: 300 },
    )
  })

  test('two caches on one store', async () => {
    await fc.assert(
      fc.asyncProperty(history, async run => {
        const { a, b, clock } = pair({ defaults: { early: 0 } })
        const model = new Model()
        for (const step of run) await step([a, b], model, ms => clock.advance(ms))
        await a.close()
        await b.close()
      }),
      { numRuns: 300 },
    )
  })
})
