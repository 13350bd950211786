import { readFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { sql } from 'kysely'
import { migrate, MIGRATION_NAMES } from '../../server/database/migrate.ts'
import { openDatabase } from '../../server/database/open.ts'
import type { Engine } from '../../server/database/url.ts'
import { freshDatabase } from './engines.ts'

/** A database as version 0.1 left it: each line of the file is a table's head, or one of its rows. */
type Value = string | number | null

export interface OldTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
}

interface OldDatabase {
  /** The statements by which 0.1 made its tables, on SQLite. */
  readonly schema: readonly string[]
  readonly tables: ReadonlyMap<string, OldTable>
}

export function readOldDatabase(): OldDatabase {
  const file = new URL('../fixtures/version-0.1.ndjson', import.meta.url)
  const [head, ...lines] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const tables = new Map<string, { columns: string[]; rows: Value[][] }>()
  let rows: Value[][] = []
  for (const line of lines) {
    if (Array.isArray(line)) rows.push(line)
    else {
      rows = []
      tables.set(line.table, { columns: line.columns, rows })
    }
  }
  return { schema: head.schema, tables }
}

/** SQLite was the one engine of 0.1: the file is made by its own statements, and nothing of today has touched it. */
async function loadFile(url: string, { schema, tables }: OldDatabase): Promise<void> {
  const file = new Sqlite(url.replace(/^sqlite:/, ''))
  for (const statement of schema) file.exec(statement)
  for (const [table, { columns, rows }] of tables) {
    const statement = file.prepare(`insert into ${table} (${columns.join()}) values (${columns.map(() => '?').join()})`)
    for (const row of rows) statement.run(...row)
  }
  const identity = file.prepare('insert into settings (key, value, updated_at) values (?, ?, 1)')
  identity.run('database_id', '0123456789ab')
  identity.run('cursor_secret', 'ab'.repeat(32))
  file.close()
}

async function loadServer(url: string, { tables }: OldDatabase): Promise<void> {
  const { writer, engine, close } = await openDatabase({ url })
  await migrate(writer, engine, MIGRATION_NAMES[0])
  for (const [table, { columns, rows }] of tables) {
    if (table.startsWith('kysely')) continue
    const names = sql.join(columns.map(name => sql.ref(name)))
    for (let start = 0; start < rows.length; start += 100) {
      const values = rows.slice(start, start + 100).map(row => sql`(${sql.join(row)})`)
      await sql`insert into ${sql.table(table)} (${names}) values ${sql.join(values)}`.execute(writer)
    }
  }
  await close()
}

/** The address of a database of version 0.1, with its rows. */
export async function oldDatabase(engine: Engine, old: OldDatabase): Promise<string> {
  const url = await freshDatabase(engine)
  await (engine === 'sqlite' ? loadFile(url, old) : loadServer(url, old))
  return url
}
