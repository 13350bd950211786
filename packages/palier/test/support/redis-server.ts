import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster } from 'redis'
import type { SharedStore } from '../../src/store.ts'
import type { RedisClientLike } from '../../src/stores/redis/store.ts'

/*
 * Real redis-server processes for tests, each on a free loopback port with its own temporary directory and no
 * persistence. A guard process holds the reading end of a pipe whose writing end only the test process has: however
 * the test process ends, kill -9 included, the pipe closes and the guard kills the server and removes its directory.
 */

export interface RedisServer {
  readonly host: '127.0.0.1'
  readonly port: number
  /** Includes the password, if there is one. */
  readonly url: string
  /** Of the running server; changes with `restart`. */
  readonly pid: number
  /** Ends the server for good and removes its directory. May be called twice. */
  stop(): Promise<void>
  /** kill -9; the port stays ours for `restart`. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  resume(): void
  /** Kills the server if it runs, and starts an empty one on the same port. */
  restart(): Promise<void>
  /** Sends one inline command on a connection of its own; resolves with the raw reply, errors included. */
  ask(command: string): Promise<string>
}

export interface RedisServerOptions {
  readonly args?: readonly string[]
  readonly port?: number
  readonly password?: string
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  stop(): Promise<void>
}

const START_BUDGET = 15_000

/** A port that was free a moment ago; below the range of outgoing connections nothing else of ours listens. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Asks again until the condition holds; rejects after `budget` milliseconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  budget: number = START_BUDGET,
): Promise<void> {
  const end = performance.now() + budget
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`still not so after ${budget} ms: ${what}`)
    await pause(10)
  }
}

/** The end of the first whole reply in `text`, or -1: enough for status, error, integer and bulk replies. */
function replyEnd(text: string): number {
  const line = text.indexOf('\r\n')
  if (line < 0) return -1
  const length = text.startsWith('$') ? Number(text.slice(1, line)) : -1
  const end = length < 0 ? line + 2 : line + 2 + length + 2
  return text.length >= end ? end : -1
}

function askPort(port: number, password: string | undefined, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    let skip = password === undefined ? 0 : 1
    socket.setEncoding('latin1')
    socket.setTimeout(START_BUDGET, () => socket.destroy(new Error(`no reply to ${command}`)))
    socket.on('connect', () => socket.write(`${skip === 1 ? `AUTH ${password}\r\n` : ''}${command}\r\n`))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`connection closed before a reply to ${command}`)))
    socket.on('data', (chunk: string) => {
      text += chunk
      for (let end = replyEnd(text); end >= 0; end = replyEnd(text)) {
        const reply = text.slice(0, end)
        text = text.slice(end)
        if (skip-- > 0) continue
        resolve(reply.startsWith('$') ? reply.slice(reply.indexOf('\r\n') + 2, -2) : reply.slice(0, -2))
        socket.destroy()
        return
      }
    })
  })
}

interface Running {
  readonly process: ChildProcess
  readonly pid: number
  end(): Promise<void>
}

async function launch(port: number, dir: string, options: RedisServerOptions): Promise<Running | undefined> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  if (options.password !== undefined) args.push('--requirepass', options.password)
  const server = spawn('redis-server', [...args, ...(options.args ?? [])], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [server.stdout, server.stderr]) stream.on('data', chunk => (output += String(chunk)))
  const exited = once(server, 'exit')
  const { pid } = server
  if (pid === undefined) throw new Error('redis-server did not start: is it installed?')
  const guard = spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$0" 2>/dev/null; rm -rf "$1"', String(pid), dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  const end = async (): Promise<void> => {
    guard.kill('SIGKILL')
    server.kill('SIGKILL')
    await exited
  }
  try {
    await until(`redis-server on ${port} answers PING`, async () => {
      if (server.exitCode !== null) return true
      return askPort(port, options.password, 'PING').then(
        reply => reply === '+PONG',
        () => false,
      )
    })
  } catch (error) {
    await end()
    throw new Error(`redis-server on ${port} did not answer:\n${output}`, { cause: error })
  }
  if (server.exitCode === null) return { process: server, pid, end }
  guard.kill('SIGKILL')
  if (output.includes('Address already in use')) return undefined
  throw new Error(`redis-server exited with ${server.exitCode}:\n${output}`)
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'palier-redis-'))
  let port = options.port ?? (await freePort())
  let running = await launch(port, dir, options)
  while (running === undefined) {
    if (options.port !== undefined) throw new Error(`port ${options.port} is in use`)
    port = await freePort()
    running = await launch(port, dir, options)
  }
  let current: Running = running
  const auth = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
  return {
    host: '127.0.0.1',
    port,
    url: `redis://${auth}127.0.0.1:${port}`,
    get pid() {
      return current.pid
    },
    async stop() {
      await current.end()
      await rm(dir, { recursive: true, force: true })
    },
    kill: () => current.end(),
    pause: () => void process.kill(current.pid, 'SIGSTOP'),
    resume: () => void process.kill(current.pid, 'SIGCONT'),
    async restart() {
      await current.end()
      const next = await launch(port, dir, options)
      if (next === undefined) throw new Error(`port ${port} was taken meanwhile`)
      current = next
    },
    ask: command => askPort(port, options.password, command),
  }
}

/** `count` masters that share the 16384 slots, without replicas; resolves once every node finds the cluster whole. */
export async function startCluster(count: number = 3): Promise<RedisCluster> {
  const nodes: RedisServer[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(node => node.stop()))
  }
  try {
    const busPorts: number[] = []
    for (let i = 0; i < count; i++) {
      const busPort = await freePort()
      busPorts.push(busPort)
      const file = `nodes-${i}.conf`
      const args = ['--cluster-enabled', 'yes', '--cluster-config-file', file, '--cluster-port', String(busPort)]
      nodes.push(await startRedis({ args: [...args, '--cluster-node-timeout', '2000'] }))
    }
    for (const [i, node] of nodes.entries()) {
      const from = Math.floor((16384 * i) / count)
      const to = Math.floor((16384 * (i + 1)) / count) - 1
      await node.ask(`CLUSTER ADDSLOTSRANGE ${from} ${to}`)
      await node.ask(`CLUSTER SET-CONFIG-EPOCH ${i + 1}`)
    }
    for (const [i, node] of nodes.entries()) {
      if (i > 0) await nodes[0]?.ask(`CLUSTER MEET 127.0.0.1 ${node.port} ${busPorts[i]}`)
    }
    const whole = async (node: RedisServer): Promise<boolean> => {
      const info = await node.ask('CLUSTER INFO')
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`)
    }
    for (const node of nodes) await until('the cluster is whole', () => whole(node))
    return { nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The kinds of client a caller may lend to a store. */
export const CLIENT_KINDS = ['ioredis', 'redis', 'redis pool'] as const
export type ClientKind = (typeof CLIENT_KINDS)[number]

/** A client as an application makes it with defaults; its errors are heard and dropped. */
export interface Lent {
  readonly client: RedisClientLike & NodeJS.EventEmitter
  end(): void
}

export async function lend(kind: ClientKind, url: string): Promise<Lent> {
  if (kind === 'ioredis') {
    const client = new Redis(url)
    client.on('error', () => {})
    await until('ioredis is ready', () => client.status === 'ready')
    return { client, end: () => client.disconnect() }
  }
  const client = kind === 'redis' ? createClient({ url }) : createClientPool({ url }, { minimum: 2 })
  client.on('error', () => {})
  await client.connect()
  return { client, end: () => client.destroy() }
}

export async function lendCluster(kind: 'ioredis' | 'redis', cluster: RedisCluster): Promise<Lent> {
  if (kind === 'ioredis') {
    const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
    client.on('error', () => {})
    await until('the ioredis cluster is ready', () => client.status === 'ready')
    return { client, end: () => client.disconnect() }
  }
  const client = createCluster({ rootNodes: cluster.nodes.map(({ url }) => ({ url })) })
  client.on('error', () => {})
  await client.connect()
  return { client, end: () => client.destroy() }
}

/** Waits for the first connection of a store, which may take longer than one of its commands is given. */
export async function answers<S extends SharedStore>(store: S): Promise<S> {
  await until('the store answers', () =>
    store.get('-').then(
      () => true,
      () => false,
    ),
  )
  return store
}
