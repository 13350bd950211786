import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { AnswerOf, Client } from './client.ts'
import { showing } from './tags.ts'

export type PageSummary = AnswerOf<'GET /content'>['items'][number]
export type Page = AnswerOf<'GET /content/{id}'>
export type Cover = NonNullable<Page['cover']>
export type Revision = AnswerOf<'GET /content/{id}/revisions'>['items'][number]

export interface PageFilter {
  readonly q?: string
  readonly status?: 'draft' | 'published'
}

const PART = 50

/** Pages, newest first, a part at a time. */
export const pagesQuery = (client: Client, filter: PageFilter) =>
  infiniteQueryOptions({
    queryKey: ['content', 'list', filter],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /content',
        { query: { ...filter, limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    placeholderData: keepPreviousData,
    meta: showing('content', 'users', 'media'),
  })

export const pageQuery = (client: Client, id: string) =>
  queryOptions({
    queryKey: ['content', 'one', id],
    queryFn: ({ signal }) => client.ask('GET /content/{id}', { path: { id } }, { signal }),
    meta: showing(`content:${id}`),
  })

/** The saves of a page, newest first. */
export const revisionsQuery = (client: Client, id: string) =>
  infiniteQueryOptions({
    queryKey: ['content', 'revisions', id],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /content/{id}/revisions',
        { path: { id }, query: { limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    meta: showing(`content:${id}`),
  })

/** A save with its text, which never changes. */
export const revisionQuery = (client: Client, id: string, version: number) =>
  queryOptions({
    queryKey: ['content', 'revision', id, version],
    queryFn: ({ signal }) => client.ask('GET /content/{id}/revisions/{version}', { path: { id, version } }, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  })

/** Where visitors find a page. */
export const publicAddress = (slug: string): string => `/p/${encodeURIComponent(slug)}`
