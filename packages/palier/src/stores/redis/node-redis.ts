import {
  type Args,
  type ClientPort,
  once,
  type Reply,
  reasonOf,
  type SendOptions,
  type SubscriptionEvents,
} from './port.ts'

/** `timeout` takes a command back that was not written in time; 0 is none. The type 36 (`$`) is the bulk string. */
interface CommandOptions {
  readonly typeMapping: { readonly 36: BufferConstructor }
  readonly timeout: number
}

/** What is called of a node-redis client. */
interface NodeRedis {
  readonly isReady: boolean
  sendCommand(args: Args, options: CommandOptions): Promise<Reply>
  duplicate(): NodeRedisSubscriber
}

interface NodeRedisSubscriber {
  on(event: string, listener: (...args: unknown[]) => void): unknown
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>
  destroy(): void
}

interface NodeRedisPool {
  readonly isOpen: boolean
  execute<T>(run: (client: NodeRedis) => Promise<T>): Promise<T>
}

interface NodeRedisCluster {
  readonly isOpen: boolean
  /** Since version 6. */
  readonly isReady?: boolean
  readonly masters: readonly object[]
  sendCommand(key: string | undefined, isReadonly: boolean, args: Args, options: CommandOptions): Promise<Reply>
  nodeClient(node: object): NodeRedis | Promise<NodeRedis>
}

/** Reads and writes go to the primary that the sentinels name. */
interface NodeRedisSentinel {
  readonly isReady: boolean
  sendCommand(isReadonly: boolean, args: Args, options: CommandOptions): Promise<Reply>
  duplicate(): NodeRedisSubscriber
}

type AnyNodeRedis = NodeRedis | NodeRedisPool | NodeRedisCluster | NodeRedisSentinel

const has = (client: object, name: string): boolean => typeof Reflect.get(client, name) === 'function'
const isCluster = (client: AnyNodeRedis): client is NodeRedisCluster => has(client, 'nodeClient')
const isPool = (client: AnyNodeRedis): client is NodeRedisPool => has(client, 'execute') && !has(client, 'duplicate')
const isSentinel = (client: AnyNodeRedis): client is NodeRedisSentinel => has(client, 'getSentinelNode')

export function isNodeRedis(client: object): client is AnyNodeRedis {
  if (!has(client, 'sendCommand') || has(client, 'callBuffer')) return false
  return has(client, 'nodeClient') || has(client, 'execute') || has(client, 'duplicate')
}

const within = (options: SendOptions): CommandOptions => ({
  typeMapping: { 36: Buffer },
  // Whole milliseconds: the client refuses a fraction.
  timeout: Math.ceil(options.within ?? 0),
})

/** A connection is given up at its first error and never left to reconnect: whoever asked opens a new one. */
function subscribe(
  makeSubscriber: () => Promise<NodeRedisSubscriber>,
  channel: string,
  given: SubscriptionEvents,
): () => void {
  let subscriber: NodeRedisSubscriber | undefined
  let isOver = false
  const events = once(given, () => {
    isOver = true
    end(subscriber)
  })
  const open = async (): Promise<void> => {
    subscriber = await makeSubscriber()
    if (isOver) return
    subscriber.on('error', error => events.lost(reasonOf(error)))
    subscriber.on('end', () => events.lost('connection closed'))
    await subscriber.connect()
    await subscriber.subscribe(channel, events.message)
  }
  open().then(
    () => events.ready(),
    (error: unknown) => events.lost(reasonOf(error)),
  )
  return events.stop
}

function end(subscriber: NodeRedisSubscriber | undefined): void {
  try {
    subscriber?.destroy()
  } catch {
    // Version 5 throws when there is no connection to destroy, which is what was asked for.
  }
}

function singlePort(client: NodeRedis): ClientPort {
  const send = (args: Args, options: SendOptions): Promise<Reply> => client.sendCommand(args, within(options))
  return {
    client: 'redis',
    isCluster: false,
    keepsOrder: true,
    keyPrefix: '',
    ready: () => client.isReady,
    trouble: () => undefined,
    send,
    masters: async () => [args => send(args, {})],
    subscribe: (channel, events) => subscribe(async () => client.duplicate(), channel, events),
  }
}

function poolPort(pool: NodeRedisPool): ClientPort {
  const send = (args: Args, options: SendOptions): Promise<Reply> => {
    const limit = options.within === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.within
    return pool.execute(client => {
      // Waiting for a free client counts too: `timeout` begins only when one was found.
      const left = limit - performance.now()
      if (left <= 0) return Promise.reject(new Error('no client of the pool was free in time'))
      return client.sendCommand(
        args,
        within({ within: left === Number.POSITIVE_INFINITY ? undefined : Math.ceil(left) }),
      )
    })
  }
  return {
    client: 'redis',
    isCluster: false,
    keepsOrder: false,
    keyPrefix: '',
    ready: () => pool.isOpen,
    trouble: () => undefined,
    send,
    masters: async () => [args => send(args, {})],
    subscribe: (channel, events) => subscribe(() => pool.execute(async client => client.duplicate()), channel, events),
  }
}

function clusterPort(cluster: NodeRedisCluster): ClientPort {
  const anyMaster = async (): Promise<NodeRedis> => {
    const { masters } = cluster
    const node = masters[Math.floor(Math.random() * masters.length)]
    if (node === undefined) throw new Error('no node of the cluster is known yet')
    return cluster.nodeClient(node)
  }
  return {
    client: 'redis',
    isCluster: true,
    keepsOrder: true,
    keyPrefix: '',
    ready: () => cluster.isReady ?? cluster.isOpen,
    trouble: () => undefined,
    send: (args, options) => cluster.sendCommand(options.key, false, args, within(options)),
    async masters() {
      const nodes = await Promise.all(cluster.masters.map(async node => cluster.nodeClient(node)))
      return nodes.map(node => (args: Args) => node.sendCommand(args, within({})))
    },
    // Plain pub/sub reaches every node of a cluster, so one node is enough to hear everything.
    subscribe: (channel, events) => subscribe(async () => (await anyMaster()).duplicate(), channel, events),
  }
}

function sentinelPort(sentinel: NodeRedisSentinel): ClientPort {
  const send = (args: Args, options: SendOptions): Promise<Reply> => sentinel.sendCommand(false, args, within(options))
  return {
    client: 'redis',
    isCluster: false,
    // It keeps a pool of clients of the primary.
    keepsOrder: false,
    keyPrefix: '',
    ready: () => sentinel.isReady,
    trouble: () => undefined,
    send,
    masters: async () => [args => send(args, {})],
    subscribe: (channel, events) => subscribe(async () => sentinel.duplicate(), channel, events),
  }
}

export function nodeRedisPort(client: AnyNodeRedis): ClientPort {
  if (isCluster(client)) return clusterPort(client)
  if (isSentinel(client)) return sentinelPort(client)
  return isPool(client) ? poolPort(client) : singlePort(client)
}
