import { badOption, PalierError } from '../../errors.ts'
import { reasonOf } from './port.ts'

/** Where a server is, when the caller gives no client. */
export interface RedisConnect {
  /** A name, an address, or the absolute path of a unix socket. Default `localhost`. */
  readonly host?: string
  /** Default 6379. */
  readonly port?: number
  readonly username?: string
  readonly password?: string
  /** Number of the database. Default 0. */
  readonly db?: number
  readonly tls?: boolean
}

/** Sentinels that know which server is the primary now. */
export interface RedisSentinel {
  /** At least one; the port is 26379 by default. They are asked in turn until one answers. */
  readonly nodes: readonly { readonly host: string; readonly port?: number }[]
  /** The name under which the sentinels watch the primary. */
  readonly name: string
  /** What the sentinels themselves ask for. Left out, a sentinel that asks gets the credentials of the server. */
  readonly username?: string
  readonly password?: string
}

/** One server to connect to. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: boolean
}

export interface SentinelTarget {
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly name: string
  readonly username: string | undefined
  readonly password: string | undefined
}

/** An address with every default filled in. With sentinels, `host` and `port` are those of the first of them. */
export interface Target extends Place {
  readonly sentinel?: SentinelTarget
}

/** Says what is wrong without showing the URL: it may hold a password. */
const badUrl = (): PalierError =>
  new PalierError(
    'PALIER_BAD_OPTION',
    'url: expected redis://[[user]:password@]host[:port][/db], rediss://... or ' +
      'redis+sentinel://[[user]:password@]host[:port],host[:port]/name[/db], received something else',
  )

interface Given {
  readonly connect: RedisConnect
  readonly sentinel?: RedisSentinel
}

const part = (value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : decodeURIComponent(value)

function credentials(username: string | undefined, password: string | undefined): RedisConnect {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
}

function fromUrl(text: string): Given {
  try {
    return /^rediss?\+sentinel:/i.test(text) ? fromSentinelUrl(text) : { connect: fromServerUrl(text) }
  } catch {
    // Also a malformed percent escape: what the decoder says would show the text around it.
    throw badUrl()
  }
}

function fromServerUrl(text: string): RedisConnect {
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw badUrl()
  const db = url.pathname.replace(/^\//, '')
  if (db !== '' && !/^\d+$/.test(db)) throw badUrl()
  // The slashes of a socket's path are escaped in a URL: redis://%2Frun%2Fredis.sock.
  const host = decodeURIComponent(url.hostname.replace(/^\[|\]$/g, ''))
  return {
    tls: url.protocol === 'rediss:',
    ...(host === '' ? {} : { host }),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(db === '' ? {} : { db: Number(db) }),
    ...credentials(part(url.username), part(url.password)),
  }
}

/** The parser of URLs knows one host only, so this form is taken apart here. */
function fromSentinelUrl(text: string): Given {
  const whole = /^(rediss?)\+sentinel:\/\/(?:([^/]*)@)?([^/@]+)\/([^/?#]+)(?:\/(\d*))?$/i.exec(text)
  if (whole === null) throw badUrl()
  const [, scheme = '', said, hosts = '', name, db = ''] = whole
  const [, username, password] = /^([^:]*)(?::(.*))?$/.exec(said ?? '') ?? []
  const nodes = hosts.split(',').map(each => {
    const [, plain, bracketed, port] = /^(?:([^:[\]]+)|\[([^\]]+)\])(?::(\d+))?$/.exec(each.trim()) ?? []
    const host = plain ?? bracketed
    if (host === undefined) throw badUrl()
    return port === undefined ? { host } : { host, port: Number(port) }
  })
  return {
    connect: {
      tls: scheme.toLowerCase() === 'rediss',
      ...(db === '' ? {} : { db: Number(db) }),
      ...credentials(part(username), part(password)),
    },
    sentinel: { nodes, name: part(name) ?? '' },
  }
}

function checkedPort(option: string, port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw badOption(option, 'a port from 1 to 65535', port)
  return port
}

function sentinelTarget(given: RedisSentinel): SentinelTarget {
  const { nodes, name, username, password } = given
  if (!(nodes instanceof Array) || nodes.length === 0) throw badOption('sentinel.nodes', 'at least one sentinel', nodes)
  if (typeof name !== 'string' || name === '') throw badOption('sentinel.name', 'the name of the primary', name)
  return {
    nodes: nodes.map(({ host, port = 26_379 }) => {
      if (typeof host !== 'string' || host === '') throw badOption('sentinel.nodes', 'a host for each', host)
      return { host, port: checkedPort('sentinel.nodes', port) }
    }),
    name,
    username: username === '' ? undefined : username,
    password: password === '' ? undefined : password,
  }
}

/** `sentinel` wins over what the URL says of sentinels, `connect` over what it says of the server. */
export function targetOf(url: string | undefined, connect: RedisConnect | undefined, sentinel?: RedisSentinel): Target {
  const said: Given = url === undefined ? { connect: {} } : fromUrl(url)
  const given = { ...said.connect, ...connect }
  const sentinels = sentinel ?? said.sentinel
  const { port = 6379, db = 0 } = given
  checkedPort('connect.port', port)
  if (!Number.isInteger(db) || db < 0) throw badOption('connect.db', 'a whole number from 0', db)
  const place: Place = {
    host: given.host ?? 'localhost',
    port,
    db,
    username: given.username === '' ? undefined : given.username,
    password: given.password === '' ? undefined : given.password,
    tls: given.tls ?? false,
  }
  if (sentinels === undefined) return place
  const known = sentinelTarget(sentinels)
  return { ...place, ...known.nodes[0], sentinel: known }
}

/** A host that begins with a slash is the path of a unix socket. */
export const isSocketPath = (host: string): boolean => host.startsWith('/')

/** `host:port` or the path of a socket, as people may read it. */
export function placeName({ host, port }: { readonly host: string; readonly port: number }): string {
  if (isSocketPath(host)) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Where the target is, as people may read it. */
export function addressOf(target: Target): string {
  if (target.sentinel === undefined) return placeName(target)
  return `${target.sentinel.name} of the sentinels ${target.sentinel.nodes.map(placeName).join(', ')}`
}

/**
 * A cause fit to be logged: clients hang the command and its arguments, passwords included, on their errors, so only
 * the message and the code are kept.
 */
export function safeCause(error: unknown, secret: string | undefined): Error {
  const message = reasonOf(error)
  const safe: Error & { code?: string } = new Error(secret === undefined ? message : message.replaceAll(secret, '***'))
  if (error instanceof Error) safe.name = error.name
  const own = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const code = own ?? /^[A-Z]{3,}(?= )/.exec(message)?.[0]
  if (code !== undefined) safe.code = code
  return safe
}

/** `safeCause` for everything that is secret about a target. */
export function safeCauseFor(error: unknown, target: Target): Error {
  return safeCause(safeCause(error, target.password), target.sentinel?.password)
}
