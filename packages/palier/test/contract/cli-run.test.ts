import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/run.ts'
import { type Cache, createCache } from '../../src/index.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

let home: string
let server: RedisServer
let cache: Cache | undefined

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'palier-cli-'))
})
afterEach(async () => {
  await cache?.close()
  cache = undefined
  await rm(home, { recursive: true, force: true })
})

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The command inside this process, with a terminal that answers as told. */
async function palier(
  args: readonly string[],
  answer?: boolean,
  environment: Record<string, string> = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const code = await run(args, {
    environment: { CACHE_DIR: join(home, 'cache'), ...environment },
    isTerminal: answer !== undefined,
    out: text => void (out += text),
    err: text => void (err += text),
    confirm: () => Promise.resolve(answer),
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

function places(): readonly (readonly [string, readonly string[]])[] {
  return [
    ['filesystem', ['--backend', 'filesystem', '--dir', join(home, 'cache')]],
    ['redis', ['--backend', 'redis', '--redis-url', server.url]],
  ]
}

async function fill(backend: string): Promise<Cache> {
  const where = backend === 'redis' ? { redisUrl: server.url } : { dir: join(home, 'cache') }
  cache = createCache({ namespace: 'shop', logger: false, backend: backend as 'redis', detectBudget: '10s', ...where })
  await cache.type('user').set('1', { name: 'Ada' }, { tags: ['org'] })
  await cache.type('user').set('2', { name: 'Bob' })
  await cache.type('search').set('q', [1, 2, 3])
  return cache
}

describe('palier, in words and in JSON', () => {
  test.each(['filesystem', 'redis'])('doctor on %s tells what was found and measures it', async backend => {
    const args = places().find(([name]) => name === backend)?.[1] ?? []
    const words = await palier(['doctor', ...args])
    expect(words.out).toMatch(new RegExp(`^Backend +${backend}`))
    expect(words.out).toContain('Speed, microseconds')
    const json = await palier(['doctor', '--json', ...args])
    expect(JSON.parse(json.out)).toMatchObject({ command: 'doctor', backend })
    expect([words.code, json.code]).toEqual([0, 0])
  })

  test('doctor says what to do about a Redis that is not there and a directory that is a file', async () => {
    await writeFile(join(home, 'file'), '')
    const url = `redis://:s3cretword@127.0.0.1:${await freePort()}`
    const environment = { REDIS_URL: url, CACHE_DIR: join(home, 'file') }
    const words = await palier(['doctor'], undefined, environment)
    expect(words.out).toContain('memory')
    expect(words.out).toContain('connection refused')
    expect(words.out).toContain('to do:')
    expect(words.out + words.err).not.toContain('s3cretword')
    const forced = await palier(['doctor', '--backend', 'redis'], undefined, environment)
    expect(forced.code).toBe(1)
  })

  test.each(['filesystem', 'redis'])('stats on %s counts what is kept, by namespace and type', async backend => {
    await fill(backend)
    const args = places().find(([name]) => name === backend)?.[1] ?? []
    const words = await palier(['stats', '--namespace', 'shop', ...args])
    expect(words.out).toMatch(/user +2/)
    expect(words.out).toMatch(/search +1/)
    const json = JSON.parse((await palier(['stats', '--json', ...args])).out) as { namespaces: { namespace: string }[] }
    expect(JSON.stringify(json.namespaces)).toContain('shop')
  })

  test.each([
    ['--type', 'user'],
    ['--tag', 'org'],
    ['--pattern', 'user:*'],
  ])('clear %s %s is heard by a running cache', async (option, value) => {
    const running = await fill('redis')
    const args = ['clear', '--namespace', 'shop', option, value, '--backend', 'redis', '--redis-url', server.url]
    expect((await palier(args)).code).not.toBe(0)
    expect((await palier(args, false)).code).not.toBe(0)
    expect(await running.type('user').get('1')).toEqual({ name: 'Ada' })
    const done = await palier(args, true)
    expect(done.code).toBe(0)
    await expect.poll(() => running.type('user').get('1')).toBeUndefined()
    expect(await running.type('search').get('q')).toEqual([1, 2, 3])
  })

  test('clear of a whole namespace, in JSON', async () => {
    const running = await fill('filesystem')
    const args = [
      'clear',
      '--namespace',
      'shop',
      '--yes',
      '--json',
      '--backend',
      'filesystem',
      '--dir',
      join(home, 'cache'),
    ]
    const done = await palier(args)
    expect(JSON.parse(done.out)).toMatchObject({ command: 'clear' })
    expect(done.code).toBe(0)
    await expect.poll(() => running.type('search').get('q')).toBeUndefined()
  })

  test.each(['filesystem', 'redis'])('gc on %s says what went, or that the server does it', async backend => {
    await fill(backend)
    const args = places().find(([name]) => name === backend)?.[1] ?? []
    const words = await palier(['gc', ...args])
    expect(words.code).toBe(0)
    expect(words.out.length).toBeGreaterThan(10)
    const json = await palier(['gc', '--json', ...args])
    expect(JSON.parse(json.out)).toMatchObject({ command: 'gc' })
  })

  test('help, version and mistakes', async () => {
    expect((await palier(['--version'])).out).toMatch(/\d+\.\d+\.\d+/)
    for (const command of ['doctor', 'stats', 'clear', 'gc']) {
      expect((await palier([command, '--help'])).out).toContain(command)
    }
    const unknown = await palier(['docter'])
    expect(unknown.code).toBe(2)
    expect(unknown.err).toContain('docter')
    expect((await palier([])).code).toBe(2)
  })
})
