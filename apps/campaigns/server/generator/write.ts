import { sql, type Transaction } from 'kysely'
import { ACCOUNT } from '../../simulator/account.ts'
import { openFile } from '../database/file.ts'
import type { Database } from '../database/open.ts'
import { forUpdate } from '../database/portable.ts'
import type { Tables } from '../database/schema.ts'
import { type Existing, templateKey } from './account.ts'
import { insertIntoFile, insertIntoMysql, insertIntoPostgres } from './bulk.ts'
import type { DataSet } from './data-set.ts'
import { sectionsOf } from './sections.ts'
import { withoutIndexes } from './sqlite-indexes.ts'

export type { DataSet } from './data-set.ts'

export interface Written {
  readonly rows: number
}

/** The database already holds rows, and was not to be replaced. */
export class NotEmpty extends Error {}

/** What is replaced, children before parents. People, their keys, settings and pictures stay. */
export const DATA_TABLES = [
  ...(['messages', 'campaign_categories', 'campaigns', 'contact_categories', 'contacts', 'categories'] as const),
  ...(['content_revisions', 'content', 'templates', 'wa_accounts', 'message_rates', 'webhook_inbox'] as const),
  ...(['import_errors', 'jobs', 'admin_history'] as const),
] as const

/** Somebody works with a database that has rows in one of these; the others the first start fills as well. */
const WORK_TABLES = ['contacts', 'categories', 'campaigns', 'messages', 'content'] as const

const NOTHING: Existing = { templates: new Map(), rates: false }

async function readExisting({ writer }: Pick<Database, 'writer'>): Promise<Existing> {
  const account = await writer
    .selectFrom('wa_accounts')
    .select('id')
    .where('phone_number_id', '=', ACCOUNT.phoneNumberId)
    .executeTakeFirst()
  const rates = await writer.selectFrom('message_rates').select('id').limit(1).execute()
  if (account === undefined) return { ...NOTHING, rates: rates.length > 0 }
  const templates = await writer
    .selectFrom('templates')
    .select(['id', 'name', 'language'])
    .where('account_id', '=', account.id)
    .execute()
  return {
    accountId: account.id,
    templates: new Map(templates.map(template => [templateKey(template), template.id])),
    rates: rates.length > 0,
  }
}

const refusal = ({ location }: Database): NotEmpty => new NotEmpty(`the database ${location} is not empty`)

/** In this thread, on a connection of its own: a server that is being started has nothing better to do. */
function writeFile(database: Database, path: string, set: DataSet, replace: boolean, existing: Existing): Written {
  const file = openFile(path, 'write')
  try {
    // The rows fit each other by how they are made, and a look at the parent of each would double the time.
    file.pragma('foreign_keys = OFF')
    const write = file.transaction((): Written => {
      const filled = WORK_TABLES.some(table => file.prepare(`select 1 from ${table} limit 1`).get() !== undefined)
      if (filled && !replace) throw refusal(database)
      if (replace) for (const table of DATA_TABLES) file.exec(`delete from ${table}`)
      return withoutIndexes(file, () => {
        const counts = sectionsOf(set, existing).map(section => insertIntoFile(file, section))
        return { rows: counts.reduce((sum, count) => sum + count, 0) }
      })
    })
    const written = write.immediate()
    file.pragma('wal_checkpoint(TRUNCATE)')
    file.exec('analyze')
    return written
  } finally {
    file.close()
  }
}

async function isFilled(trx: Transaction<Tables>): Promise<boolean> {
  for (const table of WORK_TABLES) {
    const rows = await trx.selectFrom(table).select(sql`1`.as('one')).limit(1).execute()
    if (rows.length > 0) return true
  }
  return false
}

async function writeServer(database: Database, set: DataSet, replace: boolean, existing: Existing): Promise<Written> {
  const { engine, writer } = database
  const insert = engine === 'postgres' ? insertIntoPostgres : insertIntoMysql
  const rows = await writer.transaction().execute(async trx => {
    // Two processes that start together on an empty database both want to give it a sample: one waits here.
    await trx.selectFrom('settings').select('key').where('key', '=', 'database_id').$call(forUpdate(engine)).execute()
    if (replace) for (const table of DATA_TABLES) await trx.deleteFrom(table).execute()
    else if (await isFilled(trx)) throw refusal(database)
    let count = 0
    for (const section of sectionsOf(set, existing)) count += await insert(trx, section)
    return count
  })
  const tables = sql.join(DATA_TABLES.map(table => sql.table(table)))
  await (engine === 'postgres' ? sql`analyze ${tables}` : sql`analyze table ${tables}`).execute(writer)
  return { rows }
}

/**
 * Writes a data set into a migrated database: all of it in one transaction, so a generator that is stopped leaves the
 * database as it was. Rejects with NotEmpty when somebody works with it already and `replace` is not set.
 */
export async function writeDataSet(
  database: Database,
  set: DataSet,
  { replace = false }: { readonly replace?: boolean } = {},
): Promise<Written> {
  const existing = replace ? NOTHING : await readExisting(database)
  const { sqlitePath } = database
  if (sqlitePath !== undefined) return writeFile(database, sqlitePath, set, replace, existing)
  return await writeServer(database, set, replace, existing)
}
