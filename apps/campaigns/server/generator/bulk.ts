import type { Database as SqliteFile } from 'better-sqlite3'
import { CompiledQuery, sql, type Transaction } from 'kysely'
import type { Tables } from '../database/schema.ts'
import type { Section } from './sections.ts'

/** Rows by the thousand, as fast as each engine takes them without tools of its own. All return how many there were. */

export function insertIntoFile(file: SqliteFile, { table, rows }: Section): number {
  let insert: ((row: object) => void) | undefined
  let count = 0
  for (const row of rows) {
    if (insert === undefined) {
      const columns = Object.keys(row)
      const places = columns.map(() => '?').join(', ')
      const statement = file.prepare(`insert into ${table} (${columns.map(quoted).join(', ')}) values (${places})`)
      insert = values => void statement.run(Object.values(values))
    }
    insert(row)
    count++
  }
  return count
}

const quoted = (name: string): string => `"${name}"`

/** Few enough to hold several times in memory, many enough that the way to the server and back is nothing. */
const CHUNK = 1000

async function inChunks(
  rows: Iterable<object>,
  insert: (chunk: readonly object[]) => Promise<unknown>,
): Promise<number> {
  let chunk: object[] = []
  let count = 0
  for (const row of rows) {
    chunk.push(row)
    count++
    if (chunk.length < CHUNK) continue
    await insert(chunk)
    chunk = []
  }
  if (chunk.length > 0) await insert(chunk)
  return count
}

/** One text for all rows of a chunk: thousands of parameters would each be taken apart on both sides. */
export function insertIntoPostgres(trx: Transaction<Tables>, { table, rows }: Section): Promise<number> {
  return inChunks(rows, chunk => {
    const columns = sql.join(Object.keys(chunk[0] ?? {}).map(name => sql.ref(name)))
    const values = sql`json_populate_recordset(null::${sql.table(table)}, ${JSON.stringify(chunk)}::json)`
    return sql`insert into ${sql.table(table)} (${columns}) select ${columns} from ${values}`.execute(trx)
  })
}

/** The statement's text is the same for every chunk but the last: the query builder would make it anew each time. */
export function insertIntoMysql(trx: Transaction<Tables>, { table, rows }: Section): Promise<number> {
  return inChunks(rows, chunk => {
    const columns = Object.keys(chunk[0] ?? {})
    const places = `(${columns.map(() => '?').join(', ')})`
    const names = columns.map(name => `\`${name}\``).join(', ')
    const text = `insert into ${table} (${names}) values ${chunk.map(() => places).join(', ')}`
    return trx.executeQuery(
      CompiledQuery.raw(
        text,
        chunk.flatMap(row => Object.values(row)),
      ),
    )
  })
}
