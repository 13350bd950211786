import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import { ioredisPort, isIoRedis } from './ioredis.ts'
import { nodeRedisPort } from './node-redis.ts'
import { backoff, CONNECT_BUDGET, once, type Port } from './port.ts'
import { addressOf, safeCause, type Target } from './target.ts'

/*
 * A connection of the store's own, through whichever client is installed. The client's queue of commands for later is
 * off (a write must not leave long after its caller was told it failed), it reconnects for ever, and a socket that
 * says nothing for a while is replaced. When the server turns out to be a node of a cluster, a cluster client takes
 * over before the first command is let through.
 */

/** What happened to the store's own connection. */
export type RedisEvent =
  | { readonly kind: 'ready'; readonly client: 'redis' | 'ioredis'; readonly mode: 'standalone' | 'cluster' }
  | { readonly kind: 'trouble'; readonly why: string }

/** One client of either kind, connecting or connected. */
interface Opened {
  readonly port: Port
  end(): void
}

interface Watch {
  trouble(error: unknown): void
}

/** Idle this long although pinged each second: the socket is dead, whatever TCP believes. */
const SILENT = 3000
const PING = 1000

async function openNodeRedis(target: Target, isCluster: boolean, watch: Watch): Promise<Opened> {
  const { createClient, createCluster } = await import('redis')
  const socket = {
    connectTimeout: CONNECT_BUDGET,
    socketTimeout: SILENT,
    reconnectStrategy: (retries: number): number => backoff(retries),
    ...(target.tls ? { tls: true as const } : {}),
  }
  const common = {
    disableOfflineQueue: true,
    pingInterval: PING,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
  }
  const place = { host: target.host, port: target.port }
  if (isCluster) {
    const cluster = createCluster({ rootNodes: [{ socket: { ...socket, ...place } }], defaults: { ...common, socket } })
    cluster.on('error', error => watch.trouble(error))
    await cluster.connect()
    return { port: nodeRedisPort(cluster), end: () => cluster.destroy() }
  }
  const client = createClient({ ...common, database: target.db, socket: { ...socket, ...place } })
  client.on('error', error => watch.trouble(error))
  // Rejects only when the client is ended; until then it goes on trying, and says so through `error`.
  client.connect().catch(() => {})
  return { port: nodeRedisPort(client), end: () => client.destroy() }
}

async function openIoRedis(target: Target, isCluster: boolean, watch: Watch): Promise<Opened> {
  const { Cluster, Redis } = await import('ioredis')
  const common = {
    connectTimeout: CONNECT_BUDGET,
    socketTimeout: SILENT,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
  }
  const place = { host: target.host, port: target.port }
  const client = isCluster
    ? new Cluster([place], { redisOptions: common, enableOfflineQueue: false, clusterRetryStrategy: n => backoff(n) })
    : new Redis({
        ...common,
        ...place,
        db: target.db,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        retryStrategy: attempt => backoff(attempt),
      })
  client.on('error', error => watch.trouble(error))
  const seen: object = client
  if (!isIoRedis(seen))
    throw new PalierError('PALIER_STORE_FAILED', 'the installed ioredis is not one this store knows')
  return { port: ioredisPort(seen), end: () => client.disconnect() }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'

/** Which client is installed, loaded and ready for use; `redis` is preferred. */
export async function loadClient(): Promise<'redis' | 'ioredis'> {
  for (const [client, load] of [
    ['redis', () => import('redis')],
    ['ioredis', () => import('ioredis')],
  ] as const) {
    try {
      await load()
      return client
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  throw new PalierError('PALIER_STORE_FAILED', `no Redis client is installed: npm install redis (or ioredis)`)
}

type Choose = () => Promise<'redis' | 'ioredis'>

async function open(choose: Choose, target: Target, isCluster: boolean, watch: Watch): Promise<Opened> {
  return (await choose()) === 'redis' ? openNodeRedis(target, isCluster, watch) : openIoRedis(target, isCluster, watch)
}

const LOOK = 5

export function ownedPort(
  target: Target,
  clock: Clock,
  onEvent: ((event: RedisEvent) => void) | undefined,
  choose: Choose = loadClient,
): Port {
  let port: Port | undefined
  let opened: Opened | undefined
  let trouble: string | undefined
  let isClosed = false
  let wake: () => void = () => {}
  const watch: Watch = {
    trouble(error) {
      const why = `${addressOf(target)}: ${safeCause(error, target.password).message}`
      if (!isClosed && trouble !== why) onEvent?.({ kind: 'trouble', why })
      trouble = why
    },
  }

  /** Cut short by `close`, which must not hang on a timer that keeps no process alive. */
  const pause = (ms: number): Promise<void> =>
    new Promise(resolve => {
      const cancel = clock.after(ms, resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })

  /** False when the port was closed first. */
  async function becameReady(next: Opened): Promise<boolean> {
    opened = next
    while (!isClosed && !next.port.ready()) await pause(LOOK)
    return !isClosed
  }

  async function establish(): Promise<void> {
    let next = await open(choose, target, false, watch)
    if (!(await becameReady(next))) return
    const info = String(await next.port.send(['INFO', 'cluster'], {}))
    if (info.includes('cluster_enabled:1')) {
      end()
      next = await open(choose, target, true, watch)
      if (!(await becameReady(next))) return
    }
    if (isClosed) return
    port = next.port
    trouble = undefined
    onEvent?.({ kind: 'ready', client: port.client, mode: port.isCluster ? 'cluster' : 'standalone' })
  }

  async function establishAtLast(): Promise<void> {
    for (let attempt = 0; !isClosed && port === undefined; attempt++) {
      try {
        await establish()
      } catch (error) {
        watch.trouble(error)
        end()
        if (!isClosed) await pause(backoff(attempt))
      }
    }
    if (isClosed) end()
  }

  function end(): void {
    try {
      opened?.end()
    } catch {
      // It was not open any more, which is what was asked for.
    }
    opened = undefined
  }

  const established = establishAtLast()
  const notYet = (): Error => new Error(trouble ?? 'not connected yet')
  return {
    get client() {
      return port?.client ?? 'redis'
    },
    get isCluster() {
      return port?.isCluster ?? false
    },
    keepsOrder: true,
    keyPrefix: '',
    ready: () => port?.ready() ?? false,
    trouble: () => trouble,
    send: (args, options) => (port === undefined ? Promise.reject(notYet()) : port.send(args, options)),
    masters: async () => {
      if (port === undefined) throw notYet()
      return port.masters()
    },
    subscribe(channel, events) {
      if (port !== undefined) return port.subscribe(channel, events)
      const none = once(events, () => {})
      queueMicrotask(() => none.lost(notYet().message))
      return none.stop
    },
    async close() {
      isClosed = true
      wake()
      end()
      await established
    },
  }
}
