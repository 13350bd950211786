import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import type { MessageStatus, MessageTable, Tables } from '../database/schema.ts'

/**
 * A campaign's counters are sums over its messages, and each message contributes by itself: so a change of a message
 * moves the counters by the difference of its contributions, and a recount is the same sum made by the database.
 */
export const COUNTERS = [
  'total',
  'queued',
  'sent',
  'delivered',
  'read',
  'interacted',
  'message2_sent',
  'message2_failed',
  'failed_count',
  'no_interaction_count',
  'skipped',
  'late_count',
  'open_count',
] as const
export type Counter = (typeof COUNTERS)[number]
export type Counters = Readonly<Record<Counter, number>>

/** The columns of a message that its contribution depends on. */
export type CountedMessage = Pick<
  MessageTable,
  'step' | 'status' | 'sent_at' | 'delivered_at' | 'read_at' | 'interacted_at' | 'late_interaction_at'
>

/** What has not left yet. */
const WAITING: readonly MessageStatus[] = ['queued', 'sending']
/** A Message 1 whose recipient may still answer. */
const UNDER_WAY: readonly MessageStatus[] = ['queued', 'sending', 'accepted', 'sent', 'delivered', 'read']

export const NO_COUNTS: Counters = Object.fromEntries(COUNTERS.map(name => [name, 0])) as Record<Counter, number>

/**
 * What one message adds to its campaign. A recipient is open until Message 1 came to an end without an interaction
 * (failed, skipped, no_interaction), or Message 2 has left or ended.
 */
export function contributionOf(message: CountedMessage): Counters {
  const { step, status } = message
  const one = (yes: boolean): number => (yes ? 1 : 0)
  if (step === 2) {
    return {
      ...NO_COUNTS,
      message2_sent: one(message.sent_at !== null),
      message2_failed: one(status === 'failed' || status === 'skipped'),
      open_count: one(WAITING.includes(status)),
    }
  }
  if (step !== 1) return NO_COUNTS
  return {
    ...NO_COUNTS,
    total: 1,
    queued: one(WAITING.includes(status)),
    sent: one(message.sent_at !== null),
    delivered: one(message.delivered_at !== null),
    read: one(message.read_at !== null),
    interacted: one(message.interacted_at !== null),
    failed_count: one(status === 'failed' || status === 'no_interaction'),
    no_interaction_count: one(status === 'no_interaction'),
    skipped: one(status === 'skipped'),
    late_count: one(message.late_interaction_at !== null),
    open_count: one(UNDER_WAY.includes(status) && message.interacted_at === null),
  }
}

const countIf = (condition: RawBuilder<unknown>): RawBuilder<number> =>
  sql<number>`coalesce(sum(case when ${condition} then 1 else 0 end), 0)`

const among = (statuses: readonly MessageStatus[]): RawBuilder<unknown> =>
  sql`status in (${sql.join(statuses.map(status => sql.lit(status)))})`

const first = (condition: RawBuilder<unknown>): RawBuilder<number> => countIf(sql`step = 1 and ${condition}`)
const second = (condition: RawBuilder<unknown>): RawBuilder<number> => countIf(sql`step = 2 and ${condition}`)

const open = sql<number>`${first(sql`interacted_at is null and ${among(UNDER_WAY)}`)} + ${second(among(WAITING))}`

/** Counts the messages of campaigns anew: one query, a line for each campaign that has messages. */
export async function recountMessages(
  db: Kysely<Tables> | Transaction<Tables>,
  campaignIds?: readonly string[],
): Promise<ReadonlyMap<string, Counters>> {
  let query = db
    .selectFrom('messages')
    .select('campaign_id')
    .where('campaign_id', 'is not', null)
    .groupBy('campaign_id')
  if (campaignIds !== undefined) query = query.where('campaign_id', 'in', [...campaignIds])
  const rows = await query
    .select(() => [
      first(sql`1 = 1`).as('total'),
      first(among(WAITING)).as('queued'),
      first(sql`sent_at is not null`).as('sent'),
      first(sql`delivered_at is not null`).as('delivered'),
      first(sql`read_at is not null`).as('read'),
      first(sql`interacted_at is not null`).as('interacted'),
      first(among(['failed', 'no_interaction'])).as('failed_count'),
      first(among(['no_interaction'])).as('no_interaction_count'),
      first(among(['skipped'])).as('skipped'),
      first(sql`late_interaction_at is not null`).as('late_count'),
      second(sql`sent_at is not null`).as('message2_sent'),
      second(among(['failed', 'skipped'])).as('message2_failed'),
      open.as('open_count'),
    ])
    .execute()
  return new Map(rows.map(({ campaign_id, ...counters }) => [campaign_id ?? '', counters as Counters]))
}
