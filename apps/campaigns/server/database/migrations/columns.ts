import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Engine } from '../url.ts'

/**
 * Column types of the three engines. Texts compare byte by byte everywhere, so that a sort, a prefix range and a unique
 * name mean the same on each: PostgreSQL is told per column, MySQL and MariaDB per table.
 */
// Tables come and go between migrations, so none of them is typed by the schema of today.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyDb = Kysely<any>

export interface Columns {
  readonly id: RawBuilder<unknown>
  /** Milliseconds since 1970, or a number of bytes. */
  readonly time: RawBuilder<unknown>
  readonly integer: RawBuilder<unknown>
  text(length: number): RawBuilder<unknown>
  /** More than an index can hold: bodies, JSON. */
  readonly long: RawBuilder<unknown>
  /** What ends a CREATE TABLE. */
  readonly tail: RawBuilder<unknown>
}

export function columnsOf(engine: Engine): Columns {
  const collate = engine === 'postgres' ? sql` collate "C"` : sql``
  const text = (length: number): RawBuilder<unknown> => sql`varchar(${sql.lit(length)})${collate}`
  return {
    id: text(36),
    time: sql`bigint`,
    integer: sql`integer`,
    text,
    long: engine === 'mysql' ? sql`mediumtext` : sql`text`,
    tail: engine === 'mysql' ? sql`engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin` : sql``,
  }
}

export const oneOf = (column: string, values: readonly string[]): RawBuilder<boolean> =>
  sql<boolean>`${sql.ref(column)} in (${sql.join(values.map(value => sql.lit(value)))})`

export async function addIndex(db: AnyDb, table: string, columns: readonly string[], unique = false): Promise<void> {
  const index = db.schema
    .createIndex(`${table}_by_${columns.join('_')}`)
    .on(table)
    .columns([...columns])
  await (unique ? index.unique() : index).execute()
}

/** SQLite adds one column a statement, and none that is unique: uniqueness comes as an index. */
export async function addColumns(
  db: AnyDb,
  table: string,
  columns: Readonly<Record<string, RawBuilder<unknown>>>,
): Promise<void> {
  for (const [name, type] of Object.entries(columns))
    await sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${type}`.execute(db)
}

export async function dropColumns(db: AnyDb, table: string, columns: readonly string[]): Promise<void> {
  for (const name of columns) await db.schema.alterTable(table).dropColumn(name).execute()
}

export async function dropIndex(db: AnyDb, engine: Engine, table: string, columns: readonly string[]): Promise<void> {
  const index = db.schema.dropIndex(`${table}_by_${columns.join('_')}`)
  await (engine === 'mysql' ? index.on(table) : index).execute()
}
