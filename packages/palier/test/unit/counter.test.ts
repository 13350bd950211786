import { afterEach, describe, expect, test } from 'vitest'
import { createCounter, type CounterOptions } from '../../src/counter.ts'
import { createLimiter } from '../../src/limiter.ts'
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

const OPTIONS = { window: '1m', onOutage: 'closed' } as const

describe('a counter', () => {
  test('counts for all caches of the backend together, without a limit', async () => {
    const { clock, open, room } = await setup()
    const [one, two] = [createCounter(room, 'hits', OPTIONS), createCounter(await open(), 'hits', OPTIONS)]
    expect(await one.count('k')).toEqual({ count: 1, resetAfter: 60_000, source: 'shared' })
    await clock.advance(1_000)
    expect(await two.count('k', 1_000_000)).toEqual({ count: 1_000_001, resetAfter: 59_000, source: 'shared' })
    expect((await one.count('k', -1)).count).toBe(1_000_000)
    expect((await one.count('k', 0)).count).toBe(1_000_000)
    expect(await two.reset('k')).toBe(true)
    expect(await one.count('k', 0)).toEqual({ count: 0, resetAfter: 0, source: 'shared' })
  })

  test('counts apart by its name, its key and its namespace, and never meets a limiter', async () => {
    const { open, room } = await setup()
    const limit = { limit: 1, window: '1m', onOutage: 'closed' } as const
    const counts = [
      () => createCounter(room, 'hits', OPTIONS).count('k'),
      () => createCounter(room, 'hits', OPTIONS).count('l'),
      () => createCounter(room, 'hits:k', OPTIONS).count('k'),
      async () => createCounter(await open({ namespace: 'other' }), 'hits', OPTIONS).count('k'),
    ]
    for (const count of counts) expect((await count()).count).toBe(1)
    expect((await createLimiter(room, 'hits', limit).take('k')).allowed).toBe(true)
    expect(await createLimiter(room, 'hits', limit).reset('k')).toBe(true)
    for (const count of counts) expect((await count()).count).toBe(2)
  })

  test('makes who counts above a number wait anew', async () => {
    const { clock, room } = await setup()
    const counter = createCounter(room, 'hits', OPTIONS)
    await counter.count('k', 3)
    await clock.advance(50_000)
    expect((await counter.count('k', 1, { above: 3, growth: 1 })).resetAfter).toBe(60_000)
    expect((await counter.count('k', 1, { above: 3, growth: 2 })).resetAfter).toBe(120_000)
    expect((await counter.count('k', 1)).resetAfter).toBe(120_000)
  })
})

describe('a counter whose backend is out', () => {
  const outage = async (options: Partial<CounterOptions>, more: RoomOptions = {}) => {
    const all = await setup(more)
    all.store.fail('*')
    return { ...all, counter: createCounter(all.room, 'hits', { ...OPTIONS, ...options }) }
  }

  test('counts nothing, and tells to deny or to admit', async () => {
    for (const onOutage of ['closed', 'open'] as const) {
      const { counter } = await outage({ onOutage })
      const told = { count: undefined, allowed: onOutage === 'open', resetAfter: 1_000, source: 'policy' }
      for (let i = 0; i < 3; i++) expect(await counter.count('k')).toEqual(told)
    }
  })

  test('counts here when local, as if every other process had counted as much before', async () => {
    const { counter } = await outage({ onOutage: 'local', processes: 4 })
    const told: unknown[] = []
    for (let i = 0; i < 4; i++) told.push((await counter.count('k')).count)
    expect(told).toEqual([1, 5, 9, 13])
    expect(await counter.count('k', 0)).toMatchObject({ count: 16, source: 'local' })
    expect((await counter.count('other', 10)).count).toBe(10)
  })

  test('admits under any limit what a limiter with the same share does', async () => {
    for (const processes of [1, 3, 4, 50]) {
      for (const limit of [1, 7, 12]) {
        const { counter, room } = await outage({ onOutage: 'local', processes })
        const limiter = createLimiter(room, 'hits', { limit, window: '1m', onOutage: 'local', processes })
        for (let i = 0; i < 2 * limit; i++) {
          const { count } = await counter.count('k')
          expect((count ?? Number.NaN) <= limit).toBe((await limiter.take('k')).allowed)
        }
      }
    }
  })

  test('comes back to the shared counts, which still hold what was counted before', async () => {
    const { clock, store, room } = await setup()
    const counter = createCounter(room, 'hits', { ...OPTIONS, onOutage: 'local', processes: 5 })
    await counter.count('k', 8)
    store.fail('*')
    expect((await counter.count('k')).source).toBe('local')
    expect(await counter.reset('other')).toBe(false)
    store.heal()
    await clock.advance(2_000)
    expect(await counter.count('k')).toMatchObject({ count: 9, source: 'shared' })
  })

  test('sends nothing twice, and of a closed cache counts nothing', async () => {
    const { clock, store, room } = await setup()
    const counter = createCounter(room, 'hits', { ...OPTIONS, onOutage: 'open' })
    store.hang('limits.count')
    const asked = counter.count('k')
    await clock.advance(850)
    expect((await asked).source).toBe('policy')
    expect(store.calls('limits.count')).toBe(1)
    room.close()
    await expect(counter.count('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    await expect(counter.reset('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })
})

test('memory counts for a bounded number of keys, and forgets those asked for least recently', async () => {
  const { limits } = memoryGuards(manualClock(), { maxKeys: 100 })
  for (let i = 1; i <= 1_000; i++) {
    expect((await limits.count(`k${i}`, 60_000, 1)).count).toBe(1)
    expect((await limits.count('hot', 60_000, 1)).count).toBe(i)
  }
  expect((await limits.count('k1', 60_000, 0)).count).toBe(0)
  expect((await limits.count('k1000', 60_000, 0)).count).toBe(1)
})

describe('a counter asked for wrongly', () => {
  const WRONG: readonly [string, string, unknown][] = [
    ['hits', 'onOutage', { window: 1 }],
    ['hits', 'window', { window: 0, onOutage: 'open' }],
    ['hits', 'processes', { window: 1, onOutage: 'local', processes: 0.5 }],
    ['hits', 'counter options.limit', { window: 1, onOutage: 'open', limit: 1 }],
    ['', 'counter name', OPTIONS],
  ]
  for (const [name, field, options] of WRONG) {
    test(`is refused by the name of ${field} (${JSON.stringify(options)})`, async () => {
      const { room } = await setup()
      expect(() => createCounter(room, name, options as CounterOptions)).toThrow(field)
    })
  }

  test('for a key, a cost or a penalty that is none is refused too', async () => {
    const { room } = await setup()
    const counter = createCounter(room, 'hits', OPTIONS)
    await expect(counter.count('')).rejects.toMatchObject({ code: 'PALIER_BAD_KEY' })
    for (const cost of [0.5, Number.NaN, 2 ** 53]) {
      await expect(counter.count('k', cost)).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    }
    for (const penalty of [{ above: -1, growth: 1 }, { above: 1, growth: 3 }, { above: 1 }, null]) {
      await expect(counter.count('k', 1, penalty as never)).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    }
  })
})
