import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Alert, createCache, createMonitor } from '../../src/index.ts'
import { until } from '../support/caches.ts'
import { lintMetrics, metric, parseMetrics } from '../support/prometheus.ts'
import { startRedis } from '../support/redis-server.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

test('a Redis that dies is told, metrics go on, and what it served is not put down to the files', async () => {
  const redis = await startRedis()
  ends.push(() => redis.stop())
  const dir = await mkdtemp(join(tmpdir(), 'palier-outage-'))
  ends.push(() => rm(dir, { recursive: true, force: true }))
  const cache = createCache({ namespace: 'shop', redisUrl: redis.url, dir, logger: false, detectBudget: 10_000 })
  const told: Alert[] = []
  const onAlert = (alert: Alert) => told.push(alert)
  const monitor = createMonitor(cache, { logger: false, advice: false, timer: false, onAlert })
  ends.push(async () => {
    await monitor.close()
    await cache.close()
  })
  await cache.ready()
  await cache.set('k', 'v'.repeat(1000))
  for (let i = 0; i < 5; i++) await cache.get(`none ${i}`)
  await monitor.tick()
  const before = parseMetrics(await monitor.prometheus())
  const written = metric(before, 'palier_cache_written_bytes_total', { backend: 'redis' })
  expect(written).toBeGreaterThan(100)
  expect(metric(before, 'palier_backend_up', { backend: 'redis' })).toBe(1)
  await redis.kill()
  await until('the files stand in', async () => {
    await cache.get('x')
    return cache.status().backend === 'filesystem'
  })
  await monitor.tick()
  expect(told.map(alert => alert.text)).toEqual(['Redis is down'])
  expect(monitor.health()).toMatchObject({ state: 'DEGRADED', reason: expect.stringMatching(/^redis is out/) })
  await cache.set('k', 'v'.repeat(5000))
  const families = parseMetrics(await monitor.prometheus())
  expect(lintMetrics(families)).toEqual([])
  expect(metric(families, 'palier_backend_up', { backend: 'redis' })).toBe(0)
  expect(metric(families, 'palier_fleet_readable')).toBe(0)
  expect(metric(families, 'palier_health_state', { state: 'DEGRADED' })).toBe(1)
  expect(metric(families, 'palier_backend_switches_total', { from: 'redis' })).toBeGreaterThan(0)
  expect(metric(families, 'palier_cache_written_bytes_total', { backend: 'redis' })).toBe(written)
  expect(metric(families, 'palier_cache_requests_total')).toBeGreaterThan(metric(before, 'palier_cache_requests_total'))
  const { events } = monitor.snapshot()
  expect(events.map(one => one.kind)).toEqual(expect.arrayContaining(['start', 'link', 'failover', 'health', 'alert']))
})
