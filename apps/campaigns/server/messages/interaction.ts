import { insertIfAbsent } from '../database/portable.ts'
import type { CampaignTable, ContactTable, MessageTable, TemplateTable } from '../database/schema.ts'
import { barred, type SkipReason } from '../campaigns/audience.ts'
import { CAMPAIGN_RUN, campaignJob } from '../campaigns/campaign-jobs.ts'
import { lockCampaign, moveTo } from '../campaigns/lifecycle.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { freeFormContent, readParams, recipientOf, type Rendered, templateContent } from './content.ts'
import { NEW_MESSAGE } from './new-message.ts'
import type { Tally } from './tally.ts'

type MessageTwo = { readonly rendered: Rendered } | { readonly skipped: SkipReason }

export type Templates = ReadonlyMap<string, TemplateTable>

function fromTemplate(template: TemplateTable | undefined, params: string | null, contact: ContactTable): MessageTwo {
  if (template === undefined) return { skipped: 'no_parameters' }
  const skipped = barred(contact, template)
  if (skipped !== undefined) return { skipped }
  const rendered = templateContent(template, readParams(params), contact)
  return rendered === undefined ? { skipped: 'no_parameters' } : { rendered }
}

/**
 * Message 2 of a campaign for one contact, its content frozen, or why it cannot be sent. Free-form while the service
 * window is open; after that only templates pass.
 */
function messageTwoOf(
  campaign: CampaignTable,
  contact: ContactTable,
  windowOpen: boolean,
  templates: Templates,
): MessageTwo {
  const templateOf = (id: string | null): TemplateTable | undefined => (id === null ? undefined : templates.get(id))
  if (campaign.status === 'cancelled') return { skipped: 'cancelled' }
  if (contact.opt_out_at !== null) return { skipped: 'opted_out' }
  if (recipientOf(contact) === undefined) return { skipped: 'no_identifier' }
  const freeForm = freeFormContent(campaign, contact)
  if (freeForm === undefined) {
    return fromTemplate(templateOf(campaign.message2_template_id), campaign.message2_params, contact)
  }
  if (windowOpen) return { rendered: freeForm }
  const fallback = templateOf(campaign.fallback_template_id)
  return fallback === undefined
    ? { skipped: 'window_closed' }
    : fromTemplate(fallback, campaign.fallback_params, contact)
}

/** What is sent within a minute of the window's end may arrive after it. */
const WINDOW_MARGIN = 60_000

function isWindowOpen({ window_expires_at }: Pick<ContactTable, 'window_expires_at'>, at: number): boolean {
  return window_expires_at !== null && window_expires_at > at + WINDOW_MARGIN
}

function rowOf(id: string, campaign: CampaignTable, contact: ContactTable, two: MessageTwo, at: number): MessageTable {
  const rendered = 'rendered' in two ? two.rendered : undefined
  return {
    ...NEW_MESSAGE,
    id,
    direction: 'out',
    campaign_id: campaign.id,
    contact_id: contact.id,
    step: 2,
    account_id: campaign.account_id,
    type: rendered?.content.type ?? (campaign.message2_kind === 'none' ? 'text' : campaign.message2_kind),
    status: rendered === undefined ? 'skipped' : 'queued',
    params: rendered === undefined ? null : JSON.stringify(rendered.content),
    body: rendered?.body ?? null,
    error_detail: 'skipped' in two ? two.skipped : null,
    next_attempt_at: rendered === undefined ? null : at,
    queued_at: at,
    created_by: campaign.created_by,
    created_at: at,
  }
}

/**
 * Adds Message 2 for a contact whose answer released it; true when there is something to send. Called by whoever set
 * `interacted_at`, in that transaction and with the campaign locked; should that ever happen twice, the unique index
 * keeps the second one out.
 */
export async function releaseMessageTwo(
  { newId }: Services,
  work: Work,
  tally: Tally,
  release: { readonly campaign: CampaignTable; readonly contact: ContactTable; readonly templates: Templates },
): Promise<boolean> {
  const { campaign, contact, templates } = release
  const two = messageTwoOf(campaign, contact, isWindowOpen(contact, work.at), templates)
  const row = rowOf(newId(), campaign, contact, two, work.at)
  if ((await insertIfAbsent(work.trx, work.engine, 'messages', [row])) === 0) return false
  tally.inserted([row])
  return row.status === 'queued'
}

/**
 * Has the Messages 2 of a campaign sent, once they are counted: one that had ended goes on, one that is paused, or
 * stopped by an error, keeps them until somebody resumes it.
 */
export async function sendReleased(services: Services, work: Work, campaignId: string): Promise<void> {
  const campaign = await lockCampaign(work, campaignId)
  const { status } = campaign
  if (status !== 'running' && status !== 'completed') return
  if (status === 'completed') await moveTo(work, campaign, 'running', 'reopen', { completed_at: null })
  await services.jobs.add(work, campaignJob(CAMPAIGN_RUN, campaignId))
}
