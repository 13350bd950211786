import type { Kysely } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import type { MessageStatus, MessageTable, Tables } from '../database/schema.ts'
import { notFound } from '../problem.ts'

const COLUMNS = [
  'id',
  'direction',
  'campaign_id',
  'contact_id',
  'step',
  'account_id',
  'type',
  'status',
  'body',
  'error_code',
  'error_class',
  'error_detail',
  'attempts',
  'accepted_at',
  'sent_at',
  'delivered_at',
  'read_at',
  'failed_at',
  'interacted_at',
  'created_at',
] as const

export type Message = Readonly<Pick<MessageTable, (typeof COLUMNS)[number]>>

export interface MessageFilter {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly status?: MessageStatus | undefined
  readonly campaign?: string | undefined
  readonly contact?: string | undefined
}

/** Counted over all messages there are. Rates are from 0 to 1: read of those sent, failed of those outbound. */
export interface MessageStats {
  readonly total: number
  readonly inbound: number
  readonly outbound: number
  readonly by_status: readonly { readonly status: MessageStatus; readonly count: number }[]
  readonly read_rate: number
  readonly failure_rate: number
  /** How many contacts there are to write to. */
  readonly contacts: number
}

/** A page of messages, newest first: one query, on an index whatever is asked for. */
export async function listMessages(
  db: Kysely<Tables>,
  cursors: Cursors,
  filter: MessageFilter,
): Promise<Page<Message>> {
  const { limit, status, campaign, contact } = filter
  const list = `messages ${JSON.stringify([status, campaign, contact])}`
  const position = cursors.read(list, filter.cursor)
  let query = db
    .selectFrom('messages')
    .select(COLUMNS)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (status !== undefined) query = query.where('status', '=', status)
  if (campaign !== undefined) query = query.where('campaign_id', '=', campaign)
  if (contact !== undefined) query = query.where('contact_id', '=', contact)
  if (position !== undefined) {
    query = query.where(behind('created_at', 'id', position))
  }
  const after = (row: Message): string => cursors.write(list, [row.created_at, row.id])
  return cutPage<Message, Message>(await query.execute(), limit, after, row => row)
}

export async function findMessage(db: Kysely<Tables>, id: string): Promise<Message> {
  const row = await db.selectFrom('messages').select(COLUMNS).where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw notFound('message', id)
  return row
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : Number((part / whole).toFixed(4)))

/** Counts all messages: two queries, for the cache. */
export async function readMessageStats(db: Kysely<Tables>): Promise<MessageStats> {
  const rows = await db
    .selectFrom('messages')
    .select(['direction', 'status'])
    .select(({ fn }) => [
      fn.countAll<number>().as('count'),
      fn.count<number>('sent_at').as('sent'),
      fn.count<number>('read_at').as('read'),
    ])
    .groupBy(['direction', 'status'])
    .orderBy('status')
    .execute()
  const { contacts } = await db
    .selectFrom('contacts')
    .select(({ fn }) => fn.countAll<number>().as('contacts'))
    .executeTakeFirstOrThrow()
  type Row = (typeof rows)[number]
  const sum = (keep: (row: Row) => boolean, of: 'count' | 'sent' | 'read' = 'count'): number =>
    rows.filter(keep).reduce((total, row) => total + row[of], 0)
  const all = (): boolean => true
  const outbound = sum(row => row.direction === 'out')
  const statuses = [...new Set(rows.map(row => row.status))]
  return {
    total: sum(all),
    inbound: sum(row => row.direction === 'in'),
    outbound,
    by_status: statuses.map(status => ({ status, count: sum(row => row.status === status) })),
    read_rate: share(sum(all, 'read'), sum(all, 'sent')),
    failure_rate: share(
      sum(row => row.status === 'failed'),
      outbound,
    ),
    contacts,
  }
}
