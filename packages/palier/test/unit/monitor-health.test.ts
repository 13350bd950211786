import { afterEach, describe, expect, test } from 'vitest'
import { createCache, createMonitor, type HealthState, memoryStore } from '../../src/index.ts'
import { createHealthJudge, type HealthJudge, type Look, type Minute, worstOf } from '../../src/monitor/health.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { until } from '../support/caches.ts'

const S = 1000
const MIN = 60 * S

const QUIET: Minute = { reads: 1000, hits: 950, errors: 0, hitRate: 95, calls: 100, p95: 2 }
const WELL: Omit<Look, 'now'> = {
  enabled: true,
  fact: { state: 'HEALTHY', reason: 'Redis answers' },
  alone: false,
  minute: QUIET,
  latest: { reads: 100, hits: 95 },
  budgets: [],
  dispute: undefined,
  usual: 90,
}

/** A judge that is looked at every ten seconds, as a monitor does. */
function patient(bornAt = 0) {
  const judge: HealthJudge = createHealthJudge(bornAt)
  let now = bornAt
  const look = (over: Partial<Look> = {}) => {
    now += 10 * S
    return judge.look({ ...WELL, ...over, now })
  }
  return {
    judge,
    get now() {
      return now
    },
    look,
    /** The states of all looks in so many milliseconds, each told once. */
    during(ms: number, over: Partial<Look> = {}): HealthState[] {
      const states: HealthState[] = []
      for (const end = now + ms; now < end; ) {
        const { state } = look(over)
        if (states.at(-1) !== state) states.push(state)
      }
      return states
    },
  }
}

/** Past its youth, warm and well. */
function grown() {
  const one = patient()
  one.during(3 * MIN)
  return one
}

describe('WARMING', () => {
  test('is what a process is for its first two minutes, however well it does', () => {
    const one = patient()
    expect(one.during(MIN + 50 * S)).toEqual(['WARMING'])
    expect(one.look().state).toBe('HEALTHY')
  })

  test('goes on until it finds four fifths of what is usual at this hour, or a quarter of an hour', () => {
    const poor = { minute: { ...QUIET, hitRate: 71.9 } }
    const one = patient()
    expect(one.during(14 * MIN + 50 * S, poor)).toEqual(['WARMING'])
    expect(one.look(poor).state).toBe('HEALTHY')
    const two = patient()
    expect(two.during(10 * MIN, poor)).toEqual(['WARMING'])
    const fair = two.look({ minute: { ...QUIET, hitRate: 72 } })
    expect(fair.state).toBe('HEALTHY')
  })

  test('where nothing is known of this hour, half of all reads found is enough', () => {
    const one = patient()
    const look = (hitRate: number) => one.look({ minute: { ...QUIET, hitRate }, usual: undefined })
    one.during(5 * MIN, { minute: { ...QUIET, hitRate: 49 }, usual: undefined })
    expect(look(49.9).state).toBe('WARMING')
    expect(look(50).state).toBe('HEALTHY')
  })

  test('comes again when everything was cleared, and says so', () => {
    const one = grown()
    one.judge.warm(one.now, 'everything was cleared')
    const poor = { minute: { ...QUIET, hitRate: 10 } }
    const { state, reason } = one.look(poor)
    expect(state).toBe('WARMING')
    expect(reason).toBe('memory is filling: everything was cleared 10 s ago; 10 % hits in the last minute')
    expect(one.look().state).toBe('HEALTHY')
  })

  test('few reads say nothing of warmth', () => {
    const one = patient()
    const few = { minute: { ...QUIET, reads: 19, hitRate: 100 } }
    expect(one.during(14 * MIN, few)).toEqual(['WARMING'])
  })
})

describe('DEGRADED', () => {
  const troubles: readonly { name: string; over: Partial<Look>; reason: RegExp }[] = [
    {
      name: 'the cache says so',
      over: { fact: { state: 'DEGRADED', reason: 'redis is out' } },
      reason: /^redis is out$/,
    },
    {
      name: 'more than one read in a hundred fails',
      over: { minute: { ...QUIET, errors: 11 } },
      reason: /^11 errors in 1000 reads of the last minute/,
    },
    {
      name: 'a budget is nearly used up',
      over: { budgets: [{ name: 'disk', used: 91, limit: 100 }] },
      reason: /^disk is nearly used up: 91.0 %$/,
    },
    { name: 'processes do not agree', over: { dispute: '3 processes run 2 versions' }, reason: /^3 processes/ },
  ]

  test.each(troubles)('at once when $name, and until a minute after it ended', ({ over, reason }) => {
    const one = grown()
    const first = one.look(over)
    expect(first.state).toBe('DEGRADED')
    expect(first.reason).toMatch(reason)
    expect(one.during(MIN)).toEqual(['DEGRADED'])
    expect(one.look().state).toBe('HEALTHY')
  })

  test('a trouble that comes back within the minute starts it anew', () => {
    const one = grown()
    const bad = { dispute: 'they differ' }
    one.look(bad)
    one.during(50 * S)
    one.look(bad)
    expect(one.during(MIN)).toEqual(['DEGRADED'])
    expect(one.look().state).toBe('HEALTHY')
  })

  test('what is over and watched says what it was', () => {
    const one = grown()
    one.look({ dispute: 'they differ' })
    expect(one.look().reason).toBe('over for 0 s, and watched: they differ')
    expect(one.look().reason).toBe('over for 10 s, and watched: they differ')
  })

  test('three times slower than its own pace, once there is one', () => {
    const slow = { minute: { ...QUIET, p95: 20 } }
    const young = grown()
    expect(young.look(slow).state).toBe('HEALTHY')
    const one = grown()
    one.during(6 * MIN)
    expect(one.look({ minute: { ...QUIET, p95: 5.9 } }).state).toBe('HEALTHY')
    expect(one.look({ ...slow, minute: { ...slow.minute, calls: 19 } }).state).toBe('HEALTHY')
    const { state, reason } = one.look(slow)
    expect(state).toBe('DEGRADED')
    expect(reason).toBe('the backend is slow: 95 % of calls within 20.0 ms, usually 2.0 ms')
    // Slowness does not become the pace it is measured by.
    expect(one.during(60 * MIN, slow)).toEqual(['DEGRADED'])
  })

  test('a fast backend is not slow because it takes four milliseconds', () => {
    const one = patient()
    one.during(10 * MIN, { minute: { ...QUIET, p95: 0.3 } })
    expect(one.look({ minute: { ...QUIET, p95: 4.9 } }).state).toBe('HEALTHY')
  })

  test('one or two errors are no state', () => {
    const one = grown()
    expect(one.look({ minute: { ...QUIET, reads: 10, errors: 2 } }).state).toBe('HEALTHY')
  })
})

describe('DOWN', () => {
  const lost: Partial<Look> = {
    fact: { state: 'DEGRADED', reason: 'redis is out' },
    alone: true,
    latest: { reads: 50, hits: 0 },
  }

  test('when the backend is out and nothing is found twice in a row', () => {
    const one = grown()
    expect(one.look(lost).state).toBe('DEGRADED')
    const { state, reason } = one.look(lost)
    expect(state).toBe('DOWN')
    expect(reason).toBe('nothing is kept, every read goes to the source: redis is out')
  })

  test('memory that still finds something keeps it from being down', () => {
    const one = grown()
    expect(one.during(5 * MIN, { ...lost, latest: { reads: 50, hits: 1 } })).toEqual(['DEGRADED'])
  })

  test('silence does not end it; the first success does, a minute later', () => {
    const one = grown()
    one.during(30 * S, lost)
    expect(one.during(5 * MIN, { ...lost, latest: { reads: 3, hits: 0 } })).toEqual(['DOWN'])
    expect(one.during(MIN)).toEqual(['DOWN'])
    expect(one.look().state).toBe('HEALTHY')
  })

  test('a failure within that minute starts it anew', () => {
    const one = grown()
    one.during(30 * S, lost)
    one.during(50 * S)
    one.during(20 * S, lost)
    expect(one.during(MIN)).toEqual(['DOWN'])
    expect(one.look().state).toBe('HEALTHY')
  })
})

test('a disabled cache is well: that is what was asked for', () => {
  const one = patient()
  const { state, reason } = one.look({ enabled: false, fact: { state: 'HEALTHY', reason: 'the cache is disabled' } })
  expect([state, reason]).toEqual(['HEALTHY', 'the cache is disabled'])
})

test('of several processes the worst counts, with how many are so', () => {
  const well = { state: 'HEALTHY', reason: 'fine' } as const
  const bad = { state: 'DEGRADED', reason: 'redis is out' } as const
  expect(worstOf([well, bad, well])).toEqual({
    state: 'DEGRADED',
    reason: '1 of 3 processes: redis is out',
    affected: 1,
    processes: 3,
  })
  expect(worstOf([well])).toMatchObject({ state: 'HEALTHY', reason: 'fine' })
})

describe('the health of a monitor', () => {
  const open: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })

  test('warms anew when an operator changes how long entries live', async () => {
    const clock = manualClock()
    const cache = createCache({ namespace: 'shop', backend: 'memory', clock, logger: false })
    const monitor = createMonitor(cache, { clock, logger: false, advice: false, timer: false, alerts: false })
    open.push(monitor, cache)
    await cache.ready()
    await cache.set('k', 1)
    for (let i = 0; i < 13; i++) {
      await clock.advance(10 * S)
      for (let reads = 0; reads < 30; reads++) await cache.get('k')
      await monitor.tick()
    }
    expect(monitor.health().state).toBe('HEALTHY')
    await clock.advance(2 * 60 * S)
    await cache.operator.setPolicy('dashboard', { ttl: '1m' })
    await monitor.tick()
    expect(monitor.health()).toMatchObject({
      state: 'WARMING',
      reason: expect.stringContaining('dashboard was changed'),
    })
    expect(monitor.snapshot().events.at(-1)?.kind).toBe('health')
    expect(monitor.snapshot().events.some(({ kind, text }) => kind === 'policy' && text.includes('60000'))).toBe(true)
  })

  test('holds a trouble for a minute after the cache says it is over, and keeps a timeline', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ namespace: 'shop', store, clock, logger: false })
    const lines: string[] = []
    const logger = { warn: (line: string) => lines.push(line), info: (line: string) => lines.push(line) }
    const monitor = createMonitor(cache, { clock, logger, advice: false, timer: false, alerts: false })
    open.push(monitor, cache)
    await cache.ready()
    await cache.set('k', 1)
    const look = async (): Promise<HealthState> => {
      await clock.advance(10 * S)
      for (let i = 0; i < 30; i++) await cache.get('k')
      await monitor.tick()
      return monitor.health().state
    }
    expect(monitor.health().state).toBe('WARMING')
    for (let i = 0; i < 12; i++) await look()
    expect(monitor.health().state).toBe('HEALTHY')
    const grownUp = monitor.snapshot().sequence
    store.fail('*')
    await until('the cache has given its store up', async () => {
      await cache.get(`x ${Math.random()}`)
      return cache.status().state === 'DEGRADED'
    })
    await monitor.tick()
    expect(monitor.health()).toMatchObject({ state: 'DEGRADED', since: clock.wall() })
    store.heal()
    await until('the cache is well again', async () => {
      await clock.advance(S)
      return cache.status().state === 'HEALTHY'
    })
    await cache.set('k', 1)
    await monitor.tick()
    expect(monitor.health()).toMatchObject({ state: 'DEGRADED', reason: expect.stringMatching(/^over for 0 s/) })
    const states: HealthState[] = []
    for (let i = 0; i < 7; i++) states.push(await look())
    expect(states.slice(0, 5)).toEqual(Array(5).fill('DEGRADED'))
    expect(states.slice(6)).toEqual(['HEALTHY'])
    const { events, sequence } = monitor.snapshot(grownUp)
    const kinds = events.filter(one => one.kind === 'health').map(one => one.text.split(':')[0])
    expect(kinds).toEqual(['DEGRADED', 'HEALTHY'])
    expect(events.map(one => one.sequence)).toEqual(events.map((_one, i) => grownUp + 1 + i))
    expect(monitor.snapshot(sequence).events).toEqual([])
    expect(events.some(one => one.kind === 'link')).toBe(true)
    await cache.deleteByTag('t')
    await cache.clear()
    expect(monitor.snapshot(sequence).events.map(one => one.text)).toEqual([
      'the tag t was cleared',
      'everything was cleared',
    ])
  })
})
