import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache } from '../../src/index.ts'
import { freshDir, startWorker, type Worker } from '../support/file-store.ts'
import { type RedisServer, startRedis, until } from '../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Room {
  readonly log: string
  worker(skew?: number): Promise<Worker>
  cache(): Promise<Cache>
}

let spaces = 0

/** One namespace on one backend, in a directory of its own. */
function room(backend: 'redis' | 'filesystem'): Room {
  const { dir, remove } = freshDir()
  ends.push(remove)
  // A machine busy with other tests is no outage.
  const place = { backend, dir: join(dir, 'cache'), redisUrl: redis.url, namespace: `once${++spaces}` }
  const options: CacheOptions = { ...place, deadline: '10s', detectBudget: '30s' }
  const log = join(dir, 'log')
  writeFileSync(log, '')
  return {
    log,
    async worker(skew = 0) {
      const worker = await startWorker('once-worker.ts', [JSON.stringify(options), log, String(skew)])
      ends.push(() => worker.kill())
      return worker
    },
    async cache() {
      const cache = createCache({ logger: false, ...options })
      ends.push(() => cache.close())
      await cache.ready()
      return cache
    },
  }
}

interface Run {
  readonly fence: number
  readonly occurrence: string
  readonly pid: string
}

const runsIn = (log: string): Run[] =>
  readFileSync(log, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => {
      const [fence = '', occurrence = '', pid = ''] = line.split(' ')
      return { fence: Number(fence), occurrence, pid }
    })

const HOUR = 3_600_000
const OCCURRENCES = 24

describe.each(['redis', 'filesystem'] as const)('jobs of several processes on %s', backend => {
  test('run each occurrence exactly once, with greater and greater fences, whatever their clocks say', async () => {
    const { log, worker, cache } = room(backend)
    const three = await Promise.all([worker(), worker(HOUR), worker(-HOUR)])
    const answers = await Promise.all(three.map(one => one.ask(`run report 0 ${OCCURRENCES}`)))
    const words = answers.flatMap(answer => answer.split(','))
    expect(words.filter(word => word === 'ran')).toHaveLength(OCCURRENCES)
    expect(words).toHaveLength(3 * OCCURRENCES)
    const runs = runsIn(log)
    expect(new Set(runs.map(({ occurrence }) => occurrence)).size).toBe(OCCURRENCES)
    expect(runs).toHaveLength(OCCURRENCES)
    const fences = runs.map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].toSorted((a, b) => a - b))
    // Late by a whole round: everything is taken.
    const late = await cache()
    for (let at = 0; at < OCCURRENCES; at += 7) {
      expect(await late.once('report', at, () => 1)).toEqual({ ran: false, reason: 'claimed' })
    }
  })

  test('killed in the middle of a run do not run it again, and the next occurrence runs', async () => {
    const { log, worker, cache } = room(backend)
    const [victim, here] = [await worker(), await cache()]
    expect(await victim.ask('hold report 1')).toBe('holding')
    expect(await here.once('report', 2, () => 1)).toEqual({ ran: false, reason: 'overlap' })
    await victim.kill()
    expect(await here.once('report', 1, () => 1)).toEqual({ ran: false, reason: 'claimed' })
    expect(await here.once('report', 3, () => 'next', { wait: '30s' })).toEqual({ ran: true, value: 'next' })
    expect(runsIn(log)).toEqual([])
  })
})

test('a run is told when its lock is deleted in Redis, and the fence goes on being greater', async () => {
  const { cache } = room('redis')
  const [here, there] = [await cache(), await cache()]
  let fence = 0
  const run = here.once(
    'report',
    1,
    async seen => {
      fence = seen.fence ?? 0
      const found = await redis.ask('KEYS *k:once:report*')
      expect(found).toContain('*')
      await redis.ask("EVAL \"for _,k in ipairs(redis.call('KEYS','*k:once:report*')) do redis.call('DEL',k) end\" 0")
      await until('the run was told', () => seen.signal.aborted)
      return seen.signal.reason
    },
    { ttl: 1500 },
  )
  expect(await run).toMatchObject({ ran: true, value: { code: 'PALIER_LOCKED' } })
  const next = await there.once('report', 2, seen => seen.fence)
  expect(next.ran && (next.value ?? 0) > fence).toBe(true)
})
