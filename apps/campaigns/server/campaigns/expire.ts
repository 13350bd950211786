import { sql } from 'kysely'
import { forUpdate } from '../database/portable.ts'
import type { MessageTable } from '../database/schema.ts'
import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { completeCampaign, createTally } from '../messages/tally.ts'
import { type Work, write } from '../work.ts'

/**
 * The hourly task that ends the wait for an answer: a Message 1 that left as long ago as its campaign waits, and that
 * nobody answered, becomes `no_interaction`. It goes through the campaigns that still have somebody open, each in the
 * order of its messages' ids, so what it reads grows with what is under way and not with what was ever sent.
 */
interface Progress {
  /** The campaign it is at; those before it are done. */
  readonly campaign: string
  /** The last message of it that was looked at. */
  readonly after: string
  readonly expired: number
  readonly completed: number
}

const START: Progress = { campaign: '', after: '', expired: 0, completed: 0 }
const HOUR = 3_600_000
const BATCH = 500

const WAITING = ['accepted', 'sent', 'delivered', 'read'] as const
/** Where WhatsApp took a message and never said more, its acceptance is the last that is known of it. */
const LEFT_AT = sql<number>`coalesce(sent_at, accepted_at)`

function isProgress(value: unknown): value is Progress {
  return typeof value === 'object' && value !== null && 'campaign' in value && 'after' in value
}

async function findOverdue(
  { trx, engine }: Work,
  { campaign, after }: Pick<Progress, 'campaign' | 'after'>,
  cutoff: number,
): Promise<MessageTable[]> {
  return await trx
    .selectFrom('messages')
    .selectAll()
    .where('campaign_id', '=', campaign)
    .where('step', '=', 1)
    .where('id', '>', after)
    .where('status', 'in', [...WAITING])
    .where(LEFT_AT, '<=', cutoff)
    .where('interacted_at', 'is', null)
    .orderBy('id')
    .limit(BATCH)
    .$call(forUpdate(engine))
    .execute()
}

/** Whoever reaches a row first, the task or an answer, decides: the conditions are asked again by the update itself. */
async function giveUp({ trx }: Work, rows: readonly MessageTable[], cutoff: number): Promise<number> {
  if (rows.length === 0) return 0
  const { numUpdatedRows } = await trx
    .updateTable('messages')
    .set({ status: 'no_interaction' })
    .where(
      'id',
      'in',
      rows.map(row => row.id),
    )
    .where('status', 'in', [...WAITING])
    .where(LEFT_AT, '<=', cutoff)
    .where('interacted_at', 'is', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

interface Step {
  readonly progress: Progress
  readonly rows: readonly MessageTable[]
}

/** One batch of one campaign. Fewer rows than a batch: that was the last of it. */
async function expireBatch(context: JobContext<object>, work: Work, from: Progress): Promise<Step> {
  const tally = createTally(work)
  const campaign = (await tally.lock([from.campaign])).get(from.campaign)
  if (campaign === undefined) return { progress: from, rows: [] }
  const cutoff = work.at - campaign.interaction_timeout_h * HOUR
  const rows = await findOverdue(work, from, cutoff)
  const changed = await giveUp(work, rows, cutoff)
  // They are locked, so nobody can have come in between; a counter must never be moved on a guess.
  if (changed !== rows.length) throw new Error(`${rows.length} messages were overdue, ${changed} were changed`)
  for (const row of rows) tally.moved(campaign.id, row, { ...row, status: 'no_interaction' })
  await tally.apply()
  const progress = { ...from, after: rows.at(-1)?.id ?? from.after, expired: from.expired + changed }
  await context.save(work, progress)
  return { progress, rows }
}

async function expireCampaign(context: JobContext<object>, from: Progress): Promise<Progress> {
  const { services, signal } = context
  let progress = from
  while (!signal.aborted) {
    const step = await write(services, work => expireBatch(context, work, progress), { pace: 'soon' })
    progress = step.progress
    for (const { id, campaign_id, contact_id } of step.rows) {
      services.log.info({ campaign: campaign_id, contact: contact_id, message: id }, 'no interaction in time')
    }
    if (step.rows.length < BATCH) break
  }
  return progress
}

/** The next campaign with somebody open. */
async function nextOpen({ services }: JobContext<object>, after: string): Promise<string | undefined> {
  const row = await services.database.writer
    .selectFrom('campaigns')
    .select('id')
    .where('id', '>', after)
    .where('open_count', '>', 0)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

/** Campaigns in which nobody was left when their audience became complete: no message will end them. */
async function completeIdle(context: JobContext<object>): Promise<number> {
  const { services } = context
  return await write(services, async work => {
    const rows = await work.trx
      .selectFrom('campaigns')
      .select('id')
      .where('status', '=', 'running')
      .where('planned_at', 'is not', null)
      .where('open_count', '=', 0)
      .orderBy('id')
      .execute()
    let completed = 0
    for (const { id } of rows) {
      if (!(await completeCampaign(work, id))) continue
      completed++
      work.touch('campaigns', `campaign:${id}`)
    }
    return completed
  })
}

async function expire(context: JobContext<object>): Promise<JobOutcome> {
  const { signal, services } = context
  let progress = isProgress(context.progress) ? context.progress : START
  if (progress.campaign !== '') progress = await expireCampaign(context, progress)
  for (;;) {
    if (signal.aborted) return { againAt: services.now() }
    const campaign = await nextOpen(context, progress.campaign)
    if (campaign === undefined) break
    progress = await expireCampaign(context, { ...progress, campaign, after: '' })
  }
  const completed = await completeIdle(context)
  await services.caching.settle()
  return { result: { expired: progress.expired, completed } }
}

/** Safe to run twice at once and beside answers: campaigns are locked, and each row is counted by whoever changes it. */
export const campaignsExpire: JobHandler<object> = {
  name: 'campaigns.expire',
  // Not behind a campaign, which may run for hours.
  queue: 'expiry',
  maxAttempts: 5,
  parse: () => ({}),
  run: expire,
}
