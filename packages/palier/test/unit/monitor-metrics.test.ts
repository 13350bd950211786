import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { Cache, CacheOptions, Metric, Monitor, MonitorOptions } from '../../src/index.ts'
import { createMonitor } from '../../src/index.ts'
import type { ManualClock } from '../../src/testing.ts'
import { memoryCache, pair } from '../support/caches.ts'
import { lintMetrics, metric, parseMetrics } from '../support/prometheus.ts'

import type { MeteredChild } from '../support/monitor-meter-child.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

function watched(options: MonitorOptions = {}, cacheOptions: CacheOptions = {}) {
  const { cache, clock } = memoryCache({ namespace: 'shop', ...cacheOptions })
  return { cache, clock, monitor: watch(cache, clock, options) }
}

function watch(cache: Cache, clock: ManualClock, options: MonitorOptions = {}): Monitor {
  const monitor = createMonitor(cache, { clock, logger: false, advice: false, ...options })
  open.push(monitor, cache)
  return monitor
}

async function traffic(cache: Cache): Promise<void> {
  await cache.ready()
  const users = cache.type('user')
  await users.getOrSet('1', () => ({ name: 'a' }))
  await users.get('1')
  await users.get('1')
  await cache.get('none')
  await cache.set('x', 1, { tags: ['t'] })
  await cache.delete('x')
  await cache.deleteByTag('t')
  await users.getOrSet('2', () => Promise.reject(new Error('down'))).catch(() => undefined)
}

describe('Prometheus', () => {
  test('is told what happened, in a page that promtool would pass', async () => {
    const { cache, monitor } = watched()
    await traffic(cache)
    const families = parseMetrics(await monitor.prometheus())
    expect(lintMetrics(families)).toEqual([])
    const user = { cache: 'shop', type: 'user' }
    expect(metric(families, 'palier_cache_requests_total', { ...user, result: 'hit' })).toBe(2)
    expect(metric(families, 'palier_cache_requests_total', { ...user, result: 'miss' })).toBe(1)
    expect(metric(families, 'palier_cache_requests_total', { type: 'default', result: 'miss' })).toBe(1)
    expect(metric(families, 'palier_cache_misses_total', { ...user, reason: 'absent' })).toBe(1)
    expect(metric(families, 'palier_cache_fills_total', { ...user, outcome: 'success' })).toBe(1)
    expect(metric(families, 'palier_cache_fills_total', { ...user, outcome: 'error' })).toBe(1)
    expect(metric(families, 'palier_cache_fill_duration_seconds_count', user)).toBe(1)
    expect(metric(families, 'palier_invalidations_total', { scope: 'tag' })).toBe(1)
    expect(metric(families, 'palier_invalidations_total', { scope: 'key' })).toBe(1)
    expect(metric(families, 'palier_cache_entries')).toBe(1)
    expect(metric(families, 'palier_cache_size_bytes')).toBeGreaterThan(0)
    expect(metric(families, 'palier_backend_up', { backend: 'memory' })).toBe(1)
    expect(metric(families, 'palier_health_state', { state: 'WARMING' })).toBe(1)
    expect(metric(families, 'palier_health_state')).toBe(1)
    expect(metric(families, 'palier_processes')).toBe(1)
    expect(metric(families, 'palier_outbox_pending')).toBe(0)
  })

  test('of a shared store: its calls, bytes, errors, and whether it is up', async () => {
    const { a, clock } = pair({ namespace: 'shop' })
    const monitor = watch(a, clock)
    await a.ready()
    await a.set('k', 'v'.repeat(500))
    await a.get('another')
    const families = parseMetrics(await monitor.prometheus({ scope: 'process' }))
    expect(lintMetrics(families)).toEqual([])
    expect(metric(families, 'palier_backend_up', { backend: 'memory' })).toBe(1)
    expect(metric(families, 'palier_cache_written_bytes_total', { backend: 'memory' })).toBeGreaterThan(100)
    expect(metric(families, 'palier_cache_operation_duration_seconds_count', { op: 'read' })).toBeGreaterThan(0)
  })

  test('reads that pass the cache by are no misses', async () => {
    const { cache, monitor } = watched({}, { enabled: false })
    await cache.getOrSet('k', () => 1)
    const families = parseMetrics(await monitor.prometheus())
    expect(metric(families, 'palier_cache_requests_total', { result: 'bypass' })).toBe(1)
    expect(metric(families, 'palier_cache_requests_total', { result: 'miss' })).toBe(0)
  })

  test('text from outside cannot break out of its label', async () => {
    const name = 'a"} 1\nevil{x="\\'
    const extra = (): Metric[] => [
      {
        name: 'app_things',
        help: 'Things,\nof \\ all kinds.',
        type: 'gauge',
        points: [{ labels: { name }, value: 3 }],
      },
    ]
    const { monitor } = watched({ extra: [extra] })
    const families = parseMetrics(await monitor.prometheus())
    expect(families.get('app_things')?.samples).toEqual([
      { name: 'app_things', labels: { cache: 'shop', name }, value: 3 },
    ])
  })

  test('other sources are shown beside, and a source that is wrong is named', async () => {
    let decisions = 1
    const extra = async (): Promise<Metric[]> => [
      {
        name: 'palier_ratelimit_decisions_total',
        help: 'Decisions of limiters.',
        type: 'counter',
        points: [{ labels: { limiter: 'login', decision: 'allowed', source: 'shared' }, value: decisions }],
      },
      { name: 'palier_sessions_active', help: 'Sessions.', type: 'gauge', fleet: 'max', points: [{ value: 7 }] },
    ]
    const { monitor } = watched({ extra: [extra] })
    decisions = 5
    const families = parseMetrics(await monitor.prometheus())
    expect(lintMetrics(families)).toEqual([])
    expect(metric(families, 'palier_ratelimit_decisions_total', { limiter: 'login' })).toBe(5)
    expect(metric(families, 'palier_sessions_active')).toBe(7)
    const bad = (over: Partial<Metric>) =>
      watched({ extra: [() => [{ name: 'a', help: 'A.', type: 'gauge', points: [], ...over }]] })
    await expect(bad({ name: 'a-b' }).monitor.prometheus()).rejects.toThrow(/metric.name: expected lower case/)
    await expect(bad({ name: 'palier_cache_entries' }).monitor.prometheus()).rejects.toThrow(/metric.name/)
    await expect(bad({ type: 'counter' }).monitor.prometheus()).rejects.toThrow(/_total/)
    await expect(bad({ help: '' }).monitor.prometheus()).rejects.toThrow(/help: expected a sentence/)
    const label = { points: [{ labels: { le: 'x' }, value: 1 }] }
    await expect(bad(label).monitor.prometheus()).rejects.toThrow(/label/)
    await expect(bad({ points: [{ value: Number.NaN }] }).monitor.prometheus()).rejects.toThrow(/value/)
  })
})

describe('OpenTelemetry', () => {
  // In a process of its own: under the conditions of these tests the package chooses a build that Node cannot load.
  test('is told the same under dotted names, with fills as a histogram, until it is unbound', () => {
    const child = fileURLToPath(new URL('../support/monitor-meter-child.ts', import.meta.url))
    const args = ['--conditions=source', '--import', 'tsx', child]
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect(stderr).toBe('')
    const { bound, unbound } = JSON.parse(stdout) as Record<'bound' | 'unbound', MeteredChild>
    expect(bound['palier.cache.requests']).toMatchObject({ unit: '{request}', type: 'SUM' })
    const user = { 'palier.cache.name': 'shop', 'palier.cache.type': 'user' }
    expect(bound['palier.cache.requests']?.points).toContainEqual({
      attributes: { ...user, 'palier.cache.result': 'hit' },
      value: 2,
    })
    expect(bound['palier.cache.entries']).toMatchObject({ unit: '{entry}', type: 'GAUGE' })
    expect(bound['palier.backend.up']?.points[0]?.attributes).toMatchObject({ 'palier.backend.name': 'memory' })
    expect(bound['app.things']?.points[0]?.value).toBe(4)
    expect(bound['palier.cache.fill.duration']).toMatchObject({
      unit: 's',
      type: 'HISTOGRAM',
      points: [{ attributes: user, value: { count: 1 } }],
    })
    expect(Object.keys(bound).filter(name => name.includes('total') || name.includes('_'))).toEqual([])
    // What was observed last stays; nothing is observed any more.
    expect(unbound['palier.cache.requests']?.points).toContainEqual({
      attributes: { ...user, 'palier.cache.result': 'miss' },
      value: 1,
    })
    expect(unbound['palier.cache.fill.duration']?.points[0]?.value).toMatchObject({ count: 1 })
  })
})
