import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { judgeSurroundings } from '../../src/advice/redis.ts'
import { advise, type CacheOptions, createCache, createMonitor, diskBudgets, type Finding } from '../../src/index.ts'
import { until } from '../support/caches.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

let redis: RedisServer
let guarded: RedisServer
let dir: string
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
  guarded = await startRedis({ password: 'w0rd', args: ['--maxmemory', '64mb', '--maxmemory-policy', 'volatile-lru'] })
  dir = await mkdtemp(join(tmpdir(), 'palier-advice-'))
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
afterAll(async () => {
  await redis.stop()
  await guarded.stop()
  await rm(dir, { recursive: true, force: true })
})

const QUIET = { logger: false, outage: { journal: false }, deadline: 2000, detectBudget: 5000 } as const

function cacheOf(options: CacheOptions) {
  const made = { ...QUIET, ...options }
  const cache = createCache(made)
  open.push(cache)
  return { cache, made }
}

const textsOf = (found: readonly Finding[]): string => found.map(({ level, text }) => `${level}: ${text}`).join('\n')

describe('advice about a Redis', () => {
  test('that evicts sessions, has no password, and keys of others', async () => {
    await redis.ask('SET someone:else 1')
    const { cache, made } = cacheOf({ backend: 'redis', redisUrl: redis.url, namespace: 'shop' })
    const found = textsOf(await advise(cache, { made, keepsState: true, environment: {} }))
    expect(found).toMatch(/warning: Redis evicts any key when it is full \(allkeys-lru\)/)
    expect(found).toMatch(/warning: Sessions and limits live in a Redis that evicts any key/)
    expect(found).toMatch(/Redis has no password, so every \w+ of this machine can read and change what is cached/)
    expect(found).toMatch(/1 key of a sample there are? not of this cache/)
    expect(found).not.toContain('clock')
  })

  test('is silent of one that is as it should be, and of what it was not told', async () => {
    const { cache, made } = cacheOf({ backend: 'redis', redisUrl: guarded.url, namespace: 'shop' })
    const found = await advise(cache, { made, keepsState: true, environment: {} })
    expect(found.filter(one => one.level === 'warning')).toEqual([])
    expect(JSON.stringify(found)).not.toContain('w0rd')
    expect(await advise(cache, { environment: {} })).toEqual([])
  })

  test('asks a borrowed client, and leaves it open', async () => {
    const client = new Redis(redis.url)
    const { cache, made } = cacheOf({ backend: 'redis', redis: client, namespace: 'shop' })
    expect(textsOf(await advise(cache, { made, environment: {} }))).toMatch(/Redis evicts any key/)
    expect(await client.ping()).toBe('PONG')
    await cache.close()
    client.disconnect()
  })

  test('over the network, and one whose clock is wrong', () => {
    const around = { open: 'network', clockAhead: -5000, strangers: 0 } as const
    expect(textsOf(judgeSurroundings(around, false))).toBe(
      'warning: Redis takes commands over the network without a password.\n' +
        "warning: The clock of Redis is 5000 ms behind this machine's.",
    )
    const alone = { open: 'machine', clockAhead: 1999, strangers: 0 } as const
    expect(judgeSurroundings(alone, false)).toEqual([])
    expect(textsOf(judgeSurroundings(alone, true))).toMatch(/^warning: Redis has no password, so every account/)
    expect(judgeSurroundings({ ...alone, open: undefined }, true)).toEqual([])
  })
})

describe('advice about the configuration', () => {
  test.each<[string, CacheOptions, Record<string, string>, RegExp]>([
    [
      'a Redis that is passed over',
      { backend: 'memory' },
      { REDIS_URL: 'redis://x' },
      /warning: Redis is configured and not used: the backend is set to memory/,
    ],
    [
      'a URL that the code overrules',
      { backend: 'auto', redisUrl: 'redis://127.0.0.1:1', dir: '.' },
      { REDIS_URL: 'redis://x' },
      /note: REDIS_URL is not used/,
    ],
    [
      'a Redis that refuses',
      { redisUrl: 'redis://127.0.0.1:1' },
      {},
      /warning: Redis is configured and cannot be used: /,
    ],
    [
      'several processes that share nothing',
      { backend: 'memory' },
      { NODE_APP_INSTANCE: '2' },
      /warning: Several processes run, and each has a cache of its own/,
    ],
    ['a cache that is off', { enabled: false }, {}, /note: The cache is disabled/],
  ])('%s', async (_what, options, environment, expected) => {
    const { cache, made } = cacheOf({ ...options, dir })
    expect(textsOf(await advise(cache, { made, environment }))).toMatch(expected)
  })

  test('a directory that web servers serve from', async () => {
    const { cache, made } = cacheOf({ backend: 'filesystem', dir: join(dir, 'public_html', 'cache') })
    expect(textsOf(await advise(cache, { made, environment: {} }))).toMatch(
      /warning: .* is under the web root "public_html"/,
    )
  })

  test('nothing, when all is well', async () => {
    const { cache, made } = cacheOf({ backend: 'memory' })
    expect(await advise(cache, { made, environment: {} })).toEqual([])
  })
})

test('the disk of a directory is a budget', async () => {
  const [bytes, files] = await diskBudgets(dir)
  expect(bytes?.name).toBe(`the disk of ${dir}`)
  expect(bytes?.used).toBeGreaterThan(0)
  expect(bytes?.limit).toBeGreaterThan(bytes?.used ?? 0)
  expect(files === undefined || files.limit >= files.used).toBe(true)
})

test('a monitor tells it once in the log when it begins', async () => {
  const { cache, made } = cacheOf({ backend: 'redis', redisUrl: redis.url, namespace: 'shop' })
  const lines: string[] = []
  const logger = { warn: (line: string) => void lines.push(line), info: () => undefined }
  const monitor = createMonitor(cache, { logger, timer: false, advice: { made, keepsState: true } })
  open.unshift(monitor)
  await until('the advice was told', () => lines.some(line => line.startsWith('[CACHE ADVICE] shop: Sessions')))
  await monitor.tick()
  await monitor.tick()
  expect(lines.filter(line => line.startsWith('[CACHE ADVICE] shop: Sessions'))).toHaveLength(1)
})
