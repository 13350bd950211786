import { type Dialect, MysqlDialect, type MysqlPool, type MysqlPoolConnection, type MysqlQueryResult } from 'kysely'
import { createPool, type Pool, type PoolConnection, type PoolOptions } from 'mysql2'
import { type PoolLimits, type ServerTarget, UnusableDatabase } from './url.ts'

/**
 * Statements that make every session alike, whatever the server's configuration says. The mode is strict, or a text that
 * is too long would be cut in silence; and it is without NO_BACKSLASH_ESCAPES and ANSI_QUOTES, because the driver puts
 * values into the statements itself and escapes them with backslashes. English messages can be read by `portable.ts`.
 */
const SESSION = [
  "set sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', lc_messages = 'en_US'",
  // As on PostgreSQL. The default, REPEATABLE READ, locks the gaps between keys: inserts side by side would deadlock.
  'set session transaction isolation level read committed',
]

const SSL_MODES: Readonly<Record<string, NonNullable<PoolOptions['ssl']> | undefined>> = {
  disable: undefined,
  disabled: undefined,
  require: { rejectUnauthorized: false },
  required: { rejectUnauthorized: false },
  'verify-ca': { rejectUnauthorized: true },
  verify_ca: { rejectUnauthorized: true },
  'verify-full': { rejectUnauthorized: true },
  verify_identity: { rejectUnauthorized: true },
}

/** The parameters of the URL: `ssl-mode` (or `sslmode`) and `socket`. Throws UnusableDatabase for any other. */
function readParameters({ url, location }: ServerTarget): PoolOptions {
  const options: PoolOptions = {}
  for (const [name, value] of url.searchParams) {
    if (name === 'socket') options.socketPath = value
    else if (name === 'ssl-mode' || name === 'sslmode') {
      if (!Object.hasOwn(SSL_MODES, value.toLowerCase())) {
        const expected = 'disabled, required, verify_ca or verify_identity'
        throw new UnusableDatabase(`${location}: ${name}: expected ${expected}, received ${JSON.stringify(value)}`)
      }
      const ssl = SSL_MODES[value.toLowerCase()]
      if (ssl !== undefined) options.ssl = ssl
    } else {
      const received = JSON.stringify(name)
      throw new UnusableDatabase(`${location}: expected the parameters ssl-mode and socket only, received ${received}`)
    }
  }
  return options
}

function openPool(target: ServerTarget, { size, overflow, recycle }: PoolLimits): Pool {
  const { url } = target
  return createPool({
    ...readParameters(target),
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    connectionLimit: size + overflow,
    maxIdle: size,
    // Whatever is idle for longer would be closed even within `maxIdle`.
    idleTimeout: recycle,
    gracefulEnd: true,
    charset: 'UTF8MB4_BIN',
    decimalNumbers: true,
    // An object among the values would else be written out as `column = value` pairs.
    stringifyObjects: true,
    // Without this flag an insert that met a duplicate counts as none; see `countMatched` for what else it changes.
    flags: ['-FOUND_ROWS'],
  })
}

/** An update counts the rows it found, as on the other engines, and not only those in which a value became another. */
function countMatched(result: MysqlQueryResult & { info?: string }): MysqlQueryResult {
  const matched = Array.isArray(result) ? undefined : /^Rows matched: (\d+)/.exec(result.info ?? '')?.[1]
  return matched === undefined
    ? result
    : { ...(result as Exclude<MysqlQueryResult, unknown[]>), affectedRows: Number(matched) }
}

interface Lent extends MysqlPoolConnection {
  readonly bornAt: number
}

function lend(raw: PoolConnection): Lent {
  function query(sql: string, values: unknown[], done?: (error: unknown, result: MysqlQueryResult) => void): never {
    if (done === undefined) throw new Error('streaming is not supported: page with keysets instead')
    return raw.query(sql, values, (error, result) =>
      done(error, error === null ? countMatched(result as MysqlQueryResult) : []),
    ) as never
  }
  return { bornAt: performance.now(), query, release: () => raw.release() }
}

/** Runs the statements one after the other; tells the first error. */
function prepare(raw: PoolConnection, statements: readonly string[], done: (error: unknown) => void): void {
  const [first, ...rest] = statements
  if (first === undefined) return done(null)
  raw.query(first, error => (error === null ? prepare(raw, rest, done) : done(error)))
}

function recycling(pool: Pool, recycle: number): MysqlPool {
  const known = new WeakMap<PoolConnection, Lent>()
  const getConnection: MysqlPool['getConnection'] = done =>
    pool.getConnection((error, raw) => {
      const fail = (reason: unknown): void => done(reason, undefined as never)
      if (error !== null) return fail(error)
      const lent = known.get(raw)
      if (lent !== undefined && performance.now() - lent.bornAt < recycle) return done(null, lent)
      if (lent !== undefined) {
        raw.destroy()
        return getConnection(done)
      }
      // The driver listens to the first error of a connection only; another would end the process.
      raw.on('error', () => undefined)
      prepare(raw, SESSION, reason => {
        if (reason !== null) {
          raw.destroy()
          return fail(reason)
        }
        const fresh = lend(raw)
        known.set(raw, fresh)
        done(null, fresh)
      })
    })
  return { getConnection, end: done => pool.end(done) }
}

/** A pool of MySQL or MariaDB connections for Kysely, which ends it when it is destroyed. */
export function mysqlDialect(target: ServerTarget, limits: PoolLimits): Dialect {
  return new MysqlDialect({ pool: recycling(openPool(target, limits), limits.recycle) })
}
