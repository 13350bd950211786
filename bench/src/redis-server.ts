import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** A redis-server of our own on a free loopback port, without persistence. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
}

const START_BUDGET = 10_000

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** Undefined when redis-server is not installed. */
export async function startRedis(): Promise<RedisServer | undefined> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'palier-bench-redis-'))
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  const ended = new Promise<void>(resolve => {
    server.once('exit', () => resolve())
    server.once('error', () => resolve())
  })
  const kill = (): void => void server.kill('SIGKILL')
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    if (server.pid !== undefined && server.exitCode === null) kill()
    await ended
    await rm(dir, { recursive: true, force: true })
  }
  // However this process ends, short of kill -9, the server ends with it.
  process.once('exit', kill)
  if (!(await answers(port, ended))) {
    await stop()
    return undefined
  }
  return { url: `redis://127.0.0.1:${port}`, port, stop }
}

async function answers(port: number, ended: Promise<void>): Promise<boolean> {
  const probe = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 20 })
  probe.on('error', () => undefined)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), START_BUDGET)
  })
  try {
    const answered = new Promise<boolean>(resolve => {
      probe.once('ready', () => resolve(true))
      probe.connect().catch(() => undefined)
    })
    return await Promise.race([answered, ended.then(() => false), late])
  } finally {
    clearTimeout(timer)
    probe.disconnect()
  }
}
