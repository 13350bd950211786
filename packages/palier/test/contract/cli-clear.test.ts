import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run, type Terminal } from '../../src/cli/run.ts'
import { type Cache, type CacheOptions, createCache } from '../../src/index.ts'
import { palier, palierProcess, reportOf } from '../support/cli.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis, until } from '../support/redis-server.ts'

let redis: RedisServer
let cwd: string
let running: Cache

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'palier-cli-'))
})
afterEach(async () => {
  await running?.close()
  await rm(cwd, { recursive: true, force: true })
})

const LONG = '1h'

/** A cache that runs in this process and has everything in its own memory. */
async function start(options: CacheOptions): Promise<void> {
  const types = { report: { ttl: LONG }, user: { ttl: LONG } } as const
  running = createCache({ logger: false, defaults: { ttl: LONG }, types, ...options })
  await running.ready()
  await running.type('user').set('1', 'user one', { tags: ['org:7'] })
  await running.type('user').set('2', 'user two')
  await running.type('report' as 'user').set('1', 'a report')
  await running.set('plain', 'plain')
}

const read = async (): Promise<unknown[]> => [
  await running.type('user').get('1'),
  await running.type('user').get('2'),
  await running.type('report' as 'user').get('1'),
  await running.get('plain'),
]

/** Polls until the running cache says what is expected: it must have heard of it, for its own copies live for an hour. */
async function hears(expected: readonly unknown[]): Promise<void> {
  await until(`the running cache reads ${JSON.stringify(expected)}`, async () => {
    return JSON.stringify(await read()) === JSON.stringify(expected)
  })
}

const ALL = ['user one', 'user two', 'a report', 'plain']

const CASES: readonly [args: readonly string[], expected: readonly unknown[]][] = [
  [[], [undefined, undefined, undefined, undefined]],
  [
    ['--type', 'user'],
    [undefined, undefined, 'a report', 'plain'],
  ],
  [
    ['--type', 'report'],
    ['user one', 'user two', undefined, 'plain'],
  ],
  [
    ['--tag', 'org:7'],
    [undefined, 'user two', 'a report', 'plain'],
  ],
  [
    ['--pattern', 'user:?'],
    [undefined, undefined, 'a report', 'plain'],
  ],
  [
    ['--pattern', 'pl*'],
    ['user one', 'user two', 'a report', undefined],
  ],
]

describe.each([['redis'], ['filesystem']] as const)('palier clear on %s', backend => {
  const place = (): { env: Record<string, string>; options: CacheOptions } => {
    const dir = join(cwd, 'cache')
    const options = { backend, dir, redisUrl: redis.url, namespace: 'shop' }
    return { options, env: { CACHE_BACKEND: backend, CACHE_DIR: dir, REDIS_URL: redis.url } }
  }

  test.each(CASES)('a running process hears of it: %j', async (args, expected) => {
    const { options, env } = place()
    await start(options)
    expect(await read()).toEqual(ALL)
    // One of them as a process of its own; what goes through the bus is the same in all.
    const command = args.length === 0 ? palierProcess : palier
    const result = await command(['clear', '--namespace', 'shop', ...args, '--yes', '--json'], { cwd, env })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const report = reportOf(result)
    expect(Object.keys(report)).toEqual([
      ...['format', 'command', 'backend', 'where', 'namespace', 'target', 'receipt', 'told', 'staleBound', 'deleted'],
      ...['complete', 'warnings'],
    ])
    expect(report).toMatchObject({
      backend,
      namespace: 'shop',
      receipt: { local: true, shared: 'acked' },
      told: true,
      complete: true,
      warnings: [],
    })
    await hears(expected)
  })

  test('another namespace keeps its entries', async () => {
    const { options, env } = place()
    await start(options)
    const result = await palier(['clear', '--yes'], { cwd, env })
    expect(result.code).toBe(0)
    expect(result.stdout).toContain('everything of the namespace "default"')
    const again = createCache({ ...options, logger: false })
    expect(await again.get('plain')).toBe('plain')
    await again.close()
    expect(await read()).toEqual(ALL)
  })

  test.each([
    [[], 0],
    [['--type', 'report'], 3],
    [['--pattern', 'report:*'], 3],
    [['--pattern', '*'], 0],
  ])('what was cleared takes no room any more, whatever types the command knows: %j', async (args, left) => {
    const { options, env } = place()
    await start(options)
    const result = await palier(['clear', '--namespace', 'shop', ...args, '--yes'], { cwd, env })
    expect(result.stdout).toMatch(/Receipt +acknowledged by the store/)
    expect(result.stdout).toContain('Done.')
    const report = reportOf(await palier(['stats', '--namespace', 'shop', '--json'], { cwd, env }))
    expect(report['totals']).toMatchObject({ entries: left })
  })

  test('a disabled cache is cleared too: what it holds must not come back when it is enabled', async () => {
    const { options, env } = place()
    await start(options)
    const result = await palier(['clear', '--namespace', 'shop', '--yes'], {
      cwd,
      env: { ...env, CACHE_ENABLED: 'false' },
    })
    expect(result.code).toBe(0)
    await hears([undefined, undefined, undefined, undefined])
  })

  test('without --yes and without a terminal nothing is cleared', async () => {
    const { options, env } = place()
    await start(options)
    const result = await palierProcess(['clear', '--namespace', 'shop'], { cwd, env })
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect(result.stderr).toContain('add --yes')
    expect(await read()).toEqual(ALL)
  })
})

describe('palier clear', () => {
  /** The command with somebody at the terminal who gives this answer. */
  async function asked(answer: boolean): Promise<{ code: number; out: string; question: string }> {
    let out = ''
    let question = ''
    const terminal: Terminal = {
      environment: { REDIS_URL: redis.url },
      isTerminal: true,
      out: text => void (out += text),
      err: () => undefined,
      confirm(text) {
        question = text
        return Promise.resolve(answer)
      },
      signal: new AbortController().signal,
    }
    return { code: await run(['clear', '--namespace', 'shop', '--type', 'user'], terminal), out, question }
  }

  test('asks whoever is there, and does what the answer says', async () => {
    await start({ backend: 'redis', redisUrl: redis.url, namespace: 'shop' })
    const refused = await asked(false)
    expect(refused).toMatchObject({ code: 1, out: 'Nothing was cleared.\n' })
    expect(refused.question).toBe(`Clear type "user" of the namespace "shop" on redis, 127.0.0.1:${redis.port}?`)
    expect(await read()).toEqual(ALL)
    expect((await asked(true)).code).toBe(0)
    await hears([undefined, undefined, 'a report', 'plain'])
  })

  test('a backend asked for by name that cannot be used is not cleared in another', async () => {
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
    const result = await palier(['clear', '--yes', '--json', '--backend', 'redis'], { cwd, env })
    expect(result.code).toBe(1)
    expect(reportOf(result)).toMatchObject({ receipt: null, told: false })
    expect(result.stderr).toContain('redis was asked for and cannot be used')
  })

  test('memory is out of reach', async () => {
    const result = await palier(['clear', '--yes', '--backend', 'memory'], { cwd })
    expect(result).toMatchObject({ code: 1, stdout: 'Nothing was cleared.\n' })
    expect(result.stderr).toContain('which this command cannot reach')
  })

  test('what the store did not acknowledge is not called done', async () => {
    await redis.ask('ACL SETUSER prober on >prober-word ~palier:{probe-* &palier:* +@all')
    const env = { REDIS_URL: `redis://prober:prober-word@127.0.0.1:${redis.port}` }
    const json = await palierProcess(['clear', '--yes', '--json'], { cwd, env })
    expect(json.code).toBe(1)
    expect(reportOf(json)).toMatchObject({ receipt: { shared: 'pending' }, told: false, deleted: 0 })
    const text = await palier(['clear', '--yes'], { cwd, env })
    expect(text.code).toBe(1)
    expect(text.stdout).toContain('NOT acknowledged by the store')
    expect(text.stdout).toContain('Not done.')
    expect(text.stderr).toContain('NOPERM')
    expect(text.stdout + text.stderr).not.toContain('prober-word')
  })
})
