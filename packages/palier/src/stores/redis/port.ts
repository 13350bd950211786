/*
 * The one shape in which the rest of the store sees a Redis client. `ioredis.ts` and `node-redis.ts` fill it for a
 * client of either kind, `owned.ts` for a connection the store opens itself.
 */

/** Bulk strings come as buffers, statuses as strings or buffers, an error inside an array as an error. */
export type Reply = Buffer | string | number | bigint | boolean | null | undefined | Error | readonly Reply[]

export type Args = (string | Buffer)[]

export interface SendOptions {
  /** The key that chooses the node of a cluster; without it any node will do. */
  readonly key?: string | undefined
  /**
   * Milliseconds after which a command the client has not yet written must not be written any more: a write that
   * leaves the process long after its caller was told it failed could undo what happened in between.
   */
  readonly within?: number | undefined
}

export interface SubscriptionEvents {
  message(text: string): void
  /** Messages published from now on are heard. At most once. */
  ready(): void
  /** The subscription is over, for whatever reason. At most once, and nothing comes after it. */
  lost(reason: string): void
}

export interface Port {
  readonly client: 'redis' | 'ioredis'
  readonly isCluster: boolean
  /** Whether commands for one node arrive in the order in which they were sent; those of a pool may overtake. */
  readonly keepsOrder: boolean
  /** What the client itself puts before every key of a command (but not of a pattern). */
  readonly keyPrefix: string
  /** Whether a command sent now would leave now rather than wait in a queue for a connection. */
  ready(): boolean
  /** Why it is not ready, if the port knows. */
  trouble(): string | undefined
  send(args: Args, options: SendOptions): Promise<Reply>
  /** One sender per node that holds keys. */
  masters(): Promise<((args: Args) => Promise<Reply>)[]>
  /** Opens a connection of its own for one channel. The returned function ends it without another event. */
  subscribe(channel: string, events: SubscriptionEvents): () => void
  /** Ends what the port opened itself; a borrowed client stays open. */
  close(): Promise<void>
}

/** How long an attempt to open a connection may take before it counts as failed. */
export const CONNECT_BUDGET = 2000

/** Milliseconds before the next attempt: doubling from 50, at most 1 s, and spread so that processes do not march in step. */
export function backoff(attempt: number): number {
  return Math.ceil(Math.min(1000, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2))
}

/** The message of whatever was thrown; a bundle of errors (one per address tried) speaks through its first. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return 'unknown error'
  return error.message === '' ? error.name : error.message
}

/** Makes `ready` and `lost` happen at most once, and nothing after `lost` or the end. */
export function once(events: SubscriptionEvents, end: () => void): SubscriptionEvents & { stop(): void } {
  let over = false
  let isReady = false
  const stop = (): void => {
    if (over) return
    over = true
    end()
  }
  return {
    message(text) {
      if (!over) events.message(text)
    },
    ready() {
      if (over || isReady) return
      isReady = true
      events.ready()
    },
    lost(reason) {
      if (over) return
      stop()
      events.lost(reason)
    },
    stop,
  }
}
