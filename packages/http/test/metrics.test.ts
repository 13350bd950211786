import { createCache, createMonitor } from 'palier'
import { manualClock } from 'palier/testing'
import { expect, test } from 'vitest'
import { countDecisions, fastifySessionStore, sessionMetrics } from '../src/index.ts'

test('what limiters decide and how many sessions there are stands beside the metrics of the cache', async () => {
  const clock = manualClock()
  const cache = createCache({ namespace: 'shop', backend: 'memory', clock, logger: false })
  const store = fastifySessionStore({ cache })
  const logins = countDecisions(cache.limiter('login', { limit: 2, window: '1m', onOutage: 'closed' }))
  const sessions = sessionMetrics(store, { clock })
  const monitor = createMonitor(cache, {
    ...{ clock, logger: false, advice: false, timer: false, alerts: false },
    extra: [logins.metrics, sessions],
  })
  const page = async (): Promise<readonly string[]> => {
    await monitor.tick()
    return (await monitor.prometheus()).split('\n')
  }
  for (let i = 0; i < 3; i++) await logins.take('ann')
  await logins.take('bob', 0)
  await store.set('first', { cookie: { originalMaxAge: null }, user: 'ann' })
  expect((await page()).filter(line => /^palier_(ratelimit|sessions)/.test(line)).sort()).toEqual([
    'palier_ratelimit_decisions_total{cache="shop",decision="allowed",limiter="login",source="shared"} 2',
    'palier_ratelimit_decisions_total{cache="shop",decision="denied",limiter="login",source="shared"} 1',
    'palier_sessions_active{cache="shop"} 1',
  ])
  await store.set('second', { cookie: { originalMaxAge: null }, user: 'bob' })
  const count = async (): Promise<string | undefined> =>
    (await page()).find(line => line.startsWith('palier_sessions_active'))
  expect(await count()).toBe('palier_sessions_active{cache="shop"} 1')
  await clock.advance(60_000)
  expect(await count()).toBe('palier_sessions_active{cache="shop"} 2')
  expect(() => sessionMetrics({} as never)).toThrow(expect.objectContaining({ code: 'PALIER_BAD_OPTION' }))
  await monitor.close()
  await cache.close()
})
