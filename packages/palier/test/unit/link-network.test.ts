import { describe, expect, test } from 'vitest'
import { gate } from '../support/caches.ts'
import { type Bench, DEADLINE, failing, far, get, near, states, up, write } from '../support/link-bench.ts'
import type { Remote } from '../support/remote.ts'

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

  test.each(Object.entries(situations))(
    '%s: leaves no timer and no listener, and says no more',
    async (_name, begin) => {
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
    },
  )

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
