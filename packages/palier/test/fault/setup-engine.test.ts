import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RedisCandidate, StorageResult } from '../../src/setup/contract.ts'
import type { Setup, SetupOptions } from '../../src/setup/door.ts'
import { createSetup } from '../../src/setup/engine.ts'
import { manualClock } from '../../src/testing/clock.ts'
import { compiled } from '../support/compiled.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis, until } from '../support/redis-server.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

const PASSWORD = 'a-secret@/of:its%own'
const worker = (): Promise<string> => compiled(new URL('../support/setup-worker.ts', import.meta.url))

let directory: string
const opened: Setup[] = []

async function engine(more: Partial<SetupOptions> = {}): Promise<Setup> {
  const child = await compiled(new URL('../../src/setup/child.ts', import.meta.url))
  const setup = createSetup({ directory, environment: {}, child, ...more })
  opened.push(setup)
  return setup
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'palier-setup-test-'))
})
afterEach(async () => {
  for (const setup of opened.splice(0)) await setup.close()
  await rm(directory, { recursive: true, force: true })
})

const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
const treeOf = async (): Promise<string[]> => (await readdir(directory, { recursive: true })).sort()

describe('what answers at an address', () => {
  let locked: RedisServer
  let open: RedisServer
  let sockets: string
  const services: Server[] = []
  const ports: Record<string, number> = {}

  async function serve(name: string, server: Server): Promise<void> {
    services.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ports[name] = (server.address() as AddressInfo).port
  }

  beforeAll(async () => {
    sockets = await mkdtemp(join(tmpdir(), 'palier-sock-'))
    locked = await startRedis({
      password: PASSWORD,
      args: ['--unixsocket', join(sockets, 'r.sock'), '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'],
    })
    open = await startRedis()
    await serve(
      'http',
      createHttp((_request, response) => response.end('hello')),
    )
    await serve(
      'ssh',
      createServer(socket => void socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.6\r\n')),
    )
    await serve(
      'tls',
      createServer(
        socket =>
          void socket.on('error', () => {}).once('data', () => socket.end(Buffer.from('15030100020246', 'hex'))),
      ),
    )
  })
  afterAll(async () => {
    await Promise.all([locked.stop(), open.stop()])
    for (const server of services) server.close()
    await rm(sockets, { recursive: true, force: true })
  })

  const socketOf = (): string => join(sockets, 'r.sock')

  test('is told apart: a Redis that is open, asks for a password, lets us in; other services; nothing', async () => {
    const setup = await engine({
      environment: { REDIS_URL: `redis://127.0.0.1:${locked.port}`, VALKEY_URL: locked.url },
    })
    const closed = await freePort()
    const found = new Map<string, RedisCandidate>()
    const add = async (host: string, port: number): Promise<void> => {
      const { candidates } = await setup.run('redis', { add: { host, port } })
      for (const one of candidates) found.set(one.where, one)
    }
    for (const name of ['http', 'ssh', 'tls']) await add('127.0.0.1', ports[name] ?? 0)
    await add('127.0.0.1', closed)
    await add('127.0.0.1', open.port)
    const stateAt = (port: number | undefined): string | undefined => found.get(`127.0.0.1:${port}`)?.state
    expect([ports['http'], ports['ssh'], ports['tls'], closed, open.port].map(stateAt)).toEqual([
      'other service',
      'other service',
      'tls',
      'refused',
      'open',
    ])
    // Of two variables that name one address the first is asked; its password is missing.
    expect(found.get(`127.0.0.1:${locked.port}`)).toMatchObject({
      how: 'environment',
      variable: 'REDIS_URL',
      state: 'password',
      usable: false,
    })
    const wrong = await setup.run('redis', { add: { host: '127.0.0.1', port: locked.port, password: 'wrong' } })
    expect(wrong.candidates.find(one => one.where.endsWith(`:${locked.port}`))).toMatchObject({
      state: 'wrong password',
      usable: false,
    })
    const right = await setup.run('redis', { add: { host: '127.0.0.1', port: locked.port, password: PASSWORD } })
    expect(right.candidates.find(one => one.where.endsWith(`:${locked.port}`))).toMatchObject({
      state: 'ready',
      usable: true,
      recommended: true,
      hasPassword: true,
    })
    const socket = await setup.run('redis', { add: { socket: socketOf(), password: PASSWORD } })
    expect(socket.candidates.find(one => one.where === socketOf())).toMatchObject({ state: 'ready', usable: true })
    expect(JSON.stringify(await setup.state())).not.toContain('secret')
    expect((await setup.report('fr')).text).not.toContain('secret')
    expect((await stat(join(directory, '.palier/setup.json'))).mode & 0o777).toBe(0o600)
  })

  test('an open Redis with keys of others is not recommended; a user without the rights is not usable', async () => {
    await open.ask('SET wp:options 1')
    await locked.ask('ACL SETUSER small on >enough ~palier:* +ping +get +set +del +info +select')
    const setup = await engine()
    const first = await setup.run('redis', { add: { url: open.url } })
    const shared = first.candidates.find(one => one.where.endsWith(`:${open.port}`))
    expect(shared).toMatchObject({ usable: true, recommended: false, verdict: 'bad' })
    expect(shared?.facts.find(one => one.id === 'strangers')).toMatchObject({
      verdict: 'bad',
      text: { key: 'redis.strangers.open' },
    })
    const second = await setup.run('redis', { add: { url: `redis://small:enough@127.0.0.1:${locked.port}` } })
    const small = second.candidates.find(one => one.where.endsWith(`:${locked.port}`))
    expect(small).toMatchObject({ usable: false })
    expect(small?.facts.find(one => one.id === 'rights')?.text.values?.['commands']).toBe(
      'SCAN, UNLINK, EVAL, SUBSCRIBE',
    )
    await open.ask('FLUSHALL')
  })

  test('addresses that lead astray are refused, and too many in a row', async () => {
    const setup = await engine()
    await expect(setup.run('redis', { add: { host: '169.254.169.254' } })).rejects.toMatchObject({
      code: 'PALIER_BAD_OPTION',
    })
    await setup.run('redis', { add: { host: '127.0.0.1', port: ports['ssh'] ?? 0 } })
    const file = join(directory, '.palier/setup.json')
    const saved = JSON.parse(await readFile(file, 'utf8')) as { asked: number[] }
    await writeFile(file, JSON.stringify({ ...saved, asked: Array.from({ length: 20 }, () => Date.now()) }))
    await expect(setup.run('redis', { add: { host: '127.0.0.1' } })).rejects.toMatchObject({ code: 'PALIER_LOCKED' })
  })

  test('is measured and proven in turns, through a socket too, and nothing of it stays', async () => {
    const setup = await engine({ load: () => new Promise(resolve => setTimeout(resolve, 2)) })
    await setup.run('storage', {})
    await setup.run('redis', { add: { url: locked.url } })
    const found = await setup.run('redis', { add: { socket: socketOf(), password: PASSWORD } })
    const ids = found.candidates.filter(one => one.how === 'typed').map(one => one.id)
    const shares: number[] = []
    const measured = await setup.run(
      'measure',
      { only: ['memory', 'disk', ...ids] },
      { onProgress: ({ share }) => shares.push(share) },
    )
    expect(measured.took).toBeLessThan(20_000)
    expect(measured.stopped).toBeUndefined()
    expect(measured.rows.map(row => row.id)).toEqual(['none', 'memory', 'disk', ...ids])
    expect(measured.rows.map(row => row.failure)).toEqual(measured.rows.map(() => undefined))
    for (const row of measured.rows.slice(2)) {
      expect(`${row.id}: ${row.proofs.map(proof => `${proof.id} ${proof.outcome}`).join(', ')}`).toBe(
        `${row.id}: round-trip passed, other-process passed, stampede passed, clear passed, torn passed, cut passed, back passed`,
      )
      expect(row.readHit?.p95).toBeGreaterThan(0)
      expect(['faster', 'slower', 'no measurable difference']).toContain(row.comparison?.verdict)
    }
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(await locked.ask('DBSIZE')).toBe(':0')
    expect((await treeOf()).filter(name => name.includes('palier-setup-'))).toEqual([])
    expect(JSON.parse(await read('.palier/setup.json'))).toMatchObject({ litter: [] })
  })

  test('a measurement that is called off, or dies, leaves nothing behind', async () => {
    const setup = await engine()
    await setup.run('storage', {})
    await setup.run('redis', { add: { url: locked.url } })
    const before = await setup.state()
    const leave = new AbortController()
    const onProgress = ({ text }: { text: { key: string } }): void => {
      if (text.key === 'measure.proving') leave.abort(new Error('called off'))
    }
    const only = [`tcp:127.0.0.1:${locked.port}/0`]
    await expect(setup.run('measure', { only }, { signal: leave.signal, onProgress })).rejects.toThrow('called off')
    expect(await setup.state()).toEqual(before)
    expect(await locked.ask('DBSIZE')).toBe(':0')
    expect((await treeOf()).filter(name => name.includes('palier-setup-'))).toEqual([])
    // What a killed process left is taken away at the next start; a path that is not ours stays.
    const [left, foreign] = [join(directory, 'palier-setup-0123ab-xyz'), join(directory, 'foreign')]
    await Promise.all([mkdir(left), mkdir(foreign)])
    const file = join(directory, '.palier/setup.json')
    await writeFile(
      file,
      JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), litter: [left, foreign] }),
    )
    await (await engine()).open()
    expect((await treeOf()).filter(name => !name.startsWith('.palier'))).toEqual(['foreign'])
  })
})

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
    await writeFile(join(directory, 'file'), '')
    const setup = await engine()
    const blocked = await setup.run('storage', { dir: 'file/below' })
    expect(blocked).toMatchObject({
      usable: false,
      tests: [{ verdict: 'bad', text: { key: 'storage.claim.refused' } }],
    })
    const site = createHttp((request, response) => {
      readFile(join(directory, 'public_html', decodeURIComponent(request.url ?? ''))).then(
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
      await mkdir(join(directory, 'disk'))
      const { stdout } = await promisify(execFile)('unshare', [
        '-m',
        process.execPath,
        await worker(),
        'full',
        directory,
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
    await writeFile(join(directory, '.env'), before)
    const told: unknown[] = []
    const setup = await chosen({ apply: async ({ settings }) => void told.push(settings['CACHE_BACKEND']) })
    const applied = await setup.run('apply', {})
    expect(applied.phase).toBe('waiting to be kept')
    expect(await read('.env')).toBe(
      `${before}CACHE_BACKEND=filesystem\nCACHE_DIR=${join(directory, '.palier/cache')}\nPALIER_SETTINGS=${applied.settings}\n`,
    )
    expect((await stat(join(directory, '.env'))).mode & 0o777).toBe(0o600)
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
    expect((await treeOf()).filter(name => name.startsWith('.env'))).toEqual([])
    await expect(setup.keep()).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })

  test('whose process is killed between writing and keeping is taken back by the next one', async () => {
    await writeFile(join(directory, '.env'), before)
    const child = spawn(process.execPath, [await worker(), 'apply', directory], {
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

  test('that somebody else changed since is left as it is', async () => {
    const setup = await chosen()
    await setup.run('apply', {})
    await writeFile(join(directory, '.env'), 'HAND=made\n')
    expect((await setup.revert()).text.key).toBe('apply.reverted.changed')
    expect(await read('.env')).toBe('HAND=made\n')
  })

  test('is refused, with nothing written, when the probe does not boot or the application says no', async () => {
    await writeFile(join(directory, '.env'), before)
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
    await mkdir(join(directory, '.env'))
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
      environment: { CACHE_BACKEND: 'filesystem', CACHE_DIR: join(directory, '.palier/cache') },
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
    const alone = await (
      await chosen({ environment: { CACHE_BACKEND: 'filesystem', CACHE_DIR: join(directory, 'cache') } })
    ).run('proof', {})
    expect(alone).toMatchObject({ of: 'cache', passed: true })
    expect((await treeOf()).filter(name => name.startsWith('cache/') && /\.(v|e)$/.test(name))).toEqual([])
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
