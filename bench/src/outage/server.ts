import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../say.ts'

/** A redis-server that keeps what it was told: each write is on the disk before it is acknowledged. */
export interface DurableServer {
  readonly host: string
  readonly port: number
  /** Resolves when it answers, with the data it had before. */
  start(): Promise<void>
  /** kill -9; whoever connects is refused. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open, and nothing answers. */
  freeze(): void
  thaw(): void
  /** Ends it for good and removes its data. */
  stop(): Promise<void>
}

const START_BUDGET = 15_000

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** A port that nobody listened on a moment ago. */
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

/** One PING on a connection of its own. */
function pings(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host)
    const say = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(500, () => say(false))
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', data => say(data.toString('latin1').startsWith('+PONG')))
    socket.on('error', () => say(false))
    socket.on('close', () => resolve(false))
  })
}

/** `within` puts the server elsewhere: the command and arguments that go before `redis-server`. */
export async function durableServer(
  host: string = '127.0.0.1',
  within: readonly string[] = [],
): Promise<DurableServer> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'palier-outage-'))
  const [command, ...before] = [...within, 'redis-server']
  const data = ['--dir', dir, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
  const args = [...before, '--port', String(port), '--bind', host, '--protected-mode', 'no', ...data]
  let running: ChildProcess | undefined
  const end = (): void => {
    running?.kill('SIGKILL')
    try {
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
    } catch (error) {
      // Thrown at the exit of this process it would keep others from being ended.
      console.error(`${dir} is left behind: ${messageOf(error)}`)
    }
  }
  // However this process ends, short of kill -9, the server ends with it.
  process.once('exit', end)
  const kill = async (): Promise<void> => {
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const gone = once(running, 'exit')
    running.kill('SIGKILL')
    await gone
  }
  return {
    host,
    port,
    async start() {
      const child = spawn(command, args, { stdio: 'ignore' })
      running = child
      const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error))
      failed.catch(() => undefined)
      const until = performance.now() + START_BUDGET
      while (!(await Promise.race([pings(host, port), failed]))) {
        if (performance.now() > until || child.exitCode !== null) throw new Error('redis-server does not answer')
        await pause(5)
      }
    },
    kill,
    freeze: () => void running?.kill('SIGSTOP'),
    thaw: () => void running?.kill('SIGCONT'),
    async stop() {
      await kill()
      process.off('exit', end)
      end()
    },
  }
}
