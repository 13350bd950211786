import type { Database } from '../database/open.ts'
import { readHits } from './hits.ts'
import { mysqlRank } from './mysql.ts'
import type { FindOptions, Hit, Rank, Search, SearchKind } from './port.ts'
import { postgresRank } from './postgres.ts'
import { sqliteRank } from './sqlite.ts'
import { queryWords } from './words.ts'

const RANKS = { sqlite: sqliteRank, postgres: postgresRank, mysql: mysqlRank } as const

/** The index that the database keeps. Read from the primary: what is found is cached for everybody. */
export function rankIn({ engine, reader }: Database): Rank {
  return RANKS[engine](reader)
}

/** The part of a search that is the same whoever ranks: two queries for each kind, whatever is found. */
export function findBy(rank: Rank, { reader }: Database): Pick<Search, 'find' | 'match'> {
  const match = async (query: string, kind: SearchKind, limit: number): Promise<readonly string[]> => {
    const words = queryWords(query)
    return words.length === 0 ? [] : await rank(words, kind, limit)
  }
  return {
    match,
    async find(query: string, { kinds, limit }: FindOptions): Promise<readonly Hit[]> {
      const found = await Promise.all(kinds.map(async kind => readHits(reader, kind, await match(query, kind, limit))))
      return found.flat()
    },
  }
}

/** Search in the database, whose index follows each write by itself. */
export function databaseSearch(database: Database): Search {
  return {
    ...findBy(rankIn(database), database),
    async changed() {},
    async reindex() {
      return undefined
    },
  }
}
