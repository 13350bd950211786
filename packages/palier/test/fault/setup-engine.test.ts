import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { StorageResult } from '../../src/setup/contract.ts'
import type { Setup, SetupOptions } from '../../src/setup/door.ts'
import { manualClock } from '../../src/testing/clock.ts'
import { compiled } from '../support/compiled.ts'
import { until } from '../support/redis-server.ts'
import { noRejections } from '../support/rejections.ts'
import { setupRoom } from '../support/setup-room.ts'

noRejections()

const { engine, path, read, tree } = setupRoom()
const worker = (): Promise<string> => compiled(new URL('../support/setup-worker.ts', import.meta.url))

describe('a directory', () => {
  test('is tested in fourteen ways, with another process among them', async () => {
    const { tests, usable, budget } = await (await engine()).run('storage', {
      quota: { filesUsed: 90_000, filesLimit: 100_000 },
    })
    expect(tests.map(one => one.id)).toEqual([
      ...[
        'create',
        'exclusive',
        'rename',
        'visible',
        'mtime',
        'skew',
        'unlink',
        'long',
        'mode',
        'kind',
        'write',
        'close',
        'exposed',
        'deploy',
      ],
    ])
    expect(tests.find(one => one.id === 'visible')).toMatchObject({ verdict: 'good' })
    expect(usable).toBe(true)
    expect(budget.files).toBe(1000)
  })

  test('that cannot be made says why, and that a browser can read is not usable', async () => {
    await writeFile(path('file'), '')
    const setup = await engine()
    const blocked = await setup.run('storage', { dir: 'file/below' })
    expect(blocked).toMatchObject({
      usable: false,
      tests: [{ verdict: 'bad', text: { key: 'storage.claim.refused' } }],
    })
    const site = createHttp((request, response) => {
      readFile(path(`public_html${decodeURIComponent(request.url ?? '')}`)).then(
        text => response.end(text),
        () => response.writeHead(404).end(),
      )
    })
    site.listen(0, '127.0.0.1')
    await once(site, 'listening')
    const baseUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
    const exposed = await (await engine({ baseUrl })).run('storage', { dir: 'public_html/cache' })
    site.close()
    expect(exposed.usable).toBe(false)
    expect(exposed.tests.find(one => one.id === 'exposed')).toMatchObject({
      verdict: 'bad',
      text: { key: 'storage.exposed.yes' },
    })
  })

  test.runIf(process.platform === 'linux' && process.geteuid?.() === 0)(
    'on a disk without room is told by its errno',
    async () => {
      await mkdir(path('disk'))
      const { stdout } = await promisify(execFile)('unshare', [
        '-m',
        process.execPath,
        await worker(),
        'full',
        path(''),
      ])
      const result = JSON.parse(stdout) as StorageResult
      expect(result).toMatchObject({ usable: false, kind: 'memory' })
      expect(result.tests.find(one => one.id === 'write')).toMatchObject({
        verdict: 'bad',
        text: { key: 'storage.full', values: { errno: 'ENOSPC' } },
      })
    },
  )
})

describe('a change of the settings', () => {
  const before = '# mine\nSECRET=kept\n'

  async function chosen(more: Partial<SetupOptions> = {}): Promise<Setup> {
    const setup = await engine(more)
    await setup.open()
    await setup.run('storage', {})
    await setup.run('proposal', { choose: 'disk' })
    return setup
  }

  test('is written once a probe has booted it, and kept or taken back', async () => {
    await writeFile(path('.env'), before)
    const told: unknown[] = []
    const setup = await chosen({ apply: async ({ settings }) => void told.push(settings['CACHE_BACKEND']) })
    const applied = await setup.run('apply', {})
    expect(applied.phase).toBe('waiting to be kept')
    expect(await read('.env')).toBe(
      `${before}CACHE_BACKEND=filesystem\nCACHE_DIR=${path('.palier/cache')}\nPALIER_SETTINGS=${applied.settings}\n`,
    )
    expect((await stat(path('.env'))).mode & 0o777).toBe(0o600)
    await expect(setup.finish()).rejects.toMatchObject({ code: 'PALIER_LOCKED' })
    expect(await setup.revert()).toMatchObject({ phase: 'reverted', text: { key: 'apply.reverted' } })
    expect(await read('.env')).toBe(before)
    expect(told).toEqual(['filesystem', undefined])
    await setup.run('apply', {})
    expect((await setup.keep()).phase).toBe('kept')
    await expect(setup.keep()).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    expect(await read('.env.palier-previous')).toBe(before)
    expect((await setup.review()).same).toBe(true)
  })

  test('is taken back by the server when nobody keeps it in time', async () => {
    const clock = manualClock()
    const setup = await chosen({ clock })
    await setup.run('apply', { revertAfter: 10_000 })
    expect(await read('.env')).toContain('CACHE_BACKEND=filesystem')
    await clock.advance(10_000)
    await until('the change is taken back', async () => (await setup.state()).pending === undefined)
    expect((await tree()).filter(name => name.startsWith('.env'))).toEqual([])
    await expect(setup.keep()).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })

  test('whose process is killed between writing and keeping is taken back by the next one', async () => {
    await writeFile(path('.env'), before)
    const child = spawn(process.execPath, [await worker(), 'apply', path('')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(await read('.env')).toContain('CACHE_BACKEND=filesystem')
    const early = await (await engine()).open()
    expect(early.pending).toBeDefined()
    expect(await read('.env')).toContain('CACHE_BACKEND=filesystem')
    const late = await engine({ clock: manualClock(Date.now() + 120_000) })
    expect((await late.open()).pending).toBeUndefined()
    expect(await read('.env')).toBe(before)
    expect((await late.state()).results.apply?.phase).toBe('reverted')
  })

  test('restarts Passenger and counts the processes that run with it, which may keep it before all are seen', async () => {
    let seen: (string | undefined)[] = [undefined, undefined]
    const processes = () => Promise.resolve(seen.map((settings, i) => ({ id: String(i), settings })))
    const setup = await chosen({ processes, environment: { IN_PASSENGER: '1' } })
    const counted: unknown[] = []
    const idOf = async (): Promise<string | undefined> =>
      /PALIER_SETTINGS=(\w+)/.exec(await read('.env').catch(() => ''))?.[1]
    const onProgress = ({ text }: { text: { key: string; values?: unknown } }): void => {
      if (text.key !== 'apply.processes') return
      counted.push(text.values)
      void idOf().then(id => (seen = [id, seen[0]]))
    }
    const applied = await setup.run('apply', {}, { onProgress })
    expect(await read('tmp/restart.txt')).toBe('')
    expect(counted.slice(0, 2)).toEqual([
      { ready: 0, all: 2 },
      { ready: 1, all: 2 },
    ])
    expect(applied).toMatchObject({ phase: 'waiting to be kept', processes: { ready: 2, all: 2 }, advice: undefined })
    expect(await setup.revert()).toMatchObject({ phase: 'reverted' })
    seen = [undefined]
    const other = await engine()
    const again = setup.run('apply', {})
    await until('the change waits', async () => (await other.state()).pending !== undefined)
    expect((await other.keep()).phase).toBe('kept')
    seen = [await idOf()]
    expect((await again).phase).toBe('kept')
    expect((await other.state()).steps.apply).toBe('done')
  })

  test('that somebody else changed since is left as it is', async () => {
    const setup = await chosen()
    await setup.run('apply', {})
    await writeFile(path('.env'), 'HAND=made\n')
    expect((await setup.revert()).text.key).toBe('apply.reverted.changed')
    expect(await read('.env')).toBe('HAND=made\n')
  })

  test('is refused, with nothing written, when the probe does not boot or the application says no', async () => {
    await writeFile(path('.env'), before)
    const unbootable = await chosen({ prove: async () => ({ ok: false, why: 'the page is white' }) })
    const refused = await unbootable.run('apply', {})
    expect(refused).toMatchObject({
      phase: 'refused',
      text: { key: 'apply.bootFailed', values: { why: 'the page is white' } },
    })
    expect((await unbootable.state()).steps.apply).toBe('open')
    const unwilling = await chosen({
      apply: ({ types }) => (types === undefined ? Promise.resolve() : Promise.reject(new Error('not now'))),
    })
    await unwilling.run('types', {})
    expect(await unwilling.run('apply', {})).toMatchObject({ phase: 'refused', text: { key: 'apply.hostFailed' } })
    expect(await read('.env')).toBe(before)
    expect((await unwilling.state()).pending).toBeUndefined()
  })

  test('is given to copy where the file cannot be written or the environment goes before it', async () => {
    await mkdir(path('.env'))
    const unwritable = await chosen()
    const review = await unwritable.review()
    expect(review).toMatchObject({ writable: false, why: { key: 'apply.readOnly' } })
    expect(review.snippets.map(one => one.id)).toEqual(['env', 'compose', 'helm', 'cpanel', 'command', 'code'])
    expect((await unwritable.run('apply', {})).phase).toBe('refused')
    const above = await chosen({ environment: { CACHE_BACKEND: 'memory' }, file: 'settings.env' })
    expect((await above.review()).why).toEqual({ key: 'apply.overridden', values: { names: 'CACHE_BACKEND' } })
    expect(await above.run('apply', { byHand: true })).toMatchObject({
      phase: 'refused',
      text: { key: 'apply.byHand.missing' },
    })
    const byHand = await engine({
      environment: { CACHE_BACKEND: 'filesystem', CACHE_DIR: path('.palier/cache') },
      file: 'settings.env',
    })
    expect(await byHand.run('apply', { byHand: true })).toMatchObject({ phase: 'by hand' })
  })

  test('shows on the real requests of the site, with the reason when it does not', async () => {
    const kept = new Map<string, string>()
    let cookie = false
    const live: NonNullable<SetupOptions['live']> = {
      async request() {
        const status = !cookie && kept.has('page') ? 'HIT' : 'MISS'
        kept.set('page', 'x')
        return {
          status: 200,
          headers: new Headers({ 'x-cache': status, ...(cookie && { 'set-cookie': 'sid=hidden; Path=/' }) }),
        }
      },
      clear: async () => kept.clear(),
    }
    const setup = await chosen({ live })
    const proof = await setup.run('proof', {})
    expect(proof).toMatchObject({ of: 'site', passed: true, reason: undefined })
    expect(proof.requests.map(one => one.status)).toEqual(['MISS', 'HIT', 'MISS'])
    cookie = true
    const failing = await setup.run('proof', {})
    expect(failing).toMatchObject({ passed: false, reason: { key: 'proof.reason.cookie' } })
    expect(JSON.stringify(failing)).not.toContain('hidden')
    const alone = await (await chosen({ environment: { CACHE_BACKEND: 'filesystem', CACHE_DIR: path('cache') } })).run(
      'proof',
      {},
    )
    expect(alone).toMatchObject({ of: 'cache', passed: true })
    expect((await tree()).filter(name => name.startsWith('cache/') && /\.(v|e)$/.test(name))).toEqual([])
  })
})

describe('the door', () => {
  test('opens with the token once, five tries a minute over all processes, and not after the end', async () => {
    const clock = manualClock()
    const lines: string[] = []
    const setup = await engine({ clock, log: line => lines.push(line) })
    await setup.open()
    const token = (await readFile(setup.tokenFile, 'utf8')).trim()
    expect(lines.join()).toContain(token)
    expect((await stat(setup.tokenFile)).mode & 0o777).toBe(0o600)
    expect(await setup.unlock(token)).toEqual({ ok: true })
    const other = await engine({ clock })
    for (let i = 0; i < 5; i++)
      expect(await (i % 2 === 0 ? setup : other).unlock(token)).toMatchObject({ ok: false, why: 'wrong' })
    const next = (await readFile(setup.tokenFile, 'utf8')).trim()
    expect(await other.unlock(next)).toMatchObject({ ok: false, why: 'slow', retryIn: 60_000 })
    await clock.advance(60_001)
    expect(await other.unlock(next)).toEqual({ ok: true })
    await setup.finish()
    expect(await other.unlock(next)).toMatchObject({ ok: false, why: 'finished' })
    await expect(other.run('server', {})).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    await other.reopen()
    expect((await setup.state()).finished).toBe(false)
    expect((await setup.run('server', { shape: 'cpanel' })).corrected).toBe(true)
  })

  test('lets one step run at a time, and another process go on where one stopped', async () => {
    const [first, second] = [await engine(), await engine()]
    await first.run('server', {})
    expect(await second.state()).toMatchObject({ next: 'storage', steps: { server: 'done', storage: 'open' } })
    let release = (): void => {}
    const slow = await engine({ processes: () => new Promise(resolve => (release = () => resolve([]))) })
    const running = slow.run('server', {})
    await until('the step runs', async () => (await second.state()).running === 'server')
    await expect(second.run('storage', {})).rejects.toMatchObject({ code: 'PALIER_LOCKED' })
    await until('it was asked', async () => (release(), (await second.state()).running === undefined))
    await running
    for (const step of ['storage', 'redis', 'measure', 'proposal', 'types', 'apply', 'proof'] as const)
      await second.skip(step)
    expect(Object.values((await first.state()).steps)).toEqual(['done', ...Array.from({ length: 7 }, () => 'skipped')])
    await first.run('storage', {})
    expect((await second.state()).steps).toMatchObject({ storage: 'done', redis: 'stale', proposal: 'stale' })
  })
})
