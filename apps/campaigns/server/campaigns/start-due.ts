import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import type { Services } from '../services.ts'
import { write } from '../work.ts'
import { halt, lockCampaign, start } from './lifecycle.ts'
import { readinessFaults } from './readiness.ts'

const CAMPAIGNS_START_DUE = 'campaigns.start-due'

async function startDue(services: Services, id: string): Promise<boolean> {
  return write(services, async work => {
    const campaign = await lockCampaign(work, id)
    if (campaign.status !== 'scheduled' || (campaign.scheduled_at ?? work.at + 1) > work.at) return false
    const faults = await readinessFaults(work.trx, campaign)
    if (faults.length > 0) {
      const reason = faults.map(
        ({ field, expected, received }) => `${field}: expected ${expected}, received ${received}`,
      )
      await halt(work, campaign, 'failed', `It could not start: ${reason.join('; ')}`)
      return false
    }
    await start(services, work, campaign)
    return true
  })
}

async function run({ services, signal }: JobContext<object>): Promise<JobOutcome> {
  const due = await services.database.writer
    .selectFrom('campaigns')
    .select('id')
    .where('status', '=', 'scheduled')
    .where('scheduled_at', '<=', services.now())
    .orderBy('scheduled_at')
    .execute()
  let started = 0
  for (const { id } of due) {
    if (signal.aborted) return { againAt: services.now() }
    if (await startDue(services, id)) started++
  }
  return { result: { started } }
}

/** Starts the scheduled campaigns whose time has come; one that cannot start says why. */
export const campaignsStartDue: JobHandler<object> = {
  name: CAMPAIGNS_START_DUE,
  queue: 'ticks',
  maxAttempts: 3,
  parse: () => ({}),
  run,
}
