import { type Dialect, PostgresDialect } from 'kysely'
import { Pool, TypeOverrides } from 'pg'
import type { PoolLimits, ServerTarget } from './url.ts'

const INT8 = 20
const NUMERIC = 1700

const CONNECT_PATIENCE_MS = 10_000
const IDLE_MS = 30_000

/** Counts and sums come as numbers. Set for this pool alone: another user of `pg` in the process keeps its own parsers. */
function numberTypes(): TypeOverrides {
  const types = new TypeOverrides()
  types.setTypeParser(INT8, Number)
  types.setTypeParser(NUMERIC, Number)
  return types
}

/** A pool of PostgreSQL connections for Kysely, which ends it when it is destroyed. */
export function postgresDialect(target: ServerTarget, { size, overflow, recycle }: PoolLimits): Dialect {
  const pool = new Pool({
    connectionString: target.url.href,
    application_name: 'campaigns',
    min: size,
    max: size + overflow,
    idleTimeoutMillis: IDLE_MS,
    maxLifetimeSeconds: recycle / 1000,
    connectionTimeoutMillis: CONNECT_PATIENCE_MS,
    keepAlive: true,
    types: numberTypes(),
  })
  // A connection that is lost while nobody asks it anything says so by an event, which ends the process if nobody
  // listens: the pool tells of the idle ones, and of those that are lent, between two statements of a transaction, each
  // connection only itself. The pool replaces them; the transaction learns of it from its next statement.
  pool.on('error', () => undefined)
  pool.on('connect', client => client.on('error', () => undefined))
  return new PostgresDialect({ pool })
}
