import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { CampaignTable, MessageStatus, Tables } from '../database/schema.ts'
import { notFound } from '../problem.ts'
import { campaignCost, type Cost } from '../whatsapp/prices.ts'

type Db = Kysely<Tables>

interface Counted {
  readonly reason: string
  readonly count: number
}

export interface Failure {
  readonly step: number
  readonly error_class: string | null
  readonly error_code: number | null
  /** In words. */
  readonly meaning: string
  readonly count: number
}

export interface CampaignStats {
  readonly id: string
  readonly status: CampaignTable['status']
  readonly reason: string | null
  /** Whether the audience is frozen: until then `total` is growing. */
  readonly planned: boolean
  readonly total: number
  /** Not sent yet. */
  readonly queued: number
  /** Queued again after a refusal; part of `queued`. */
  readonly retrying: number
  /** On the way to their recipients this moment; part of `queued`. */
  readonly sending: number
  /** Sent, and their recipients may still answer. */
  readonly awaiting: number
  readonly funnel: Readonly<Record<'sent' | 'delivered' | 'read' | 'interacted' | 'message2_sent', number>>
  /** From 0 to 1: delivered, read and answered of those sent; failed of all. */
  readonly rates: Readonly<Record<'delivery' | 'read' | 'interaction' | 'failure', number>>
  readonly message2: Readonly<Record<'queued' | 'sent' | 'failed', number>>
  readonly failed: number
  readonly no_interaction: number
  readonly late: number
  readonly skipped: readonly Counted[]
  readonly failures: readonly Failure[]
  readonly cost: Cost
}

const CODE_WORDS: Readonly<Record<number, string>> = {
  130429: 'The number sent more than it may.',
  130472: 'WhatsApp kept the message back for an experiment.',
  131021: 'The recipient is the sending number itself.',
  131026: 'The message cannot be delivered to this number.',
  131030: 'The recipient is not on the list of the test number.',
  131047: 'More than 24 hours have passed since the contact last wrote.',
  131048: 'Too many recipients have blocked or reported the number.',
  131049: 'The contact has had as much marketing as WhatsApp lets through for now.',
  131050: 'The contact wants no marketing messages.',
  131056: 'Too many messages to the same person in a short time.',
  132000: 'The number of parameters is not the one of the template.',
  132001: 'The template does not exist in this language.',
  132015: 'The template is paused for its low quality.',
  132016: 'The template was disabled for its low quality.',
}

const CLASS_WORDS: Readonly<Record<string, string>> = {
  token: 'WhatsApp does not accept the access token of the account.',
  throttled: 'Messages were sent faster than WhatsApp lets through.',
  window: 'More than 24 hours have passed since the contact last wrote.',
  recipient: 'The message cannot be delivered to this recipient.',
  policy: 'WhatsApp kept the message back to protect the recipient.',
  opt_out: 'The contact wants no marketing messages.',
  template: 'WhatsApp does not accept the template as it stands.',
  parameter: 'A part of the message is not valid.',
  transient: 'WhatsApp could not be reached, or had a fault of its own.',
  account: 'The WhatsApp account is restricted.',
  unknown: 'The answer was lost: the message may have been sent.',
}

/** What an error means to people. */
export function meaningOf(code: number | null, errorClass: string | null): string {
  const known = code === null ? undefined : CODE_WORDS[code]
  return known ?? CLASS_WORDS[errorClass ?? ''] ?? 'WhatsApp told no reason that is known.'
}

interface Group {
  readonly step: number
  readonly status: MessageStatus
  readonly error_class: string | null
  readonly error_code: number | null
  readonly reason: string | null
  readonly again: number
  readonly answered: number
  readonly count: number
}

/** The campaign's messages in groups: one query, a bounded number of rows. */
async function groupMessages(db: Db, campaignId: string): Promise<Group[]> {
  const flag = (condition: RawBuilder<unknown>): RawBuilder<number> =>
    sql<number>`case when ${condition} then 1 else 0 end`
  const columns = sql`step, status, error_class, error_code,
    case when status = 'skipped' then error_detail end, ${flag(sql`attempts > 0`)}, ${flag(sql`interacted_at is not null`)}`
  const { rows } = await sql<Group>`
    select g.step, g.status, g.error_class, g.error_code, g.reason, g.again, g.answered, g.count from (
      select step, status, error_class, error_code, case when status = 'skipped' then error_detail end as reason,
        ${flag(sql`attempts > 0`)} as again, ${flag(sql`interacted_at is not null`)} as answered, count(*) as count
      from messages where campaign_id = ${campaignId} and direction = 'out' group by ${columns}
    ) g`.execute(db)
  return rows
}

const sum = (groups: readonly Group[], keep: (group: Group) => boolean): number =>
  groups.filter(keep).reduce((total, group) => total + group.count, 0)

const share = (part: number, whole: number): number => (whole === 0 ? 0 : Number((part / whole).toFixed(4)))

const ANSWERABLE: readonly MessageStatus[] = ['accepted', 'sent', 'delivered', 'read']

function failuresIn(groups: readonly Group[]): Failure[] {
  const failures = new Map<string, Failure>()
  for (const { step, status, error_class, error_code, count } of groups) {
    if (status !== 'failed') continue
    const key = JSON.stringify([step, error_class, error_code])
    const before = failures.get(key)?.count ?? 0
    failures.set(key, {
      step,
      error_class,
      error_code,
      meaning: meaningOf(error_code, error_class),
      count: before + count,
    })
  }
  return [...failures.values()].sort((a, b) => b.count - a.count)
}

function skippedIn(groups: readonly Group[]): Counted[] {
  const counts = new Map<string, number>()
  for (const { step, status, reason, count } of groups) {
    if (step === 1 && status === 'skipped') counts.set(reason ?? 'other', (counts.get(reason ?? 'other') ?? 0) + count)
  }
  return [...counts].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count)
}

/** Funnel, reasons and cost of one campaign: a fixed number of queries. */
export async function readCampaignStats(db: Db, id: string): Promise<CampaignStats> {
  const campaign = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirst()
  if (campaign === undefined) throw notFound('campaign', id)
  const groups = await groupMessages(db, id)
  const { status, total, sent, delivered, read, interacted, message2_sent, failed_count, no_interaction_count } =
    campaign
  return {
    id,
    status,
    reason: campaign.reason,
    planned: campaign.planned_at !== null,
    total,
    queued: campaign.queued,
    retrying: sum(groups, group => group.step === 1 && group.status === 'queued' && group.again === 1),
    sending: sum(groups, group => group.step === 1 && group.status === 'sending'),
    awaiting: sum(groups, group => group.step === 1 && group.answered === 0 && ANSWERABLE.includes(group.status)),
    funnel: { sent, delivered, read, interacted, message2_sent },
    rates: {
      delivery: share(delivered, sent),
      read: share(read, sent),
      interaction: share(interacted, sent),
      failure: share(failed_count - no_interaction_count, total),
    },
    message2: {
      queued: sum(groups, group => group.step === 2 && ['queued', 'sending'].includes(group.status)),
      sent: message2_sent,
      failed: campaign.message2_failed,
    },
    failed: failed_count - no_interaction_count,
    no_interaction: no_interaction_count,
    late: campaign.late_count,
    skipped: skippedIn(groups),
    failures: failuresIn(groups),
    cost: await campaignCost(db, campaign),
  }
}
