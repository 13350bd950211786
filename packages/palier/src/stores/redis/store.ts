import { type Clock, systemClock } from '../../clock.ts'
import { badOption, PalierError } from '../../errors.ts'
import { RECORD_HEAD } from '../../record.ts'
import type { Claimed, ConnectionListener, SharedStore } from '../../store.ts'
import { createRedisBus } from './bus.ts'
import { borrowedPort } from './borrowed.ts'
import type { RedisStoreOptions } from './client.ts'
import { type Commands, createCommands } from './commands.ts'
import { createRedisLimits, createRedisLocks } from './guards.ts'
import { isMoving } from './faults.ts'
import { createIdentity } from './identity.ts'
import { encodeKey, leaseName, valueName } from './keys.ts'
import { loadClient } from './open.ts'
import { ownedPort } from './owned.ts'
import type { Port, Reply } from './port.ts'
import { asRecord, createReader, listOf, type Part, partsOf } from './reader.ts'
import { createScanner } from './scan.ts'
import { createScripts } from './scripts.ts'
import { createServerTime } from './server-time.ts'
import { targetOf } from './target.ts'

export { isRedisClient, type RedisClientLike, type RedisStoreOptions } from './client.ts'
export type { RedisEvent } from './owned.ts'
export { probeRedis } from './probe.ts'

/** Names of one UNLINK, of which each key has two. */
const DELETE_CHUNK = 500

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export interface RedisStore extends SharedStore {
  readonly name: 'redis'
  /**
   * Run and replication ids of the primaries, and the slots of each in a cluster. Rejects if none answers. For a user
   * that may not run INFO it is the number of connections there were.
   */
  identity(): Promise<string>
  /**
   * Also tells `lost` when a write was answered by a server that is a replica now. Of a borrowed client it tells what
   * the client's own events say, with listeners that are on it only while somebody watches; a pool tells that some
   * connection failed.
   */
  watch(listener: ConnectionListener): () => void
  reconnect(): void
}

/**
 * Keeps records in Redis. The server drops what expires and evicts by its own policy, so there is no `sweep`.
 *
 * While a slot of a cluster is being moved its keys can be read, set and deleted, but no lease can be taken or
 * committed (PALIER_STORE_FAILED), because the two names of a key may be on two nodes.
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const { client, clock = systemClock, deadline = 250 } = options
  if (!Number.isInteger(deadline) || deadline < 1) throw badOption('deadline', 'milliseconds, 1 or more', deadline)
  const target = targetOf(options.url, options.connect, options.sentinel)
  const port =
    client === undefined ? ownedPort(target, clock, options.onEvent, loadClient, deadline) : borrowedPort(client, clock)
  const commands = createCommands(port, clock, deadline, target.password)
  return storeOn(port, commands, clock, deadline)
}

/** The store over any port; `redisStore` makes the port. */
export function storeOn(port: Port, commands: Commands, clock: Clock, deadline: number): RedisStore {
  const scripts = createScripts()
  const time = createServerTime(clock, deadline)
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
      const [value, lease] = pair(key)
      const sentAt = clock.now()
      const inTime = async (): Promise<boolean> => {
        const args = [asBuffer(bytes), String(ttl), String(time.latest())]
        const serverNow = Number(await commands.run(scripts.set, [value, lease], args, write))
        time.learn(Math.abs(serverNow))
        return serverNow > 0
      }
      try {
        if (await inTime()) return
        // The answer came in time, so it is the two clocks that differ; by now it is known by how much.
        if (clock.now() - sentAt < deadline && (await inTime())) return
        throw new PalierError('PALIER_STORE_TIMEOUT', `redis took the write later than ${deadline} ms, and left it`)
      } catch (error) {
        if (!isMoving(error)) throw error
        // A lease granted between the two is younger than this call, so what it commits is too.
        await commands.send(['UNLINK', lease], { key: lease, write: true })
        await commands.send(['SET', value, asBuffer(bytes), 'PX', String(ttl)], { key: value, write: true })
      }
    },
    async delete(keys) {
      const encoded = keys.map(encodeKey)
      const one = (name: string): Promise<Reply> => commands.send(['UNLINK', name], { key: name, write: true })
      const unlink = async (part: Part): Promise<void> => {
        const names = part.flatMap(i => [valueName(encoded[i] ?? ''), leaseName(encoded[i] ?? '')])
        try {
          await commands.send(['UNLINK', ...names], { key: names[0] ?? '', write: true })
        } catch (error) {
          if (!isMoving(error)) throw error
          // The leases first: what was being loaded is stored before its value goes, or never.
          await Promise.all(part.map(i => one(leaseName(encoded[i] ?? ''))))
          await Promise.all(part.map(i => one(valueName(encoded[i] ?? ''))))
        }
      }
      await commands.connected()
      await Promise.all(partsOf(encoded, port.isCluster, DELETE_CHUNK).map(unlink))
    },
    openBus: channel => createRedisBus({ port, commands, script: scripts.publish, clock, channel, deadline }),
    locks: createRedisLocks(commands),
    limits: createRedisLimits(commands),
    identity: createIdentity(commands, port),
    watch: listener => port.watch(listener),
    reconnect: () => port.reconnect(),
    async close() {
      commands.close()
      await port.close()
    },
  }
}
