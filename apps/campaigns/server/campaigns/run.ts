import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import { forUpdate } from '../database/portable.ts'
import type { AccountTable, CampaignTable, MessageTable, TemplateTable } from '../database/schema.ts'
import type { Drain, JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { readParams, recipientOf, templateContent } from '../messages/content.ts'
import { type Claimed, CLAIM_MS, expireClaims, sendClaimed, storeResults } from '../messages/send.ts'
import { createTally, type Tally } from '../messages/tally.ts'
import type { Services } from '../services.ts'
import { templatesOf } from '../templates/store.ts'
import { accountFor } from '../whatsapp/accounts.ts'
import type { OutgoingContent, Recipient } from '../whatsapp/port.ts'
import { takeRoom } from '../whatsapp/throughput.ts'
import { type Work, write } from '../work.ts'
import { ADDRESSABLE, type Addressable, barred, type SkipReason } from './audience.ts'
import { CAMPAIGN_RUN, type CampaignPayload, readCampaignPayload } from './campaign-jobs.ts'
import { halt } from './lifecycle.ts'
import { skipQueued } from './skip.ts'

/** Sent at once, and stored in one transaction. */
const BATCH = 100
/** After so long the next campaign has its turn: jobs of a queue run one after the other. Milliseconds. */
const SLICE_MS = 5000
/** A longer wait for room is no reason to keep the others waiting. */
const LONGEST_WAIT_MS = 1000
/** A service window that ends sooner may have ended when the message arrives. */
const WINDOW_MARGIN_MS = 60_000

type Judged =
  | { readonly to: Recipient; readonly content: OutgoingContent; readonly replaced?: { readonly body: string } }
  | { readonly skip: SkipReason }

/** Whether the message may still go to this contact, and as what: things have changed since it was planned. */
function judgeDue(
  message: Pick<MessageTable, 'step' | 'params'>,
  contact: Addressable | undefined,
  campaign: Pick<CampaignTable, 'fallback_params'>,
  fallback: TemplateTable | undefined,
  now: number,
): Judged {
  if (contact === undefined || message.params === null) return { skip: 'contact_deleted' }
  if (contact.opt_out_at !== null) return { skip: 'opted_out' }
  const to = recipientOf(contact)
  if (to === undefined) return { skip: 'no_identifier' }
  const content = JSON.parse(message.params) as OutgoingContent
  const open = (contact.window_expires_at ?? 0) > now + WINDOW_MARGIN_MS
  if (content.type === 'template' || open) return { to, content }
  if (fallback === undefined) return { skip: 'window_closed' }
  const reason = barred(contact, fallback)
  const rendered = templateContent(fallback, readParams(campaign.fallback_params), contact)
  if (reason !== undefined || rendered === undefined) return { skip: reason ?? 'no_parameters' }
  return { to, content: rendered.content, replaced: { body: rendered.body } }
}

function selectDue({ trx, engine, at }: Work, campaignId: string, size: number): Promise<MessageTable[]> {
  return (
    trx
      .selectFrom('messages')
      .selectAll()
      .where('campaign_id', '=', campaignId)
      .where('status', '=', 'queued')
      .where('next_attempt_at', '<=', at)
      // Ids are in the order of making: who has answered is waiting for Message 2, and goes first.
      .orderBy('id', 'desc')
      .limit(size)
      .$call(forUpdate(engine))
      .execute()
  )
}

async function contactsOf({ trx }: Work, messages: readonly MessageTable[]): Promise<ReadonlyMap<string, Addressable>> {
  const ids = messages.map(message => message.contact_id).filter(id => id !== null)
  if (ids.length === 0) return new Map()
  const rows = await trx.selectFrom('contacts').select(ADDRESSABLE).where('id', 'in', ids).execute()
  return new Map(rows.map(row => [row.id, row]))
}

/** Notes of each message that it is being sent, until when, and that this is one more attempt. */
async function markSending(work: Work, tally: Tally, messages: readonly MessageTable[]): Promise<void> {
  if (messages.length === 0) return
  const ids = messages.map(message => message.id)
  const { numUpdatedRows } = await work.trx
    .updateTable('messages')
    .set({ status: 'sending', attempts: sql`attempts + 1`, next_attempt_at: work.at + CLAIM_MS })
    .where('id', 'in', ids)
    .where('status', '=', 'queued')
    .executeTakeFirst()
  if (numUpdatedRows !== BigInt(ids.length)) throw new Error('messages were claimed twice under one lock')
  for (const message of messages) {
    if (message.campaign_id !== null) tally.moved(message.campaign_id, message, { ...message, status: 'sending' })
  }
}

interface Claim {
  readonly at: number
  readonly claimed: readonly Claimed[]
  readonly skipped: number
}

/** Takes the next due messages for sending; skips those that must not be sent any more. */
async function claim(context: JobContext<CampaignPayload>, work: Work, size: number): Promise<Claim> {
  const { campaign_id: id } = context.payload
  const { at } = work
  const tally = createTally(work)
  const campaign = (await tally.lock([id])).get(id)
  if (campaign?.status !== 'running') return { at, claimed: [], skipped: 0 }
  // Throws when the lease is lost: another worker runs this campaign by now.
  await context.save(work, { sent: campaign.sent, total: campaign.total })
  const messages = await selectDue(work, id, size)
  const contacts = await contactsOf(work, messages)
  const templates = await templatesOf(work.trx, [campaign.fallback_template_id])
  const fallback = templates.get(campaign.fallback_template_id ?? '')
  const going: MessageTable[] = []
  const claimed: Claimed[] = []
  for (const message of messages) {
    const judged = judgeDue(message, contacts.get(message.contact_id ?? ''), campaign, fallback, at)
    if ('skip' in judged) {
      await tally.change(message, { status: 'skipped', error_detail: judged.skip, next_attempt_at: null })
      continue
    }
    const { to, content, replaced } = judged
    if (replaced !== undefined) {
      await tally.change(message, { type: content.type, params: JSON.stringify(content), body: replaced.body })
    }
    going.push(message)
    claimed.push({ id: message.id, campaignId: id, attempt: message.attempts + 1, to, content })
  }
  await markSending(work, tally, going)
  await tally.apply()
  return { at, claimed, skipped: messages.length - going.length }
}

/** How many messages are due, up to a batch. */
async function countDue({ database, now }: Services, campaignId: string): Promise<number> {
  const rows = await database.writer
    .selectFrom('messages')
    .select('id')
    .where('campaign_id', '=', campaignId)
    .where('status', '=', 'queued')
    .where('next_attempt_at', '<=', now())
    .limit(BATCH)
    .execute()
  return rows.length
}

interface Ready {
  readonly campaign: CampaignTable
  readonly account: AccountTable
}

async function readReady({ database }: Services, id: string): Promise<Partial<Ready>> {
  const campaign = await database.writer.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirst()
  if (campaign?.account_id === undefined || campaign.account_id === null)
    return campaign === undefined ? {} : { campaign }
  const account = await database.writer
    .selectFrom('wa_accounts')
    .selectAll()
    .where('id', '=', campaign.account_id)
    .executeTakeFirst()
  return account === undefined ? { campaign } : { campaign, account }
}

async function haltFor(services: Services, id: string, reason: string): Promise<void> {
  await write(services, async work => {
    const campaign = (await createTally(work).lock([id])).get(id)
    if (campaign?.status === 'running') await halt(work, campaign, 'paused', reason)
  })
}

type Step = 'on' | 'idle' | { readonly wait: number }

/** Sends one batch, if there is one and room for it. */
async function sendBatch(context: JobContext<CampaignPayload>, { campaign, account }: Ready): Promise<Step> {
  const { services } = context
  const wanted = await countDue(services, campaign.id)
  if (wanted === 0) return 'idle'
  const perMinute = campaign.rate_per_minute ?? (await services.settings.read()).rate_per_minute
  const pace = { accountId: account.id, perSecond: account.mps_limit, campaign: { id: campaign.id, perMinute } }
  const room = await takeRoom(services, pace, wanted)
  if (room.granted === 0) return { wait: room.retryAfter }
  const target = await accountFor(services, account.id)
  const { at, claimed, skipped } = await write(services, work => claim(context, work, room.granted), { pace: 'soon' })
  await storeResults(services, await sendClaimed(services, target, claimed, at))
  return claimed.length + skipped === 0 ? 'idle' : 'on'
}

/** Nothing is due: done, unless a message waits for its next attempt. Whoever adds one meanwhile asks for a run. */
async function rest({ database }: Services, campaignId: string): Promise<JobOutcome> {
  const next = await database.writer
    .selectFrom('messages')
    .select('next_attempt_at')
    .where('campaign_id', '=', campaignId)
    .where('status', '=', 'queued')
    .orderBy('next_attempt_at')
    .limit(1)
    .executeTakeFirst()
  const at = next?.next_attempt_at ?? null
  return at === null ? { result: { status: 'running' } } : { againAt: at }
}

async function run(context: JobContext<CampaignPayload>): Promise<JobOutcome> {
  const { payload, services, signal } = context
  const id = payload.campaign_id
  const end = performance.now() + SLICE_MS
  for (;;) {
    const { campaign, account } = await readReady(services, id)
    const status = campaign?.status ?? 'deleted'
    if (status === 'cancelled' && (await skipQueued(services, id)) > 0) continue
    if (campaign === undefined || status !== 'running' || campaign.planned_at === null) return { result: { status } }
    if (account?.status !== 'active') {
      await haltFor(services, id, `The WhatsApp account is ${account === undefined ? 'gone' : 'stopped'}.`)
      continue
    }
    const step = await sendBatch(context, { campaign, account })
    if (step === 'idle') return rest(services, id)
    const wait = step === 'on' ? 0 : step.wait
    if (signal.aborted || wait > LONGEST_WAIT_MS || performance.now() > end) return { againAt: services.now() + wait }
    if (wait > 0) await setTimeout(wait, undefined, { signal }).catch(() => undefined)
  }
}

/** Sends the due messages of a running campaign, as fast as its number and its own rate allow. */
export const campaignRun: JobHandler<CampaignPayload> = {
  name: CAMPAIGN_RUN,
  queue: 'campaigns',
  // A campaign goes on when the database does, whenever that is.
  maxAttempts: 1000,
  parse: readCampaignPayload,
  run,
}

/** Ends the claims of senders that died. */
export const claimDrain: Drain = { name: 'claims', run: expireClaims }
