import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { palier, palierProcess, reportOf } from '../support/cli.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'palier-cli-'))
})
afterEach(() => rm(cwd, { recursive: true, force: true }))

const textOf = (value: unknown): string => JSON.stringify(value)
const namesOf = (report: Record<string, unknown>): unknown[] =>
  (report['stores'] as { name: string }[]).map(one => one.name)

describe('palier doctor with Redis', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'noeviction'] })
  })
  afterAll(() => redis.stop())

  test('finds it, measures every store and leaves nothing behind', async () => {
    const result = await palierProcess(['doctor', '--json'], { cwd, env: { REDIS_URL: redis.url } })
    expect(result.code).toBe(0)
    const report = reportOf(result)
    expect(Object.keys(report)).toEqual([
      ...['format', 'command', 'healthy', 'backend', 'where', 'refused', 'trace', 'namespace', 'configuration'],
      ...['recordBytes', 'stores', 'comparisons', 'redis', 'files', 'findings', 'warnings'],
    ])
    expect(report).toMatchObject({
      format: 1,
      command: 'doctor',
      healthy: true,
      backend: 'redis',
      where: `127.0.0.1:${redis.port}`,
      refused: null,
      namespace: 'default',
      recordBytes: 2048,
      configuration: {
        CACHE_BACKEND: { value: 'auto', source: 'default' },
        REDIS_URL: { value: redis.url, source: 'environment' },
      },
      redis: { maxmemory: 64 * 2 ** 20, policy: 'noeviction', configReadable: true },
      files: { dir: join(cwd, 'cache'), webRoot: null },
    })
    expect(namesOf(report)).toEqual(['memory', 'filesystem', 'redis'])
    for (const store of report['stores'] as Record<string, unknown>[]) {
      expect(store).toMatchObject({ ok: true, failure: null })
      expect(store['rounds']).toBeGreaterThanOrEqual(20)
      for (const operation of ['get', 'set', 'delete']) {
        const { medianMicros, p95Micros } = store[operation] as Record<string, number>
        expect(medianMicros).toBeGreaterThan(0)
        expect(p95Micros).toBeGreaterThanOrEqual(medianMicros ?? 0)
      }
    }
    expect((report['comparisons'] as { operation: string }[]).map(one => one.operation)).toEqual([
      'get',
      'set',
      'delete',
    ])
    expect(await redis.ask('DBSIZE')).toBe(':0')
    expect(await readdir(cwd)).toEqual([])
  })

  test('tells people the same within 80 columns, and warns of the memory policy', async () => {
    const dir = join(cwd, 'cache')
    await mkdir(dir, { mode: 0o700 })
    const { code, stdout, stderr } = await palierProcess(['doctor', '--redis-url', redis.url], { cwd })
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toContain('chosen: Redis ')
    expect(stdout).toContain('not needed: redis was chosen')
    expect(stdout).toContain('from the command line')
    expect(stdout).toContain('evicts nothing (noeviction)')
    expect(stdout).toMatch(/Healthy, with \d warnings?\./)
    expect(stdout.split('\n').filter(line => line.length > 80 && !line.includes(cwd))).toEqual([])
    expect(stdout).not.toContain('\u001B')
    expect(await readdir(dir)).toEqual([])
  })

  test('with another backend asked for, Redis is not tried but measured all the same', async () => {
    const result = await palier(['doctor', '--json', '--backend', 'filesystem'], { cwd, env: { REDIS_URL: redis.url } })
    const report = reportOf(result)
    expect(report).toMatchObject({ healthy: true, backend: 'filesystem' })
    expect(report['trace']).toMatchObject([
      { backend: 'redis', outcome: 'not tried' },
      { outcome: 'chosen' },
      { outcome: 'not needed' },
    ])
    expect(namesOf(report)).toEqual(['memory', 'filesystem', 'redis'])
  })

  test('a user who may not read CONFIG is told what INFO says', async () => {
    await redis.ask('ACL SETUSER limited on >limited-word ~palier:* &palier:* +@all -config')
    const url = `redis://limited:limited-word@127.0.0.1:${redis.port}`
    const result = await palier(['doctor', '--json'], { cwd, env: { REDIS_URL: url } })
    expect(result.code).toBe(0)
    expect(reportOf(result)).toMatchObject({
      redis: { configReadable: false, policy: 'noeviction', maxmemory: 64 * 2 ** 20 },
    })
    expect(result.stdout + result.stderr).not.toContain('limited-word')
  })

  test('a store that fails its measurement makes the result unhealthy', async () => {
    await redis.ask('ACL SETUSER prober on >prober-word ~palier:{probe-* &palier:* +@all')
    const env = { REDIS_URL: `redis://prober:prober-word@127.0.0.1:${redis.port}` }
    const result = await palier(['doctor', '--json'], { cwd, env })
    expect(result.code).toBe(1)
    const report = reportOf(result)
    expect(report).toMatchObject({ healthy: false, backend: 'redis', refused: null })
    const broken = (report['stores'] as Record<string, unknown>[]).filter(one => one['ok'] === false)
    expect(broken).toMatchObject([{ name: 'redis', rounds: 0, get: null }])
    expect(textOf(broken)).toContain('NOPERM')
  })
})

describe('palier doctor without a usable Redis', () => {
  test('nothing listens: the reason and what to do, and the directory instead', async () => {
    const port = await freePort()
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) }
    const { code, stdout } = await palier(['doctor'], { cwd, env })
    expect(code).toBe(0)
    expect(stdout).toContain(`refused: 127.0.0.1:${port}: connection refused`)
    expect(stdout).toContain('to do: start Redis, or check REDIS_HOST')
    expect(stdout).toContain('chosen: the directory ./cache')
    expect(stdout).toContain('Redis is configured but cannot be used')
  })

  test('asked for by name it is unhealthy', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const result = await palier(['doctor', '--json', '--backend', 'redis', '--redis-url', url], { cwd })
    expect(result.code).toBe(1)
    const report = reportOf(result)
    expect(report).toMatchObject({ healthy: false, backend: 'filesystem', redis: null })
    expect(report['refused']).toContain('redis was asked for and cannot be used')
    expect(report['configuration']).toMatchObject({ CACHE_BACKEND: { value: 'redis', source: 'option' } })
  })

  test('a directory that is a file is refused, asked for by name it is unhealthy', async () => {
    const dir = join(cwd, 'taken')
    await writeFile(dir, 'not ours')
    const env = { CACHE_DIR: dir, CACHE_BACKEND: 'filesystem', REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
    const result = await palier(['doctor', '--json'], { cwd, env })
    expect(result.code).toBe(1)
    const report = reportOf(result)
    expect(report).toMatchObject({ healthy: false, backend: 'memory' })
    expect(textOf(report['trace'])).toMatch(/is a file, not a directory|a file stands in the way/)
    expect(namesOf(report)).toEqual(['memory'])
  })

  test('interrupted in the middle it takes away what it wrote', async () => {
    const dir = join(cwd, 'cache')
    const env = { CACHE_DIR: dir, REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
    const measuring = async (): Promise<boolean> =>
      (await readdir(dir).catch(() => [])).some(name => name.startsWith('palier-doctor-'))
    const result = await palierProcess(['doctor', '--json'], { cwd, env, interruptWhen: measuring })
    expect(result.code).toBe(1)
    expect(reportOf(result)).toMatchObject({ command: 'doctor', error: { message: 'ended by SIGINT' } })
    expect(await readdir(cwd)).toEqual([])
  })

  test('a disabled cache and a web root are told', async () => {
    const env = {
      CACHE_ENABLED: 'false',
      CACHE_DIR: join(cwd, 'public_html', 'c'),
      REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    }
    const report = reportOf(await palier(['doctor', '--json'], { cwd, env }))
    expect(textOf(report['findings'])).toContain('under the web root')
    expect(textOf(report['findings'])).toContain('The cache is disabled')
  })
})

describe('palier doctor and passwords', () => {
  let locked: RedisServer

  beforeAll(async () => {
    locked = await startRedis({ password: 'right-Secret-1' })
  })
  afterAll(() => locked.stop())

  test.each([['text'], ['--json']])('a right one is used and never shown (%s)', async form => {
    const args = ['doctor', '--backend', 'redis', ...(form === '--json' ? ['--json'] : [])]
    const result = await palier(args, { cwd, env: { REDIS_URL: locked.url } })
    expect(result.code).toBe(0)
    expect(result.stdout).toContain(':***@127.0.0.1')
    expect(result.stdout + result.stderr).not.toContain('right-Secret-1')
  })

  test.each([['doctor'], ['stats'], ['clear'], ['gc']])(
    'a wrong one is said to be wrong and never shown (%s)',
    async command => {
      const url = `redis://:wr%40ng-Secret-2@127.0.0.1:${locked.port}`
      const args = [command, '--backend', 'redis', ...(command === 'clear' ? ['--yes'] : [])]
      for (const form of [[], ['--json']]) {
        const result = await palier([...args, ...form], { cwd, env: { REDIS_URL: url } })
        expect(result.code).toBe(1)
        const all = result.stdout + result.stderr
        expect(all).toContain('Redis refused the password')
        expect(all).not.toMatch(/wr@ng-Secret-2|wr%40ng-Secret-2/)
      }
    },
  )

  test('none at all is asked for, and REDIS_PASSWORD is shown as set only', async () => {
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(locked.port) }
    const without = await palierProcess(['doctor', '--backend', 'redis'], { cwd, env })
    expect(without.code).toBe(1)
    expect(without.stdout).toContain('Redis asks for a password')
    const result = await palier(['doctor', '--backend', 'redis'], {
      cwd,
      env: { ...env, REDIS_PASSWORD: 'right-Secret-1' },
    })
    expect(result.code).toBe(0)
    expect(result.stdout).toMatch(/REDIS_PASSWORD\s+\*\*\*\s+from the environment/)
    expect(result.stdout + result.stderr).not.toContain('right-Secret-1')
  })
})
