import type { Clock } from '../../clock.ts'
import { badOption } from '../../errors.ts'
import type { RedisClientLike } from './client.ts'
import { isIoRedis, ioredisPort } from './ioredis.ts'
import { isNodeRedis, nodeRedisPort } from './node-redis.ts'
import { type ClientPort, type Port, reasonOf } from './port.ts'
import { createSpacing, createWatchers, type Watchers } from './watchers.ts'

/*
 * What a borrowed client tells of its connections by its own events. Listeners are on it only while somebody watches.
 * A pool says only that one of its connections failed, and neither which nor whether the others are well.
 */
type Listener = (...args: unknown[]) => void

interface Emitter {
  on(event: string, listener: Listener): unknown
  off(event: string, listener: Listener): unknown
}

const isEmitter = (value: unknown): value is Emitter =>
  typeof value === 'object' && value !== null && 'on' in value && 'off' in value && typeof value.off === 'function'

const isOf = (client: object, method: string): boolean => typeof Reflect.get(client, method) === 'function'

/** Listeners that are all taken off together. */
function createEars() {
  const ears: { readonly on: Emitter; readonly event: string; readonly listener: Listener }[] = []
  return {
    hear(on: Emitter, events: readonly string[], listener: Listener): void {
      for (const event of events) {
        on.on(event, listener)
        ears.push({ on, event, listener })
      }
    },
    forget(on: Emitter): void {
      for (const ear of ears.filter(each => each.on === on)) {
        ear.on.off(ear.event, ear.listener)
        ears.splice(ears.indexOf(ear), 1)
      }
    },
    close(): void {
      for (const { on, event, listener } of ears.splice(0)) on.off(event, listener)
    },
  }
}

type Ears = ReturnType<typeof createEars>
type Tell = Pick<Watchers, 'lost' | 'ready'>

/** One connection: told once when it goes, once when it is back. */
function createConnectionState(tell: Tell, isUp: boolean) {
  let up = isUp
  return {
    down(reason: string): void {
      if (!up) return
      up = false
      tell.lost(reason)
    },
    up(): void {
      // Ready again without having been seen to go: it went all the same.
      if (up) tell.lost('reconnected')
      up = true
      tell.ready()
    },
  }
}

const why = (args: readonly unknown[]): string => (args[0] instanceof Error ? reasonOf(args[0]) : 'connection closed')

function hearIoRedis(client: Emitter, ears: Ears, tell: Tell): void {
  const state = createConnectionState(tell, Reflect.get(client, 'status') === 'ready')
  ears.hear(client, ['close', 'end', 'reconnecting'], () => state.down('connection closed'))
  ears.hear(client, ['ready'], () => state.up())
}

function hearIoRedisCluster(client: Emitter, ears: Ears, tell: Tell): void {
  hearIoRedis(client, ears, tell)
  const known = new Set<Emitter>()
  const add = (node: unknown): void => {
    if (!isEmitter(node) || known.has(node)) return
    known.add(node)
    hearIoRedis(node, ears, tell)
  }
  const nodes: unknown = Reflect.apply(Reflect.get(client, 'nodes') as () => unknown, client, [])
  if (Array.isArray(nodes)) nodes.forEach(add)
  ears.hear(client, ['+node'], node => {
    add(node)
    tell.lost('a node joined the cluster')
    tell.ready()
  })
  ears.hear(client, ['-node'], node => {
    if (isEmitter(node)) {
      known.delete(node)
      ears.forget(node)
    }
    tell.lost('a node left the cluster')
    tell.ready()
  })
}

function hearNodeRedis(client: Emitter, ears: Ears, tell: Tell): void {
  const isReady = (): boolean => Reflect.get(client, 'isReady') === true
  const state = createConnectionState(tell, isReady())
  ears.hear(client, ['end', 'reconnecting', 'terminated'], (...args) => state.down(why(args)))
  ears.hear(client, ['error'], error => {
    if (!isReady()) state.down(reasonOf(error))
  })
  ears.hear(client, ['ready'], () => state.up())
}

function hearNodeRedisSentinel(client: Emitter, ears: Ears, tell: Tell): void {
  hearNodeRedis(client, ears, tell)
  ears.hear(client, ['topology-change', 'client-error'], event => {
    const type = typeof event === 'object' && event !== null ? Reflect.get(event, 'type') : undefined
    if (type !== 'MASTER_CHANGE' && type !== 'MASTER') return
    tell.lost('the primary has changed')
    tell.ready()
  })
}

const nameOf = (info: unknown): string =>
  typeof info === 'object' && info !== null
    ? `${String(Reflect.get(info, 'host'))}:${String(Reflect.get(info, 'port'))}`
    : ''

function hearNodeRedisCluster(client: Emitter, ears: Ears, tell: Tell): void {
  const nodes = new Map<string, ReturnType<typeof createConnectionState>>()
  const state = (info: unknown) => {
    const name = nameOf(info)
    const known = nodes.get(name)
    if (known !== undefined) return known
    const fresh = createConnectionState(tell, true)
    nodes.set(name, fresh)
    return fresh
  }
  ears.hear(client, ['node-error'], (error, info) => state(info).down(`${nameOf(info)}: ${reasonOf(error)}`))
  ears.hear(client, ['node-reconnecting', 'node-disconnect'], info =>
    state(info).down(`${nameOf(info)}: connection closed`),
  )
  ears.hear(client, ['node-ready'], info => state(info).up())
  ears.hear(client, ['disconnect', 'end'], () => tell.lost('the cluster client was closed'))
}

function hearPool(client: Emitter, ears: Ears, tell: Tell): void {
  ears.hear(client, ['error'], error => {
    tell.lost(reasonOf(error))
    tell.ready()
  })
}

function hear(client: RedisClientLike, ears: Ears, tell: Tell): void {
  if (!isEmitter(client)) return
  if (isIoRedis(client)) {
    if (isOf(client, 'nodes')) hearIoRedisCluster(client, ears, tell)
    else hearIoRedis(client, ears, tell)
  } else if (isOf(client, 'nodeClient')) hearNodeRedisCluster(client, ears, tell)
  else if (isOf(client, 'getSentinelNode')) hearNodeRedisSentinel(client, ears, tell)
  else if (isOf(client, 'duplicate')) hearNodeRedis(client, ears, tell)
  else hearPool(client, ears, tell)
}

/** What is asked through a borrowed client. */
export function clientPort(client: RedisClientLike): ClientPort {
  if (isIoRedis(client)) return ioredisPort(client)
  if (isNodeRedis(client)) return nodeRedisPort(client)
  throw badOption('client', 'a client made by ioredis or by redis (version 5 or later)', client)
}

export function borrowedPort(client: RedisClientLike, clock: Clock): Port {
  const port = clientPort(client)
  const watchers = createWatchers()
  const mayDoubt = createSpacing(clock)
  let ears: Ears | undefined
  let connections = 0
  const tell: Tell = {
    lost(reason) {
      connections++
      watchers.lost(reason)
    },
    ready: () => watchers.ready(),
  }
  const stop = (): void => {
    ears?.close()
    ears = undefined
  }
  return {
    ...port,
    watch(listener) {
      const remove = watchers.add(listener)
      if (ears === undefined) {
        ears = createEars()
        hear(client, ears, tell)
      }
      return () => {
        remove()
        if (watchers.size === 0) stop()
      }
    },
    doubt(reason) {
      if (!mayDoubt()) return
      watchers.lost(reason)
      watchers.ready()
    },
    reconnect: () => {},
    connections: () => connections,
    close: async () => stop(),
  }
}
