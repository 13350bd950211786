import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCache, fileStore } from '../../src/index.ts'
import { encodeRecord } from '../../src/record.ts'
import { palier, palierProcess, reportOf } from '../support/cli.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis, until } from '../support/redis-server.ts'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'palier-cli-'))
})
afterEach(() => rm(cwd, { recursive: true, force: true }))

describe('palier', () => {
  test('shows its version and its help', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(await palierProcess(['--version'], { cwd })).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    const help = await palier(['clear', '--help'], { cwd })
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('--pattern P')
  })

  test.each([
    [[], 'Usage: palier COMMAND'],
    [['destroy'], "palier: unknown command 'destroy'"],
    [['stats', '--colour'], "palier: unknown option '--colour'"],
    [['stats', '--backend', 'mongo'], 'palier: backend: expected auto, redis, filesystem, memory, received "mongo"'],
    [['clear', '--yes', '--namespace', 'bull:jobs', '--backend', 'filesystem'], 'protected prefix'],
    [['gc', '--max-bytes', '1k', '--backend', 'filesystem'], 'maxBytes'],
  ])('wrong usage is named on standard error: %j', async (args, message) => {
    const result = await palier(args, { cwd })
    expect(result.code).toBe(2)
    expect(result.stdout).toBe('')
    expect(result.stderr).toContain(message)
  })

  test('a wrong variable is named', async () => {
    const { code, stderr } = await palierProcess(['stats'], { cwd, env: { CACHE_BACKEND: 'floppy' } })
    expect(code).toBe(2)
    expect(stderr).toContain('CACHE_BACKEND: expected auto, redis, filesystem, memory, received "floppy"')
  })
})

async function fill(env: { redisUrl?: string; dir?: string }, namespace: string): Promise<void> {
  const cache = createCache({
    ...env,
    backend: env.dir === undefined ? 'redis' : 'filesystem',
    namespace,
    logger: false,
  })
  await cache.type('dashboard').setMany(
    new Map([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]),
  )
  await cache.type('user').set('u', { name: 'x'.repeat(500) })
  await cache.set('plain', 1)
  await cache.close()
}

describe('palier stats', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const expected = {
    entries: 5,
    types: [
      { type: 'dashboard', entries: 3 },
      { type: 'default', entries: 1 },
      { type: 'user', entries: 1 },
    ],
  }

  test('counts the namespaces and types of Redis, and of no other program', async () => {
    await fill({ redisUrl: redis.url }, 'shop')
    await fill({ redisUrl: redis.url }, 'odd:name%')
    await redis.ask('SET foreign:key 1')
    const result = await palierProcess(['stats', '--json'], { cwd, env: { REDIS_URL: redis.url } })
    expect(result.code).toBe(0)
    const report = reportOf(result)
    expect(Object.keys(report)).toEqual([
      ...['format', 'command', 'backend', 'where', 'namespaces', 'totals', 'budgets', 'hitRates', 'warnings'],
    ])
    expect(report).toMatchObject({
      backend: 'redis',
      namespaces: [
        { namespace: 'odd:name%', ...expected },
        { namespace: 'shop', ...expected },
      ],
      totals: { entries: 10 },
      budgets: null,
      warnings: [],
    })
    const [first] = report['namespaces'] as Record<string, number>[]
    expect(first?.['bytes']).toBeGreaterThan(500)
    expect(first?.['stamps']).toBeGreaterThan(0)
    const one = reportOf(
      await palier(['stats', '--json', '--namespace', 'shop'], { cwd, env: { REDIS_URL: redis.url } }),
    )
    expect(one).toMatchObject({ namespaces: [{ namespace: 'shop' }], totals: { entries: 5 } })
  })

  test('shows the budgets of a directory and says where hit rates are', async () => {
    const dir = join(cwd, 'cache')
    await fill({ dir }, 'shop')
    const args = ['stats', '--backend', 'filesystem', '--dir', dir]
    const { code, stdout, stderr } = await palierProcess(args, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^shop +5 /m)
    expect(stdout).toMatch(/^ +dashboard +3$/m)
    expect(stdout).toContain('of 256 MiB')
    expect(stdout).toContain('Hit rates live in the running process')
    const report = reportOf(await palier([...args, '--json', '--max-bytes', '1g'], { cwd }))
    expect(report['budgets']).toEqual({ maxBytes: 2 ** 30, maxFiles: 50_000, source: 'option' })
  })

  test('has nothing to count in memory', async () => {
    const result = await palier(['stats', '--json', '--backend', 'memory'], { cwd })
    expect(result.code).toBe(0)
    expect(reportOf(result)).toMatchObject({ backend: 'memory', namespaces: [], totals: { entries: 0, bytes: 0 } })
  })

  test('counts nothing in place of a backend that was asked for and is not there', async () => {
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
    const result = await palier(['stats', '--json', '--backend', 'redis'], { cwd, env })
    expect(result.code).toBe(1)
    expect(reportOf(result)).toMatchObject({ command: 'stats', error: { code: 'PALIER_STORE_FAILED' } })
    expect(result.stderr).toContain('connection refused')
  })

  test('a configured Redis that was passed over is a warning', async () => {
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
    const result = await palier(['stats', '--json'], { cwd, env })
    expect(result.code).toBe(0)
    const report = reportOf(result)
    expect(report['backend']).toBe('filesystem')
    expect(String(report['warnings'])).toContain('Redis is configured but cannot be used')
    expect(result.stderr).toContain('Redis is configured but cannot be used')
  })
})

describe('palier gc', () => {
  test('takes away what expired in a directory and leaves the rest', async () => {
    const dir = join(cwd, 'cache')
    const store = fileStore({ dir })
    const record = (key: string): Uint8Array => {
      const head = { key, createdAt: 0, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] }
      return encodeRecord(head, new Uint8Array(1))
    }
    for (const key of ['n:e::1', 'n:e::2', 'n:e::3']) await store.set(key, record(key), 1)
    await store.set('n:e::4', record('n:e::4'), 3_600_000)
    await until('the short-lived have expired', async () =>
      (await store.getMany(['n:e::1', 'n:e::2', 'n:e::3'])).every(one => one === undefined),
    )
    await store.close()
    const args = ['gc', '--backend', 'filesystem', '--dir', dir]
    const result = await palierProcess([...args, '--json'], { cwd })
    expect(result.code).toBe(0)
    const report = reportOf(result)
    expect(Object.keys(report)).toEqual(['format', 'command', 'backend', 'where', 'swept', 'warnings'])
    expect(report).toMatchObject({ backend: 'filesystem', where: dir, swept: { expired: 3, evicted: 0, entries: 1 } })
    const again = await palier(args, { cwd })
    expect(again.stdout).toMatch(/expired +0 entries/)
    expect(again.stdout).toMatch(/left +1 entry/)
  })

  test('says that Redis needs none', async () => {
    const redis = await startRedis()
    try {
      const result = await palierProcess(['gc'], { cwd, env: { REDIS_URL: redis.url } })
      expect(result).toMatchObject({ code: 0, stderr: '' })
      expect(result.stdout).toContain('Redis takes away expired entries by itself')
    } finally {
      await redis.stop()
    }
  })

  test('a directory that is a file is not swept', async () => {
    const dir = join(cwd, 'taken')
    await writeFile(dir, 'not ours')
    const result = await palier(['gc', '--json', '--backend', 'filesystem', '--dir', dir], { cwd })
    expect(result.code).toBe(1)
    expect(reportOf(result)).toMatchObject({ swept: null })
    expect(result.stderr).toContain('filesystem was asked for and cannot be used')
  })
})
