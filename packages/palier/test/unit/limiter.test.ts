import { afterEach, describe, expect, test } from 'vitest'
import { createLimiter, type LimiterOptions } from '../../src/limiter.ts'
import { memoryGuards, memoryStore } from '../../src/stores/memory.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { guardRoom, type RoomOptions, type TestRoom } from '../support/guard-room.ts'

const rooms: TestRoom[] = []
afterEach(() => {
  for (const room of rooms.splice(0)) room.close()
})

async function setup(options: RoomOptions = {}) {
  const clock = manualClock()
  const store = faulty(memoryStore({ clock }))
  const open = async (more: RoomOptions = {}) => {
    const room = await guardRoom(store, { clock, ...options, ...more })
    rooms.push(room)
    return room
  }
  return { clock, store, open, room: await open() }
}

const RATE = { limit: 10, window: '1m', onOutage: 'closed' } as const

describe('a limiter', () => {
  test('admits up to its limit, for all caches of the backend together', async () => {
    const { open, room } = await setup()
    const [one, two] = [createLimiter(room, 'api', RATE), createLimiter(await open(), 'api', RATE)]
    const decisions = await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? one : two).take('k')))
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(10)
    expect(new Set(decisions.map(({ source }) => source))).toEqual(new Set(['shared']))
  })

  test('counts apart by its name, its window, its key and its namespace', async () => {
    const { open, room } = await setup()
    const once = { ...RATE, limit: 1 }
    const takes = [
      () => createLimiter(room, 'api', once).take('k'),
      () => createLimiter(room, 'api', once).take('l'),
      () => createLimiter(room, 'api:60000', once).take('k'),
      () => createLimiter(room, 'api', { ...once, window: '2m' }).take('k'),
      async () => createLimiter(await open({ namespace: 'other' }), 'api', once).take('k'),
      async () => createLimiter(await open({ namespace: 'test:r:api' }), 'api', once).take('k'),
    ]
    for (const take of takes) expect((await take()).allowed).toBe(true)
    for (const take of takes) expect((await take()).allowed).toBe(false)
  })

  test('takes what a request costs, only looks for nothing, and forgets when told', async () => {
    const { room } = await setup()
    const limiter = createLimiter(room, 'api', RATE)
    expect((await limiter.take('k', 7)).remaining).toBe(3)
    expect((await limiter.take('k', 0)).remaining).toBe(3)
    expect((await limiter.take('k', 4)).allowed).toBe(false)
    expect(await limiter.reset('k')).toBe(true)
    expect((await limiter.take('k', 10)).allowed).toBe(true)
  })
})

describe('a limiter whose backend is out', () => {
  const outage = async (options: Partial<LimiterOptions>, more: RoomOptions = {}) => {
    const all = await setup(more)
    all.store.fail('*')
    return { ...all, limiter: createLimiter(all.room, 'api', { ...RATE, ...options }) }
  }

  test('denies everything when closed, and says when to try again', async () => {
    const { limiter } = await outage({ onOutage: 'closed' })
    const denied = { allowed: false, remaining: 0, resetAfter: 1_000, retryAfter: 1_000, source: 'policy' }
    for (let i = 0; i < 5; i++) expect(await limiter.take('k')).toEqual(denied)
  })

  test('admits everything when open, and promises nothing more', async () => {
    const { limiter } = await outage({ onOutage: 'open' })
    const admitted = { allowed: true, remaining: 0, resetAfter: 0, retryAfter: 0, source: 'policy' }
    for (let i = 0; i < 50; i++) expect(await limiter.take('k')).toEqual(admitted)
  })

  test('admits its share of the limit when local, at least one', async () => {
    for (const [processes, share] of [
      [4, 3],
      [1, 10],
      [100, 1],
    ] as const) {
      const { limiter } = await outage({ onOutage: 'local', processes })
      const decisions = await Promise.all(Array.from({ length: 30 }, () => limiter.take('k')))
      expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(share)
      expect(decisions.every(({ source }) => source === 'local')).toBe(true)
    }
  })

  test('divides by the processes that shared the backend unless it was told how many', async () => {
    const { limiter } = await outage({ onOutage: 'local' }, { processes: 5 })
    const decisions = await Promise.all(Array.from({ length: 30 }, () => limiter.take('k')))
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(2)
  })

  test('admits once what costs more than the share', async () => {
    const { limiter } = await outage({ onOutage: 'local', processes: 5 })
    expect((await limiter.take('k', 10)).allowed).toBe(true)
    expect((await limiter.take('k', 1)).allowed).toBe(false)
  })

  test('decides by policy at the deadline when the store says nothing, and sends nothing twice', async () => {
    const { clock, store, room } = await setup()
    const limiter = createLimiter(room, 'api', { ...RATE, onOutage: 'open' })
    store.hang('limits.take')
    let source: string | undefined
    const asked = limiter.take('k').then(decision => {
      source = decision.source
    })
    await clock.advance(249)
    expect(source).toBeUndefined()
    await clock.advance(600)
    await asked
    expect(source).toBe('policy')
    expect(store.calls('limits.take')).toBe(1)
  })

  test('comes back to the shared counters after the heal, which still hold what was taken before', async () => {
    const { clock, store, room } = await setup()
    const limiter = createLimiter(room, 'api', { ...RATE, onOutage: 'local', processes: 5 })
    expect((await limiter.take('k', 8)).source).toBe('shared')
    store.fail('*')
    expect((await limiter.take('k')).source).toBe('local')
    expect(await limiter.reset('other')).toBe(false)
    store.heal()
    await clock.advance(2_000)
    const { source, remaining } = await limiter.take('k')
    expect([source, remaining]).toEqual(['shared', 1])
  })

  test('of a closed cache decides nothing', async () => {
    const { room } = await setup()
    const limiter = createLimiter(room, 'api', { ...RATE, onOutage: 'open' })
    room.close()
    await expect(limiter.take('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    await expect(limiter.reset('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })
})

describe('memory', () => {
  test('counts for a bounded number of keys, and forgets those asked for least recently', async () => {
    const clock = manualClock()
    const { limits } = memoryGuards(clock, { maxKeys: 100 })
    const rate = { limit: 1, window: 60_000 }
    await limits.take('hot', rate, 1)
    for (let i = 0; i < 1_000; i++) {
      expect((await limits.take(`k${i}`, rate, 1)).allowed).toBe(true)
      expect((await limits.take('hot', rate, 1)).allowed).toBe(false)
    }
    expect((await limits.take('k0', rate, 1)).allowed).toBe(true)
    expect((await limits.take('k999', rate, 1)).allowed).toBe(false)
  })

  test('forgets locks that ended', async () => {
    const clock = manualClock()
    const { locks } = memoryGuards(clock)
    for (let i = 0; i < 3_000; i++) expect(await locks.acquire(`job ${i}`, 'me', 10)).toBeGreaterThan(0)
    await clock.advance(11)
    for (let i = 0; i < 3_000; i++) expect(await locks.acquire(`job ${i}`, 'you', 10)).toBeGreaterThan(0)
  })
})

describe('a limiter asked for wrongly', () => {
  const WRONG: readonly [string, string, unknown][] = [
    ['api', 'onOutage', { limit: 1, window: 1 }],
    ['api', 'onOutage', { limit: 1, window: 1, onOutage: 'shut' }],
    ['api', 'limit', { window: 1, onOutage: 'open' }],
    ['api', 'limit', { limit: 0, window: 1, onOutage: 'open' }],
    ['api', 'limit', { limit: 1.5, window: 1, onOutage: 'open' }],
    ['api', 'limit', { limit: 1e9, window: '1w', onOutage: 'open' }],
    ['api', 'window', { limit: 1, onOutage: 'open' }],
    ['api', 'window', { limit: 1, window: 0, onOutage: 'open' }],
    ['api', 'processes', { limit: 1, window: 1, onOutage: 'local', processes: 0 }],
    ['api', 'limiter options.max', { limit: 1, window: 1, onOutage: 'open', max: 1 }],
    ['api', 'limiter options', undefined],
    ['', 'limiter name', RATE],
  ]
  for (const [name, field, options] of WRONG) {
    test(`is refused by the name of ${field} (${JSON.stringify(options) ?? 'nothing'})`, async () => {
      const { room } = await setup()
      expect(() => createLimiter(room, name, options as LimiterOptions)).toThrow(field)
    })
  }

  test('for a key or a cost that is none is refused too', async () => {
    const { room } = await setup()
    const limiter = createLimiter(room, 'api', RATE)
    await expect(limiter.take('')).rejects.toMatchObject({ code: 'PALIER_BAD_KEY' })
    for (const cost of [-1, 0.5, 11, Number.NaN]) {
      await expect(limiter.take('k', cost)).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    }
    await expect(limiter.reset('\uD800')).rejects.toMatchObject({ code: 'PALIER_BAD_KEY' })
  })
})
