import type { FastifyBaseLogger } from 'fastify'
import type { Database } from '../database/open.ts'
import type { Jobs } from '../jobs/contract.ts'
import { type ElasticClient, ElasticFault } from './elastic-client.ts'
import type { Rank, Search } from './port.ts'
import { findBy, rankIn } from './ranked.ts'

export interface ElasticSearchOptions {
  readonly client: ElasticClient
  readonly database: Database
  readonly jobs: Jobs
  readonly log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  readonly now: () => number
}

export const INDEX_JOB = 'search.index'
export const REINDEX_JOB = 'search.reindex'

/** For so long nobody waits for it again once it did not answer. */
const AWAY_MS = 30_000
const IDS_A_JOB = 500

/** Its answer, or the database's while it has none: told once, when it begins and when it ends. */
function rankWithFallback({ client, database, log, now }: ElasticSearchOptions): Rank {
  const fallback = rankIn(database)
  let awayUntil: number | undefined
  return async (words, kind, limit) => {
    if (awayUntil !== undefined && now() < awayUntil) return await fallback(words, kind, limit)
    try {
      const ids = await client.search(words, kind, limit)
      if (awayUntil !== undefined) log.info('Elasticsearch answers again')
      awayUntil = undefined
      return ids
    } catch (error) {
      if (!(error instanceof ElasticFault)) throw error
      const reason = error.status === 404 ? 'it has no index yet, POST /api/v1/search/reindex makes it' : error.message
      if (awayUntil === undefined) log.warn(`Elasticsearch cannot be used, searching in the database: ${reason}`)
      awayUntil = now() + AWAY_MS
      return await fallback(words, kind, limit)
    }
  }
}

/**
 * Search in Elasticsearch. It learns of each change by a durable job after the commit, so it is a moment behind: what
 * it finds is shown as the rows are now, and rows that have gone are left out.
 */
export function elasticSearch(options: ElasticSearchOptions): Search {
  const { client, database, jobs } = options
  return {
    index: client,
    ...findBy(rankWithFallback(options), database),
    async changed(work, kind, ids) {
      for (let start = 0; start < ids.length; start += IDS_A_JOB) {
        const payload = { kind, ids: ids.slice(start, start + IDS_A_JOB) }
        await jobs.add(work, { name: INDEX_JOB, payload })
      }
    },
    reindex: work => jobs.add(work, { name: REINDEX_JOB, payload: {}, dedupeKey: REINDEX_JOB }),
  }
}
