import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { palier, palierProcess, reportOf } from '../support/cli.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

const PASSWORD = 'not-to-be-shown'

let redis: RedisServer
let cwd: string

beforeAll(async () => {
  redis = await startRedis({ password: PASSWORD, args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
})
afterAll(() => redis.stop())
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'palier-init-'))
})
afterEach(() => rm(cwd, { recursive: true, force: true }))

describe('palier init', () => {
  test('finds, measures, proposes, writes what it proposes, proves it and closes the door', async () => {
    await writeFile(join(cwd, '.env'), 'MINE=1\n')
    const result = await palierProcess(['init', '--yes', '--json', '--redis-url', redis.url], { cwd })
    expect(result.stderr).toBe('')
    expect(result.code).toBe(0)
    expect(result.stdout).not.toContain(PASSWORD)
    const report = reportOf(result)
    expect(report).toMatchObject({
      format: 1,
      command: 'init',
      ending: 'kept',
      results: { apply: { phase: 'kept' }, proof: { passed: true } },
    })
    const written = await readFile(join(cwd, '.env'), 'utf8')
    expect(written).toMatch(/^MINE=1\nCACHE_BACKEND=(redis|filesystem)\nCACHE_DIR=/)
    expect(await redis.ask('DBSIZE')).toBe(':0')
    const again = await palier(['init', '--yes'], { cwd })
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('--reopen') })
    expect(await palier(['init', '--reopen', '--lang', 'fr'], { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('setup-token'),
    })
    expect((await readdir(join(cwd, '.palier'))).sort()).toContain('setup-token')
  })

  test('writes nothing with --dry-run, and speaks French', async () => {
    const dry = await palier(['init', '--dry-run', '--lang', 'fr', '--backend', 'filesystem'], { cwd })
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain('+ CACHE_BACKEND=filesystem')
    expect(dry.stdout).toContain('Rien n’a été écrit')
    expect(await readdir(cwd)).toEqual([])
  })

  test('that is interrupted leaves nothing behind', async () => {
    const isMeasuring = async (): Promise<boolean> =>
      (await readdir(cwd, { recursive: true })).some(name => /palier-setup-[^/]+\/timed/.test(name))
    const result = await palierProcess(['init', '--redis-url', redis.url], { cwd, interruptWhen: isMeasuring })
    expect(result.code).toBe(1)
    expect(result.stdout).toContain('Nothing was changed.')
    expect(await readdir(cwd)).toEqual([])
    expect(await redis.ask('DBSIZE')).toBe(':0')
  })

  test('refuses what it does not know', async () => {
    for (const [args, message] of [
      [['--lang', 'de'], '--lang: expected en or fr'],
      [['--namespace', 'n'], "'--namespace' does not belong to init"],
      [['--redis-url', 'http://:hidden@h'], 'url'],
    ] as const) {
      const result = await palier(['init', '--yes', ...args], { cwd })
      expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
      expect(result.stderr).not.toContain('hidden')
    }
    expect(await readdir(cwd)).toEqual([])
  })
})
