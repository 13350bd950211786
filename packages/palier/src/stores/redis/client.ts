import type { Clock } from '../../clock.ts'
import { isIoRedis } from './ioredis.ts'
import { isNodeRedis } from './node-redis.ts'
import type { RedisEvent } from './owned.ts'
import type { RedisConnect, RedisSentinel } from './target.ts'

/**
 * A client the caller owns: an ioredis `Redis` (through sentinels too) or `Cluster`, or a node-redis client, pool,
 * cluster or sentinel client (version 5 on).
 */
export type RedisClientLike =
  | { callBuffer(...args: never[]): Promise<unknown> }
  | { sendCommand(...args: never[]): Promise<unknown> }

export interface RedisStoreOptions {
  /**
   * Borrowed: never closed, no listener left on it once the store is closed. Messages are heard on a copy made by its
   * `duplicate()`. How soon it gives up a silent connection and comes back is as its owner configured it.
   */
  readonly client?: RedisClientLike
  /**
   * `redis://[[user]:password@]host[:port][/db]`, or `rediss://` for TLS; the connection is the store's own, through
   * whichever of `redis` and `ioredis` is installed. A node of a cluster leads to the others. Through sentinels:
   * `redis+sentinel://[[user]:password@]host[:port],host[:port]/name[/db]` (`rediss+sentinel://`: TLS to all of them).
   */
  readonly url?: string
  /** Instead of `url`, or beside it: what is said here wins. */
  readonly connect?: RedisConnect
  /** The sentinels that name the primary, instead of `host` and `port`; the rest of `connect` goes for the servers. */
  readonly sentinel?: RedisSentinel
  /** Milliseconds within which each command must be answered. Default 250. */
  readonly deadline?: number
  readonly clock?: Clock
  /** What happens to the connection the store opened itself. */
  readonly onEvent?: (event: RedisEvent) => void
}

export function isRedisClient(client: object): client is RedisClientLike {
  return isIoRedis(client) || isNodeRedis(client)
}
