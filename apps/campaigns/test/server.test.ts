import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freshDirectory } from './support/app.ts'

interface Server {
  readonly process: ChildProcess
  readonly output: () => string
  readonly exit: Promise<number | null>
}

const MAIN = fileURLToPath(new URL('../server/main.ts', import.meta.url))

function start(directory: string, environment: Readonly<Record<string, string>>): Server {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', MAIN], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      CACHE_BACKEND: 'filesystem',
      CACHE_DIR: join(directory, 'cache'),
      DATABASE_PATH: join(directory, 'campaigns.sqlite'),
      ...environment,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
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

describe('the server', () => {
  test('starts on nothing, with a sample, says what it runs on, and closes when told to', async () => {
    const directory = freshDirectory()
    const first = start(directory, {})
    const address = await addressOf(first)
    const dashboard = await (await fetch(`${address}/api/dashboard`)).json()
    expect(dashboard).toMatchObject({ contacts: { total: 2000 } })
    expect(first.output()).toMatch(/cache +filesystem: \S/)
    first.process.kill('SIGTERM')
    expect(await first.exit).toBe(0)

    const second = start(directory, {})
    const again = await fetch(`${await addressOf(second)}/api/v1/contacts?limit=1`)
    expect(again.status).toBe(200)
    expect(second.output()).not.toContain('sample data')
    second.process.kill('SIGINT')
    expect(await second.exit).toBe(0)
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
})
