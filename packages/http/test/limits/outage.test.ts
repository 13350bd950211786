import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { OnOutage } from 'palier'
import { until } from '../../../palier/test/support/redis-server.ts'
import { expressRateLimitStore, fastifyRateLimitStore } from '../../src/index.ts'
import { type LimitRoom, limitRoom } from '../support/limit-room.ts'
import { WAYS } from '../support/limit-site.ts'

let room: LimitRoom
beforeAll(async () => {
  room = await limitRoom()
})
afterEach(() => room.redis.resume())
afterAll(() => room.close())

/** Four times the usual one: a machine busy with other tests must not look like an outage. */
const DEADLINE = 1_000
const POLICIES: readonly OnOutage[] = ['closed', 'open', 'local']

describe.each([
  ['has stopped answering', () => room.redis.pause(), () => room.redis.resume()],
  ['was killed', () => room.redis.kill(), () => room.redis.restart()],
] as const)('while Redis %s', (what, begin, heal) => {
  test('every limiter decides by its policy without it, and with the others again after the heal', async () => {
    const sites = await Promise.all(
      WAYS.flatMap(way =>
        POLICIES.map(async onOutage => {
          const cache = await room.open('redis', { namespace: `${what} ${way} ${onOutage}`, deadline: DEADLINE })
          const options = { cache, name: 'api', limit: 6, window: 600_000, onOutage, processes: 3 }
          return { way, onOutage, site: await room.site(way, options) }
        }),
      ),
    )
    for (const { site } of sites) expect((await site.visit('before')).status).toBe(200)
    await begin()
    const answers = await Promise.all(
      sites.map(async ({ way, onOutage, site }) => {
        const statuses: number[] = []
        for (let i = 0; i < 8; i++) {
          const response = await site.visit('one')
          if (response.status === 503) expect(response.headers.get('retry-after')).toBe('1')
          statuses.push(response.status)
        }
        return [way, onOutage, statuses]
      }),
    )
    const all = (status: number): number[] => new Array<number>(8).fill(status)
    // This process is one of three that share six.
    const expected = { closed: all(503), open: all(200), local: [200, 200, ...all(429).slice(2)] }
    expect(answers).toEqual(sites.map(({ way, onOutage }) => [way, onOutage, expected[onOutage]]))
    await heal()
    for (const { way, onOutage, site } of sites) {
      // Without the others this process admits two, none or all.
      let client = 0
      await until(`${way}, ${onOutage}, counts with the others again`, async () => {
        client++
        const visits = await Promise.all(Array.from({ length: 8 }, () => site.visit(`after ${client}`)))
        return visits.filter(({ status }) => status === 200).length === 6
      })
    }
  })
})

describe('a framework that was told to let requests pass whose store failed', () => {
  test('denies with 429 when the policy is closed', async () => {
    const cache = await room.open('redis', { namespace: 'pass' })
    const options = { name: 'api', onOutage: 'closed' } as const
    const store = expressRateLimitStore(cache, options)
    store.init({ windowMs: 60_000, limit: 3, passOnStoreError: true })
    const other = new (fastifyRateLimitStore(cache, options))({ skipOnError: true })
    expect((await store.increment('k')).totalHits).toBe(1)
    room.redis.pause()
    expect((await store.increment('k')).totalHits).toBeGreaterThan(3)
    const current = await new Promise((resolve, reject) => {
      other.incr('k', (error, hits) => (error === null ? resolve(hits?.current) : reject(error)), 60_000, 3)
    })
    expect(current).toBe(4)
  })
})
