import {
  type Insertable,
  type InsertObject,
  type Kysely,
  type RawBuilder,
  type SelectQueryBuilder,
  sql,
  type UpdateObject,
} from 'kysely'
import type { Tables } from './schema.ts'
import type { Engine } from './url.ts'

/** The few places where the engines disagree. All other SQL of the application is the same on each. */

const DAY_MS = 86_400_000

/** The whole days since 1970, in UTC, of a column of milliseconds. */
export function dayNumber(engine: Engine, column: string): RawBuilder<number> {
  const day = sql.lit(DAY_MS)
  // `/` of two integers makes a decimal on MySQL.
  return engine === 'mysql' ? sql<number>`(${sql.ref(column)} div ${day})` : sql<number>`(${sql.ref(column)} / ${day})`
}

/** Below the least of the engines' bounds, SQLite's 32,766. */
const MAX_VALUES = 30_000

/**
 * Inserts the rows that break no unique index, all with the same columns; returns how many those were. Any other fault
 * of a row is an error. More values than one statement can carry go in several: in a transaction, all or none.
 */
export async function insertIfAbsent<T extends keyof Tables>(
  db: Kysely<Tables>,
  engine: Engine,
  table: T,
  rows: readonly Insertable<Tables[T]>[],
): Promise<number> {
  const [first] = rows
  if (first === undefined) return 0
  const columns = Object.keys(first)
  const size = Math.floor(MAX_VALUES / columns.length)
  let inserted = 0
  for (let start = 0; start < rows.length; start += size) {
    const values = rows.slice(start, start + size) as InsertObject<Tables, T>[]
    const insert = db.insertInto(table).values(values)
    // INSERT IGNORE would let broken foreign keys and texts that are too long pass as well.
    const same = { [String(columns[0])]: sql.ref(String(columns[0])) } as unknown as UpdateObject<Tables, T, T>
    const query = engine === 'mysql' ? insert.onDuplicateKeyUpdate(same) : insert.onConflict(on => on.doNothing())
    const { numInsertedOrUpdatedRows = 0n } = await query.executeTakeFirstOrThrow()
    inserted += Number(numInsertedOrUpdatedRows)
  }
  return inserted
}

/**
 * Inserts the row, or changes `changeColumns` of the one that has the same `keyColumns`, which have a unique index.
 * MySQL decides by any unique index: a table that has a second one is not for this function.
 */
export async function upsert<T extends keyof Tables>(
  db: Kysely<Tables>,
  engine: Engine,
  table: T,
  row: Insertable<Tables[T]>,
  keyColumns: readonly (keyof Tables[T] & string)[],
  changeColumns: readonly (keyof Tables[T] & string)[],
): Promise<void> {
  const arrived = (column: string) =>
    engine === 'mysql' ? sql`values(${sql.ref(column)})` : sql`${sql.ref(`excluded.${column}`)}`
  const changes = Object.fromEntries(changeColumns.map(column => [column, arrived(column)])) as unknown
  const insert = db.insertInto(table).values(row)
  const query =
    engine === 'mysql'
      ? insert.onDuplicateKeyUpdate(changes as UpdateObject<Tables, T, T>)
      : insert.onConflict(on => on.columns([...keyColumns] as never).doUpdateSet(changes as never))
  await query.execute()
}

type Lock = <DB, TB extends keyof DB, O>(query: SelectQueryBuilder<DB, TB, O>) => SelectQueryBuilder<DB, TB, O>

/**
 * For `query.$call(forUpdate(engine))` inside a transaction: others who would change these rows wait for its end. SQLite
 * needs none, its writers go one after the other.
 */
export function forUpdate(engine: Engine): Lock {
  return query => (engine === 'sqlite' ? query : query.forUpdate())
}

/**
 * As `forUpdate`, but rows that another transaction has locked are left out instead of waited for. MySQL may lock rows
 * that it only passes on the way to others: what is left out is free to be had by somebody, or will be in a moment.
 */
export function skipLocked(engine: Engine): Lock {
  return query => (engine === 'sqlite' ? query : query.forUpdate().skipLocked())
}

interface DriverError {
  readonly code?: string
  readonly errno?: number
  readonly message?: string
  readonly detail?: string
  readonly constraint?: string
}

/** What a unique violation says it is about: the columns, or where the engine does not tell them, the index's name. */
function violated({ code, message = '', detail = '', constraint = '' }: DriverError): readonly string[] | undefined {
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    const columns = message.replace(/^UNIQUE constraint failed: /, '').split(', ')
    return columns.map(column => column.slice(column.indexOf('.') + 1))
  }
  // Key (campaign_id, contact_id)=(…) already exists. The columns come first, so values cannot pass for them.
  if (code === '23505') return (/\((.*?)\)=\(/.exec(detail)?.[1] ?? constraint).split(', ')
  // Duplicate entry '…' for key 'table.index': the last quotes, since a value may hold any text.
  if (code === 'ER_DUP_ENTRY') return [/'(?:[^'.]*\.)?([^'.]*)'$/.exec(message)?.[1] ?? '']
  return undefined
}

/**
 * Whether the error says that a row would have broken a unique index; with `column`, one with this column in it. MySQL
 * tells the index and not its columns: its name has to hold them between underscores, as the migrations see to, and a
 * primary key, which has no name there, never matches a column.
 */
export function isUniqueViolation(error: unknown, column?: string): boolean {
  const fault = (error ?? {}) as DriverError
  const about = violated(fault)
  if (about === undefined || column === undefined) return about !== undefined
  if (fault.code !== 'ER_DUP_ENTRY') return about.includes(column)
  return `_${about[0] ?? ''}_`.includes(`_${column}_`)
}

const MISSING_REFERENCE = new Set(['SQLITE_CONSTRAINT_FOREIGNKEY', '23503', 'ER_NO_REFERENCED_ROW_2'])

/** Whether the error of an insert or an update says that a row it refers to is gone: deleted since it was looked up. */
export function isMissingReference(error: unknown): boolean {
  const { code } = (error ?? {}) as DriverError
  return code !== undefined && MISSING_REFERENCE.has(code)
}

const TRANSIENT = new Set([
  // PostgreSQL: serialization failure, deadlock.
  '40001',
  '40P01',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
])

/**
 * Whether the whole transaction can be run again: the database undid it, or never began it, for another's sake. A lost
 * connection is not among these: whether its last commit was done is unknown.
 */
export function isTransient(error: unknown): boolean {
  const { code } = (error ?? {}) as DriverError
  return code !== undefined && (TRANSIENT.has(code) || code.startsWith('SQLITE_BUSY'))
}
