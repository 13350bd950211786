import { afterEach, describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { documentKey } from '../../src/key.ts'
import { encodeRecord } from '../../src/record.ts'
import type { MemoryStore } from '../../src/stores/memory.ts'
import { faulty, type FaultyStore, type ManualClock, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'

const OPTIONS = { logger: false, types: { page: { ttl: '5m', grace: '1h' }, other: { ttl: '1m' } } } as const
type Pages = Cache<(typeof OPTIONS)['types']>

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
  readonly backing: MemoryStore
  connect(options?: CacheOptions): Promise<One>
}

function room(): Room {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  return {
    clock,
    backing,
    async connect() {
      const store = faulty(backing.connect())
      const cache = createCache({ ...OPTIONS, clock, store })
      open.push(cache)
      await cache.ready()
      await clock.advance(10)
      return { cache, store }
    },
  }
}

const ttlIn = ({ cache }: One, type = 'page'): number | undefined => cache.operator.policies()[type]?.ttl

describe('a changed policy', () => {
  test('reaches the others, those that start later, and what they make from then on', async () => {
    const at = room()
    const [a, b] = [await at.connect(), await at.connect()]
    await b.cache.type('page').set('before', 1)
    await a.cache.operator.setPolicy('page', { ttl: '10m', grace: 0 })
    await at.clock.advance(10)
    expect([ttlIn(a), ttlIn(b), ttlIn(await at.connect())]).toEqual([600_000, 600_000, 600_000])
    await b.cache.type('page').set('after', 1)
    await b.cache.type('page').set('own', 1, { ttl: '1s' })
    const ttlOf = async (key: string) => (await b.cache.type('page').peek(key))?.ttl ?? 0
    expect(await ttlOf('before')).toBeLessThanOrEqual(300_000)
    expect(await ttlOf('after')).toBeGreaterThan(500_000)
    expect(await ttlOf('own')).toBeLessThanOrEqual(1000)
    await a.cache.operator.setPolicy('page', null)
    await at.clock.advance(10)
    expect([ttlIn(a), ttlIn(b)]).toEqual([300_000, 300_000])
  })

  test('of a type does not change another, and many at once lose none', async () => {
    const at = room()
    const [a, b] = [await at.connect(), await at.connect()]
    const changes = [
      a.cache.operator.setPolicy('page', { ttl: 1000 }),
      b.cache.operator.setPolicy('other', { grace: 2000 }),
      a.cache.operator.setPolicy('default', { ttl: 3000 }),
    ]
    await at.clock.advance(1000)
    await Promise.all(changes)
    await at.clock.advance(10)
    for (const { cache } of [a, b]) {
      expect(cache.operator.policies()).toMatchObject({
        page: { ttl: 1000, grace: 3_600_000 },
        other: { ttl: 60_000, grace: 2000 },
        default: { ttl: 3000 },
      })
    }
  })

  test('that is told while an older one is still being read is read too', async () => {
    const at = room()
    const [a, b] = [await at.connect(), await at.connect()]
    // The answer to the first question is on its way when the second message comes.
    const slow = gate<undefined>()
    const { get } = b.store
    let held = 0
    b.store.get = async key => {
      const record = await get(key)
      if (key.endsWith(':policies') && held++ === 0) await slow.promise
      return record
    }
    await a.cache.operator.setPolicy('page', { ttl: 1000 })
    await at.clock.advance(10)
    await a.cache.operator.setPolicy('page', { ttl: 2000 })
    await at.clock.advance(10)
    slow.open(undefined)
    await at.clock.advance(10)
    expect(ttlIn(b)).toBe(2000)
  })

  test('is not undone by an answer that is older', async () => {
    const at = room()
    const [a, b] = [await at.connect(), await at.connect()]
    const slow = gate<undefined>()
    const { get } = b.store
    let held = 0
    b.store.get = async key => {
      const record = await get(key)
      if (key.endsWith(':policies') && held++ === 0) await slow.promise
      return record
    }
    await a.cache.operator.setPolicy('other', { ttl: 1000 })
    await at.clock.advance(10)
    await b.cache.operator.setPolicy('page', { ttl: 2000 })
    slow.open(undefined)
    await at.clock.advance(10)
    expect([ttlIn(b), ttlIn(b, 'other')]).toEqual([2000, 1000])
  })

  test('is refused while the backend is out, and nothing has changed', async () => {
    const at = room()
    const a = await at.connect()
    a.store.fail('*')
    await expect(a.cache.operator.setPolicy('page', { ttl: 1000 })).rejects.toMatchObject({
      code: 'PALIER_STORE_FAILED',
    })
    expect(ttlIn(a)).toBe(300_000)
  })

  test.each([
    ['type', 'nothing', {}],
    ['change', 'page', 5],
    ['change.ttl', 'page', { ttl: 0 }],
    ['change.ttl', 'page', { ttl: 'soon' }],
    ['change.grace', 'page', { grace: -1 }],
    ['change.scope', 'page', { scope: 'user' }],
  ])('with a wrong %s is refused', async (field, type, change) => {
    const a = await room().connect()
    const asked = a.cache.operator.setPolicy(type, change as { ttl?: number })
    await expect(asked).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION', message: expect.stringContaining(field) })
  })
})

describe('what is stored of the policies', () => {
  const KEY = documentKey('default', 'palier-operator', 'policies')

  async function write({ backing }: Room, value: unknown): Promise<void> {
    const payload = Buffer.from(JSON.stringify(value))
    const head = { key: KEY, createdAt: 1, ttl: 3_600_000, grace: 0, cost: 0, mark: 1, form: 0, stamps: [] }
    await backing.set(KEY, encodeRecord({ ...head, size: payload.length }, payload), 3_600_000)
  }

  test.each<[string, unknown]>([
    ['a type this process does not know', { unheard: { ttl: 5 } }],
    ['no object', 'text'],
    ['nothing', null],
    ['times that are none', { page: { ttl: 'soon', grace: -1 }, other: { ttl: null } }],
    ['no change of a type', { page: 'text', other: 5 }],
    ['fields of a later version', { page: { scope: 'user', jitter: 5 } }],
  ])('is %s: the code is obeyed', async (_what, value) => {
    const at = room()
    await write(at, value)
    const a = await at.connect()
    const bare = createCache({ ...OPTIONS, backend: 'memory', clock: at.clock })
    open.push(bare)
    expect(a.cache.operator.policies()).toEqual(bare.operator.policies())
    await a.cache.type('page').set('k', 1)
    expect(await a.cache.type('page').get('k')).toBe(1)
  })

  test('of types this process does not know stays when another is changed', async () => {
    const at = room()
    await write(at, { unheard: { ttl: 5 } })
    const a = await at.connect()
    await a.cache.operator.setPolicy('page', { ttl: 1000 })
    const stored = await a.cache.documents<unknown>('palier-operator').read('policies')
    expect(stored?.value).toEqual({ unheard: { ttl: 5 }, page: { ttl: 1000 } })
  })

  test('is damaged: the code is obeyed, an event tells of it, and the next change is the first', async () => {
    const at = room()
    await at.backing.set(KEY, new Uint8Array([1, 2, 3]), 3_600_000)
    const a = await at.connect()
    expect(ttlIn(a)).toBe(300_000)
    const told: string[] = []
    a.cache.on('error', ({ code }) => told.push(code))
    await a.cache.operator.setPolicy('page', { ttl: 1000 })
    expect(told).toEqual(['PALIER_DAMAGED'])
    expect(ttlIn(await at.connect())).toBe(1000)
  })
})

test("an application's own documents of an operator are its own", async () => {
  const a = await room().connect()
  for (const name of ['operator', 'undo']) {
    await a.cache.documents('operator').change('policies', () => ({ value: { page: { ttl: 1 } }, ttl: 1000 }))
    await a.cache.documents(name).delete('policies')
  }
  await a.cache.operator.setPolicy('page', { ttl: 1000 })
  expect(ttlIn(a)).toBe(1000)
})

describe('a type whose name is that of something every object has', () => {
  test('is counted and changed like any other', async () => {
    const clock = manualClock()
    const types = Object.fromEntries(['constructor', 'toString', '__proto__'].map(name => [name, { ttl: '5m' }]))
    const cache = createCache({ logger: false, backend: 'memory', clock, types })
    open.push(cache)
    for (const name of Object.keys(types)) {
      await cache.type(name).set('k', 1)
      await cache.operator.setPolicy(name, { ttl: 1000 })
    }
    const { types: counted } = await cache.operator.preview({ kind: 'all' })
    expect(new Map(Object.entries(counted))).toEqual(new Map(Object.keys(types).map(name => [name, 1])))
    const policies = new Map(Object.entries(cache.operator.policies()))
    for (const name of Object.keys(types)) expect(policies.get(name)?.ttl).toBe(1000)
  })
})

test('a message of a kind that this version does not know makes it forget what is near', async () => {
  const at = room()
  const [a, b] = [await at.connect(), await at.connect()]
  await a.cache.set('k', 1)
  expect(await b.cache.get('k')).toBe(1)
  const calls = b.store.calls('get')
  expect(await b.cache.get('k')).toBe(1)
  expect(b.store.calls('get')).toBe(calls)
  const bus = at.backing.connect().openBus('default')
  await bus.publish(JSON.stringify(['renamed', 'k', 'l']))
  await at.clock.advance(10)
  expect(b.cache.stats().near.entries).toBe(0)
  expect(await b.cache.get('k')).toBe(1)
  expect(b.store.calls('get')).toBeGreaterThan(calls)
  await bus.close()
})
