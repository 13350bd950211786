import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import type { ClearTarget, ExplainedTier } from '../../src/operator.ts'
import { faulty, type FaultyStore, type ManualClock, manualClock } from '../../src/testing.ts'
import { memoryCache } from '../support/caches.ts'

const TYPES = { page: { ttl: '10s', grace: '20s' }, mine: { ttl: '5m', scope: 'user' } } as const
type Pages = Cache<typeof TYPES>

const open: Pick<Cache, 'close'>[] = []
afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close()
})

interface One {
  readonly cache: Pages
  readonly store: FaultyStore
}

interface Room {
  readonly clock: ManualClock
  connect(options?: CacheOptions<typeof TYPES>): Promise<One>
}

function room(): Room {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  return {
    clock,
    async connect(options = {}) {
      const store = faulty(backing.connect())
      const cache = createCache({ logger: false, clock, types: TYPES, ...options, store })
      open.push(cache)
      await cache.ready()
      await clock.advance(10)
      return { cache, store }
    },
  }
}

/** What is awaited may itself wait for the clock. */
async function moving<T>(clock: ManualClock, work: Promise<T>, by = 5): Promise<T> {
  let isOver = false
  work.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  while (!isOver) await clock.advance(by)
  return work
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code,
  )

/** Every question there is. */
const asked = ({ operator }: Pages): Promise<unknown>[] => [
  operator.explain('k', { type: 'page' }),
  operator.preview({ kind: 'all' }),
  operator.preview({ kind: 'key', key: 'k', type: 'page' }),
  operator.keys(),
]

type Act = (pages: Pages, other: Pages, clock: ManualClock) => Promise<unknown>
const ACTS: Readonly<Record<string, Act>> = {
  set: pages => pages.type('page').set('k', 1),
  'set elsewhere': (_pages, other) => other.type('page').set('k', 2),
  read: pages => pages.type('page').get('k'),
  expire: pages => pages.type('page').expire('k'),
  delete: pages => pages.type('page').delete('k'),
  'delete elsewhere': (_pages, other) => other.type('page').delete('k'),
  clear: (_pages, other) => other.clear(),
  pattern: pages => pages.deleteByPattern('page:?'),
  'operator clears': pages => pages.operator.clear({ kind: 'type', type: 'page' }),
  'some seconds': (_pages, _other, clock) => clock.advance(6000),
  'most of its grace': (_pages, _other, clock) => clock.advance(18_000),
}

describe('an explanation', () => {
  test('says what the next read does', async () => {
    const acts = fc.array(fc.constantFrom(...Object.keys(ACTS)), { minLength: 1, maxLength: 7 })
    await fc.assert(
      fc.asyncProperty(acts, fc.boolean(), async (names, isShared) => {
        const at = room()
        const { cache } = isShared ? await at.connect() : { cache: memoryPages(at.clock) }
        const other = isShared ? (await at.connect()).cache : cache
        for (const name of names) await moving(at.clock, Promise.resolve(ACTS[name]?.(cache, other, at.clock)))
        const { next, tiers } = await moving(at.clock, cache.operator.explain('k', { type: 'page' }))
        const failing = cache.type('page').fetch('k', () => Promise.reject(new Error('no source')))
        const outcome = await moving(
          at.clock,
          failing.then(
            found => found.outcome,
            () => 'miss',
          ),
        )
        expect({ next, tiers }).toMatchObject({ next: outcome })
        await Promise.all([cache.close(), other.close()])
      }),
      { numRuns: 150 },
    )
  })

  function memoryPages(clock: ManualClock): Pages {
    return createCache({ logger: false, clock, types: TYPES, backend: 'memory' })
  }

  test('touches nothing: no counter, no near entry, no lease, no write', async () => {
    const at = room()
    const [a, b] = [await at.connect(), await at.connect()]
    await a.cache.type('page').set('k', 1)
    await b.cache.type('page').get('absent')
    const writes = (): number[] =>
      (['claim', 'commit', 'set', 'delete', 'renew', 'release', 'publish'] as const).map(on => b.store.calls(on))
    const before = [b.cache.stats(), writes()]
    for (const key of ['k', 'absent', 'other']) await b.cache.operator.explain(key, { type: 'page' })
    expect([b.cache.stats(), writes()]).toEqual(before)
    expect(b.cache.stats().near.entries).toBe(0)
    expect(await a.cache.type('page').getOrSet('absent', () => 'made')).toBe('made')
  })

  test('of what is deleted here and not yet there says so', async () => {
    const at = room()
    const { cache, store } = await at.connect()
    await cache.type('page').set('k', 1)
    store.fail('delete')
    expect((await cache.type('page').delete('k')).shared).toBe('pending')
    const { next, tiers } = await cache.operator.explain('k', { type: 'page' })
    expect(next).toBe('miss')
    expect(tiers.at(-1)).toMatchObject({ state: 'dead', reason: expect.stringContaining('not acknowledged') })
    expect(await moving(at.clock, cache.operator.preview({ kind: 'all' }))).toMatchObject({ entries: 0 })
  })

  test('while nobody vouches for what is known asks for it', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const deaf = backing.connect()
    // A bus that hears nothing and says so.
    const nothing = { trustedUntil: 0, poll: () => false, attach: () => Promise.resolve() }
    const store = { ...deaf, openBus: (name: string) => ({ ...deaf.openBus(name), ...nothing }) }
    const a = createCache({ logger: false, clock, types: TYPES, store: backing })
    const b = createCache({ logger: false, clock, types: TYPES, store })
    open.push(a, b)
    await a.type('page').set('k', 1)
    const stateThere = async (): Promise<ExplainedTier['state'] | undefined> =>
      (await b.operator.explain('k', { type: 'page' })).tiers.at(-1)?.state
    expect(await stateThere()).toBe('fresh')
    expect(await moving(clock, b.operator.preview({ kind: 'all' }))).toMatchObject({ entries: 1 })
    await a.operator.clear({ kind: 'type', type: 'page' })
    expect(await stateThere()).toBe('dead')
    await a.type('page').set('k', 2)
    expect(await stateThere()).toBe('fresh')
    await a.operator.clear({ kind: 'type', type: 'page' })
    expect(await moving(clock, b.operator.preview({ kind: 'all' }))).toMatchObject({ entries: 0 })
  })
})

describe('questions about a backend', () => {
  test('that fails are errors of the store, or a reason', async () => {
    const { cache, store } = await room().connect()
    await cache.type('page').set('k', 1)
    for (const on of ['scan', 'getMany'] as const) {
      store.fail(on, 1, new Error('gone'))
      expect(await codeOf(cache.operator.preview({ kind: 'all' }))).toBe('PALIER_STORE_FAILED')
    }
    store.fail('get', 1)
    expect((await cache.operator.explain('k', { type: 'page' })).tiers.at(-1)).toMatchObject({
      state: 'absent',
      reason: expect.stringContaining('could not be asked'),
    })
  })

  test('end with the cache, in the middle too', async () => {
    const at = room()
    const { cache } = await at.connect()
    for (let i = 0; i < 500; i++) await cache.type('page').set(`k${i}`, i)
    const asking = [cache.operator.preview({ kind: 'all' }), cache.operator.keys()].map(codeOf)
    const closing = cache.close()
    await moving(at.clock, Promise.all([...asking, closing]))
    expect(await Promise.all(asking)).toEqual(['PALIER_CLOSED', 'PALIER_CLOSED'])
    const { undo, clear, setPolicy } = cache.operator
    const later = [...asked(cache), undo('x'), clear({ kind: 'all' }), setPolicy('page', null)].map(codeOf)
    expect(new Set(await Promise.all(later))).toEqual(new Set(['PALIER_CLOSED']))
  })

  test('so large that it cannot be walked in time are answered with what was met', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const store = {
      ...backing,
      async *scan(prefix: string) {
        for await (const keys of backing.scan(prefix)) {
          for (const key of keys) {
            await new Promise<void>(resolve => void clock.hold(1000, resolve))
            yield [key]
          }
        }
      },
    }
    const cache = createCache({ logger: false, clock, types: TYPES, defaults: { ttl: '1h' }, store })
    open.push(cache)
    for (let i = 0; i < 30; i++) await cache.set(`k${i}`, i)
    const { entries, exact } = await moving(clock, cache.operator.preview({ kind: 'all' }), 500)
    expect(exact).toBe(false)
    expect(entries).toBeGreaterThan(5)
    expect(entries).toBeLessThan(15)
    const { keys, complete } = await moving(clock, cache.operator.keys(), 500)
    expect([complete, keys.length < 15]).toEqual([false, true])
  })
})

describe('names', () => {
  test('of any kind are told apart, in the backend as in memory', async () => {
    const names = ['a:b', 'a', 'a%3Ab', 'a*', 'default ', 'é']
    const types = Object.fromEntries(names.map(name => [name, { ttl: '5m' }]))
    const at = room()
    const shared = createCache({ logger: false, clock: at.clock, types, store: memoryStore({ clock: at.clock }) })
    const alone = createCache({ logger: false, clock: at.clock, types, backend: 'memory' })
    open.push(shared, alone)
    for (const cache of [shared, alone]) {
      for (const name of names) for (const key of ['b:c', ':', '*', name]) await cache.type(name).set(key, 1)
      for (const name of names) {
        const { keys } = await moving(at.clock, cache.operator.keys({ type: name }))
        expect(keys.map(one => [one.type, one.key])).toEqual(['b:c', ':', '*', name].toSorted().map(key => [name, key]))
        expect(await moving(at.clock, cache.operator.preview({ kind: 'type', type: name }))).toMatchObject({
          entries: 4,
        })
      }
      const all = await moving(at.clock, cache.operator.keys({ limit: 1000 }))
      expect(all.keys).toHaveLength(4 * names.length)
      const literal = await moving(at.clock, cache.operator.preview({ kind: 'pattern', pattern: '\\*', type: 'a*' }))
      expect(literal).toMatchObject({ entries: 1 })
    }
  })

  test('of people are shown nowhere', async () => {
    const at = room()
    const { cache } = await at.connect()
    const subject = 'ann@example.com'
    await cache.type('mine').set('home', 1, { subject })
    const { operator } = cache
    const told = [
      await operator.explain('home', { type: 'mine', subject }),
      await moving(at.clock, operator.keys()),
      await moving(at.clock, operator.keys({ type: 'mine' })),
      await moving(at.clock, operator.preview({ kind: 'all' })),
      await operator.preview({ kind: 'key', key: 'home', type: 'mine', subject }),
    ]
    expect(JSON.stringify(told)).not.toContain('ann')
    expect(JSON.stringify(told)).not.toContain(encodeURIComponent(subject))
    expect(await operator.explain('home', { type: 'mine', subject })).toMatchObject({ next: 'hit' })
    expect(await operator.explain('home', { type: 'mine', subject: 'bob' })).toMatchObject({ next: 'miss' })
  })

  test.each(['celery', 'bull:x', 'whatsapp:x', 'campaign:x', 'ours:x'])('%s is out of reach', async name => {
    const { cache, store } = await room().connect({ protect: ['ours:'] })
    const { operator } = cache
    const calls = store.calls('*')
    const works = [
      operator.explain(name),
      operator.keys({ pattern: name }),
      operator.preview({ kind: 'pattern', pattern: name }),
      operator.preview({ kind: 'key', key: name }),
      operator.clear({ kind: 'pattern', pattern: name }),
      operator.clear({ kind: 'key', key: name }),
    ]
    expect(new Set(await Promise.all(works.map(codeOf)))).toEqual(new Set(['PALIER_PROTECTED']))
    expect(store.calls('*')).toBe(calls)
  })

  const WRONG: readonly [unknown, string][] = [
    [null, 'PALIER_BAD_OPTION'],
    [{}, 'PALIER_BAD_OPTION'],
    [{ kind: 'everything' }, 'PALIER_BAD_OPTION'],
    [{ kind: 'type', type: 'unheard' }, 'PALIER_BAD_OPTION'],
    [{ kind: 'tag', tag: '' }, 'PALIER_BAD_KEY'],
    [{ kind: 'pattern', pattern: '\uD800' }, 'PALIER_BAD_KEY'],
    [{ kind: 'key', key: 5 }, 'PALIER_BAD_KEY'],
    [{ kind: 'key', key: 'home', type: 'mine' }, 'PALIER_BAD_KEY'],
    [{ kind: 'key', key: 'k', type: 'page', subject: 'ann' }, 'PALIER_BAD_OPTION'],
  ]
  test.each(WRONG)('and targets that are wrong are refused: %j', async (target, code) => {
    const { cache } = await room().connect()
    expect(await codeOf(cache.operator.preview(target as ClearTarget))).toBe(code)
    expect(await codeOf(cache.operator.clear(target as ClearTarget))).toBe(code)
  })
})

describe('a list of keys', () => {
  test('has each key that was there all the time once, whatever is written meanwhile', async () => {
    const at = room()
    const { cache } = await at.connect()
    for (let i = 0; i < 60; i++) await cache.set(`stays${String(i).padStart(2, '0')}`, i)
    const seen: string[] = []
    let after: string | undefined
    let turn = 0
    do {
      await cache.set(`new${turn}`, 1)
      await cache.set(`stays${String(turn).padStart(2, '0')}`, 'again')
      await cache.delete(`new${turn - 2}`)
      const page = await moving(at.clock, cache.operator.keys({ limit: 7, ...(after !== undefined && { after }) }))
      seen.push(...page.keys.map(({ key }) => key))
      expect(page.keys.length).toBeLessThanOrEqual(7)
      after = page.after
      turn++
    } while (after !== undefined)
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual(seen.toSorted())
    expect(seen.filter(key => key.startsWith('stays'))).toHaveLength(60)
  })

  test('of a cache that is disabled is empty, and so is a preview', async () => {
    const { cache } = memoryCache({ enabled: false })
    open.push(cache)
    await cache.set('k', 1)
    expect(await cache.operator.keys()).toEqual({ keys: [], complete: true })
    expect(await cache.operator.preview({ kind: 'all' })).toMatchObject({ entries: 0, exact: true })
    expect(await cache.operator.explain('k')).toMatchObject({
      next: 'miss',
      summary: expect.stringContaining('disabled'),
    })
  })
})
