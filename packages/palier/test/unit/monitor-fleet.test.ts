import { afterEach, describe, expect, test } from 'vitest'
import {
  type Cache,
  createCache,
  createMonitor,
  memoryStore,
  type Monitor,
  type MonitorOptions,
} from '../../src/index.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { until } from '../support/caches.ts'
import { together } from '../support/passing.ts'
import { lintMetrics, metric, parseMetrics } from '../support/prometheus.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

const MINUTE = 60_000

interface Node {
  readonly cache: Cache
  readonly monitor: Monitor
  readonly store: FaultyStore
}

/** Caches on one store under one clock, each with a monitor that looks only when it is told to. */
function fleet(size: number, options: MonitorOptions = {}): { clock: ManualClock; nodes: Node[]; join(): Node } {
  const clock = manualClock()
  const shared = memoryStore({ clock })
  let first = true
  const join = (): Node => {
    const store = faulty(first ? shared : shared.connect())
    first = false
    const cache = createCache({ namespace: 'shop', store, clock, logger: false })
    const monitor = createMonitor(cache, { clock, logger: false, advice: false, timer: false, ...options })
    open.push(cache, monitor)
    return { cache, monitor, store }
  }
  return { clock, nodes: Array.from({ length: size }, join), join }
}

async function read(node: Node | undefined, times: number): Promise<void> {
  await node?.cache.ready()
  for (let i = 0; i < times; i++) await node?.cache.get(`none ${i}`)
}

const missesSeenBy = async (node: Node | undefined): Promise<number> => {
  const families = parseMetrics((await node?.monitor.prometheus()) ?? '')
  expect(lintMetrics(families)).toEqual([])
  return metric(families, 'palier_cache_requests_total', { cache: 'shop', result: 'miss' })
}

describe('a fleet', () => {
  test('is the sum of what each process counted, whoever is asked', async () => {
    const { nodes } = fleet(3)
    const [a, b, c] = nodes
    await read(a, 5)
    await read(b, 7)
    await read(c, 11)
    for (const node of nodes) await node.monitor.tick()
    for (const node of nodes) expect(await missesSeenBy(node)).toBe(23)
    const seen = await a?.monitor.fleet()
    expect(seen).toMatchObject({ readable: true, health: { state: 'WARMING', affected: 3, processes: 3 } })
    expect(seen?.health.reason).toMatch(/^3 of 3 processes: /)
    expect(seen?.processes.map(one => one.id).sort()).toEqual(nodes.map(one => one.cache.id).sort())
    expect(seen?.processes[0]).toMatchObject({ pid: process.pid, name: 'node', backend: 'custom', age: 0 })
    // Of itself a process knows more than it has told.
    await read(a, 1)
    expect(await missesSeenBy(a)).toBe(24)
    expect(await missesSeenBy(b)).toBe(23)
  })

  test('keeps what a process counted that closed, and counts it once', async () => {
    const { nodes } = fleet(2)
    const [a, b] = nodes
    await read(a, 5)
    await read(b, 7)
    await a?.monitor.tick()
    await b?.monitor.close()
    expect(await missesSeenBy(a)).toBe(12)
    expect(await missesSeenBy(a)).toBe(12)
    expect((await a?.monitor.fleet())?.processes).toHaveLength(1)
  })

  test('takes over what a process counted that says nothing any more, once whoever notices', async () => {
    const { nodes, clock } = fleet(3)
    const [a, b, c] = nodes
    await read(a, 5)
    await read(b, 7)
    await read(c, 11)
    for (const node of nodes) await node.monitor.tick()
    // c is silent from here on; the others notice at the same time.
    await clock.advance(4 * MINUTE)
    await together(
      clock,
      () => a?.monitor.tick(),
      () => b?.monitor.tick(),
    )
    await together(
      clock,
      () => missesSeenBy(a),
      () => missesSeenBy(b),
      () => missesSeenBy(a),
    )
    for (const node of [a, b]) {
      expect(await missesSeenBy(node)).toBe(23)
      expect((await node?.monitor.fleet())?.processes).toHaveLength(2)
    }
    // Nothing is lost when all that is left of it has expired.
    await clock.advance(2 * 86_400_000)
    await together(
      clock,
      () => a?.monitor.tick(),
      () => b?.monitor.tick(),
    )
    expect(await missesSeenBy(a)).toBe(23)
  })

  test('a process that was taken for dead goes on from there', async () => {
    const { nodes, clock } = fleet(2)
    const [a, b] = nodes
    await read(a, 5)
    await read(b, 7)
    for (const node of nodes) await node.monitor.tick()
    await clock.advance(4 * MINUTE)
    await a?.monitor.tick()
    expect((await a?.monitor.fleet())?.processes).toHaveLength(1)
    await read(b, 100)
    // Asked before it has told anything again.
    expect(await missesSeenBy(b)).toBe(112)
    await b?.monitor.tick()
    expect(await missesSeenBy(a)).toBe(112)
    expect(await missesSeenBy(b)).toBe(112)
    // And once more, asleep for so long that even its sealed slip is gone.
    await clock.advance(86_400_000)
    await a?.monitor.tick()
    expect((await a?.monitor.fleet())?.processes).toHaveLength(1)
    await clock.advance(86_400_000)
    await read(b, 1000)
    await b?.monitor.tick()
    expect(await missesSeenBy(b)).toBe(1112)
    await a?.monitor.tick()
    expect(await missesSeenBy(a)).toBe(1112)
    expect((await a?.monitor.fleet())?.processes).toHaveLength(2)
  })

  test('counters never go back while the backend is out, and it is said that the others are as of before', async () => {
    const { nodes } = fleet(2)
    const [a, b] = nodes
    await read(a, 5)
    await read(b, 7)
    for (const node of nodes) await node.monitor.tick()
    expect(await missesSeenBy(a)).toBe(12)
    a?.store.fail('get')
    a?.store.fail('getMany')
    a?.store.fail('claim')
    await until('the cache has given its store up', async () => {
      await a?.cache.get('x')
      return a?.cache.status().state === 'DEGRADED'
    })
    await a?.monitor.tick()
    const families = parseMetrics((await a?.monitor.prometheus()) ?? '')
    expect(metric(families, 'palier_fleet_readable')).toBe(0)
    expect(metric(families, 'palier_backend_up')).toBe(0)
    expect(metric(families, 'palier_backend_switches_total', { from: 'memory', to: 'memory' })).toBe(1)
    expect(metric(families, 'palier_cache_errors_total')).toBeGreaterThan(0)
    expect(metric(families, 'palier_cache_requests_total', { result: 'miss' })).toBeGreaterThan(12)
    a?.store.heal()
  })

  test('gauges are added, except those each process sees the whole of; up is the worst', async () => {
    const extra = () => [
      { name: 'app_jobs', help: 'Jobs.', type: 'gauge', points: [{ value: 2 }] } as const,
      {
        name: 'palier_sessions_active',
        help: 'Sessions.',
        type: 'gauge',
        fleet: 'max',
        points: [{ value: 9 }],
      } as const,
      {
        name: 'app_jobs_total',
        help: 'Jobs.',
        type: 'counter',
        points: [{ labels: { kind: 'a' }, value: 3 }],
      } as const,
    ]
    const { nodes } = fleet(3, { extra: [extra] })
    for (const node of nodes) {
      await node.cache.ready()
      await node.monitor.tick()
    }
    const families = parseMetrics((await nodes[0]?.monitor.prometheus()) ?? '')
    expect(metric(families, 'app_jobs')).toBe(6)
    expect(metric(families, 'app_jobs_total', { kind: 'a' })).toBe(9)
    expect(metric(families, 'palier_sessions_active')).toBe(9)
    expect(metric(families, 'palier_processes')).toBe(3)
    expect(metric(families, 'palier_backend_up')).toBe(1)
  })

  test('an idle process writes once a minute, a busy one at each look', async () => {
    const { nodes, clock } = fleet(1)
    const [a] = nodes
    const writes = async (looks: number, busy: boolean): Promise<number> => {
      const before = a?.store.calls('commit') ?? 0
      for (let i = 0; i < looks; i++) {
        await clock.advance(10_000)
        if (busy) await read(a, 1)
        await a?.monitor.tick()
      }
      return (a?.store.calls('commit') ?? 0) - before
    }
    await writes(12, true)
    await writes(12, false)
    expect(await writes(12, false)).toBe(2)
    // Besides its slip, four pages of history a minute.
    expect(await writes(12, true)).toBe(12 + 2 * 4)
  })
})
