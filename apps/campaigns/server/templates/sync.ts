import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { accountFor } from '../whatsapp/accounts.ts'
import { CloudApiRefusal } from '../whatsapp/errors.ts'
import { write } from '../work.ts'
import { storeTemplates } from './store.ts'

export const TEMPLATES_SYNC = 'templates.sync'

async function sync({ services, signal }: JobContext<object>): Promise<JobOutcome> {
  const accounts = await services.database.writer
    .selectFrom('wa_accounts')
    .select(['id', 'name'])
    .where('status', '=', 'active')
    .orderBy('id')
    .execute()
  const refused: { account: string; reason: string }[] = []
  let templates = 0
  let changed = 0
  for (const { id, name } of accounts) {
    try {
      const account = await accountFor(services, id)
      const remote = await services.whatsapp.templates(account, signal)
      templates += remote.length
      changed += await write(services, work => storeTemplates(work, services.newId, id, remote))
    } catch (error) {
      // One account whose token has ended keeps no other from being read.
      if (!(error instanceof CloudApiRefusal)) throw error
      refused.push({ account: name, reason: error.message })
    }
  }
  if (refused.length > 0 && refused.length === accounts.length) throw new Error(refused[0]?.reason)
  return { result: { accounts: accounts.length, templates, changed, refused } }
}

/** Reads the templates of every active account anew. */
export const templateSync: JobHandler<object> = {
  name: TEMPLATES_SYNC,
  queue: 'templates',
  maxAttempts: 4,
  parse: () => ({}),
  run: sync,
}
