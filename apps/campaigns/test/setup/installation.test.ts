import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createVisitor, type Got, type Sent, type Visitor } from '../../../../packages/console/test/support/visitor.ts'
import { startRedis, until } from '../../../../packages/palier/test/support/redis-server.ts'
import { bundled } from '../support/bundled.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

const MAIN = await bundled(new URL('../../server/main.ts', import.meta.url))
const CLI = await bundled(new URL('../../server/cli.ts', import.meta.url))
const LOADER = join(import.meta.dirname, 'passenger-loader.cjs')
const ORIGIN = 'http://site.test'
const LOGIN = { email: 'ops@example.org', password: 'a quiet evening by the sea' }

interface Process {
  readonly child: ChildProcess
  readonly exit: Promise<number | null>
  output(): string
  send(sent: Sent): Promise<Got>
}

interface Start {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A directory that holds two megabytes and no more, for this process: as an account whose quota is nearly used up. */
  readonly small?: string
  /** Else the port that the process prints. */
  readonly socketPath?: string
}

/** A process with nothing in its environment but where its data are. */
function start(directory: string, { args, env = {}, small, socketPath }: Start): Process {
  const mounted = ['-m', 'sh', '-c', 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"', small ?? '', process.execPath]
  const [program, before] = small === undefined ? [process.execPath, []] : ['unshare', mounted]
  const child = spawn(program, [...before, ...args], {
    cwd: directory,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'error', ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const place = (): { readonly socketPath: string } | { readonly host: string; readonly port: number } => {
    if (socketPath !== undefined) return { socketPath }
    return { host: '127.0.0.1', port: Number(/campaigns +http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]) }
  }
  const send = ({ method, path, headers, body }: Sent): Promise<Got> =>
    new Promise((resolve, reject) => {
      const asked = request(
        { ...place(), method, path, headers: { host: 'site.test', ...headers }, agent: false },
        answer => {
          let text = ''
          answer.setEncoding('utf8').on('data', chunk => (text += chunk))
          answer.once('end', () => {
            const found = new Headers()
            for (const [name, value] of Object.entries(answer.headers)) {
              for (const one of Array.isArray(value) ? value : [value ?? '']) found.append(name, one)
            }
            resolve({ status: answer.statusCode ?? 0, headers: found, text })
          })
        },
      )
      asked.setTimeout(30_000, () => asked.destroy(new Error(`no answer to ${method} ${path}: ${output}`)))
      asked.once('error', reject)
      asked.end(body)
    })
  return { child, exit, output: () => output, send }
}

const ready = async (one: Process): Promise<void> =>
  until(`it listens: ${one.output()}`, () => /^campaigns +/m.test(one.output()), 30_000)
const get = (one: Process, path: string): Promise<Got> =>
  one.send({ method: 'GET', path, headers: {}, body: undefined })

async function unlocked(one: Process, directory: string, language = 'en'): Promise<Visitor> {
  const visitor = createVisitor({ origin: ORIGIN, language, submit: sent => one.send(sent) })
  expect((await visitor.open('/')).path).toBe('/setup/unlock')
  await visitor.press('unlock', { token: readFileSync(join(directory, 'data', '.palier', 'setup-token'), 'utf8') })
  return visitor
}

/** Database and administrator: what the application asks itself. */
async function host(visitor: Visitor): Promise<void> {
  await visitor.open('/setup/database')
  await visitor.press('save', { engine: 'sqlite' })
  await visitor.open('/setup/administrator')
  await visitor.press('save', { ...LOGIN, again: LOGIN.password, name: 'Ops', data: 'empty' })
}

async function logIn(one: Process): Promise<number> {
  const headers = { 'content-type': 'application/json', origin: ORIGIN }
  return (await one.send({ method: 'POST', path: '/api/v1/auth/login', headers, body: JSON.stringify(LOGIN) })).status
}

describe('the installation of the application', () => {
  test('on a shared host, on files, by two processes, with forms alone; then it is closed for good', async () => {
    const directory = freshDirectory()
    const hosted = (name: string): Process => {
      const socketPath = join(directory, name)
      return start(directory, { args: [LOADER, MAIN, socketPath], env: { PALIER_SETUP: '1' }, socketPath })
    }
    const [first, second] = [hosted('a'), hosted('b')]
    await Promise.all([ready(first), ready(second)])
    const visitor = await unlocked(first, directory, 'fr')
    expect(visitor.page.words).toContain('Votre serveur')
    await visitor.press('run')
    expect(visitor.page.words).toContain('Passenger')
    await visitor.open('/setup/database')
    await visitor.press('save', { engine: 'postgres', url: 'postgres://me:hush-hush@127.0.0.1:1/db' })
    expect(visitor.page.words).toContain('rien n’écoute à cette adresse (ECONNREFUSED)')
    expect(visitor.page.text).not.toContain('hush-hush')
    await visitor.press('save', { engine: 'sqlite' })
    expect(visitor.page.path).toBe('/setup/storage')
    for (const step of ['redis', 'measure']) {
      await visitor.open(`/setup/${step}`)
      await visitor.press('skip')
    }
    if ((await visitor.open('/setup/proposal')).text.includes('name="choose" value="disk"')) {
      await visitor.press('choose', { choose: 'disk' })
    }
    await visitor.open('/setup/types')
    if (visitor.page.text.includes('value="run"')) await visitor.press('run')
    await visitor.press('save')
    expect(visitor.page.path).toBe('/setup/administrator')
    await visitor.press('save', { ...LOGIN, password: 'password1234', again: 'password1234' })
    expect(visitor.page.words).toContain('parmi les plus courants')
    await visitor.press('save', { ...LOGIN, again: LOGIN.password, data: 'empty' })
    expect(visitor.page.path).toBe('/setup/apply')

    await visitor.press('run')
    expect(visitor.page.words).toContain('Conserver ces réglages')
    expect(visitor.page.words).toContain('2 processus sur 2')
    const settings = join(directory, 'data', 'settings.env')
    expect(statSync(settings).mode & 0o777).toBe(0o600)
    expect(await logIn(first)).toBe(200)
    expect(await logIn(second)).toBe(200)

    await visitor.press('revert')
    expect(visitor.page.words).toContain('Les réglages ont été annulés')
    expect((await get(first, '/healthz')).status).toBe(303)
    await until('the other process has closed it, too', async () => (await get(second, '/healthz')).status === 303)

    await visitor.press('run')
    await visitor.press('keep')
    expect(visitor.page.path).toBe('/setup/proof')
    await visitor.press('run')
    expect(visitor.page.words).toMatch(/MISS [\s\S]* HIT [\s\S]* MISS /)
    expect(visitor.page.words).toContain('Le cache répond')
    await visitor.press('finish')
    expect(visitor.page.words).toContain('L’installation est fermée')
    for (const one of [first, second]) {
      expect((await get(one, '/setup/')).status).toBe(404)
      expect((await get(one, '/healthz')).status).toBe(200)
      one.child.stdin?.end()
    }
    expect(await Promise.all([first.exit, second.exit])).toEqual([0, 0])

    const socketPath = join(directory, 'c')
    const again = start(directory, { args: [LOADER, MAIN, socketPath], socketPath })
    await ready(again)
    await until('it says what it runs on', () => /^cache +/m.test(again.output()), 30_000)
    expect(again.output()).toMatch(/^cache +filesystem: /m)
    expect(again.output()).not.toMatch(/^(login|sample data) /m)
    expect(await logIn(again)).toBe(200)
    const tick = start(directory, { args: [CLI, 'tick', '--seconds', '5', '--verbose'] })
    expect(await tick.exit).toBe(0)
    expect(existsSync(join(directory, 'data', 'campaigns.sqlite'))).toBe(true)
  }, 90_000)

  test('on a Redis with a password on an odd port, measured, in one process; a full disk is told', async () => {
    const redis = await startRedis({ password: 'hush-hush' })
    onTestFinished(() => redis.stop())
    const directory = freshDirectory()
    const small = join(directory, 'small')
    mkdirSync(small)
    const mayMount = process.platform === 'linux' && process.getuid?.() === 0
    const one = start(directory, { args: [MAIN], env: { PALIER_SETUP: '1' }, ...(mayMount && { small }) })
    await ready(one)
    const visitor = await unlocked(one, directory)
    await host(visitor)
    if (mayMount) {
      await visitor.open('/setup/storage')
      await visitor.press('run', { dir: join(small, 'cache') })
      expect(visitor.page.words).toContain('ENOSPC')
      await visitor.press('run', { dir: '' })
      expect(visitor.page.words).not.toContain('ENOSPC')
    }
    await visitor.open('/setup/redis')
    await visitor.press('add', { url: `127.0.0.1:${redis.port}`, password: 'hush-hush' })
    const id = `tcp:127.0.0.1:${redis.port}/0`
    await visitor.open('/setup/server')
    await visitor.press('fast')
    expect(visitor.page.path).toBe('/setup/proposal')
    if (visitor.page.text.includes(`name="choose" value="${id}"`))
      await visitor.press('choose', { choose: id, reason: 'ours' })
    await visitor.open('/setup/types')
    await visitor.press('save')
    expect(visitor.page.path).toBe('/setup/apply')
    expect(visitor.page.text).not.toContain('hush-hush')
    await visitor.press('run')
    await visitor.press('keep')
    await visitor.press('run')
    expect(visitor.page.words).toContain('The cache serves')
    expect(one.output()).toMatch(/the application runs with the new settings: redis: /)
    expect(one.output()).not.toContain('hush-hush')
    one.child.kill('SIGTERM')
    expect(await one.exit).toBe(0)
  }, 90_000)
})
