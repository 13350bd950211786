import { forUpdate } from '../database/portable.ts'
import type { CampaignTable, MessageTable } from '../database/schema.ts'
import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { resetForRetry, UNKNOWN_OUTCOME } from '../messages/states.ts'
import { createTally, type Tally } from '../messages/tally.ts'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { type Work, write } from '../work.ts'
import {
  CAMPAIGN_RETRY,
  CAMPAIGN_RUN,
  campaignJob,
  type CampaignPayload,
  readCampaignPayload,
} from './campaign-jobs.ts'
import { lockFor, moveTo } from './lifecycle.ts'

const BATCH = 200
/** Somebody who has had enough marketing today is not tried again before a day has passed. */
const POLICY_WAIT_MS = 24 * 3_600_000

interface RetryPayload extends CampaignPayload {
  /** Only failures of this class; null for all but those that may have been sent. */
  readonly error_class: string | null
  /** What has failed since then has been tried again already. */
  readonly before: number
}

async function selectFailed(work: Work, { campaign_id, error_class, before }: RetryPayload): Promise<MessageTable[]> {
  const query = work.trx
    .selectFrom('messages')
    .selectAll()
    .where('campaign_id', '=', campaign_id)
    .where('status', '=', 'failed')
    .where('failed_at', '<=', before)
  // A message whose answer was lost may have arrived: it is sent again only to whoever asks for just that.
  const chosen =
    error_class === null
      ? query.where(w => w.or([w('error_class', 'is', null), w('error_class', '!=', UNKNOWN_OUTCOME)]))
      : query.where('error_class', '=', error_class)
  return chosen.orderBy('id').limit(BATCH).$call(forUpdate(work.engine)).execute()
}

/** Puts failed messages of a campaign back in the queue. Returns how many; fewer than a batch: that was all. */
export async function resetFailed(work: Work, tally: Tally, messages: readonly MessageTable[]): Promise<void> {
  for (const message of messages) {
    const patch = resetForRetry(message, work.at)
    if (patch === undefined) continue
    const wait = message.error_class === 'policy' ? (message.failed_at ?? work.at) + POLICY_WAIT_MS : work.at
    await tally.change(message, { ...patch, next_attempt_at: Math.max(wait, work.at) })
  }
}

/** A campaign that had ended runs again; one that is paused stays so until somebody resumes it. */
export async function reopen({ jobs }: Services, work: Work, campaign: CampaignTable): Promise<void> {
  if (campaign.status === 'completed' || campaign.status === 'failed') {
    await moveTo(work, campaign, 'running', 'retry-failed', { completed_at: null, reason: null })
  }
  await jobs.add(work, campaignJob(CAMPAIGN_RUN, campaign.id))
}

/** Resets the first part at once, so that whoever asked sees it; a job does the rest. Returns how many that was. */
export async function retryFailed(
  services: Services,
  work: Work,
  id: string,
  errorClass: string | null,
): Promise<number> {
  const payload: RetryPayload = { campaign_id: id, error_class: errorClass, before: work.at }
  const campaign = await lockFor(work, id, 'retry-failed')
  const messages = await selectFailed(work, payload)
  if (messages.length === 0) {
    const which = errorClass === null ? 'that may be sent again' : `of the class ${errorClass}`
    throw new Problem(409, `The campaign has no failed message ${which}.`)
  }
  const tally = createTally(work)
  await tally.lock([id])
  // Before the counters: with somebody open again it must not be taken for completed.
  await resetFailed(work, tally, messages)
  await tally.apply()
  await reopen(services, work, campaign)
  if (messages.length === BATCH) {
    const { error_class, before } = payload
    await services.jobs.add(work, campaignJob(CAMPAIGN_RETRY, id, { error_class, before }))
  }
  return messages.length
}

async function retryBatch({ payload, services, save }: JobContext<RetryPayload>, work: Work): Promise<number> {
  const { campaign_id: id } = payload
  const tally = createTally(work)
  const campaign = (await tally.lock([id])).get(id)
  if (campaign === undefined || campaign.status === 'cancelled') return 0
  const messages = await selectFailed(work, payload)
  if (messages.length === 0) return 0
  await resetFailed(work, tally, messages)
  await save(work, { reset: messages.length })
  await tally.apply()
  await reopen(services, work, campaign)
  return messages.length
}

async function run(context: JobContext<RetryPayload>): Promise<JobOutcome> {
  const { services, signal } = context
  for (;;) {
    if ((await write(services, work => retryBatch(context, work), { pace: 'soon' })) < BATCH) return { result: {} }
    if (signal.aborted) return { againAt: services.now() }
  }
}

/** Resets what a first answer to `retry-failed` has left. */
export const campaignRetry: JobHandler<RetryPayload> = {
  name: CAMPAIGN_RETRY,
  queue: 'campaigns',
  maxAttempts: 20,
  parse(payload) {
    const { error_class, before } = payload as Partial<RetryPayload>
    if (typeof before !== 'number') throw new Error('before: expected a time')
    return { ...readCampaignPayload(payload), error_class: error_class ?? null, before }
  },
  run,
}
