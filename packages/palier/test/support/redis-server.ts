import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster } from 'redis'
import type { SharedStore } from '../../src/store.ts'
import type { RedisClientLike } from '../../src/stores/redis/store.ts'
import { freePort, freePorts } from './ports.ts'

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
  /** Where it keeps its files; removed by `stop`. */
  readonly dir: string
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
  /** Run as a sentinel with these lines of configuration. */
  readonly sentinel?: readonly string[]
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  stop(): Promise<void>
}

const START_BUDGET = 15_000

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
  const args: string[] = []
  if (options.sentinel === undefined) args.push('--save', '', '--appendonly', 'no')
  else {
    // A sentinel writes what it learns into its own configuration, so it needs a file.
    const file = join(dir, 'sentinel.conf')
    await writeFile(file, options.sentinel.join('\n'))
    args.push(file, '--sentinel')
  }
  args.push('--port', String(port), '--bind', '127.0.0.1', '--dir', dir)
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
    dir,
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

const QUICK_REPLICATION = ['--repl-diskless-sync-delay', '0', '--repl-diskless-sync', 'yes'] as const

/**
 * `count` primaries that share the 16384 slots, and after them in `nodes` one replica for each if asked for; resolves
 * once every node finds the cluster whole and every replica is in step.
 */
export async function startCluster(count: number = 3, options: { replicas?: boolean } = {}): Promise<RedisCluster> {
  const all = options.replicas === true ? 2 * count : count
  const busPorts = await freePorts(all)
  const nodes = await startAll(
    busPorts.map((busPort, i) => {
      const args = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${i}.conf`]
      const wiring = ['--cluster-port', String(busPort), '--cluster-node-timeout', '2000', ...QUICK_REPLICATION]
      return { args: [...args, ...wiring] }
    }),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(node => node.stop()))
  }
  const cluster = { nodes, stop }
  try {
    const primaries = nodes.slice(0, count)
    for (const [i, node] of primaries.entries()) {
      const from = Math.floor((16384 * i) / count)
      const to = Math.floor((16384 * (i + 1)) / count) - 1
      await node.ask(`CLUSTER ADDSLOTSRANGE ${from} ${to}`)
      await node.ask(`CLUSTER SET-CONFIG-EPOCH ${i + 1}`)
    }
    for (const [i, node] of nodes.entries()) {
      if (i > 0) await nodes[0]?.ask(`CLUSTER MEET 127.0.0.1 ${node.port} ${busPorts[i]}`)
    }
    await whole(cluster)
    await Promise.all(nodes.slice(count).map((replica, i) => follow(replica, primaries[i])))
    const replicas = async (node: RedisServer): Promise<number> =>
      (await node.ask('CLUSTER NODES')).split(/\bslave\b/).length - 1
    // Nobody votes for a replica it does not know to be one.
    for (const node of nodes) await until('all know the replicas', async () => (await replicas(node)) === all - count)
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}

/** Resolves once every node knows all the others and finds every slot served. */
export async function whole({ nodes }: RedisCluster): Promise<void> {
  for (const node of nodes) {
    await until('the cluster is whole', async () => {
      const info = await node.ask('CLUSTER INFO')
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`)
    })
  }
}

/** Starts them together; when one cannot, stops the others. */
async function startAll(options: readonly RedisServerOptions[]): Promise<RedisServer[]> {
  const started = await Promise.allSettled(options.map(startRedis))
  const servers = started.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = started.find(each => each.status === 'rejected')
  if (failed === undefined) return servers
  await Promise.all(servers.map(server => server.stop()))
  throw new Error('a server could not be started', { cause: failed.reason })
}

/** Some at a time of what takes long to start, mostly waiting, and is handed out one by one. */
export interface Prepared<T> {
  next(): T
  /** Stops all, handed out or not. */
  stop(): Promise<void>
}

export async function prepare<T extends { stop(): Promise<void> }>(
  count: number,
  start: () => Promise<T>,
): Promise<Prepared<T>> {
  const ready: T[] = []
  let given = 0
  const stop = async (): Promise<void> => {
    await Promise.all(ready.map(one => one.stop()))
  }
  // All together would take the machine from the tests that run beside.
  while (ready.length < count) {
    const begun = await Promise.allSettled(Array.from({ length: Math.min(3, count - ready.length) }, start))
    ready.push(...begun.flatMap(each => (each.status === 'fulfilled' ? [each.value] : [])))
    const failed = begun.find(each => each.status === 'rejected')
    if (failed === undefined) continue
    await stop()
    throw new Error('a server could not be started', { cause: failed.reason })
  }
  return {
    next() {
      const one = ready[given++]
      if (one === undefined) throw new Error(`more than ${count} were asked for`)
      return one
    },
    stop,
  }
}

/** Makes a node of a cluster the replica of another one, and waits until it is in step. */
async function follow(replica: RedisServer, primary: RedisServer | undefined): Promise<void> {
  const id = await primary?.ask('CLUSTER MYID')
  await until('the replica may follow', async () => (await replica.ask(`CLUSTER REPLICATE ${id}`)) === '+OK')
  await until('the replica is in step', async () =>
    (await replica.ask('INFO replication')).includes('master_link_status:up'),
  )
}

/** A primary, its replicas, and three sentinels that watch it under the name `main`. */
export interface RedisSentinels {
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** `redis+sentinel://`, with the password of the servers if there is one. */
  readonly url: string
  /** The server that the sentinels name now. */
  primary(): Promise<RedisServer>
  stop(): Promise<void>
}

export async function startSentinels(
  options: { password?: string; sentinelPassword?: string; replicas?: number } = {},
): Promise<RedisSentinels> {
  const { password, sentinelPassword, replicas = 1 } = options
  const servers: RedisServer[] = []
  const sentinels: RedisServer[] = []
  const stop = async (): Promise<void> => {
    await Promise.all([...sentinels, ...servers].map(server => server.stop()))
  }
  const secret = password === undefined ? {} : { password }
  const auth = password === undefined ? [] : ['--masterauth', password]
  try {
    servers.push(await startRedis({ ...secret, args: [...QUICK_REPLICATION, ...auth] }))
    const port = servers[0]?.port ?? 0
    const args = [...QUICK_REPLICATION, ...auth, '--replicaof', '127.0.0.1', String(port)]
    servers.push(...(await startAll(Array.from({ length: replicas }, () => ({ ...secret, args })))))
    for (const replica of servers.slice(1))
      await until('the replica is in step', async () =>
        (await replica.ask('INFO replication')).includes('master_link_status:up'),
      )
    const sentinel = [
      `sentinel monitor main 127.0.0.1 ${port} 2`,
      'sentinel down-after-milliseconds main 1000',
      'sentinel failover-timeout main 3000',
      ...(password === undefined ? [] : [`sentinel auth-pass main ${password}`]),
      ...(sentinelPassword === undefined ? [] : [`sentinel sentinel-pass ${sentinelPassword}`]),
    ]
    const asked = sentinelPassword === undefined ? {} : { password: sentinelPassword }
    sentinels.push(...(await startAll(Array.from({ length: 3 }, () => ({ ...asked, sentinel })))))
    const known = `slaves=${replicas},sentinels=3`
    for (const each of sentinels)
      await until('the sentinels know each other', async () => (await each.ask('INFO sentinel')).includes(known))
  } catch (error) {
    await stop()
    throw error
  }
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`
  return {
    servers,
    sentinels,
    url: `redis+sentinel://${user}${hosts}/main`,
    async primary() {
      const info = (await sentinels[0]?.ask('INFO sentinel')) ?? ''
      const port = Number(/address=127\.0\.0\.1:(\d+)/.exec(info)?.[1])
      const named = servers.find(server => server.port === port)
      if (named === undefined) throw new Error(`the sentinels name nobody of ours: ${info}`)
      return named
    },
    stop,
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
