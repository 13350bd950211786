import { campaignsExpire } from './campaigns/expire.ts'
import { campaignPlan } from './campaigns/plan.ts'
import { campaignRetry } from './campaigns/retry.ts'
import { campaignRun, claimDrain } from './campaigns/run.ts'
import { campaignSkip } from './campaigns/skip.ts'
import { campaignsStartDue } from './campaigns/start-due.ts'
import { exportHandler } from './contacts/export-job.ts'
import { importHandler } from './contacts/import-job.ts'
import type { Drain, JobHandler } from './jobs/contract.ts'
import { maintenance } from './jobs/maintenance.ts'
import type { Tick } from './jobs/ticks.ts'
import { mailDrain } from './mail/outbox.ts'
import { messageSend } from './messages/single.ts'
import { templateSync } from './templates/sync.ts'
import { inboxDrain } from './whatsapp/inbox.ts'
import { discardHandler } from './media/handlers.ts'
import { indexHandler, reindexHandler } from './search/handlers.ts'

/** Everything that runs apart from requests. */
export const HANDLERS: readonly JobHandler<unknown>[] = [
  maintenance,
  campaignsExpire,
  importHandler,
  exportHandler,
  campaignPlan,
  campaignRun,
  campaignSkip,
  campaignRetry,
  campaignsStartDue,
  messageSend,
  templateSync,
  discardHandler,
  indexHandler,
  reindexHandler,
]

/** What the cache has not heard of comes first: everybody's answers depend on it. */
export const DRAINS: readonly Drain[] = [
  { name: 'cache', run: ({ outbox }) => outbox.sweep() },
  inboxDrain,
  claimDrain,
  mailDrain,
]

/** What is added to the queue by the clock, in UTC. Each has a handler of its name above. */
export const TICKS: readonly Tick[] = [
  { name: 'maintenance', pattern: '37 3 * * *' },
  { name: 'campaigns.expire', pattern: '7 * * * *' },
  { name: 'campaigns.start-due', pattern: '* * * * *' },
  { name: 'templates.sync', pattern: '19 */6 * * *' },
]
