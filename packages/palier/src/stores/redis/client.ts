import type { Clock } from '../../clock.ts'
import { badOption } from '../../errors.ts'
import { isIoRedis, ioredisPort } from './ioredis.ts'
import { isNodeRedis, nodeRedisPort } from './node-redis.ts'
import type { RedisEvent } from './owned.ts'
import type { Port } from './port.ts'
import type { RedisConnect } from './target.ts'

/** A client the caller owns: an ioredis `Redis` or `Cluster`, or a node-redis client, pool or cluster (version 5 on). */
export type RedisClientLike =
  | { callBuffer(...args: never[]): Promise<unknown> }
  | { sendCommand(...args: never[]): Promise<unknown> }

export interface RedisStoreOptions {
  /** Borrowed: never closed, no listener left on it. Messages are heard on a copy made by its `duplicate()`. */
  readonly client?: RedisClientLike
  /** `redis://` or `rediss://`; the connection is the store's own, through whichever of `redis` and `ioredis` is installed. */
  readonly url?: string
  /** Instead of `url`, or beside it: what is said here wins. */
  readonly connect?: RedisConnect
  /** Milliseconds within which each command must be answered. Default 250. */
  readonly deadline?: number
  readonly clock?: Clock
  /** What happens to the connection the store opened itself. */
  readonly onEvent?: (event: RedisEvent) => void
}

export function isRedisClient(client: object): client is RedisClientLike {
  return isIoRedis(client) || isNodeRedis(client)
}

/** The port of a borrowed client. */
export function borrowedPort(client: RedisClientLike): Port {
  if (isIoRedis(client)) return ioredisPort(client)
  if (isNodeRedis(client)) return nodeRedisPort(client)
  throw badOption('client', 'a client made by ioredis or by redis (version 5 or later)', client)
}
