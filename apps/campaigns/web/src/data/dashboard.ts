import { queryOptions } from '@tanstack/react-query'
import type { Client } from './client.ts'
import { STATS_FRESH_MS } from './freshness.ts'
import { showing } from './tags.ts'

export const dashboardQuery = (client: Client) =>
  queryOptions({
    queryKey: ['dashboard'],
    queryFn: ({ signal }) => client.ask('GET /dashboard', {}, { signal }),
    staleTime: STATS_FRESH_MS,
    meta: showing('contacts', 'categories', 'messages', 'campaigns'),
  })
