import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A real redis-server of this test alone. */
export interface RedisServer {
  readonly url: string
  /** SIGSTOP and SIGCONT: connections stay, and nothing answers. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** Resolves when the condition holds; rejects after the deadline, saying what was waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadline = 10_000,
): Promise<void> {
  const end = performance.now() + deadline
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${deadline} ms in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const answers = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.on('error', () => resolve(false))
    socket.on('data', data => {
      resolve(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
  })

/** Starts one on a port that was free a moment ago; on another one when somebody was faster. */
async function launch(dir: string): Promise<{ port: number; server: ChildProcess }> {
  for (;;) {
    const port = await freePort()
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
    const server = spawn('redis-server', args, { stdio: 'ignore' })
    await once(server, 'spawn')
    await until('redis-server answers', async () => server.exitCode !== null || (await answers(port)))
    if (server.exitCode === null) return { port, server }
  }
}

export async function startRedis(): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'palier-console-redis-'))
  const { port, server } = await launch(dir)
  // However this process ends, its server ends too.
  const guard = spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$0" 2>/dev/null; rm -rf "$1"', String(server.pid), dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  return {
    url: `redis://127.0.0.1:${port}`,
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    async stop() {
      guard.kill('SIGKILL')
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
      await rm(dir, { recursive: true, force: true })
    },
  }
}
