import { join } from 'node:path'
import type { RedisAddress, RedisCandidate } from './contract.ts'
import { type Address, addressOf, idOf } from './address.ts'
import type { Environment, Room } from './room.ts'

/** An address that may be one of a Redis, and who says so. */
export interface Lead {
  readonly id: string
  readonly address: Address
  readonly how: RedisCandidate['how']
  readonly variable?: string
}

const URLS = ['PALIER_REDIS_URL', 'REDIS_URL', 'REDIS_TLS_URL', 'VALKEY_URL'] as const
const PORTS = [6379, 6380, 6381, 7000, 26_379] as const
const CONTAINERS = ['redis', 'valkey', 'cache', 'dragonfly'] as const

const within = (first: number, count: number): readonly number[] => Array.from({ length: count }, (_, i) => first + i)

/** Where a Redis of one's own is put, beside the usual ports: 199 of them. */
export const SCANNED: readonly number[] = [
  ...within(6382, 118),
  ...within(6300, 21),
  ...within(7001, 20),
  ...within(16_379, 10),
  ...within(26_380, 10),
  ...within(36_379, 10),
  ...within(10_000, 10),
]

const set = (text: string | undefined): text is string => text !== undefined && text !== ''

function fromEnvironment(environment: Environment): readonly Lead[] {
  const leads: Lead[] = []
  const add = (given: RedisAddress, variable: string): void => {
    try {
      const address = addressOf(given)
      leads.push({ id: idOf(address), address, how: 'environment', variable })
    } catch {
      // Not the address of one server (sentinels, or no URL at all): the search of the cache itself deals with those.
    }
  }
  for (const variable of URLS) {
    const url = environment[variable]
    if (set(url)) add({ url }, variable)
  }
  const {
    REDIS_HOST: host,
    REDIS_PORT: port,
    REDIS_USERNAME: username,
    REDIS_PASSWORD: password,
    REDIS_DB: db,
  } = environment
  if (set(host)) {
    const place = host.startsWith('/') ? { socket: host } : { host, ...(set(port) && { port: Number(port) }) }
    const secret = { ...(set(username) && { username }), ...(set(password) && { password }) }
    add({ ...place, ...secret, ...(set(db) && { db: Number(db) }) }, 'REDIS_HOST')
  }
  return leads
}

function sockets(home: string | undefined): readonly string[] {
  const own = set(home)
    ? [join(home, '.clwpos/redis.sock'), join(home, '.redis/redis.sock'), join(home, 'redis.sock')]
    : []
  return [...own, '/run/redis/redis-server.sock', '/var/run/redis/redis.sock', '/tmp/redis.sock']
}

const lead = (given: RedisAddress, how: Lead['how']): Lead => {
  const address = addressOf(given)
  return { id: idOf(address), address, how }
}

function inContainer({ saved }: Room): boolean {
  const shape = saved.results.server?.shape
  return shape === 'container' || shape === 'kubernetes'
}

/** Every address to try, in the order of trying; of two with one id the first stays, with the credentials of who typed it. */
export function leadsOf(room: Room, typed: readonly RedisAddress[] = room.saved.addresses): readonly Lead[] {
  const { environment, saved } = room
  const scanned = (saved.results.redis?.candidates ?? []).filter(one => one.how === 'scan')
  const all: Lead[] = [
    ...fromEnvironment(environment),
    ...sockets(environment['HOME']).map(socket => lead({ socket }, 'socket')),
    ...PORTS.flatMap(port => ['127.0.0.1', '::1'].map(host => lead({ host, port }, 'port'))),
    ...(inContainer(room) ? CONTAINERS.map(host => lead({ host }, 'container')) : []),
    ...scanned.map(one => lead({ host: '127.0.0.1', port: Number(/:(\d+)\/\d+$/.exec(one.id)?.[1]) }, 'scan')),
  ]
  const found = new Map<string, Lead>()
  for (const one of all) if (!found.has(one.id)) found.set(one.id, one)
  for (const given of typed) {
    const one = lead(given, 'typed')
    const known = found.get(one.id)
    found.set(one.id, known === undefined ? one : { id: one.id, address: one.address, how: known.how })
  }
  return [...found.values()]
}

/** The address of a candidate, credentials included; undefined when nothing names it any more. */
export function leadOf(room: Room, id: string): Lead | undefined {
  return leadsOf(room).find(one => one.id === id)
}
