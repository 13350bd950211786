import { insertIfAbsent } from '../database/portable.ts'
import type { CampaignTable, MessageTable, TemplateTable } from '../database/schema.ts'
import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { type Params, readParams, templateContent } from '../messages/content.ts'
import { completeCampaign, createTally } from '../messages/tally.ts'
import type { Services } from '../services.ts'
import { findTemplate } from '../templates/store.ts'
import { type Work, write } from '../work.ts'
import { type Addressable, barred, nextAudience, type SkipReason } from './audience.ts'
import { CAMPAIGN_PLAN, CAMPAIGN_RUN, campaignJob, type CampaignPayload, readCampaignPayload } from './campaign-jobs.ts'
import { halt } from './lifecycle.ts'
import { categoryIdsOf } from './store.ts'

/** Contacts of one transaction: it holds the campaign, so the pause button waits for it. */
const BATCH = 500

type NewMessage = Pick<
  MessageTable,
  | 'id'
  | 'direction'
  | 'campaign_id'
  | 'contact_id'
  | 'step'
  | 'account_id'
  | 'type'
  | 'status'
  | 'status_rank'
  | 'params'
  | 'body'
  | 'error_detail'
  | 'attempts'
  | 'next_attempt_at'
  | 'queued_at'
  | 'created_by'
  | 'created_at'
>

/** Message 1 for one contact with its content as it will be sent, or why there is none. */
function messageFor(
  { newId }: Services,
  campaign: CampaignTable,
  template: TemplateTable,
  params: Params,
  contact: Addressable,
  at: number,
): NewMessage {
  const rendered = templateContent(template, params, contact)
  const reason: SkipReason | undefined =
    barred(contact, template) ?? (rendered === undefined ? 'no_parameters' : undefined)
  const sent = reason === undefined && rendered !== undefined
  return {
    id: newId(),
    direction: 'out',
    campaign_id: campaign.id,
    contact_id: contact.id,
    step: 1,
    account_id: campaign.account_id,
    type: 'template',
    status: sent ? 'queued' : 'skipped',
    status_rank: 0,
    params: sent ? JSON.stringify(rendered.content) : null,
    body: sent ? rendered.body : null,
    error_detail: reason ?? null,
    attempts: 0,
    next_attempt_at: sent ? at : null,
    queued_at: at,
    created_by: campaign.created_by,
    created_at: at,
  }
}

const NO_TIMES = { sent_at: null, delivered_at: null, read_at: null, interacted_at: null, late_interaction_at: null }

async function addMessages(
  work: Work,
  campaignId: string,
  rows: readonly NewMessage[],
): Promise<readonly NewMessage[]> {
  if (rows.length === 0) return []
  const ids = rows.map(row => row.contact_id).filter(id => id !== null)
  const there = await work.trx
    .selectFrom('messages')
    .select('contact_id')
    .where('campaign_id', '=', campaignId)
    .where('contact_id', 'in', ids)
    .where('step', '=', 1)
    .execute()
  const planned = new Set(there.map(row => row.contact_id))
  const fresh = rows.filter(row => !planned.has(row.contact_id))
  const inserted = await insertIfAbsent(work.trx, work.engine, 'messages', fresh as MessageTable[])
  // Whoever plans holds the campaign. Should that ever not be so, the counters must not be the ones to suffer.
  if (inserted !== fresh.length) throw new Error(`campaign ${campaignId} is being planned twice at once`)
  return fresh
}

/** Freezes the next part of the audience. True when that was the last. */
async function planBatch({ payload, services, save }: JobContext<CampaignPayload>, work: Work): Promise<boolean> {
  const { campaign_id: id } = payload
  const tally = createTally(work)
  const campaign = (await tally.lock([id])).get(id)
  const planning = campaign?.status === 'running' || campaign?.status === 'paused'
  if (campaign === undefined || !planning || campaign.planned_at !== null) return true
  const { trx, at } = work
  const template = await findTemplate(trx, campaign.message1_template_id ?? '')
  const categories = await categoryIdsOf(trx, id)
  const { ids, contacts } = await nextAudience(work, categories, campaign.plan_cursor ?? '', BATCH)
  const params = readParams(campaign.message1_params)
  const rows = ids
    .map(contactId => contacts.get(contactId))
    .filter(contact => contact !== undefined)
    .map(contact => messageFor(services, campaign, template, params, contact, at))
  const added = await addMessages(work, id, rows)
  tally.inserted(added.map(row => ({ ...row, ...NO_TIMES })))
  const last = ids.length < BATCH
  const plan_cursor = ids.at(-1) ?? campaign.plan_cursor
  await trx
    .updateTable('campaigns')
    .set({ plan_cursor, updated_at: at, ...(last ? { planned_at: at } : {}) })
    .where('id', '=', id)
    .execute()
  await save(work, { planned: campaign.total + added.length })
  await tally.apply()
  if (!last) return false
  await completeCampaign(work, id)
  work.touch('campaigns', `campaign:${id}`)
  await services.jobs.add(work, campaignJob(CAMPAIGN_RUN, id))
  return true
}

const MAX_ATTEMPTS = 8

async function plan(context: JobContext<CampaignPayload>): Promise<JobOutcome> {
  const { payload, services, signal, attempt } = context
  const id = payload.campaign_id
  try {
    for (;;) {
      if (signal.aborted) return { againAt: services.now() }
      if (await write(services, work => planBatch(context, work), { pace: 'soon' })) break
    }
  } catch (error) {
    // Nobody would plan it any more, and it would stand there as running for ever.
    if (attempt >= MAX_ATTEMPTS && !signal.aborted) await giveUp(services, id)
    throw error
  }
  await services.caching.settle()
  return { result: { campaign_id: id } }
}

async function giveUp(services: Services, id: string): Promise<void> {
  await write(services, async work => {
    const campaign = (await createTally(work).lock([id])).get(id)
    if (campaign?.status === 'running') await halt(work, campaign, 'failed', 'The audience could not be planned.')
  })
}

/**
 * Freezes the audience of a campaign that was started: a row for each contact of its categories, with what they will be
 * sent. How far it is stands in the campaign itself, in the transaction of each part.
 */
export const campaignPlan: JobHandler<CampaignPayload> = {
  name: CAMPAIGN_PLAN,
  queue: 'campaigns',
  maxAttempts: MAX_ATTEMPTS,
  parse: readCampaignPayload,
  run: plan,
}
