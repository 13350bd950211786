// A redis-server of a script's own: on a free loopback port, with its data on the disk, so that it comes back from
// kill -9 with all it had. Ends with the script, however that ends short of kill -9.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ensureInstalled, ensureRedisServer } from './bootstrap.mjs'
import { run, tool } from './run.mjs'

const START_BUDGET = 15_000

/** What a script of this directory needs before it can use the library: packages, redis-server, a build. */
export async function ensureReady(...projects) {
  await ensureInstalled()
  await ensureRedisServer()
  const { code, output } = await run(tool('tsc'), ['-b', ...projects], { show: false })
  if (code === 0) return
  process.stdout.write(output)
  console.error('\nIt did not compile; the errors are above.')
  process.exit(1)
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

function pings(port) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const say = answer => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(500, () => say(false))
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', data => say(String(data).startsWith('+PONG')))
    socket.on('error', () => say(false))
    socket.on('close', () => resolve(false))
  })
}

/** Removes a directory, however many are still at work in it; never throws, for what has to be done after it at exit. */
export function removeDirectory(dir) {
  try {
    rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
  } catch (error) {
    console.error(`${dir} is left behind: ${error.message}`)
  }
}

/** A fresh directory, removed when this process ends. */
export function temporaryDirectory(name) {
  const dir = mkdtempSync(join(tmpdir(), name))
  process.once('exit', () => removeDirectory(dir))
  return dir
}

/** Kills a child when this process ends, before any directory is removed. */
export function endWith(child) {
  const kill = () => child.kill('SIGKILL')
  process.prependOnceListener('exit', kill)
  child.once('exit', () => process.off('exit', kill))
}

/** Not running yet: `start()` it. */
export async function redisServer() {
  const port = await freePort()
  const dir = temporaryDirectory('palier-redis-')
  const data = ['--dir', dir, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
  let child
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    /** Resolves when it answers. */
    async start() {
      child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', ...data], { stdio: 'ignore' })
      endWith(child)
      const until = performance.now() + START_BUDGET
      while (!(await pings(port))) {
        if (performance.now() > until || child.exitCode !== null) throw new Error('redis-server does not answer')
        await pause(5)
      }
    },
    /** kill -9. */
    kill,
    /** SIGSTOP: connections stay open, and nothing answers. */
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async stop() {
      await kill()
      removeDirectory(dir)
    },
  }
}

/** Columns of plain text: the first flush left, the others flush right. */
export function columns(head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => String(row[i] ?? '').length)))
  const cell = (text, i) => (i === 0 ? String(text).padEnd(widths[i]) : String(text).padStart(widths[i]))
  const line = row =>
    widths
      .map((_width, i) => cell(row[i] ?? '', i))
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
