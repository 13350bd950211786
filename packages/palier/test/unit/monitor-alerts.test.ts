import { afterEach, describe, expect, test } from 'vitest'
import {
  type Alert,
  type Cache,
  createCache,
  createMonitor,
  memoryStore,
  type Monitor,
  type MonitorOptions,
} from '../../src/index.ts'
import { summaryLine } from '../../src/log.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { until } from '../support/caches.ts'

const MINUTE = 60_000

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

interface Node {
  readonly cache: Cache
  readonly monitor: Monitor
  readonly store: FaultyStore
  /** What it told: "Cache performance degraded", "over: Cache performance degraded". */
  readonly told: string[]
}

interface Room {
  readonly clock: ManualClock
  readonly nodes: Node[]
  readonly lines: string[]
  join(): Node
  /** A minute in which every process looks six times, the work being done before each look. */
  minute(work?: (node: Node) => Promise<void>, only?: readonly Node[]): Promise<void>
}

function room(size: number, options: MonitorOptions = {}): Room {
  const clock = manualClock()
  const shared = memoryStore({ clock })
  const nodes: Node[] = []
  const lines: string[] = []
  const logger = {
    warn: (line: string) => void lines.push(`warn ${line}`),
    info: (line: string) => void lines.push(`info ${line}`),
  }
  const join = (): Node => {
    const store = faulty(nodes.length === 0 ? shared : shared.connect())
    const told: string[] = []
    const cache = createCache({ namespace: 'shop', store, clock, logger: false })
    const onAlert = ({ text, until: over }: Alert): void => void told.push(over === undefined ? text : `over: ${text}`)
    const made = { clock, logger, advice: false, timer: false, onAlert, ...options } as const
    const node: Node = { cache, monitor: createMonitor(cache, made), store, told }
    open.push(cache, node.monitor)
    nodes.push(node)
    return node
  }
  Array.from({ length: size }, join)
  return {
    clock,
    nodes,
    lines,
    join,
    async minute(work = async () => undefined, only = nodes) {
      for (let i = 0; i < 6; i++) {
        await clock.advance(10_000)
        for (const node of only) {
          await node.cache.ready()
          await work(node)
          await node.monitor.tick()
        }
      }
    },
  }
}

async function hits(node: Node, times: number): Promise<void> {
  if ((await node.cache.peek('k')) === undefined) await node.cache.set('k', 1, { ttl: '1d' })
  for (let i = 0; i < times; i++) await node.cache.get('k')
}

async function misses(node: Node, times: number, type: 'user' | 'product' = 'user'): Promise<void> {
  for (let i = 0; i < times; i++) await node.cache.type(type).get(`none ${i}`)
}

/** Past their youth, and warm. */
async function grow(one: Room): Promise<void> {
  for (let i = 0; i < 4; i++) await one.minute(node => hits(node, 20))
  expect(one.nodes.map(node => node.monitor.health().state)).toEqual(one.nodes.map(() => 'HEALTHY'))
}

const toldBy = ({ nodes }: Room): string[] => nodes.flatMap(node => node.told)

describe('alerts', () => {
  test('a low hit rate is told by one process of all, once, and its end as well', async () => {
    const one = room(2)
    await grow(one)
    // No process alone has read enough to say it.
    for (let i = 0; i < 7; i++) await one.minute(node => misses(node, 6))
    const [first] = toldBy(one)
    expect(toldBy(one).filter(text => text === 'Cache performance degraded')).toHaveLength(1)
    expect(first).toBeDefined()
    const active = one.nodes[1]?.monitor
      .alerts()
      .active.map(alert => alert.signature)
      .sort()
    expect(active).toEqual(['hit-rate', 'misses:user'])
    for (let i = 0; i < 8; i++) await one.minute(node => hits(node, 40))
    expect(toldBy(one).filter(text => text === 'over: Cache performance degraded')).toHaveLength(1)
    for (const { monitor } of one.nodes) expect(monitor.alerts().active).toEqual([])
    expect(one.lines.filter(line => line.includes('[CACHE ALERT]') && line.includes('performance'))).toEqual([
      expect.stringMatching(
        /^warn \[CACHE ALERT\] shop: Cache performance degraded: \d+(\.\d)? % hits in [\d,]+ reads, expected 50 %$/,
      ),
      expect.stringMatching(/^info \[CACHE ALERT\] shop: over: Cache performance degraded/),
    ])
  })

  test('too few reads, and a cache that is warming, say nothing of a rate', async () => {
    const few = room(1)
    await grow(few)
    for (let i = 0; i < 6; i++) await few.minute()
    for (let i = 0; i < 6; i++) await few.minute(node => misses(node, 6))
    expect(toldBy(few)).toEqual([])
    const young = room(1)
    for (let i = 0; i < 6; i++) await young.minute(node => misses(node, 100))
    expect(young.nodes[0]?.monitor.health().state).toBe('WARMING')
    expect(toldBy(young)).toEqual([])
  })

  test('one type that finds nothing is named while the rest does well', async () => {
    const one = room(1)
    await grow(one)
    for (let i = 0; i < 6; i++) {
      await one.minute(async node => {
        await hits(node, 100)
        await misses(node, 20, 'product')
      })
    }
    expect(toldBy(one)).toEqual(['High miss rate of product'])
    expect(one.nodes[0]?.monitor.alerts().active[0]?.detail).toMatch(
      /^100.0 % misses in \d+ reads, expected at most 80 %$/,
    )
  })

  test('more than ten errors are told, ten are not', async () => {
    const one = room(1)
    await grow(one)
    const [node] = one.nodes
    const fail = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        node?.store.fail('get', 1)
        await node?.cache.get(`e ${i}`)
        // A success between, or the store would be given up.
        await node?.cache.get(`e ${i}`)
      }
    }
    await fail(10)
    await one.minute()
    expect(node?.cache.stats().errors).toBe(10)
    expect(toldBy(one)).toEqual([])
    await fail(1)
    await one.minute()
    expect(toldBy(one)).toEqual(['Too many cache errors'])
    for (let i = 0; i < 8; i++) await one.minute()
    expect(toldBy(one)).toEqual(['Too many cache errors', 'over: Too many cache errors'])
    expect(node?.monitor.alerts().recent.map(alert => alert.signature)).toEqual(['errors'])
  })

  test('a backend that is down is told at the next look, without asking it, and again only after a rest', async () => {
    const one = room(1)
    await grow(one)
    const [node] = one.nodes
    const breakIt = async (): Promise<void> => {
      node?.store.fail('*')
      await until('the cache has given its store up', async () => {
        await node?.cache.get(`x ${Math.random()}`)
        return node?.cache.status().state === 'DEGRADED'
      })
    }
    await breakIt()
    await node?.monitor.tick()
    expect(toldBy(one)).toEqual(['memory is down'])
    await one.minute()
    expect(toldBy(one)).toEqual(['memory is down'])
    node?.store.heal()
    await one.minute()
    await one.minute()
    expect(toldBy(one)).toEqual(['memory is down', 'over: memory is down'])
    await breakIt()
    await one.minute()
    expect(toldBy(one)).toHaveLength(2)
    for (let i = 0; i < 5; i++) await one.minute()
    expect(toldBy(one)).toEqual(['memory is down', 'over: memory is down', 'memory is down'])
    node?.store.heal()
  })

  test('what is active outlives the process that told it: not told again, and its end is', async () => {
    const budgets: { name: string; used: number; limit: number }[] = [{ name: 'disk', used: 95, limit: 100 }]
    const one = room(1, { budgets: () => budgets })
    await one.minute()
    expect(toldBy(one)).toEqual(['disk is nearly used up'])
    await one.nodes[0]?.monitor.close()
    const next = one.join()
    await one.minute(undefined, [next])
    expect(next.told).toEqual([])
    expect(next.monitor.alerts().active).toMatchObject([
      { signature: 'budget:disk', detail: '95.0 % used, expected at most 90 %' },
    ])
    budgets.splice(0)
    for (let i = 0; i < 3; i++) await one.minute(undefined, [next])
    expect(next.told).toEqual(['over: disk is nearly used up'])
  })

  test('a cache that is switched off finds nothing, and that is no trouble', async () => {
    const clock = manualClock()
    const cache = createCache({ namespace: 'shop', enabled: false, backend: 'memory', clock, logger: false })
    const told: Alert[] = []
    const onAlert = (alert: Alert) => told.push(alert)
    const monitor = createMonitor(cache, { clock, logger: false, advice: false, timer: false, onAlert })
    open.push(cache, monitor)
    expect(monitor.alerts().lookedAt).toBeUndefined()
    for (let i = 0; i < 10; i++) {
      for (let k = 0; k < 100; k++) await cache.get('k')
      await clock.advance(MINUTE)
      await monitor.tick()
    }
    expect(told).toEqual([])
    expect(monitor.health().state).toBe('HEALTHY')
  })

  test('limits are those that were set, and false is none', async () => {
    const budgets = () => [{ name: 'disk', used: 70, limit: 100 }]
    const strict = room(1, { budgets, alerts: { budget: 60 } })
    await strict.minute()
    expect(toldBy(strict)).toEqual(['disk is nearly used up'])
    const none = room(1, { budgets, alerts: false })
    await none.minute()
    expect(toldBy(none)).toEqual([])
    expect(none.nodes[0]?.monitor.alerts()).toEqual({ active: [], recent: [], lookedAt: none.clock.wall() })
  })
})

describe('the line a minute', () => {
  test('says what happened in it, and nothing when nothing did', async () => {
    const one = room(1)
    const lines = (): string[] => one.lines.filter(line => line.startsWith('info [CACHE] '))
    await one.minute(node => hits(node, 20))
    expect(lines()).toEqual([])
    await one.minute(async node => {
      await hits(node, 15)
      await node.cache.getOrSet(`l ${Math.random()}`, () => 1)
    })
    expect(lines()).toEqual([
      'info [CACHE] shop: 136 reads, 99.3 % hits, 0 errors, backend custom, p95 load under 1 ms',
    ])
    await one.minute()
    await one.minute()
    await one.minute()
    expect(lines()).toHaveLength(2)
  })

  test('is made of few words', () => {
    const numbers = { namespace: 'shop', reads: 1204, hitRate: 93.14, errors: 3, backend: 'redis', loadP95: 12.3 }
    expect(summaryLine(numbers)).toBe('[CACHE] shop: 1,204 reads, 93.1 % hits, 3 errors, backend redis, p95 load 12 ms')
    expect(summaryLine({ ...numbers, reads: 0, loadP95: undefined })).toBe(
      '[CACHE] shop: 0 reads, 3 errors, backend redis',
    )
    expect(summaryLine({ ...numbers, reads: 0, errors: 0 })).toBeUndefined()
  })
})

test('options that are wrong are named', () => {
  const { cache } = room(1).nodes[0] as Node
  const wrong: readonly [MonitorOptions, RegExp][] = [
    [{ every: 10 }, /^every: expected/],
    [{ alerts: { hitRate: 101 } }, /^alerts.hitRate: expected a number from 0 to 100/],
    [{ alerts: { hitrate: 1 } as never }, /^alerts.hitrate: expected one of hitRate/],
    [{ webhook: 'ftp://s3cret' }, /^webhook: expected an address that begins with http/],
    [{ webhook: 's3cret' }, /^webhook: expected an address/],
    [{ onAlert: 1 as never }, /^onAlert: expected a function/],
    [{ logger: {} as never }, /^logger: expected an object with warn and info/],
    [{ extra: [1] as never }, /^extra: expected an array of functions/],
    [{ colour: 1 } as never, /^colour: expected one of every/],
  ]
  for (const [options, message] of wrong) {
    expect(() => createMonitor(cache, options)).toThrow(expect.objectContaining({ code: 'PALIER_BAD_OPTION' }))
    expect(() => createMonitor(cache, options)).toThrow(message)
    expect(() => createMonitor(cache, options)).not.toThrow(/s3cret/)
  }
})

test('sources, budgets and loggers that fail do not stop the looks, and are told once', async () => {
  const clock = manualClock()
  const cache = createCache({ namespace: 'shop', backend: 'memory', clock, logger: false })
  const lines: string[] = []
  const logger = {
    info: () => undefined,
    warn(line: string) {
      lines.push(line)
      throw new Error('the disk is full')
    },
  }
  let isBroken = false
  const jobs = { name: 'app_jobs_total', help: 'Jobs.', type: 'counter', points: [{ value: 4 }] } as const
  const breaking = async () => {
    if (isBroken) throw new Error('no queue')
    return [jobs]
  }
  const full = () => {
    throw new Error('no disk')
  }
  const monitor = createMonitor(cache, { clock, logger, advice: false, extra: [breaking], budgets: full })
  open.push(cache, monitor)
  await cache.ready()
  for (let i = 0; i < 20; i++) {
    await clock.advance(10_000)
    await cache.get('k')
    isBroken = true
  }
  await monitor.tick()
  expect(lines).toEqual([
    '[CACHE MONITOR] shop: budgets: no disk',
    '[CACHE MONITOR] shop: a source of metrics: no queue',
  ])
  expect((await monitor.history('hours')).buckets.at(-1)?.reads).toBe(20)
  // What it said last stays: a counter must not go back because its source is out.
  expect(await monitor.prometheus()).toContain('app_jobs_total{cache="shop"} 4\n')
})

test('a source that does not answer is passed over after five seconds', async () => {
  const clock = manualClock()
  const cache = createCache({ namespace: 'shop', backend: 'memory', clock, logger: false })
  const silent = () => new Promise<never>(() => undefined)
  const monitor = createMonitor(cache, {
    clock,
    logger: false,
    advice: false,
    timer: false,
    extra: [silent],
    budgets: silent,
  })
  open.push(cache, monitor)
  const page = monitor.prometheus()
  await clock.advance(5000)
  expect(await page).toContain('palier_processes{cache="shop"} 1')
  const looked = monitor.tick()
  await clock.advance(5000)
  await clock.advance(5000)
  await looked
  expect(monitor.alerts().lookedAt).toBe(clock.wall())
})

test('the timer looks by itself, and close ends it and hands over', async () => {
  const clock = manualClock()
  const cache = createCache({ namespace: 'shop', backend: 'memory', clock, logger: false })
  await cache.ready()
  const monitor = createMonitor(cache, { clock, logger: false, advice: false })
  open.push(cache)
  await cache.get('none')
  await clock.advance(10_000)
  await monitor.tick()
  expect((await monitor.history('minutes')).buckets.at(-1)?.reads).toBe(1)
  await monitor.close()
  const timers = clock.pending()
  await monitor.close()
  await clock.advance(MINUTE)
  expect(clock.pending()).toBeLessThanOrEqual(timers)
  // The cache may be closed already: then there is nobody to hand over to.
  const late = createMonitor(cache, { clock, logger: false, advice: false })
  await cache.close()
  await late.tick()
  await late.close()
})
