import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { AnswerOf, Client, QueryOf } from './client.ts'
import { STATS_FRESH_MS } from './freshness.ts'
import { showing } from './tags.ts'

export type Message = AnswerOf<'GET /messages/{id}'>
export type SentStatus = NonNullable<QueryOf<'GET /messages'>['status']>
export type Direction = Message['direction']

export interface MessageFilter {
  readonly status?: SentStatus | undefined
  readonly direction?: Direction | undefined
  readonly campaign?: string | undefined
  readonly contact?: string | undefined
}

/** What the server is asked. What came in has one status and nothing else has it, so the direction in is a status. */
export function askedOf({ status, direction, campaign, contact }: MessageFilter): QueryOf<'GET /messages'> {
  const asked = direction === 'in' ? 'received' : status
  return {
    ...(asked !== undefined && { status: asked }),
    ...(campaign !== undefined && { campaign }),
    ...(contact !== undefined && { contact }),
  }
}

const PAGE = 50

/** Messages, newest first. Those that came in are still among them where only sent ones are asked for: see `shownOf`. */
export function messagesQuery(client: Client, filter: MessageFilter) {
  const asked = askedOf(filter)
  return infiniteQueryOptions({
    queryKey: ['messages', 'list', asked],
    queryFn: ({ pageParam, signal }) =>
      client.ask(
        'GET /messages',
        { query: { limit: PAGE, ...asked, ...(pageParam !== undefined && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: last => last.value.next_cursor ?? undefined,
    meta: showing('messages'),
  })
}

/** The messages of a direction: the server has no such question for what was sent. */
export function shownOf(messages: readonly Message[], direction: Direction | undefined): readonly Message[] {
  return direction === undefined ? messages : messages.filter(one => one.direction === direction)
}

export function messageQuery(client: Client, id: string) {
  return queryOptions({
    queryKey: ['messages', 'one', id],
    queryFn: ({ signal }) => client.ask('GET /messages/{id}', { path: { id } }, { signal }),
    meta: showing('messages'),
  })
}

export function messageStatsQuery(client: Client) {
  return queryOptions({
    queryKey: ['messages', 'stats'],
    queryFn: ({ signal }) => client.ask('GET /messages/stats', {}, { signal }),
    staleTime: STATS_FRESH_MS,
    meta: showing('messages', 'contacts'),
  })
}

/** One moment in the life of a message. */
export interface Moment {
  readonly key: 'created' | 'accepted' | 'sent' | 'delivered' | 'read' | 'failed' | 'interacted'
  readonly at: number
}

const ORDER: readonly Moment['key'][] = ['created', 'accepted', 'sent', 'delivered', 'read', 'interacted', 'failed']

/** What is known of its life, in the order of time; at the same time, in the order in which things happen. */
export function momentsOf(message: Message): readonly Moment[] {
  const times = {
    created: message.created_at,
    accepted: message.accepted_at,
    sent: message.sent_at,
    delivered: message.delivered_at,
    read: message.read_at,
    interacted: message.interacted_at,
    failed: message.failed_at,
  }
  return ORDER.flatMap(key => {
    const at = times[key]
    return at === null ? [] : [{ key, at }]
  }).toSorted((a, b) => a.at - b.at)
}
