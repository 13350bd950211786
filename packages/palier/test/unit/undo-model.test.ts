import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { matchesGlob } from '../../src/key.ts'
import type { ClearTarget } from '../../src/operator.ts'
import type { ManualClock } from '../../src/testing.ts'
import { type Gate, gate, memoryCache, pair } from '../support/caches.ts'

/*
 * Random lives of one or two caches on one store, against the plainest model: a value is dead once its key was set or
 * deleted, or a group it is in was cleared and that was not undone. An undo may miss values, and never shows a dead one.
 */

const TYPES = ['', 'user'] as const
const KEYS = ['a', 'ab', 'b'] as const
const TAGS = ['t', 'u'] as const
const GLOBS = ['*', 'a*', 'user:*', '?'] as const

interface Value {
  readonly id: number
  readonly type: string
  readonly key: string
  readonly tags: readonly string[]
  readonly bornAt: number
}

interface Kill {
  readonly at: number
  meant(value: Value): boolean
  undone: boolean
}

interface Loading {
  readonly value: Value
  readonly factory: Gate<number>
  readonly done: Promise<unknown>
}

class Life {
  readonly values: Value[] = []
  readonly kills: Kill[] = []
  readonly tokens: { readonly token: string; readonly kill: Kill }[] = []
  readonly loads: Loading[] = []
  readonly caches: readonly Cache[]
  readonly clock: ManualClock
  now = 0

  constructor(caches: readonly Cache[], clock: ManualClock) {
    this.caches = caches
    this.clock = clock
  }

  cache(at: number): Cache {
    return this.caches[at % this.caches.length] as Cache
  }

  born(type: string, key: string, tags: readonly string[]): Value {
    const value = { id: this.values.length, type, key, tags, bornAt: ++this.now }
    this.values.push(value)
    return value
  }

  kill(meant: (value: Value) => boolean): Kill {
    const made = { at: ++this.now, meant, undone: false }
    this.kills.push(made)
    return made
  }

  isDead(value: Value): boolean {
    return this.kills.some(one => !one.undone && one.at > value.bornAt && one.meant(value))
  }

  /** What a caller awaits may itself wait for the clock. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    work.then(
      () => (isOver = true),
      () => (isOver = true),
    )
    while (!isOver) await this.clock.advance(5)
    return work
  }

  async look(at: number, type: string, key: string): Promise<void> {
    const verbs = on(this.cache(at), type)
    const found = at % 3 === 0 ? (await this.settle(verbs.peek(key)))?.value : await this.settle(verbs.get(key))
    if (found === undefined) return
    const value = this.values[found as number]
    if (value === undefined || this.isDead(value)) throw new Error(`dead: ${JSON.stringify(value)}`)
  }
}

type Verbs = Pick<Cache, 'get' | 'peek' | 'set' | 'delete' | 'getOrSet'>
const on = (cache: Cache, type: string): Verbs => (type === '' ? cache : cache.type(type as 'user'))

type Step = (life: Life) => Promise<unknown>

/** Says what it does when it is part of a counterexample. */
const step = (text: string, run: Step): Step => Object.assign(run, { [fc.toStringMethod]: () => text })

const cacheAt = fc.nat({ max: 5 })
const type = fc.constantFrom(...TYPES)
const key = fc.constantFrom(...KEYS)
const tags = fc.subarray([...TAGS])
const sameKey = (a: { type: string; key: string }) => (b: Value) => a.type === b.type && a.key === b.key

const set = fc.tuple(cacheAt, type, key, tags).map(([at, type, key, tags]) =>
  step(`set ${at} ${type}:${key} ${tags.join()}`, life => {
    life.kill(sameKey({ type, key }))
    const value = life.born(type, key, tags)
    return life.settle(on(life.cache(at), type).set(key, value.id, { tags }))
  }),
)

const drop = fc.tuple(cacheAt, type, key).map(([at, type, key]) =>
  step(`drop ${at} ${type}:${key}`, life => {
    life.kill(sameKey({ type, key }))
    return life.settle(on(life.cache(at), type).delete(key))
  }),
)

const dropTag = fc.tuple(cacheAt, fc.constantFrom(...TAGS)).map(([at, tag]) =>
  step(`drop tag ${at} ${tag}`, life => {
    life.kill(value => value.tags.includes(tag))
    return life.settle(life.cache(at).deleteByTag(tag))
  }),
)

const dropType = cacheAt.map(at =>
  step(`drop type ${at}`, life => {
    life.kill(value => value.type === 'user')
    return life.settle(life.cache(at).deleteByType('user'))
  }),
)

const dropPattern = fc.tuple(cacheAt, fc.constantFrom(...GLOBS), fc.boolean()).map(([at, glob, typed]) =>
  step(`drop pattern ${at} ${glob} ${typed}`, life => {
    life.kill(({ type, key }) =>
      typed ? type === 'user' && matchesGlob(glob, key) : matchesGlob(glob, type === '' ? key : `${type}:${key}`),
    )
    const cache = life.cache(at)
    return life.settle(typed ? cache.type('user').deleteByPattern(glob) : cache.deleteByPattern(glob))
  }),
)

const clear = cacheAt.map(at =>
  step(`clear ${at}`, life => {
    life.kill(() => true)
    return life.settle(life.cache(at).clear())
  }),
)

const target = fc.oneof(
  fc.constant<ClearTarget>({ kind: 'all' }),
  fc.constantFrom('default', 'user').map((type): ClearTarget => ({ kind: 'type', type })),
  fc.constantFrom(...TAGS).map((tag): ClearTarget => ({ kind: 'tag', tag })),
)

const meantBy =
  (target: ClearTarget) =>
  ({ type, tags }: Value): boolean => {
    if (target.kind === 'type') return type === (target.type === 'default' ? '' : target.type)
    return target.kind === 'tag' ? tags.includes(target.tag) : true
  }

const operatorClear = fc.tuple(cacheAt, target).map(([at, target]) =>
  step(`operator clears ${at} ${JSON.stringify(target)}`, async life => {
    const kill = life.kill(meantBy(target))
    const { undo } = await life.settle(life.cache(at).operator.clear(target))
    if (undo !== undefined) life.tokens.push({ token: undo, kill })
  }),
)

const undo = fc.tuple(cacheAt, fc.nat()).map(([at, which]) =>
  step(`undo ${at} ${which}`, async life => {
    const given = life.tokens[which % Math.max(1, life.tokens.length)]
    if (given === undefined) return
    const { restored } = await life.settle(life.cache(at).operator.undo(given.token))
    if (restored) given.kill.undone = true
  }),
)

const beginLoad = fc.tuple(cacheAt, type, key, tags).map(([at, type, key, tags]) =>
  step(`begin load ${at} ${type}:${key} ${tags.join()}`, async life => {
    if (life.loads.some(({ value }) => sameKey({ type, key })(value))) return
    const value = life.born(type, key, tags)
    const factory = gate<number>()
    const done = on(life.cache(at), type).getOrSet(key, () => factory.promise, { tags })
    // Its time may run out; what is kept of it counts.
    life.loads.push({ value, factory, done: done.catch(() => undefined) })
    await life.clock.advance(5)
  }),
)

const endLoad = fc.nat().map(which =>
  step(`end load ${which}`, async life => {
    const [loading] = life.loads.splice(which % Math.max(1, life.loads.length), 1)
    loading?.factory.open(loading.value.id)
    await (loading && life.settle(loading.done))
  }),
)

const wait = fc.constantFrom(10, 1000, 45_000, 660_000).map(ms => step(`wait ${ms}`, life => life.clock.advance(ms)))

const look = fc
  .tuple(cacheAt, type, key)
  .map(([at, type, key]) => step(`look ${at} ${type}:${key}`, life => life.look(at, type, key)))

const anyStep = fc.oneof(
  { weight: 4, arbitrary: set },
  { weight: 4, arbitrary: look },
  { weight: 3, arbitrary: operatorClear },
  { weight: 4, arbitrary: undo },
  { weight: 2, arbitrary: dropPattern },
  { weight: 1, arbitrary: fc.oneof(drop, dropTag, dropType, clear) },
  { weight: 2, arbitrary: beginLoad },
  { weight: 2, arbitrary: endLoad },
  { weight: 1, arbitrary: wait },
)

async function live(life: Life, steps: readonly Step[]): Promise<void> {
  for (const one of steps) await one(life)
  while (life.loads.length > 0) await endless(life)
  for (const at of life.caches.keys()) for (const type of TYPES) for (const key of KEYS) await life.look(at, type, key)
  await Promise.all(life.caches.map(cache => life.settle(cache.close())))
}

async function endless(life: Life): Promise<void> {
  const loading = life.loads.pop()
  loading?.factory.open(loading.value.id)
  await (loading && life.settle(loading.done))
}

const OPTIONS = { defaults: { ttl: '1h' }, types: { user: { ttl: '1h' } } } as const

test('two caches on one store never show what is dead', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 30 }), async steps => {
      const { a, b, clock } = pair(OPTIONS)
      await live(new Life([a, b], clock), steps)
    }),
    { numRuns: 80 },
  )
})

test('a cache alone never shows what is dead', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 30 }), async steps => {
      const { cache, clock } = memoryCache(OPTIONS)
      await live(new Life([cache], clock), steps)
    }),
    { numRuns: 80 },
  )
})

const anyTarget = fc.oneof(
  target,
  fc.constantFrom(...GLOBS).map((pattern): ClearTarget => ({ kind: 'pattern', pattern })),
  fc.constantFrom(...GLOBS).map((pattern): ClearTarget => ({ kind: 'pattern', pattern, type: 'user' })),
  fc.tuple(fc.constantFrom('default', 'user'), key).map(([type, key]): ClearTarget => ({ kind: 'key', type, key })),
)

test('a preview counts what the clear after it makes unreadable', async () => {
  const fill = fc.array(
    fc.oneof({ weight: 6, arbitrary: set }, drop, dropTag, dropPattern, operatorClear, undo, wait),
    {
      maxLength: 20,
    },
  )
  await fc.assert(
    fc.asyncProperty(fill, anyTarget, fc.boolean(), cacheAt, async (steps, target, isShared, at) => {
      const { a, b, clock } = isShared ? pair(OPTIONS) : { ...memoryCache(OPTIONS), b: undefined, a: undefined }
      const { cache } = isShared ? { cache: undefined } : memoryCache({ ...OPTIONS, clock })
      const life = new Life(
        [a, b, cache].filter(one => one !== undefined),
        clock,
      )
      for (const one of steps) await one(life)
      const readable = async (): Promise<number> => {
        let count = 0
        for (const type of TYPES) {
          for (const key of KEYS) if ((await life.settle(on(life.cache(at), type).peek(key))) !== undefined) count++
        }
        return count
      }
      const before = await readable()
      const { entries, exact, types } = await life.settle(life.cache(at + 1).operator.preview(target))
      await life.settle(life.cache(at).operator.clear(target))
      expect(exact).toBe(true)
      expect(entries).toBe(before - (await readable()))
      expect(Object.values(types).reduce((sum, one) => sum + one, 0)).toBe(entries)
      await Promise.all(life.caches.map(one => life.settle(one.close())))
    }),
    { numRuns: 100 },
  )
})
