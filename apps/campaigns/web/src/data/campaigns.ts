import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { AnswerOf, BodyOf, Client, QueryOf } from './client.ts'
import { STATS_FRESH_MS } from './freshness.ts'
import type { CampaignStatus } from './statuses.ts'
import { showing } from './tags.ts'

export type Campaign = AnswerOf<'GET /campaigns/{id}'>
export type CampaignStats = AnswerOf<'GET /campaigns/{id}/stats'>
export type CampaignPreview = AnswerOf<'GET /campaigns/{id}/preview'>
export type Recipient = AnswerOf<'GET /campaigns/{id}/recipients'>['items'][number]
export type RecipientStatus = NonNullable<QueryOf<'GET /campaigns/{id}/recipients'>['status']>
export type NewCampaignBody = BodyOf<'POST /campaigns'>
export type Template = AnswerOf<'GET /templates'>['items'][number]
export type Account = AnswerOf<'GET /whatsapp/accounts'>['items'][number]
export type Job = AnswerOf<'GET /jobs/{id}'>
type SampleContact = AnswerOf<'GET /contacts'>['items'][number]

const LIST_PAGE = 50

/** Campaigns in one state, or all, newest first. */
export function campaignsQuery(client: Client, status?: CampaignStatus) {
  return infiniteQueryOptions({
    queryKey: ['campaigns', 'list', status ?? 'all'],
    queryFn: ({ pageParam, signal }) =>
      client.ask(
        'GET /campaigns',
        {
          query: {
            limit: LIST_PAGE,
            ...(status !== undefined && { status }),
            ...(pageParam !== undefined && { cursor: pageParam }),
          },
        },
        { signal },
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: last => last.value.next_cursor ?? undefined,
    meta: showing('campaigns'),
  })
}

export function campaignQuery(client: Client, id: string) {
  return queryOptions({
    queryKey: ['campaigns', 'one', id],
    queryFn: ({ signal }) => client.ask('GET /campaigns/{id}', { path: { id } }, { signal }),
    meta: showing(`campaign:${id}`),
  })
}

/** Funnel, reasons of failure, cost. */
export function campaignStatsQuery(client: Client, id: string) {
  return queryOptions({
    queryKey: ['campaigns', 'stats', id],
    queryFn: ({ signal }) => client.ask('GET /campaigns/{id}/stats', { path: { id } }, { signal }),
    staleTime: STATS_FRESH_MS,
    meta: showing(`campaign:${id}`),
  })
}

/** Whom the campaign as it is saved would reach, and what it still lacks. */
export function campaignPreviewQuery(client: Client, id: string) {
  return queryOptions({
    queryKey: ['campaigns', 'preview', id],
    queryFn: ({ signal }) => client.ask('GET /campaigns/{id}/preview', { path: { id } }, { signal }),
    meta: showing(`campaign:${id}`, 'contacts', 'categories', 'templates', 'accounts'),
  })
}

export function recipientsQuery(client: Client, id: string, status?: RecipientStatus) {
  return infiniteQueryOptions({
    queryKey: ['campaigns', 'recipients', id, status ?? 'all'],
    queryFn: ({ pageParam, signal }) =>
      client.ask(
        'GET /campaigns/{id}/recipients',
        {
          path: { id },
          query: {
            limit: LIST_PAGE,
            ...(status !== undefined && { status }),
            ...(pageParam !== undefined && { cursor: pageParam }),
          },
        },
        { signal },
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: last => last.value.next_cursor ?? undefined,
    meta: showing(`campaign:${id}`),
  })
}

/** Every template, whatever WhatsApp says of it: who chooses one has to see why another cannot be chosen. */
export function templatesQuery(client: Client) {
  return queryOptions({
    queryKey: ['templates'],
    queryFn: ({ signal }) => client.ask('GET /templates', { query: {} }, { signal }),
    meta: showing('templates'),
  })
}

const SAMPLE_CONTACTS = 8

/** A few real people of a category, to read the messages with their eyes. */
export function sampleContactsQuery(client: Client, category: string | undefined) {
  return queryOptions({
    queryKey: ['campaigns', 'samples', category ?? 'all'],
    queryFn: ({ signal }) =>
      client.ask(
        'GET /contacts',
        { query: { limit: SAMPLE_CONTACTS, ...(category !== undefined && { category }) } },
        { signal },
      ),
    placeholderData: keepPreviousData,
    meta: showing('contacts'),
  })
}
export type { SampleContact }

export interface TemplatePreviewAsked {
  readonly template: string
  readonly contact: string
  readonly params: NonNullable<NewCampaignBody['message1_params']>
}

/** A template as one contact would read it, by the server that will send it. Undefined: there is nothing to ask yet. */
export function templatePreviewQuery(client: Client, asked: TemplatePreviewAsked | undefined) {
  return queryOptions({
    queryKey: ['templates', 'preview', asked],
    queryFn: async ({ signal }) => {
      if (asked === undefined) throw new Error('template preview: expected a template and a contact')
      const { template: id, contact, params } = asked
      const given = { path: { id }, body: { contact_id: contact, params } }
      return client.ask('POST /templates/{id}/preview', given, { signal })
    },
    enabled: asked !== undefined,
    placeholderData: keepPreviousData,
    meta: showing('templates', 'contacts'),
  })
}

/** A job cannot be listened to: it is asked for while it goes on. */
const JOB_POLL_MS = 1000
export const isOver = (job: Pick<Job, 'status'>): boolean => !['queued', 'running'].includes(job.status)

export function jobQuery(client: Client, id: string | undefined) {
  return queryOptions({
    queryKey: ['jobs', id],
    queryFn: ({ signal }) => client.ask('GET /jobs/{id}', { path: { id: id ?? '' } }, { signal }),
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data !== undefined && isOver(state.data.value) ? false : JOB_POLL_MS),
  })
}
