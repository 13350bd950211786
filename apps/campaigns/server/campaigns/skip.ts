import { forUpdate } from '../database/portable.ts'
import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { createTally } from '../messages/tally.ts'
import type { Services } from '../services.ts'
import { write } from '../work.ts'
import { CAMPAIGN_SKIP, type CampaignPayload, readCampaignPayload } from './campaign-jobs.ts'

const BATCH = 500

/** Skips a part of what a cancelled campaign has not sent yet. Returns how many those were. */
export async function skipQueued(services: Services, campaignId: string): Promise<number> {
  const skip = { status: 'skipped', error_detail: 'cancelled', next_attempt_at: null } as const
  return write(
    services,
    async work => {
      const tally = createTally(work)
      const campaign = (await tally.lock([campaignId])).get(campaignId)
      if (campaign?.status !== 'cancelled') return 0
      const messages = await work.trx
        .selectFrom('messages')
        .selectAll()
        .where('campaign_id', '=', campaignId)
        .where('status', '=', 'queued')
        .orderBy('id')
        .limit(BATCH)
        .$call(forUpdate(work.engine))
        .execute()
      if (messages.length === 0) return 0
      const ids = messages.map(message => message.id)
      await work.trx.updateTable('messages').set(skip).where('id', 'in', ids).execute()
      for (const message of messages) tally.moved(campaignId, message, { ...message, ...skip })
      await tally.apply()
      return messages.length
    },
    { pace: 'soon' },
  )
}

async function run({ payload, services, signal }: JobContext<CampaignPayload>): Promise<JobOutcome> {
  let skipped = 0
  for (;;) {
    const now = await skipQueued(services, payload.campaign_id)
    skipped += now
    if (now === 0) return { result: { skipped } }
    if (signal.aborted) return { againAt: services.now() }
  }
}

/** Ends a cancelled campaign: nobody who is still queued is written to. */
export const campaignSkip: JobHandler<CampaignPayload> = {
  name: CAMPAIGN_SKIP,
  queue: 'campaigns',
  maxAttempts: 20,
  parse: readCampaignPayload,
  run,
}
