import { type Clock, systemClock } from '../../clock.ts'
import { badOption, PalierError } from '../../errors.ts'
import { RECORD_HEAD } from '../../record.ts'
import type { Claimed, SharedStore, StoredRecord } from '../../store.ts'
import { createRedisBus } from './bus.ts'
import { type Commands, createCommands } from './commands.ts'
import { isIoRedis, ioredisPort } from './ioredis.ts'
import { encodeKey, leaseName, slotOf, valueName } from './keys.ts'
import { isNodeRedis, nodeRedisPort } from './node-redis.ts'
import { type RedisEvent, ownedPort } from './owned.ts'
import type { Port, Reply } from './port.ts'
import { createScanner } from './scan.ts'
import { createScripts, type Scripts } from './scripts.ts'
import { type RedisConnect, targetOf } from './target.ts'

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

export interface RedisStore extends SharedStore {
  readonly name: 'redis'
  /** Changes when another server, or an empty one in its place, answers: its run and replication ids. */
  identity(): Promise<string>
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

/** Keys of one script call: enough to make its cost vanish among them, few enough not to hold the server up. */
const GET_CHUNK = 64
const DELETE_CHUNK = 500

type Part = readonly number[]

/** Positions of `encoded`, in groups that may travel in one command: of one slot on a cluster, of bounded size anywhere. */
function partsOf(encoded: readonly string[], isCluster: boolean, limit: number): Part[] {
  const parts: Part[] = []
  const open = new Map<number, number[]>()
  for (const [i, key] of encoded.entries()) {
    const slot = isCluster ? slotOf(key) : 0
    const part = open.get(slot)
    if (part !== undefined && part.length < limit) part.push(i)
    else {
      const fresh = [i]
      open.set(slot, fresh)
      parts.push(fresh)
    }
  }
  return parts
}

function asRecord(value: Reply, remaining: Reply): StoredRecord | undefined {
  if (!Buffer.isBuffer(value)) return undefined
  const left = Number(remaining)
  return left > 0 ? { bytes: value, remaining: left } : undefined
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function listOf(reply: Reply): readonly Reply[] {
  if (!Array.isArray(reply)) throw new PalierError('PALIER_STORE_FAILED', 'redis gave an answer of the wrong shape')
  return reply as readonly Reply[]
}

/** Reads in few commands; those asked for within one tick travel together. */
function createReader(commands: Commands, scripts: Scripts, port: Port): Pick<SharedStore, 'get' | 'getMany'> {
  async function read(encoded: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    const records = new Array<StoredRecord | undefined>(encoded.length).fill(undefined)
    const ask = async (part: Part): Promise<void> => {
      const names = part.map(i => valueName(encoded[i] ?? ''))
      const reply = listOf(await commands.run(scripts.get, names, []))
      for (const [n, i] of part.entries()) records[i] = asRecord(reply[2 * n], reply[2 * n + 1])
    }
    await commands.connected()
    await Promise.all(partsOf(encoded, port.isCluster, GET_CHUNK).map(ask))
    return records
  }

  let gathering: string[] = []
  let gathered: Promise<(StoredRecord | undefined)[]> | undefined

  /** The tick ends after the microtasks of the moment have run, so callers woken together are gathered too. */
  const gather = (): Promise<(StoredRecord | undefined)[]> =>
    new Promise((resolve, reject) => {
      process.nextTick(() => {
        const encoded = gathering
        gathering = []
        gathered = undefined
        read(encoded).then(resolve, reject)
      })
    })

  return {
    get(key) {
      const encoded = encodeKey(key)
      // On a cluster keys seldom share a slot, and the client gathers the commands per node itself.
      if (port.isCluster) return read([encoded]).then(records => records[0])
      gathered ??= gather()
      const i = gathering.push(encoded) - 1
      return gathered.then(records => records[i])
    },
    getMany: keys => read(keys.map(encodeKey)),
  }
}

/** Keeps records in Redis. The server drops what expires and evicts by its own policy, so there is no `sweep`. */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const { client, clock = systemClock, deadline = 250 } = options
  if (!Number.isInteger(deadline) || deadline < 1) throw badOption('deadline', 'milliseconds, 1 or more', deadline)
  const target = targetOf(options.url, options.connect)
  const port = client === undefined ? ownedPort(target, clock, options.onEvent) : borrowedPort(client)
  const commands = createCommands(port, clock, deadline, target.password)
  return storeOn(port, commands, clock, deadline)
}

function storeOn(port: Port, commands: Commands, clock: Clock, deadline: number): RedisStore {
  const scripts = createScripts()
  const write = { write: true }
  const [headStart, headEnd] = [String(RECORD_HEAD.start), String(RECORD_HEAD.end)]
  const pair = (key: string): [string, string] => {
    const encoded = encodeKey(key)
    return [valueName(encoded), leaseName(encoded)]
  }
  return {
    name: 'redis',
    ...createReader(commands, scripts, port),
    ...createScanner(commands, port.keyPrefix),
    async claim(key, { token, ttl, seen, steal }): Promise<Claimed> {
      const head = seen === undefined ? '' : asBuffer(seen)
      const args = [token, String(ttl), steal ? '1' : '0', head, headStart, headEnd]
      const [value, left, granted] = listOf(await commands.run(scripts.claim, pair(key), args, write))
      return { record: asRecord(value, left), granted: Number(granted) === 1 }
    },
    async commit(key, token, bytes, ttl) {
      return Number(await commands.run(scripts.commit, pair(key), [token, asBuffer(bytes), String(ttl)], write)) === 1
    },
    async renew(key, token, ttl) {
      return Number(await commands.run(scripts.renew, [pair(key)[1]], [token, String(ttl)], write)) === 1
    },
    async release(key, token) {
      await commands.run(scripts.release, [pair(key)[1]], [token], write)
    },
    async set(key, bytes, ttl) {
      await commands.run(scripts.set, pair(key), [asBuffer(bytes), String(ttl)], write)
    },
    async delete(keys) {
      const encoded = keys.map(encodeKey)
      const unlink = (part: Part): Promise<Reply> => {
        const names = part.flatMap(i => [valueName(encoded[i] ?? ''), leaseName(encoded[i] ?? '')])
        return commands.send(['UNLINK', ...names], { key: names[0] ?? '', write: true })
      }
      await commands.connected()
      await Promise.all(partsOf(encoded, port.isCluster, DELETE_CHUNK).map(unlink))
    },
    openBus: channel => createRedisBus({ port, commands, script: scripts.publish, clock, channel, deadline }),
    async identity() {
      const info = String(await commands.send(['INFO', 'server']))
      const replication = String(await commands.send(['INFO', 'replication']))
      const id = (text: string, name: string): string => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
      return `${id(info, 'run_id')} ${id(replication, 'master_replid')}`
    },
    async close() {
      commands.close()
      await port.close()
    },
  }
}
