import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, type LogEvent, sql } from 'kysely'
import { migrate } from './migrate.ts'
import { mysqlDialect } from './mysql.ts'
import { postgresDialect } from './postgres.ts'
import { workerLink } from './reader.ts'
import type { Tables } from './schema.ts'
import { localLink, sqliteDialect } from './sqlite.ts'
import { type DatabaseTarget, type Engine, type PoolLimits, readDatabaseUrl, UnusableDatabase } from './url.ts'

/** Every query sent to the database, on any connection; `begin` and `commit` are not queries. */
export interface QueryCounter {
  readonly count: number
  /** Tells each query from now on; returns what ends that. */
  watch(listener: (sql: string, parameters: readonly unknown[]) => void): () => void
}

export interface Database {
  readonly engine: Engine
  /** The primary: transactions, and lookups of single rows by key. On SQLite the one connection that writes, in this thread. */
  readonly writer: Kysely<Tables>
  /** The primary too, for loads that fill the cache and may visit many rows. On SQLite connections in worker threads. */
  readonly reader: Kysely<Tables>
  /** For lists that no cache holds: the read replica when there is one, and a moment behind; else the reader. */
  readonly replica: Kysely<Tables>
  readonly queries: QueryCounter
  /** Where the database is, for people: never with a password. */
  readonly location: string
  /** The file, on SQLite only. */
  readonly sqlitePath?: string
  /** Random, made with the database: two databases never share cache entries, whatever directory or Redis they use. */
  readonly id: string
  readonly cursorSecret: Buffer
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** As DATABASE_URL: see `readDatabaseUrl`. */
  readonly url: string
  /** As DATABASE_REPLICA_URL: a replica of `url`, of the same engine, PostgreSQL or MySQL. */
  readonly replicaUrl?: string | undefined
  /** 10 connections kept, 20 more under load, replaced after an hour. Not for SQLite. */
  readonly pool?: Partial<PoolLimits> | undefined
  /** Bring the tables up to date first; true unless said. */
  readonly migrate?: boolean | undefined
}

const POOL: PoolLimits = { size: 10, overflow: 20, recycle: 3_600_000 }

/** One that is busy with a dashboard still leaves one for everybody else. */
const SQLITE_READERS = 2

const TRANSACTION = /^(?:begin|commit|rollback|savepoint|release|start transaction|set transaction)\b/i

function createCounter(): QueryCounter & { log(event: LogEvent): void } {
  const listeners = new Set<(sql: string, parameters: readonly unknown[]) => void>()
  let count = 0
  return {
    get count() {
      return count
    },
    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    log({ query }) {
      if (TRANSACTION.test(query.sql)) return
      count++
      for (const listener of listeners) listener(query.sql, query.parameters)
    },
  }
}

interface Sides {
  readonly writer: Kysely<Tables>
  readonly reader: Kysely<Tables>
}

function connect(target: DatabaseTarget, limits: PoolLimits, log: (event: LogEvent) => void): Sides {
  if (target.engine === 'sqlite') {
    const { path } = target
    const writing = sqliteDialect({ open: () => localLink(path), size: 1, begin: 'begin immediate' })
    const reading = sqliteDialect({ open: () => workerLink(path), size: SQLITE_READERS, begin: 'begin' })
    return {
      writer: new Kysely<Tables>({ dialect: writing, log }),
      reader: new Kysely<Tables>({ dialect: reading, log }),
    }
  }
  const dialect = target.engine === 'postgres' ? postgresDialect(target, limits) : mysqlDialect(target, limits)
  const pooled = new Kysely<Tables>({ dialect, log })
  return { writer: pooled, reader: pooled }
}

/** What a code means to whoever wrote the address. Anything else is told in the driver's words. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the host name cannot be looked up',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'the host cannot be reached',
  '28P01': 'it refuses this user and password',
  '28000': 'it refuses this user',
  ER_ACCESS_DENIED_ERROR: 'it refuses this user and password',
  ER_DBACCESS_DENIED_ERROR: 'this user may not use this database',
  '3D000': 'it has no database of that name',
  ER_BAD_DB_ERROR: 'it has no database of that name',
  SQLITE_CANTOPEN: 'the file cannot be opened or made',
  SQLITE_NOTADB: 'the file is not a SQLite database',
}

const PRODUCTS: Readonly<Record<Engine, string>> = {
  sqlite: 'a SQLite database',
  postgres: 'a PostgreSQL server',
  mysql: 'a MySQL or MariaDB server',
}

/** Asks one question, so that an address that leads nowhere is told in one line and not from the depth of a migration. */
async function reach(db: Kysely<Tables>, { engine, location }: DatabaseTarget, variable: string): Promise<void> {
  try {
    // Reads the file's header on SQLite, which a bare `select 1` does not.
    await (engine === 'sqlite' ? sql`select count(*) from sqlite_master` : sql`select 1`).execute(db)
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string }
    const said = (code === undefined ? undefined : REASONS[code]) ?? message
    const reason = code === undefined ? said : `${said} (${code})`
    throw new UnusableDatabase(`${variable}: expected ${PRODUCTS[engine]} at ${location}, received: ${reason}`, {
      cause,
    })
  }
}

async function readIdentity(db: Kysely<Tables>): Promise<{ id: string; cursorSecret: Buffer }> {
  const settings = await db
    .selectFrom('settings')
    .select(['key', 'value'])
    .where('key', 'in', ['database_id', 'cursor_secret'])
    .execute()
  const setting = (key: string): string => {
    const value = settings.find(row => row.key === key)?.value
    if (value === undefined) throw new Error(`the database has lost its setting "${key}"; restore it from a backup`)
    return value
  }
  return { id: setting('database_id'), cursorSecret: Buffer.from(setting('cursor_secret'), 'hex') }
}

function isMissingTable(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  const onSqlite = code === 'SQLITE_ERROR' && message?.startsWith('no such table') === true
  return onSqlite || code === '42P01' || code === 'ER_NO_SUCH_TABLE'
}

async function identify(db: Kysely<Tables>, { location }: DatabaseTarget): ReturnType<typeof readIdentity> {
  try {
    return await readIdentity(db)
  } catch (cause) {
    if (!isMissingTable(cause)) throw cause
    throw new UnusableDatabase(`${location} has no tables yet: run npm run migrate first`, { cause })
  }
}

/** A replica of some other database would show one team the contacts of another. One that has no tables yet is only late. */
async function checkReplica(db: Kysely<Tables>, target: DatabaseTarget, id: string): Promise<void> {
  await reach(db, target, REPLICA)
  let identity: Awaited<ReturnType<typeof readIdentity>>
  try {
    identity = await readIdentity(db)
  } catch (error) {
    if (isMissingTable(error)) return
    throw error
  }
  if (identity.id === id) return
  throw new UnusableDatabase(
    `${REPLICA}: expected a replica of DATABASE_URL, received another database, ${target.location}`,
  )
}

const REPLICA = 'DATABASE_REPLICA_URL'

function readReplica(url: string, { engine }: DatabaseTarget): DatabaseTarget {
  const replica = readDatabaseUrl(url, REPLICA)
  if (engine !== 'sqlite' && replica.engine === engine) return replica
  const expected = engine === 'sqlite' ? 'no replica of a SQLite file' : `a ${engine} database, as DATABASE_URL is`
  throw new UnusableDatabase(`${REPLICA}: expected ${expected}, received ${replica.location}`)
}

/**
 * Opens the database, making a SQLite file and its directory if need be, and brings its tables up to date. Rejects with
 * UnusableDatabase, one line that shows no password, when an address is wrong or nobody answers there. The caller
 * closes it.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const target = readDatabaseUrl(options.url)
  const replicaTarget = options.replicaUrl === undefined ? undefined : readReplica(options.replicaUrl, target)
  const limits = { ...POOL, ...options.pool }
  const queries = createCounter()
  const log = (event: LogEvent): void => queries.log(event)
  if (target.engine === 'sqlite') makeDirectory(target.path)
  const { writer, reader } = connect(target, limits, log)
  const replica = replicaTarget === undefined ? reader : connect(replicaTarget, limits, log).reader
  const close = async (): Promise<void> => {
    for (const side of new Set([replica, reader, writer])) await side.destroy()
  }
  try {
    await reach(writer, target, 'DATABASE_URL')
    if (options.migrate !== false) await migrate(writer, target.engine)
    const { id, cursorSecret } = await identify(writer, target)
    if (replicaTarget !== undefined) await checkReplica(replica, replicaTarget, id)
    const { engine, location } = target
    const file = target.engine === 'sqlite' ? { sqlitePath: target.path } : {}
    return { engine, writer, reader, replica, queries, location, ...file, id, cursorSecret, close }
  } catch (error) {
    await close()
    throw error
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (cause) {
    const { message } = cause as Error
    throw new UnusableDatabase(`DATABASE_URL: expected ${path} in a directory that can be made, received: ${message}`, {
      cause,
    })
  }
}
