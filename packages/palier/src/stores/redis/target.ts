import { badOption, PalierError } from '../../errors.ts'
import { reasonOf } from './port.ts'

/** Where a server is, when the caller gives no client. */
export interface RedisConnect {
  /** Default `localhost`. */
  readonly host?: string
  /** Default 6379. */
  readonly port?: number
  readonly username?: string
  readonly password?: string
  /** Number of the database. Default 0. */
  readonly db?: number
  readonly tls?: boolean
}

/** An address with every default filled in. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: boolean
}

/** Says what is wrong without showing the URL: it may hold a password. */
const badUrl = (): PalierError =>
  new PalierError(
    'PALIER_BAD_OPTION',
    'url: expected redis://[[user]:password@]host[:port][/db] or rediss://..., received something else',
  )

function fromUrl(text: string): RedisConnect {
  if (!URL.canParse(text)) throw badUrl()
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw badUrl()
  const db = url.pathname.replace(/^\//, '')
  if (db !== '' && !/^\d+$/.test(db)) throw badUrl()
  const part = (value: string): string | undefined => (value === '' ? undefined : decodeURIComponent(value))
  try {
    const [host, username, password] = [url.hostname.replace(/^\[|\]$/g, ''), part(url.username), part(url.password)]
    return {
      tls: url.protocol === 'rediss:',
      ...(host === '' ? {} : { host }),
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      ...(db === '' ? {} : { db: Number(db) }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    }
  } catch {
    // A malformed percent escape: what the decoder says would show the text around it.
    throw badUrl()
  }
}

export function targetOf(url: string | undefined, connect: RedisConnect | undefined): Target {
  const given = { ...(url === undefined ? {} : fromUrl(url)), ...connect }
  const { port = 6379, db = 0 } = given
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw badOption('connect.port', 'a port from 1 to 65535', port)
  if (!Number.isInteger(db) || db < 0) throw badOption('connect.db', 'a whole number from 0', db)
  return {
    host: given.host ?? 'localhost',
    port,
    db,
    username: given.username === '' ? undefined : given.username,
    password: given.password === '' ? undefined : given.password,
    tls: given.tls ?? false,
  }
}

/** `host:port`, as people may read it. */
export function addressOf(target: Target): string {
  return target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`
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
