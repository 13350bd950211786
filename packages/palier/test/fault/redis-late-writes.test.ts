import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../src/stores/redis/store.ts'
import { encodeRecord } from '../../src/record.ts'
import { answers, type RedisServer, startRedis, until } from '../support/redis-server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const record = (key: string, text: string): Uint8Array => {
  const payload = Buffer.from(text)
  const head = { key, createdAt: 0, ttl: 60_000, grace: 0, cost: 0, mark: 0, form: 0, stamps: [] }
  return encodeRecord({ ...head, size: payload.length }, payload)
}

/** Scripts the server has run. */
async function scriptsRun(): Promise<number> {
  const stats = await server.ask('INFO commandstats')
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

describe('a set that the server carries out after its caller was told that it failed', () => {
  test('is left undone when a frozen server wakes', async () => {
    const store = await answers(redisStore({ url: server.url }))
    await store.set('k', record('k', 'old'), 60_000)
    const before = await scriptsRun()
    server.pause()
    const late = store.set('k', record('k', 'new'), 60_000)
    await expect(late).rejects.toMatchObject({ code: 'PALIER_STORE_TIMEOUT' })
    server.resume()
    await until('the late set reached the server', async () => (await scriptsRun()) > before)
    await until('the store answers', () =>
      store.get('k').then(
        found => found !== undefined,
        () => false,
      ),
    )
    expect(Buffer.from((await store.get('k'))?.bytes ?? []).toString()).toContain('old')
    await store.set('k', record('k', 'newest'), 60_000)
    expect(Buffer.from((await store.get('k'))?.bytes ?? []).toString()).toContain('newest')
    await store.close()
  })

  test('a set in time is carried out however the clocks of the two hosts differ', async () => {
    let skew = 0
    const clock = { ...(await import('../../src/clock.ts')).systemClock }
    const skewed = { ...clock, now: () => performance.now() + skew }
    const store = await answers(redisStore({ url: server.url, clock: skewed }))
    for (const jump of [0, -3_600_000, 7_200_000]) {
      skew += jump
      const text = `after ${jump}`
      await store.set('s', record('s', text), 60_000)
      expect(Buffer.from((await store.get('s'))?.bytes ?? []).toString()).toContain(text)
    }
    await store.close()
  })
})
