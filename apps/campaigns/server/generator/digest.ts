import { createHash, type Hash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { DATA_TABLES } from './write.ts'

/** A row's columns by name: engines give them in the order they were added, which is not the same everywhere. */
function lineOf(row: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(row).sort()
  return names.map(name => `${name}=${String(row[name])}`).join('\u001f')
}

type Table = (typeof DATA_TABLES)[number]

const KEYS: Partial<Record<Table, readonly [string, string]>> = {
  contact_categories: ['contact_id', 'category_id'],
  campaign_categories: ['campaign_id', 'category_id'],
  content_revisions: ['content_id', 'version'],
  import_errors: ['job_id', 'line'],
}

const PAGE = 2000

async function addTable(db: Kysely<Tables>, table: Table, hash: Hash): Promise<void> {
  const [first, second] = KEYS[table] ?? ['id', 'id']
  let last: readonly [unknown, unknown] | undefined
  hash.update(`${table}\n`)
  for (;;) {
    const after =
      last === undefined
        ? sql`1 = 1`
        : sql`(${sql.ref(first)} > ${last[0]} or (${sql.ref(first)} = ${last[0]} and ${sql.ref(second)} > ${last[1]}))`
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)} where ${after}
      order by ${sql.ref(first)}, ${sql.ref(second)} limit ${sql.lit(PAGE)}`.execute(db)
    for (const row of rows) hash.update(`${lineOf(row)}\n`)
    const end = rows.at(-1)
    if (end === undefined || rows.length < PAGE) return
    last = [end[first], end[second]]
  }
}

/** SHA-256 over every value of every generated row, table by table, in the order of the primary keys. */
export async function digest(db: Kysely<Tables>): Promise<string> {
  const hash = createHash('sha256')
  for (const table of DATA_TABLES) await addTable(db, table, hash)
  return hash.digest('hex')
}
