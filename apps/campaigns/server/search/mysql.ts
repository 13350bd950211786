import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { type Rank, SEARCH_TABLES } from './port.ts'
import { isVague, type QueryWord } from './words.ts'

/** Before each word of the index: see the migration that made the column. */
const LEAD = 'qqq'

const booleanQuery = (words: readonly QueryWord[]): string =>
  words.map(({ text, prefix }) => `+${LEAD}${text}${prefix ? '*' : ''}`).join(' ')

/** FULLTEXT of MySQL and MariaDB in boolean mode, on InnoDB. */
export function mysqlRank(db: Kysely<Tables>): Rank {
  return async (words, kind, limit) => {
    const table = sql.table(SEARCH_TABLES[kind])
    const relevance = sql`match (search_words) against (${booleanQuery(words)} in boolean mode)`
    // Ids rise with time.
    const order = isVague(words) ? sql`id desc` : sql`${relevance} desc, id`
    const { rows } = await sql<{ id: string }>`
      select id from ${table} where ${relevance} order by ${order} limit ${limit}`.execute(db)
    return rows.map(row => row.id)
  }
}
