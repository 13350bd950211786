import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { type Rank, SEARCH_TABLES } from './port.ts'
import { isVague, type QueryWord } from './words.ts'

// Cast, not parsed by to_tsquery: these are lexemes already.
const tsquery = (words: readonly QueryWord[]): string =>
  words.map(({ text, prefix }) => `'${text}'${prefix ? ':*' : ''}`).join(' & ')

/** PostgreSQL's tsvector under a GIN index. */
export function postgresRank(db: Kysely<Tables>): Rank {
  return async (words, kind, limit) => {
    const table = sql.table(`search_${SEARCH_TABLES[kind]}`)
    const query = tsquery(words)
    // Ids rise with time.
    const order = isVague(words) ? sql`ref desc` : sql`ts_rank(words, ${query}::tsquery) desc, ref`
    const { rows } = await sql<{ id: string }>`
      select ref as id from ${table} where words @@ ${query}::tsquery
      order by ${order} limit ${limit}`.execute(db)
    return rows.map(row => row.id)
  }
}
