import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { AnswerOf, Client } from './client.ts'
import { showing } from './tags.ts'

export type SettingsAnswer = AnswerOf<'GET /settings'>
export type Account = AnswerOf<'GET /whatsapp/accounts'>['items'][number]
export type Rates = AnswerOf<'GET /whatsapp/rates'>
export type Rate = Rates['rates'][number]
export type Job = AnswerOf<'GET /jobs'>['items'][number]
export type JobStatus = Job['status']

export const settingsQuery = (client: Client) =>
  queryOptions({
    queryKey: ['settings'],
    queryFn: ({ signal }) => client.ask('GET /settings', {}, { signal }),
    meta: showing('settings'),
  })

export const accountsQuery = (client: Client) =>
  queryOptions({
    queryKey: ['whatsapp', 'accounts'],
    queryFn: ({ signal }) => client.ask('GET /whatsapp/accounts', {}, { signal }),
    meta: showing('accounts'),
  })

export const ratesQuery = (client: Client) =>
  queryOptions({
    queryKey: ['whatsapp', 'rates'],
    queryFn: ({ signal }) => client.ask('GET /whatsapp/rates', {}, { signal }),
    // No stamp tells of rates: read anew at each visit.
    staleTime: 0,
  })

const PART = 50

export const isUnderWay = ({ status }: Pick<Job, 'status'>): boolean => status === 'queued' || status === 'running'

const BUSY_MS = 2000
const QUIET_MS = 15_000

/** How long until jobs are asked for again: they tell of their progress by nothing else. */
export const jobsPause = (jobs: readonly Pick<Job, 'status'>[]): number => (jobs.some(isUnderWay) ? BUSY_MS : QUIET_MS)

interface JobFilter {
  readonly status?: JobStatus
  readonly name?: string
}

export const jobsQuery = (client: Client, filter: JobFilter) =>
  infiniteQueryOptions({
    queryKey: ['jobs', filter],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /jobs',
        { query: { ...filter, limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    placeholderData: keepPreviousData,
    staleTime: 0,
    refetchInterval: ({ state }) => jobsPause(state.data?.pages.flatMap(page => page.value.items) ?? []),
  })

export const cacheEventsQuery = (client: Client) =>
  infiniteQueryOptions({
    queryKey: ['cache-events'],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /cache-events',
        { query: { limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    staleTime: 0,
  })
