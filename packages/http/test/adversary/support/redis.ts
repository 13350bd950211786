import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../../palier/test/support/ports.ts'
import { until } from './valve.ts'

/** A real server on a free loopback port, with a directory of its own. */
export interface Redis {
  readonly url: string
  /** kill -9. */
  kill(): Promise<void>
  /** Connections stay open, and nothing answers. */
  pause(): void
  resume(): void
  /** An empty server on the same port; the old one must be gone. */
  start(): Promise<void>
  /** Ends it for good. May be called twice. */
  stop(): Promise<void>
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => void socket.write('PING\r\n'))
    socket.on('data', data => {
      resolve(String(data).startsWith('+PONG'))
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
  })
}

export async function startRedis(): Promise<Redis> {
  const dir = await mkdtemp(join(tmpdir(), 'palier-adversary-'))
  const port = await freePort()
  let running: ChildProcess | undefined

  async function start(): Promise<void> {
    const args = ['--save', '', '--appendonly', 'no', '--port', String(port), '--bind', '127.0.0.1', '--dir', dir]
    const server = spawn('redis-server', args, { stdio: 'ignore' })
    running = server
    await until(`redis-server answers on ${port}`, () => {
      if (server.exitCode !== null) throw new Error(`redis-server exited with ${server.exitCode}`)
      return answers(port)
    })
  }

  async function kill(): Promise<void> {
    const server = running
    running = undefined
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    pause: () => void running?.kill('SIGSTOP'),
    resume: () => void running?.kill('SIGCONT'),
    start,
    async stop() {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
