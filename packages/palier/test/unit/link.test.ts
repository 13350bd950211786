import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { PalierError } from '../../src/errors.ts'
import { createLink } from '../../src/link.ts'
import { memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { bench, DEADLINE, failing, far, get, near, states, up, write } from '../support/link-bench.ts'

describe('the states of a link', () => {
  test('it begins open; the first trial leads through draining to up', async () => {
    const at = near()
    expect({ state: at.link.state, reason: at.link.reason }).toEqual({ state: 'open', reason: 'not reached yet' })
    expect(at.link.usable()).toBe(false)
    await at.link.start()
    expect(at.changes).toEqual([
      ['draining', 'the store answers again, and is told what it missed'],
      ['up', 'the store answers'],
    ])
    expect(at.link).toMatchObject({ state: 'up', reason: 'the store answers', nextTrialIn: undefined })
    expect(at.recoveries()).toBe(1)
    at.link.close()
  })

  test('while draining the store can be told but not asked', async () => {
    const told = gate<void>()
    const at = near({ recover: () => told.promise })
    const starting = at.link.start()
    await at.clock.advance(0)
    expect(at.link.state).toBe('draining')
    expect({ usable: at.link.usable(), reachable: at.link.reachable() }).toEqual({ usable: false, reachable: true })
    await expect(get(at)).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    await expect(at.link.reach(store => store.delete(['k']))).resolves.toBeUndefined()
    told.open()
    await starting
    await expect(get(at)).resolves.toBeUndefined()
    at.link.close()
  })

  test('a call that fails makes it suspect: still in use, and asked at once whether it is there', async () => {
    const at = await up(near())
    const asked = at.store.calls('get')
    at.store.fail('set', 1, new Error('no room'))
    await expect(write(at)).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED', message: 'memory failed: no room' })
    expect(at.changes).toEqual([['suspect', 'memory failed: no room']])
    expect(at.store.calls('get')).toBe(asked + 1)
    expect({ usable: at.link.usable(), reachable: at.link.reachable() }).toEqual({ usable: true, reachable: true })
    await write(at)
    expect(at.changes.slice(1)).toEqual([['up', 'the store answers']])
    at.link.close()
  })

  test('an answered question does not make up for calls that fail', async () => {
    const at = await up(near())
    at.store.fail('set')
    await failing(write(at))
    await failing(write(at))
    expect(states(at)).toEqual(['suspect'])
    await failing(write(at))
    expect(at.changes).toEqual([
      ['suspect', expect.stringContaining('as the test asked')],
      ['open', expect.stringContaining('as the test asked')],
    ])
    at.link.close()
  })

  test('only failures in a row count', async () => {
    const at = await up(near())
    for (let round = 0; round < 4; round++) {
      at.store.fail('set', 2)
      await failing(write(at))
      await failing(write(at))
      await write(at)
    }
    expect(at.link.state).toBe('up')
    expect(states(at)).not.toContain('open')
    at.link.close()
  })

  test('a store that answers nothing is open before a second caller waits for it', async () => {
    const at = await up(near())
    at.store.fail('*')
    await failing(write(at))
    await at.clock.advance(0)
    expect(states(at)).toEqual(['suspect', 'open'])
    const calls = at.store.calls('*')
    await expect(write(at)).rejects.toMatchObject({
      code: 'PALIER_STORE_FAILED',
      message: expect.stringContaining('is not used now') as string,
    })
    await expect(at.link.reach(store => store.delete(['k']))).rejects.toThrow('is not used now')
    expect(at.store.calls('*')).toBe(calls)
    at.link.close()
  })

  test('several calls that fail at once are several failures', async () => {
    const at = await up(near())
    at.store.fail('set')
    await Promise.all([1, 2, 3].map(() => failing(write(at))))
    expect(at.link.state).toBe('open')
    at.link.close()
  })

  test('refused writes are answers: nothing changes however many there are', async () => {
    const at = await up(near())
    at.store.fail('set', 50, new PalierError('PALIER_STORE_REFUSED', 'read-only'))
    for (let i = 0; i < 20; i++) await expect(write(at)).rejects.toMatchObject({ code: 'PALIER_STORE_REFUSED' })
    expect(at.changes).toEqual([])
    at.link.close()
  })

  test('a refused write ends a doubt like any other answer', async () => {
    const at = await up(near())
    at.store.fail('set', 1)
    await failing(write(at))
    at.store.fail('set', 1, new PalierError('PALIER_STORE_REFUSED', 'full'))
    await failing(write(at))
    expect(states(at)).toEqual(['suspect', 'up'])
    at.link.close()
  })

  test('a method that throws is a call that failed', async () => {
    const at = await up(near())
    const thrown = at.link.call(() => {
      throw new Error('thrown at once')
    })
    await expect(thrown).rejects.toMatchObject({
      code: 'PALIER_STORE_FAILED',
      message: 'memory failed: thrown at once',
    })
    expect(states(at)).toEqual(['suspect'])
    at.link.close()
  })

  test('since is when the state began', async () => {
    const at = await up(near())
    await at.clock.advance(4000)
    at.store.fail('*')
    await failing(write(at))
    await at.clock.advance(0)
    const openedAt = at.clock.wall()
    await at.clock.advance(3000)
    expect(at.link).toMatchObject({ state: 'open', since: openedAt })
    at.link.close()
  })
})

describe('the deadline', () => {
  test('a call past it is a time-out, and its late answer changes nothing', async () => {
    const at = await up(near())
    at.store.delay('set', 400, at.clock)
    const call = failing(write(at))
    await at.clock.advance(250)
    expect(await call).toMatchObject({
      code: 'PALIER_STORE_TIMEOUT',
      message: 'memory did not answer within 250 ms',
    })
    expect(at.link.state).toBe('suspect')
    const { heardAt } = at.link
    await at.clock.advance(300)
    expect(at.link).toMatchObject({ state: 'suspect', heardAt })
    at.link.close()
  })

  test('each call has its own: one that is late does not put off those that began after it', async () => {
    const at = await up(near())
    at.store.hang('*')
    const ended: number[] = []
    const startedAt = at.clock.now()
    for (let i = 0; i < 5; i++) {
      write(at).catch(() => ended.push(at.clock.now() - startedAt))
      await at.clock.advance(10)
    }
    await at.clock.advance(2 * DEADLINE)
    expect(ended).toEqual([250, 260, 270, 280, 290])
    at.link.close()
    at.store.heal()
  })

  test('a call that fails after its deadline is one failure, not two', async () => {
    const at = await up(near())
    at.store.hang('set')
    const calls = [failing(write(at)), failing(write(at))]
    await at.clock.advance(250)
    await Promise.all(calls)
    at.store.heal()
    await at.clock.advance(0)
    expect(at.link.state).toBe('suspect')
    at.link.close()
  })

  test('what a given-up connection says later is not held against the next one', async () => {
    const at = await up(far())
    at.store.hang('set')
    const old = [1, 2, 3].map(() => failing(write(at)))
    at.store.lost()
    at.store.ready()
    await at.clock.advance(0)
    expect(at.link.state).toBe('up')
    at.store.heal()
    await Promise.all(old)
    expect(at.link.state).toBe('up')
    at.link.close()
  })

  test('a blocked event loop is not held against the store', async () => {
    const clock = manualClock()
    let blockedFor = 0
    // The loop stands still: time goes on, and timers and answers come late.
    const skewed: Clock = { ...clock, now: () => clock.now() + blockedFor }
    const at = await up(bench(clock, faulty(memoryStore({ clock })), {}, skewed))
    at.store.delay('set', 260, clock)
    const calls = [1, 2, 3, 4].map(() => failing(write(at)))
    blockedFor = 3000
    await clock.advance(1000)
    expect(await Promise.all(calls)).toEqual([undefined, undefined, undefined, undefined])
    expect(at.changes).toEqual([])
    at.link.close()
  })

  test('a store that is silent after the loop was blocked is late all the same', async () => {
    const clock = manualClock()
    let blockedFor = 0
    const skewed: Clock = { ...clock, now: () => clock.now() + blockedFor }
    const at = await up(bench(clock, faulty(memoryStore({ clock })), {}, skewed))
    at.store.hang('set')
    const call = failing(write(at))
    blockedFor = 3000
    await clock.advance(500)
    expect(await call).toMatchObject({ code: 'PALIER_STORE_TIMEOUT' })
    at.link.close()
  })
})

describe('trials', () => {
  test('come ever more rarely, from 50 ms to 1 s, spread by up to half', async () => {
    const at = near()
    at.store.fail('*')
    const times: number[] = []
    const inner = at.store.get
    const store: SharedStore = { ...at.store, get: key => (times.push(at.clock.now()), inner(key)) }
    const link = createLink(at.clock, DEADLINE, store, {
      changed: () => undefined,
      recover: () => Promise.resolve(),
      isSameServer: () => Promise.resolve(true),
    })
    await link.start()
    await at.clock.advance(12_000)
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0))
    const longest = [50, 100, 200, 400, 800, ...gaps.map(() => 1000)]
    gaps.forEach((gap, i) => {
      const most = longest[i] ?? 0
      expect(gap).toBeGreaterThanOrEqual(most / 2)
      expect(gap).toBeLessThanOrEqual(most)
    })
    expect(gaps.length).toBeGreaterThan(12)
    expect(new Set(gaps.slice(5)).size).toBeGreaterThan(1)
    link.close()
    at.link.close()
    expect(at.clock.pending()).toBe(0)
  })

  test('begin anew after each recovery', async () => {
    const at = await up(near())
    for (let round = 0; round < 3; round++) {
      at.store.fail('*')
      await failing(write(at))
      await at.clock.advance(5000)
      at.store.heal()
      await at.clock.advance(1000)
      expect(at.link.state).toBe('up')
      at.store.fail('*')
      await failing(write(at))
      await at.clock.advance(0)
      expect(at.link.nextTrialIn).toBeLessThanOrEqual(50)
      at.store.heal()
      await at.clock.advance(50)
      expect(at.link.state).toBe('up')
    }
    at.link.close()
  })

  test('are one at a time: a store that hangs is not asked again before the last answer is late', async () => {
    const at = near()
    at.store.hang('*')
    void at.link.start()
    for (let i = 0; i < 100; i++) {
      await at.clock.advance(20)
      void at.link.start()
      // Those that were late still hang; only one is waited for.
      expect(at.store.calls('*')).toBeLessThanOrEqual(1 + Math.floor(at.clock.now() / DEADLINE))
    }
    expect(at.link.nextTrialIn).toBeGreaterThanOrEqual(0)
    at.link.close()
    at.store.heal()
  })

  test('say in how long the next one is', async () => {
    const at = near()
    at.store.fail('*')
    await at.link.start()
    for (let i = 0; i < 8; i++) {
      const left = at.link.nextTrialIn ?? -1
      expect(left).toBeGreaterThan(0)
      const asked = at.store.calls('get')
      await at.clock.advance(left - 1)
      expect(at.store.calls('get')).toBe(asked)
      await at.clock.advance(1)
      expect(at.store.calls('get')).toBe(asked + 1)
    }
    at.link.close()
  })

  test('that fail say why the store is still out', async () => {
    const at = near()
    at.store.fail('*', 99, new Error('connect ECONNREFUSED'))
    await at.link.start()
    expect(at.link.state).toBe('open')
    expect(at.link.reason).toContain('ECONNREFUSED')
    at.store.fail('*', 99, new Error('WRONGPASS'))
    await at.clock.advance(2000)
    expect(at.link.reason).toContain('WRONGPASS')
    at.link.close()
  })

  test('heal to use takes at most 1.5 s, however long the outage was', async () => {
    const at = await up(near())
    at.store.hang('*')
    void failing(write(at))
    await at.clock.advance(60_000)
    expect(at.link.state).toBe('open')
    at.store.heal()
    await at.clock.advance(1500)
    expect(at.link.state).toBe('up')
    at.link.close()
  })
})
