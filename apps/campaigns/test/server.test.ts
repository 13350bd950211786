import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { bundled } from './support/bundled.ts'
import { freshDirectory } from './support/fresh-directory.ts'

interface Server {
  readonly process: ChildProcess
  readonly output: () => string
  readonly exit: Promise<number | null>
}

/** Passenger's loader gives the application an emitter and tells it on that when to end. */
const PASSENGER = `--import data:text/javascript,${encodeURIComponent(
  "import { EventEmitter } from 'node:events'; globalThis.PhusionPassenger = new EventEmitter(); process.on('SIGUSR2', () => globalThis.PhusionPassenger.emit('exit'))",
)}`

const MAIN = await bundled(new URL('../server/main.ts', import.meta.url))

function start(directory: string, environment: Readonly<Record<string, string>>): Server {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      CACHE_BACKEND: 'filesystem',
      CACHE_DIR: join(directory, 'cache'),
      DATABASE_PATH: join(directory, 'campaigns.sqlite'),
      DATA_DIR: join(directory, 'data'),
      SESSIONS_REDIS: 'filesystem',
      RATE_LIMIT_STORAGE: 'filesystem',
      LOG_LEVEL: 'error',
      ...environment,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return { process: child, output: () => output, exit }
}

async function addressOf(server: Server): Promise<string> {
  const end = performance.now() + 20_000
  for (;;) {
    const address = /campaigns +(http:\S+)[\s\S]+cache +\S/.exec(server.output())?.[1]
    if (address !== undefined) return address
    if (performance.now() > end) throw new Error(`no address in: ${server.output()}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** Logs in as a browser would; gives the headers of what follows. */
async function logIn(address: string, email: string, password: string): Promise<Readonly<Record<string, string>>> {
  const answer = await fetch(`${address}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: address },
    body: JSON.stringify({ email, password }),
  })
  expect(answer.status).toBe(200)
  const cookie = String(answer.headers.get('set-cookie')).split(';')[0] ?? ''
  return { cookie }
}

async function dashboardOf(address: string, headers: Readonly<Record<string, string>>) {
  const answer = await fetch(`${address}/api/dashboard`, { headers })
  expect(answer.status).toBe(200)
  return (await answer.json()) as { contacts: { total: number } }
}

describe('the server', () => {
  test('starts on nothing, with a sample, a simulator and a login, says what it runs on, and closes when told to', async () => {
    const directory = freshDirectory()
    const first = start(directory, {})
    const address = await addressOf(first)
    const [, email = '', password = ''] = /^login +(\S+) \/ (\S+)$/m.exec(first.output()) ?? []
    const headers = await logIn(address, email, password)
    expect(await dashboardOf(address, headers)).toMatchObject({ contacts: { total: 2000 } })
    expect(first.output()).toMatch(/^cache +filesystem: \S/m)
    expect(first.output()).toMatch(/^whatsapp +simulator at http:\S/m)
    first.process.kill('SIGTERM')
    expect(await first.exit).toBe(0)

    const second = start(directory, { WORKER: 'false' })
    const again = await addressOf(second)
    expect(second.output()).not.toMatch(/sample data|login/)
    // The session outlived the process.
    expect(await dashboardOf(again, headers)).toMatchObject({ contacts: { total: 2000 } })
    second.process.kill('SIGINT')
    expect(await second.exit).toBe(0)
  })

  test.each([
    ['the message "shutdown" of a process manager', (child: ChildProcess) => void child.send('shutdown'), {}],
    ['the event of Passenger', (child: ChildProcess) => void child.kill('SIGUSR2'), { NODE_OPTIONS: PASSENGER }],
  ])('closes in order at %s', async (_what, ask, environment) => {
    const server = start(freshDirectory(), { SAMPLE_DATA: 'false', SIMULATOR: 'off', ...environment })
    await addressOf(server)
    ask(server.process)
    expect(await server.exit).toBe(0)
    expect(server.output()).toMatch(/^(shutdown|Passenger): closing$/m)
  })

  test('answers what is under way when it is told to close, and takes nothing new', async () => {
    const server = start(freshDirectory(), {
      SAMPLE_DATA: 'false',
      SIMULATOR: 'off',
      ADMIN_PASSWORD: 'correct horse battery',
    })
    const address = await addressOf(server)
    const { hostname, port } = new URL(address)
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.on('data', chunk => (answer += chunk.toString()))
    const body = JSON.stringify({ email: 'admin@example.org', password: 'correct horse battery' })
    const head = `POST /api/v1/auth/login HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n`
    socket.write(`${head}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body.slice(0, 10)}`)
    await vi.waitFor(() => expect(socket.bytesWritten).toBeGreaterThan(0))
    await fetch(`${address}/healthz`)
    server.process.kill('SIGTERM')
    await vi.waitFor(() => expect(server.output()).toContain('SIGTERM: closing'))
    socket.write(body.slice(10))
    expect(await server.exit).toBe(0)
    expect(answer).toMatch(/^HTTP\/1\.1 (200|503)/)
  })

  test('says plainly that its port is taken, and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const server = start(freshDirectory(), { PORT: String(port), SAMPLE_DATA: 'false' })
    expect(await server.exit).toBe(1)
    expect(server.output()).toContain(`Port ${port} on 127.0.0.1 is already in use`)
    expect(server.output()).toContain(`PORT=${port + 1}`)
    expect(server.output()).not.toContain('    at ')
  })

  test.each([
    ['PORT', 'many', 'PORT: expected a port from 0 to 65535'],
    ['CACHE_BACKEND', 'floppy', 'CACHE_BACKEND: expected'],
  ])('refuses %s=%s in one line', async (name, value, said) => {
    const server = start(freshDirectory(), { [name]: value })
    expect(await server.exit).toBe(1)
    expect(server.output()).toContain(said)
    expect(server.output()).toContain(`received "${value}"`)
    expect(server.output().trim().split('\n')).toHaveLength(1)
  })

  test.each([
    ['APP_SECRET', 'hidden', 'APP_SECRET: expected a text of at least 32 characters, received one of 6'],
    ['DATABASE_URL', 'postgres://nobody:hidden@127.0.0.1:1/none', 'DATABASE_URL: expected a PostgreSQL server'],
    ['ADMIN_PASSWORD', 'hidden', 'ADMIN_PASSWORD: '],
  ])('refuses a %s without showing it', async (name, value, said) => {
    const server = start(freshDirectory(), { [name]: value })
    expect(await server.exit).toBe(1)
    expect(server.output()).toContain(said)
    expect(server.output()).not.toContain('hidden')
    expect(server.output()).not.toContain('    at ')
  })
})
