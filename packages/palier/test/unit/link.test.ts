import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { PalierError } from '../../src/errors.ts'
import { createLink, type Link, type LinkHooks, type LinkState } from '../../src/link.ts'
import { memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { type Remote, remoteServer } from '../support/remote.ts'

const DEADLINE = 250

interface Bench<S extends SharedStore> {
  readonly clock: ManualClock
  readonly store: S
  readonly link: Link
  readonly changes: [LinkState, string][]
  /** How often the store was told what it missed. */
  readonly recoveries: () => number
}

function bench<S extends SharedStore>(
  clock: ManualClock,
  store: S,
  hooks: Partial<LinkHooks> = {},
  its: Clock = clock,
): Bench<S> {
  const changes: [LinkState, string][] = []
  let recoveries = 0
  const link = createLink(its, DEADLINE, store, {
    changed: (state, reason) => void changes.push([state, reason]),
    isSameServer: () => Promise.resolve(true),
    ...hooks,
    recover: () => {
      recoveries++
      return hooks.recover?.() ?? Promise.resolve()
    },
  })
  return { clock, store, link, changes, recoveries: () => recoveries }
}

/** A store in this process, which has no connection to lose. */
function near(hooks: Partial<LinkHooks> = {}): Bench<FaultyStore> {
  const clock = manualClock()
  return bench(clock, faulty(memoryStore({ clock })), hooks)
}

/** A store across a network. */
function far(hooks: Partial<LinkHooks> = {}): Bench<Remote> {
  const clock = manualClock()
  return bench(clock, remoteServer(clock).connect(), hooks)
}

async function up<S extends SharedStore>(at: Bench<S>): Promise<Bench<S>> {
  await at.link.start()
  at.changes.splice(0)
  return at
}

const states = (at: Bench<SharedStore>): LinkState[] => at.changes.map(([state]) => state)
const get = (at: Bench<SharedStore>): Promise<unknown> => at.link.call(store => store.get('k'))
const write = (at: Bench<SharedStore>): Promise<unknown> =>
  at.link.call(store => store.set('k', new Uint8Array([1]), 1000))
/** A call whose failure is expected. */
const failing = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error)

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
    await expect(thrown).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED', message: 'memory failed: thrown at once' })
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

describe('recovery', () => {
  test('that rejects leaves the store open with its reason, and is tried again', async () => {
    let failures = 2
    const at = near({ recover: () => (failures-- > 0 ? Promise.reject(new Error('not told')) : Promise.resolve()) })
    await at.link.start()
    expect(at.changes.map(([state]) => state)).toEqual(['draining', 'open'])
    expect(at.link.reason).toContain('not told')
    await at.clock.advance(1000)
    expect(states(at)).toEqual(['draining', 'open', 'draining', 'open', 'draining', 'up'])
    expect(at.recoveries()).toBe(3)
    at.link.close()
  })

  test('that a loss overtook does not open the gate, however it ends', async () => {
    const told = [gate<void>(), gate<void>()]
    let recoveries = 0
    const at = far({ recover: () => told[recoveries++]?.promise ?? Promise.resolve() })
    const starting = at.link.start()
    await at.clock.advance(0)
    expect(at.link.state).toBe('draining')
    at.store.lost('reset by peer')
    expect(at.link).toMatchObject({ state: 'open', reason: 'reset by peer' })
    expect(at.link.reachable()).toBe(false)
    told[0]?.open()
    await starting
    expect(at.link.state).toBe('open')
    await at.clock.advance(50)
    expect(at.link.state).toBe('draining')
    expect(recoveries).toBe(2)
    told[1]?.open()
    await at.clock.advance(0)
    expect(at.link.state).toBe('up')
    at.link.close()
  })

  test('in which the store is lost and found again is begun anew', async () => {
    const told = gate<void>()
    let recoveries = 0
    const at = far({ recover: () => (recoveries++ === 0 ? told.promise : Promise.resolve()) })
    void at.link.start()
    await at.clock.advance(0)
    at.store.lost()
    at.store.ready()
    expect(at.link.state).toBe('open')
    told.open()
    await at.clock.advance(100)
    expect(at.link.state).toBe('up')
    expect(recoveries).toBe(2)
    at.link.close()
  })
})

describe('a store across a network', () => {
  test('that loses its connection is given up in the same moment', async () => {
    const at = await up(far())
    const calls = at.store.calls('*')
    at.store.lost('socket hang up')
    const call = get(at)
    expect(at.changes).toEqual([['open', 'socket hang up']])
    await expect(call).rejects.toThrow('redis is not used now: socket hang up')
    expect(at.store.calls('*')).toBe(calls)
    at.store.lost('again')
    expect(at.changes).toHaveLength(1)
    at.link.close()
  })

  test('that is suspect can be lost too', async () => {
    const at = await up(far())
    at.store.fail('set', 1)
    await failing(write(at))
    at.store.lost('gone')
    expect(states(at)).toEqual(['suspect', 'open'])
    at.link.close()
  })

  test('that says it is ready is tried at once, whatever the next trial was to wait', async () => {
    const at = await up(far())
    at.store.fail('*')
    at.store.lost()
    await at.clock.advance(20_000)
    at.store.heal()
    at.store.ready()
    await at.clock.advance(0)
    expect(at.link.state).toBe('up')
    at.link.close()
  })

  test('ready while it is in use changes nothing', async () => {
    const at = await up(far())
    at.store.ready()
    await at.clock.advance(0)
    expect(at.changes).toEqual([])
    at.link.close()
  })

  test('is given another connection when calls or a trial time out, not when they fail', async () => {
    const at = await up(far())
    at.store.fail('*')
    await failing(write(at))
    await at.clock.advance(2000)
    expect({ state: at.link.state, reconnects: at.store.reconnects }).toEqual({ state: 'open', reconnects: 0 })
    at.store.heal()
    await at.clock.advance(1000)
    at.store.hang('*')
    void failing(write(at))
    await at.clock.advance(3 * DEADLINE)
    expect({ state: at.link.state, reconnects: at.store.reconnects }).toEqual({ state: 'open', reconnects: 1 })
    await at.clock.advance(50 + DEADLINE)
    expect(at.store.reconnects).toBe(2)
    at.link.close()
    at.store.heal()
  })

  test('that falls silent is found out without a caller, within two seconds', async () => {
    const at = await up(far())
    await at.clock.advance(5000)
    expect(at.changes).toEqual([])
    at.store.hang('*')
    await at.clock.advance(2000)
    expect(at.link.state).toBe('open')
    expect(at.store.reconnects).toBeGreaterThan(0)
    at.link.close()
    at.store.heal()
  })

  test('that is in use is not asked whether it is there', async () => {
    const at = await up(far())
    let questions = 0
    for (let i = 0; i < 100; i++) {
      const before = at.store.calls('get')
      await at.clock.advance(90)
      questions += at.store.calls('get') - before
      await write(at)
    }
    expect(questions).toBe(0)
    at.link.close()
  })

  test('a failed call on a quiet link is forgotten once the store answers the next heartbeat', async () => {
    const at = await up(far())
    at.store.fail('set', 2)
    await failing(write(at))
    await failing(write(at))
    await at.clock.advance(3000)
    expect(at.link.state).toBe('up')
    at.store.fail('set', 1)
    await failing(write(at))
    expect(at.link.state).toBe('suspect')
    at.link.close()
  })

  test('in whose place another server answers is given up, and told what it missed', async () => {
    let same = true
    let asked = 0
    const at = await up(far({ isSameServer: () => (asked++, Promise.resolve(same)) }))
    await at.clock.advance(10_000)
    expect(asked).toBe(5)
    same = false
    await at.clock.advance(2000)
    expect(at.changes.slice(0, 1)).toEqual([['open', 'another server answers in its place']])
    same = true
    await at.clock.advance(100)
    expect(states(at)).toEqual(['open', 'draining', 'up'])
    expect(at.recoveries()).toBe(2)
    at.link.close()
  })

  test('a question for its identity that fails closes nothing', async () => {
    const at = await up(far({ isSameServer: () => Promise.reject(new Error('not allowed')) }))
    await at.clock.advance(10_000)
    expect(at.changes).toEqual([])
    at.link.close()
  })

  test('an identity that was asked for before a loss is not believed after it', async () => {
    const answer = gate<boolean>()
    const at = await up(far({ isSameServer: () => answer.promise }))
    await at.clock.advance(2000)
    at.store.lost()
    at.store.ready()
    await at.clock.advance(0)
    answer.open(false)
    await at.clock.advance(0)
    expect(at.link.state).toBe('up')
    at.link.close()
  })
})

describe('a store without a network', () => {
  test('is not asked anything while nobody asks it', async () => {
    const at = await up(near())
    const calls = at.store.calls('*')
    await at.clock.advance(60_000)
    expect(at.store.calls('*')).toBe(calls)
    expect(at.clock.pending()).toBe(0)
    at.link.close()
  })
})

describe('close', () => {
  const situations: Readonly<Record<string, (at: Bench<Remote>) => Promise<void> | void>> = {
    up: () => undefined,
    'up, with calls under way'(at) {
      at.store.hang('*')
      void failing(write(at))
    },
    async 'suspect, with a question under way'(at) {
      at.store.hang('*')
      void failing(write(at))
      await at.clock.advance(DEADLINE)
      expect(at.link.state).toBe('suspect')
    },
    async 'open, between two trials'(at) {
      at.store.fail('*')
      at.store.lost()
      await at.clock.advance(500)
    },
    async 'open, with a trial under way'(at) {
      at.store.hang('*')
      at.store.lost()
      await at.clock.advance(60)
      expect(at.store.hanging()).toBe(1)
    },
  }

  test.each(Object.entries(situations))('%s: leaves no timer and no listener, and says no more', async (_name, begin) => {
    const at = await up(far())
    await begin(at)
    at.changes.splice(0)
    at.link.close()
    expect(at.clock.pending()).toBe(0)
    expect(at.store.watchers).toBe(0)
    at.store.heal()
    at.store.lost()
    at.store.ready()
    await at.clock.advance(10_000)
    expect(at.changes).toEqual([])
    expect(at.clock.pending()).toBe(0)
  })

  test('while draining: the gate stays shut', async () => {
    const told = gate<void>()
    const at = far({ recover: () => told.promise })
    void at.link.start()
    await at.clock.advance(0)
    at.link.close()
    told.open()
    await at.clock.advance(10_000)
    expect(at.link.usable()).toBe(false)
    expect(at.clock.pending()).toBe(0)
  })

  test('calls that wait are told at once that they are late', async () => {
    const at = await up(far())
    at.store.hang('*')
    const call = failing(write(at))
    at.link.close()
    expect(await call).toMatchObject({ code: 'PALIER_STORE_TIMEOUT' })
    at.store.heal()
  })

  test('afterwards the store is not used', async () => {
    const at = await up(far())
    at.link.close()
    const calls = at.store.calls('*')
    await expect(get(at)).rejects.toMatchObject({ code: expect.stringContaining('PALIER_') as string })
    await expect(at.link.reach(store => store.delete(['k']))).rejects.toThrow()
    expect(at.store.calls('*')).toBe(calls)
    expect(at.clock.pending()).toBe(0)
  })
})
