import { createElasticClient } from './elastic-client.ts'
import { elasticSearch, type ElasticSearchOptions } from './elasticsearch.ts'
import type { Search } from './port.ts'
import { databaseSearch } from './ranked.ts'

export interface OpenSearchOptions extends Omit<ElasticSearchOptions, 'client'> {
  /** As ELASTICSEARCH_URL; the database searches unless given. */
  readonly elasticsearchUrl?: string | undefined
}

/** The search of this process. Nothing to close. */
export function openSearch({ elasticsearchUrl: url, ...options }: OpenSearchOptions): Search {
  if (url === undefined) return databaseSearch(options.database)
  // Of this database alone: two of them may share a server.
  return elasticSearch({ ...options, client: createElasticClient({ url, index: `campaigns_${options.database.id}` }) })
}
