import type { Kysely } from 'kysely'
import type { Tables } from '../../../server/database/schema.ts'
import type { JobContext, JobHandler, JobOutcome } from '../../../server/jobs/contract.ts'
import type { Services } from '../../../server/services.ts'
import type { Work } from '../../../server/work.ts'

type Run = (context: JobContext<unknown>) => Promise<JobOutcome>

/** A handler in a queue of its own unless said. */
export function handler(name: string, run: Run, more: Partial<JobHandler<unknown>> = {}): JobHandler<unknown> {
  return { name, queue: name, maxAttempts: 3, parse: payload => payload, run, ...more }
}

/** Leaves a mark in the transaction of the job's own work. */
export async function mark({ trx, at }: Work, services: Pick<Services, 'newId'>, detail: string): Promise<void> {
  await trx.insertInto('cache_events').values({ id: services.newId(), kind: 'mark', detail, at }).execute()
}

export async function marks(db: Kysely<Tables>): Promise<string[]> {
  const rows = await db.selectFrom('cache_events').select('detail').where('kind', '=', 'mark').orderBy('id').execute()
  return rows.map(row => row.detail)
}

/** A promise to be kept from outside. */
export function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  let open = (): void => undefined
  const passed = new Promise<void>(resolve => {
    open = resolve
  })
  return { open: () => open(), passed }
}
