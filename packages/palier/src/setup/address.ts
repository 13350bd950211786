import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { badOption } from '../errors.ts'
import { isSocketPath, type Place, placeName, targetOf } from '../stores/redis/target.ts'
import type { RedisAddress } from './contract.ts'

/** A server as it is spoken to. A host that begins with a slash is the path of a unix socket. */
export type Address = Place

export const isSocket = ({ host }: Pick<Address, 'host'>): boolean => isSocketPath(host)

export function idOf(address: Address): string {
  if (isSocket(address)) return `unix:${address.host}/${address.db}`
  return `${address.tls ? 'tls' : 'tcp'}:${placeName(address)}/${address.db}`
}

export function whereOf(address: Address): string {
  const place = isSocket(address) ? address.host : `${placeName(address)}${address.tls ? ' (TLS)' : ''}`
  return address.db === 0 ? place : `${place}, db ${address.db}`
}

/** As `REDIS_URL` says it. */
export function urlOf({ host, port, tls, username, password, db }: Address): string {
  const user = username === undefined ? '' : encodeURIComponent(username)
  const secret = password === undefined ? user : `${user}:${encodeURIComponent(password)}`
  const place = isSocketPath(host) ? encodeURIComponent(host) : placeName({ host, port })
  return `${tls ? 'rediss' : 'redis'}://${secret === '' ? '' : `${secret}@`}${place}${db === 0 ? '' : `/${db}`}`
}

const LONGEST = 512

function text(name: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined
  // What was typed is not repeated: it may be a password in the wrong field.
  if (typeof value !== 'string' || value.length > LONGEST || /[\r\n\0]/.test(value)) {
    throw badOption(name, `text of at most ${LONGEST} characters on one line`, typeof value)
  }
  return value
}

/** Checks what somebody typed. Throws PALIER_BAD_OPTION naming the field; no value of it is in the message. */
export function addressOf(given: RedisAddress): Address {
  const [url, socket, host] = [
    text('url', given.url?.trim()),
    text('socket', given.socket?.trim()),
    text('host', given.host?.trim()),
  ]
  const named = [url, socket, host].filter(one => one !== undefined)
  if (named.length !== 1) throw badOption('host', 'exactly one of url, socket and host', `${named.length} of them`)
  const [username, password] = [text('username', given.username), text('password', given.password)]
  const secret = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
  if (socket !== undefined) {
    if (!socket.startsWith('/')) throw badOption('socket', 'an absolute path', 'another one')
    return targetOf(undefined, { host: socket, ...(given.db !== undefined && { db: given.db }), ...secret })
  }
  if (host !== undefined && !/^[\w.:-]+$/.test(host)) throw badOption('host', 'a name or an address', 'something else')
  const place = targetOf(url, {
    ...(host !== undefined && { host }),
    ...(given.port !== undefined && { port: given.port }),
    ...(given.db !== undefined && { db: given.db }),
    ...(given.tls !== undefined && { tls: given.tls }),
    ...secret,
  })
  if (place.sentinel !== undefined) throw badOption('url', 'the address of one server', 'sentinels')
  return place
}

const FORBIDDEN = new BlockList()
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4')
FORBIDDEN.addSubnet('0.0.0.0', 8, 'ipv4')
FORBIDDEN.addSubnet('224.0.0.0', 3, 'ipv4')
FORBIDDEN.addAddress('100.100.100.200', 'ipv4')
FORBIDDEN.addAddress('192.0.0.192', 'ipv4')
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6')
FORBIDDEN.addSubnet('fd00:ec2::', 32, 'ipv6')
FORBIDDEN.addSubnet('ff00::', 8, 'ipv6')
FORBIDDEN.addAddress('::', 'ipv6')
FORBIDDEN.addAddress('fd20:ce::254', 'ipv6')

/** Link-local addresses, those of the metadata of clouds, and those that are no host's. */
export function isForbidden(ip: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  const plain = mapped ?? ip.replace(/%.*$/, '')
  const family = isIP(plain)
  if (family === 0) return true
  if (family === 6 && FORBIDDEN.check(plain, 'ipv6')) return true
  // `check` knows the mapped forms in every spelling only when it is asked as IPv6 against IPv4 rules.
  return family === 4 ? FORBIDDEN.check(plain, 'ipv4') : FORBIDDEN.check(plain, 'ipv6')
}

/**
 * The address with its name looked up, so that what is checked is what is spoken to. With TLS the name stays: its
 * certificate must be for it. Rejects with PALIER_BAD_OPTION when any address of the name is forbidden.
 */
export async function resolved(address: Address): Promise<Address> {
  if (isSocket(address)) return address
  const all = isIP(address.host) === 0 ? await lookup(address.host, { all: true }) : [{ address: address.host }]
  if (all.length === 0 || all.some(one => isForbidden(one.address))) {
    throw badOption('host', 'an address that is not link-local nor of cloud metadata', 'such an address')
  }
  return address.tls ? address : { ...address, host: all[0]?.address ?? address.host }
}
