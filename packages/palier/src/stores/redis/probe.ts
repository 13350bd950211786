import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../clock.ts'
import { loadClient } from './open.ts'
import { type Args, type Reply, reasonOf } from './port.ts'
import { clientPort } from './borrowed.ts'
import type { RedisStoreOptions } from './client.ts'
import { createSentinels } from './sentinel.ts'
import { addressOf, type Place, safeCause, safeCauseFor, type Target, targetOf } from './target.ts'
import { movedTo, openWire, signIn, type Wire } from './wire.ts'

/*
 * Proves Redis before it is chosen: a key is set with a lifetime, read back and deleted, within a budget that counts
 * from the first packet. Without a client the probe speaks to the server on a socket of its own, because a client
 * hides the reason (it retries) and outlives the budget; the socket is destroyed whatever happens.
 */

export type RedisMode = 'standalone' | 'cluster' | 'sentinel'

export type RedisProbe =
  | {
      readonly ok: true
      /** How long the three commands took, in microseconds, without connecting. */
      readonly micros: number
      readonly version: string
      readonly mode: RedisMode
      /** Absent where the server does not tell. */
      readonly maxmemoryPolicy?: string
    }
  | {
      readonly ok: false
      /** In plain words, fit for an operator. Never holds a password. */
      readonly why: string
      /** What to do about it. */
      readonly hint: string
    }

type Failure = Extract<RedisProbe, { ok: false }>
type Send = (args: Args, key?: string) => Promise<Reply>

const PROBE_TTL = '5000'

const REFUSALS: readonly (readonly [RegExp, string, string])[] = [
  [/^NOAUTH/, 'Redis asks for a password', 'set REDIS_PASSWORD, or put the password into REDIS_URL'],
  [
    /^WRONGPASS|invalid password|invalid username/i,
    'Redis refused the password',
    'check REDIS_USERNAME and REDIS_PASSWORD',
  ],
  [
    /without any password configured|no password is set/i,
    'a password was given to a Redis that has none',
    'take the password away, or set one on the server',
  ],
  [/^LOADING/, 'Redis is still loading its data', 'wait until it has started; it is found by itself then'],
  [
    /^READONLY/,
    'Redis is read-only: this is a replica',
    'point to the primary, or to its sentinels: redis+sentinel://host:26379/name',
  ],
  [
    /^NOPERM/,
    'the Redis user may not do what a cache needs',
    'allow SET GET DEL UNLINK EVAL EVALSHA SCAN INFO and pub/sub on palier:*',
  ],
  [/^OOM/, 'Redis is out of memory and refuses writes', 'raise maxmemory or set maxmemory-policy to allkeys-lru'],
  [/^MISCONF/, 'Redis refuses writes because it cannot save to disk', 'look at the log of the Redis server'],
  [
    /^NOREPLICAS/,
    'Redis refuses writes because it has too few replicas',
    'bring the replicas back, or lower min-replicas-to-write',
  ],
  [/^CLUSTERDOWN/, 'the Redis cluster is down', 'run redis-cli cluster info on one of its nodes'],
  [
    /^MOVED|^CROSSSLOT/,
    'this is a node of a Redis Cluster and the client is not a cluster client',
    'use the cluster client of ioredis or redis',
  ],
  [
    /^(ERR )?(DB index is out of range|invalid DB index|SELECT is not allowed)/i,
    'there is no such database on this Redis',
    'check REDIS_DB; a cluster has database 0 only',
  ],
  [/no Redis client is installed/, 'no Redis client is installed', 'npm install redis (or ioredis)'],
  [
    /knows no primary/,
    'the sentinels know no primary by this name',
    'check the name in redis+sentinel://host:26379/name',
  ],
  [/is a replica$/, 'the sentinels name a server that is a replica', 'wait until the failover is over'],
  [
    /max number of clients/,
    'Redis has too many clients',
    'raise maxclients, or look for connections that are never closed',
  ],
  [/not Redis/, 'what answers there is not Redis', 'check the host, the port and TLS'],
  [/ECONNREFUSED/, 'connection refused: nothing listens there', 'start Redis, or check REDIS_HOST and REDIS_PORT'],
  [/ENOTFOUND|EAI_AGAIN/, 'the host name is not known', 'check REDIS_HOST'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no route to the host', 'check the network and REDIS_HOST'],
  [/ECONNRESET|EPIPE|closed/, 'the connection was closed at once', 'check TLS, protected-mode and firewalls'],
  [
    /certificate|SSL|TLS|EPROTO/i,
    'no TLS connection could be made',
    'check the certificate, or use redis:// for a server without TLS',
  ],
]

function refusal(cause: Error, where: string): Failure {
  const text = 'code' in cause ? `${cause.message} ${String(cause.code)}` : cause.message
  const [, why, hint] = REFUSALS.find(([pattern]) => pattern.test(text)) ?? [
    undefined,
    cause.message,
    'look at the log of the Redis server',
  ]
  return { ok: false, why: `${where}${why}`, hint }
}

async function ask(send: Send, args: Args, key?: string): Promise<Reply> {
  const reply = await send(args, key)
  if (reply instanceof Error) throw reply
  return reply
}

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply))

const probeKey = (): string => `palier:{probe-${randomBytes(8).toString('hex')}}`

async function prove(send: Send, key: string): Promise<RedisProbe> {
  const begun = performance.now()
  const said = randomBytes(8).toString('hex')
  await ask(send, ['SET', key, said, 'PX', PROBE_TTL], key)
  const read = textOf(await ask(send, ['GET', key], key))
  await ask(send, ['DEL', key], key)
  const micros = Math.round((performance.now() - begun) * 1000)
  if (read !== said)
    return { ok: false, why: 'Redis did not give back what was written', hint: 'look at its maxmemory and eviction' }
  const { version, mode, policy } = await describe(send)
  return { ok: true, micros, version, mode, ...(policy === undefined ? {} : { maxmemoryPolicy: policy }) }
}

/** A server that lets nobody read INFO is Redis all the same. */
async function describe(send: Send): Promise<{ version: string; mode: RedisMode; policy: string | undefined }> {
  const read = (section: string): Promise<string> => ask(send, ['INFO', section]).then(textOf, () => '')
  const [server, memory] = await Promise.all([read('server'), read('memory')])
  const field = (text: string, name: string): string | undefined =>
    new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim()
  const mode = field(server, 'redis_mode')
  return {
    version: field(server, 'redis_version') ?? 'unknown',
    mode: mode === 'cluster' || mode === 'sentinel' ? mode : 'standalone',
    policy: field(memory, 'maxmemory_policy'),
  }
}

/** A node of a cluster answers MOVED for a key of another node: the proof is then made there. */
async function proveAt(place: Place, wires: Set<Wire>, key: string, hops: number): Promise<RedisProbe> {
  const wire = openWire(place)
  wires.add(wire)
  // Connected, and the client loaded, before the clock of the proof starts: neither is what a command costs.
  await Promise.all([wire.send(['PING']).catch(ignoreRefusal), loadClient()])
  await signIn(wire, place)
  try {
    return await prove(args => wire.send(args), key)
  } catch (error) {
    const moved = movedTo(error, place.host)
    if (moved === undefined || hops === 0) throw error
    return proveAt({ ...place, host: moved.host, port: moved.port }, wires, key, hops - 1)
  }
}

/** A server that asks for a password refuses PING before it was given one. */
function ignoreRefusal(error: unknown): Reply {
  if (/^[A-Z]+ /.test(reasonOf(error))) return null
  throw error
}

/** Through sentinels the primary they name is proven. */
async function proveTarget(target: Target, wires: Set<Wire>, clock: Clock): Promise<RedisProbe> {
  if (target.sentinel === undefined) return proveAt(target, wires, probeKey(), 1)
  const sentinels = createSentinels(target, target.sentinel, clock)
  try {
    const proof = await proveAt(await sentinels.primary(), wires, probeKey(), 0)
    return proof.ok ? { ...proof, mode: 'sentinel' } : proof
  } finally {
    sentinels.close()
  }
}

function withinBudget(clock: Clock, ms: number, proof: Promise<RedisProbe>, late: Failure): Promise<RedisProbe> {
  return new Promise(resolve => {
    const cancel = clock.after(ms, () => resolve(late))
    proof.then(
      result => {
        cancel()
        resolve(result)
      },
      () => {},
    )
  })
}

/**
 * Finds out whether Redis can be used, in at most `budgetMs`. Never rejects, and leaves nothing behind: no socket, no
 * key, no listener. A borrowed client is asked as it is; without one the address in `options` is.
 */
export async function probeRedis(options: RedisStoreOptions, budgetMs: number): Promise<RedisProbe> {
  const { client, clock = systemClock } = options
  const wires = new Set<Wire>()
  let where = ''
  let hide = (error: unknown): Error => safeCause(error, undefined)
  try {
    const silent = `no answer within ${budgetMs} ms`
    if (client !== undefined) {
      const port = clientPort(client)
      const send: Send = (args, key) => port.send(args, { key, within: budgetMs })
      const late: Failure = {
        ok: false,
        why: `${silent} through the client given`,
        hint: 'check that the client is connected',
      }
      const proof = prove(send, probeKey()).catch((error: unknown) => refusal(hide(error), ''))
      return await withinBudget(clock, budgetMs, proof, late)
    }
    const target = targetOf(options.url, options.connect, options.sentinel)
    where = `${addressOf(target)}: `
    hide = error => safeCauseFor(error, target)
    const late: Failure = {
      ok: false,
      why: `${where}${silent}`,
      hint: 'check the address, firewalls and whether the server hangs',
    }
    const proof = proveTarget(target, wires, clock).catch((error: unknown) => refusal(hide(error), where))
    return await withinBudget(clock, budgetMs, proof, late)
  } catch (error) {
    return refusal(hide(error), where)
  } finally {
    for (const wire of wires) wire.close()
  }
}
