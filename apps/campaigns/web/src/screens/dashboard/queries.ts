import { queryOptions } from '@tanstack/react-query'
import type { Client } from '../../data/client.ts'
import { STATS_FRESH_MS } from '../../data/freshness.ts'
import { showing } from '../../data/tags.ts'

export const dashboardQuery = (client: Client) =>
  queryOptions({
    queryKey: ['dashboard'],
    queryFn: ({ signal }) => client.ask('GET /dashboard', {}, { signal }),
    staleTime: STATS_FRESH_MS,
    meta: showing('contacts', 'categories', 'messages', 'campaigns'),
  })

export const messageStatsQuery = (client: Client) =>
  queryOptions({
    queryKey: ['messages', 'stats'],
    queryFn: ({ signal }) => client.ask('GET /messages/stats', {}, { signal }),
    staleTime: STATS_FRESH_MS,
    meta: showing('messages', 'contacts'),
  })
