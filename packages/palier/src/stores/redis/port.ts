import type { ConnectionListener } from '../../store.ts'

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

/** One client, borrowed or opened by the store. */
export interface ClientPort {
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
}

/** What the store asks and listens through. */
export interface Port extends ClientPort {
  /**
   * Tells of lost connections and of those that can be used again, until the returned function is called. `lost` comes
   * before any command can succeed on the connection that follows.
   */
  watch(listener: ConnectionListener): () => void
  /**
   * A server answered that it is not the one to write to. The port tells its watchers, and looks for the right server
   * if the connection is its own; at growing intervals, because a server may go on answering so.
   */
  doubt(reason: string): void
  /** Gives up connections that have fallen silent and makes others; nothing for a borrowed client. Never throws. */
  reconnect(): void
  /** How many connections there were so far, as far as the port can know: what tells them apart when nothing else does. */
  connections(): number
  /** Ends what the port opened itself; a borrowed client stays open, with no listener left on it. */
  close(): Promise<void>
}

/*
 * From heal to use takes at most one attempt that was under way and is lost, the pause after it, and one attempt that
 * succeeds at once:
 *
 *   refused     0    + 500 ms   an attempt fails at once, and pauses grow from 50 to 500 ms
 *   no answer   1250 + 125 ms   an attempt may take 3 deadlines (750 ms by default), half as much again after each
 *                               one that ran out of time, up to 1250 ms; having waited already, it pauses little
 *
 * so 1.5 s hold for deadlines of up to 400 ms. The 1250 ms also bound what a connection may cost: TCP, TLS and HELLO are
 * four round trips, so a server further away than about 300 ms needs a longer deadline, and comes back that much later.
 * Password refused: pauses grow to 1 s, as trying does not help.
 */
const PATIENCE_CAP = 1250
const LEAST_PATIENCE = 250

/** Milliseconds an attempt to connect may take, after `timeouts` attempts in a row that ran out of time. */
export function patience(deadline: number, timeouts: number): number {
  const base = Math.max(LEAST_PATIENCE, 3 * deadline)
  return Math.round(Math.min(Math.max(PATIENCE_CAP, base), base * 1.5 ** Math.min(timeouts, 10)))
}

/** Milliseconds an attempt to subscribe may take. */
export const SUBSCRIBE_BUDGET: number = PATIENCE_CAP

/** The longest pause between attempts, by how the last one failed. */
export const LONGEST_PAUSE: Readonly<Record<'failed' | 'late' | 'refused', number>> = {
  failed: 500,
  late: 125,
  refused: 1000,
}

/** Milliseconds before the next attempt: doubling from 50, and spread so that processes do not march in step. */
export function backoff(attempt: number, longest: number = LONGEST_PAUSE.failed): number {
  return Math.ceil(Math.min(longest, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2))
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
