import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query'
import type { AnswerOf, Client } from './client.ts'
import { showing } from './tags.ts'

export type User = AnswerOf<'GET /users'>['items'][number]
export type Role = User['role']
export type ApiKey = AnswerOf<'GET /api-keys'>['items'][number]
export type HistoryEntry = AnswerOf<'GET /admin/history'>['items'][number]

const PART = 50

export interface UserFilter {
  readonly role?: Role
  readonly status?: User['status']
  readonly email?: string
}

export const usersQuery = (client: Client, filter: UserFilter) =>
  infiniteQueryOptions({
    queryKey: ['users', filter],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /users',
        { query: { ...filter, limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    placeholderData: keepPreviousData,
    meta: showing('users'),
  })

export const apiKeysQuery = (client: Client) =>
  infiniteQueryOptions({
    queryKey: ['api-keys'],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /api-keys',
        { query: { limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    // When a key was last used is told by nobody: the list is read anew at each visit.
    staleTime: 0,
    meta: showing('users'),
  })

interface HistoryFilter {
  readonly admin?: string
  readonly entity?: string
  readonly entity_id?: string
  readonly action?: string
  readonly from?: number
  readonly to?: number
}

export const historyQuery = (client: Client, filter: HistoryFilter) =>
  infiniteQueryOptions({
    queryKey: ['history', filter],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /admin/history',
        { query: { ...filter, limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    placeholderData: keepPreviousData,
    // Every change adds to it and no stamp tells: read anew at each visit.
    staleTime: 0,
  })
