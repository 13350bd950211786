import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { type Rank, SEARCH_TABLES } from './port.ts'
import { isVague, type QueryWord } from './words.ts'

// Quoted, so that words like AND and NEAR are words.
const fts5Query = (words: readonly QueryWord[]): string =>
  words.map(({ text, prefix }) => `"${text}"${prefix ? ' *' : ''}`).join(' ')

/** SQLite's FTS5, ranked by BM25. */
export function sqliteRank(db: Kysely<Tables>): Rank {
  return async (words, kind, limit) => {
    const numbers = sql.table(`search_${SEARCH_TABLES[kind]}`)
    const index = sql.table(`search_${SEARCH_TABLES[kind]}_index`)
    // Numbers rise with each row; the index gives them in their order without sorting.
    const order = isVague(words) ? sql`i.rowid desc` : sql`i.rank, n.ref`
    const { rows } = await sql<{ id: string }>`
      select n.ref as id from ${index} as i join ${numbers} as n on n.id = i.rowid
      where i.words match ${fts5Query(words)} order by ${order} limit ${limit}`.execute(db)
    return rows.map(row => row.id)
  }
}
