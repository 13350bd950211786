import {
  type Args,
  type ClientPort,
  once,
  type Reply,
  reasonOf,
  SUBSCRIBE_BUDGET,
  type SubscriptionEvents,
} from './port.ts'

/** What is called of an ioredis `Redis`. */
interface IoRedis {
  readonly status: string
  readonly options: { readonly keyPrefix?: string | Buffer | undefined }
  callBuffer(command: string, args: Args): Promise<Reply>
  duplicate(override: Record<string, unknown>): IoRedisSubscriber
}

interface IoRedisCluster extends Omit<IoRedis, 'duplicate'> {
  readonly isCluster: true
  nodes(role: 'master'): IoRedis[]
}

interface IoRedisSubscriber {
  on(event: string, listener: (...args: unknown[]) => void): unknown
  connect(): Promise<void>
  subscribe(channel: string): Promise<unknown>
  disconnect(): void
}

function isCluster(client: IoRedis | IoRedisCluster): client is IoRedisCluster {
  return 'isCluster' in client && client.isCluster
}

export function isIoRedis(client: object): client is IoRedis | IoRedisCluster {
  return 'callBuffer' in client && typeof client.callBuffer === 'function'
}

function call(client: IoRedis | IoRedisCluster, args: Args): Promise<Reply> {
  const [command = '', ...rest] = args
  return client.callBuffer(String(command), rest)
}

/**
 * A subscriber is a copy of the borrowed client with its own reconnecting switched off: whoever asked opens a new one,
 * so that no message can be missed without `lost` being called.
 */
function subscribe(client: IoRedis, channel: string, given: SubscriptionEvents): () => void {
  const subscriber = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    autoResubscribe: false,
    enableOfflineQueue: true,
    maxRetriesPerRequest: 0,
    connectTimeout: SUBSCRIBE_BUDGET,
    readOnly: false,
  })
  const events = once(given, () => subscriber.disconnect())
  subscriber.on('error', error => events.lost(reasonOf(error)))
  subscriber.on('close', () => events.lost('connection closed'))
  subscriber.on('end', () => events.lost('connection closed'))
  subscriber.on('message', (_, text) => events.message(String(text)))
  subscriber
    .connect()
    .then(() => subscriber.subscribe(channel))
    .then(
      () => events.ready(),
      (error: unknown) => events.lost(reasonOf(error)),
    )
  return events.stop
}

export function ioredisPort(client: IoRedis | IoRedisCluster): ClientPort {
  const cluster = isCluster(client) ? client : undefined
  return {
    client: 'ioredis',
    isCluster: cluster !== undefined,
    keepsOrder: true,
    keyPrefix: String(client.options.keyPrefix ?? ''),
    // A client made with `lazyConnect` connects at its first command.
    ready: () => client.status === 'ready' || client.status === 'wait',
    trouble: () => undefined,
    send: args => call(client, args),
    async masters() {
      const nodes = cluster === undefined ? [client] : cluster.nodes('master')
      return nodes.map(node => (args: Args) => call(node, args))
    },
    subscribe(channel, events) {
      // Plain pub/sub reaches every node of a cluster, so one node is enough to hear everything.
      const masters = isCluster(client) ? client.nodes('master') : [client]
      const node = masters[Math.floor(Math.random() * masters.length)]
      if (node !== undefined) return subscribe(node, channel, events)
      const none = once(events, () => {})
      queueMicrotask(() => none.lost('no node of the cluster is known yet'))
      return none.stop
    },
  }
}
