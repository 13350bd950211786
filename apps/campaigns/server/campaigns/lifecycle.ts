import { forUpdate } from '../database/portable.ts'
import type { CampaignStatus, CampaignTable } from '../database/schema.ts'
import { notFound, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { CAMPAIGN_PLAN, CAMPAIGN_RUN, CAMPAIGN_SKIP, campaignJob } from './campaign-jobs.ts'

/**
 * The states of a campaign and who may go where: the one table of it. Each move is one conditional update under a lock
 * of the row, so of two that exclude each other one is refused.
 */
export type CampaignAction = 'edit' | 'schedule' | 'start' | 'pause' | 'resume' | 'cancel' | 'retry-failed' | 'delete'

interface Transition {
  readonly from: readonly CampaignStatus[]
  /** Undefined: it stays where it is, or is gone. */
  readonly to?: CampaignStatus
}

const TRANSITIONS: Readonly<Record<CampaignAction, Transition>> = {
  edit: { from: ['draft', 'scheduled'] },
  schedule: { from: ['draft', 'scheduled'], to: 'scheduled' },
  start: { from: ['draft', 'scheduled'], to: 'running' },
  pause: { from: ['running'], to: 'paused' },
  resume: { from: ['paused', 'failed'], to: 'running' },
  cancel: { from: ['scheduled', 'running', 'paused', 'failed'], to: 'cancelled' },
  'retry-failed': { from: ['running', 'paused', 'completed', 'failed'], to: 'running' },
  delete: { from: ['draft', 'completed', 'cancelled', 'failed'] },
}

const ACTIONS = Object.keys(TRANSITIONS) as CampaignAction[]

/** What may be done with a campaign in that state. */
export function actionsOf(status: CampaignStatus): CampaignAction[] {
  return ACTIONS.filter(action => TRANSITIONS[action].from.includes(status))
}

function refused(action: CampaignAction, { id, status }: CampaignTable): Problem {
  const possible = actionsOf(status)
  const may = possible.length === 0 ? 'nothing' : possible.join(', ')
  const detail = `The campaign ${id} is ${status}: ${action} is not possible, ${may} is.`
  return new Problem(409, detail, { state: status, possible })
}

/** The campaign, which nobody else changes before the end of the transaction. */
export async function lockCampaign({ trx, engine }: Work, id: string): Promise<CampaignTable> {
  const row = await trx
    .selectFrom('campaigns')
    .selectAll()
    .where('id', '=', id)
    .$call(forUpdate(engine))
    .executeTakeFirst()
  if (row === undefined) throw notFound('campaign', id)
  return row
}

/** The campaign, locked, if this may be done with it now; a 409 problem otherwise. */
export async function lockFor(work: Work, id: string, action: CampaignAction): Promise<CampaignTable> {
  const campaign = await lockCampaign(work, id)
  if (!TRANSITIONS[action].from.includes(campaign.status)) throw refused(action, campaign)
  return campaign
}

type Changes = Partial<Pick<CampaignTable, 'scheduled_at' | 'started_at' | 'completed_at' | 'reason'>>

/** Moves a locked campaign to another state. Returns it as it is now. */
export async function moveTo(
  work: Work,
  campaign: CampaignTable,
  to: CampaignStatus,
  action: string,
  changes: Changes = {},
): Promise<CampaignTable> {
  const { id, status } = campaign
  // Never back: clocks of processes differ, and a search index keeps what it was told with the higher one.
  const updated_at = Math.max(work.at, campaign.updated_at + 1)
  const set = { status: to, updated_at, ...changes }
  const { numUpdatedRows } = await work.trx
    .updateTable('campaigns')
    .set(set)
    .where('id', '=', id)
    .where('status', '=', status)
    .executeTakeFirst()
  // The row is locked by this transaction.
  if (numUpdatedRows !== 1n) throw new Error(`the campaign ${id} left the state ${status} under its lock`)
  const shown = (row: CampaignTable): object => {
    const { scheduled_at, started_at, completed_at, reason } = row
    return { status: row.status, scheduled_at, started_at, completed_at, reason }
  }
  const after = { ...campaign, ...set }
  await work.record({
    action: `campaign.${action}`,
    entity: 'campaign',
    id,
    before: shown(campaign),
    after: shown(after),
  })
  work.touch('campaigns', `campaign:${id}`)
  return after
}

/** Asks for the work that a running campaign needs next: its audience, or its messages. */
export async function askForWork({ jobs }: Services, work: Work, { id, planned_at }: CampaignTable): Promise<void> {
  await jobs.add(work, campaignJob(planned_at === null ? CAMPAIGN_PLAN : CAMPAIGN_RUN, id))
}

export async function start(services: Services, work: Work, campaign: CampaignTable): Promise<CampaignTable> {
  const started = await moveTo(work, campaign, 'running', 'start', { started_at: work.at, reason: null })
  await askForWork(services, work, started)
  return started
}

export async function pause(work: Work, id: string): Promise<CampaignTable> {
  return moveTo(work, await lockFor(work, id, 'pause'), 'paused', 'pause')
}

export async function cancel({ jobs }: Services, work: Work, id: string): Promise<CampaignTable> {
  const campaign = await moveTo(work, await lockFor(work, id, 'cancel'), 'cancelled', 'cancel', {
    completed_at: work.at,
  })
  await jobs.add(work, campaignJob(CAMPAIGN_SKIP, id))
  return campaign
}

const LONGEST_REASON = 500

/** A running campaign that cannot go on, or had better not. Whoever resumes it has read the reason. */
export async function halt(
  work: Work,
  campaign: CampaignTable,
  to: 'paused' | 'failed',
  reason: string,
): Promise<CampaignTable> {
  const short = reason.slice(0, LONGEST_REASON)
  return moveTo(work, campaign, to, to === 'paused' ? 'pause' : 'fail', { reason: short })
}
