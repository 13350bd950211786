import type { Kysely } from 'kysely'
import type { Actor } from '../access/actor.ts'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import { isUniqueViolation } from '../database/portable.ts'
import type { JobStatus, JobTable, Tables } from '../database/schema.ts'
import { notFound, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { type Work, write } from '../work.ts'
import type { JobHandler } from './contract.ts'
import { keyAfterEnd, keyForRetry } from './keys.ts'

/** A job as people see it: never its payload, only what its handler says of that. */
export interface JobView
  extends Pick<
    JobTable,
    | 'id'
    | 'name'
    | 'queue'
    | 'status'
    | 'run_at'
    | 'priority'
    | 'attempts'
    | 'max_attempts'
    | 'last_error'
    | 'created_by'
  > {
  readonly description: unknown
  readonly progress: unknown
  readonly result: unknown
  readonly created_at: number
  readonly started_at: number | null
  readonly finished_at: number | null
}

export type HandlersByName = ReadonlyMap<string, JobHandler<unknown>>

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text))

/** A job of an older version, whose payload the handler of today does not know, is shown without a description. */
function describe(handlers: HandlersByName, { name, payload }: JobTable): unknown {
  const handler = handlers.get(name)
  if (handler?.describe === undefined) return null
  try {
    return handler.describe(handler.parse(JSON.parse(payload)))
  } catch {
    return null
  }
}

function viewOf(handlers: HandlersByName, job: JobTable): JobView {
  const { payload: _, dedupe_key: _key, locked_by: _by, locked_until: _until, progress, result, ...shown } = job
  return { ...shown, description: describe(handlers, job), progress: parsed(progress), result: parsed(result) }
}

export interface JobFilter {
  readonly name?: string
  readonly status?: JobStatus
  readonly limit: number
  readonly cursor?: string
}

/** Whose jobs an actor may see: everybody's, or their own. */
function ownerSeenBy(actor: Actor): string | undefined {
  return actor.permissions.has('jobs:read') ? undefined : (actor.userId ?? '')
}

/** The newest first; one query. */
export async function listJobs(
  db: Kysely<Tables>,
  cursors: Cursors,
  handlers: HandlersByName,
  actor: Actor,
  { name, status, limit, cursor }: JobFilter,
): Promise<Page<JobView>> {
  const owner = ownerSeenBy(actor)
  const list = `jobs ${JSON.stringify([name, status, owner])}`
  let query = db.selectFrom('jobs').selectAll()
  if (name !== undefined) query = query.where('name', '=', name)
  if (status !== undefined) query = query.where('status', '=', status)
  if (owner !== undefined) query = query.where('created_by', '=', owner)
  const position = cursors.read(list, cursor)
  if (position !== undefined) {
    query = query.where(behind('created_at', 'id', position))
  }
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  const next = (row: JobTable): string => cursors.write(list, [row.created_at, row.id])
  return cutPage(rows, limit, next, row => viewOf(handlers, row))
}

async function readVisible(db: Kysely<Tables>, actor: Actor, id: string): Promise<JobTable> {
  const job = await db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst()
  const owner = ownerSeenBy(actor)
  // Somebody else's job is not told from one that does not exist.
  if (job === undefined || (owner !== undefined && job.created_by !== owner)) throw notFound('job', id)
  return job
}

export async function findJob(
  db: Kysely<Tables>,
  handlers: HandlersByName,
  actor: Actor,
  id: string,
): Promise<JobView> {
  return viewOf(handlers, await readVisible(db, actor, id))
}

/** People may stop and repeat what they began; keys, and people for others, need the permission. */
function requireControl(actor: Actor, job: JobTable): void {
  if (actor.permissions.has('jobs:write')) return
  if (actor.kind === 'user' && job.created_by === actor.userId) return
  throw new Problem(403, 'This needs the permission jobs:write.')
}

async function change(work: Work, job: JobTable, action: string, patch: Partial<JobTable>): Promise<JobTable> {
  const { numUpdatedRows } = await work.trx
    .updateTable('jobs')
    .set(patch)
    .where('id', '=', job.id)
    .where('status', '=', job.status)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem(409, 'The job has just changed. Look at it again.')
  const { id, status } = job
  await work.record({ action, entity: 'job', id, before: { status }, after: { status: patch.status } })
  return { ...job, ...patch }
}

/** What runs already learns of it when it saves or renews its lease, and can commit nothing that it would save. */
export function cancelJob(services: Services, handlers: HandlersByName, actor: Actor, id: string): Promise<JobView> {
  return write(
    services,
    async work => {
      const job = await readVisible(work.trx, actor, id)
      requireControl(actor, job)
      if (job.status !== 'queued' && job.status !== 'running') {
        throw new Problem(409, `The job is ${job.status}: only one that is queued or running can be cancelled.`)
      }
      const cancelled = await change(work, job, 'job.cancel', {
        status: 'cancelled',
        finished_at: work.at,
        locked_by: null,
        locked_until: null,
        dedupe_key: keyAfterEnd(job.dedupe_key, id),
      })
      return viewOf(handlers, cancelled)
    },
    { actor },
  )
}

/** Goes on from the progress that was saved. */
export async function retryJob(
  services: Services,
  handlers: HandlersByName,
  actor: Actor,
  id: string,
): Promise<JobView> {
  const retry = async (work: Work): Promise<JobView> => {
    const job = await readVisible(work.trx, actor, id)
    requireControl(actor, job)
    if (job.status !== 'failed' && job.status !== 'cancelled') {
      throw new Problem(409, `The job is ${job.status}: only one that has failed or was cancelled can be retried.`)
    }
    const queued = await change(work, job, 'job.retry', {
      status: 'queued',
      run_at: work.at,
      attempts: 0,
      finished_at: null,
      dedupe_key: keyForRetry(job.dedupe_key, id),
    })
    work.after(services.jobs.wake)
    return viewOf(handlers, queued)
  }
  try {
    return await write(services, retry, { actor })
  } catch (error) {
    if (!isUniqueViolation(error, 'dedupe_key')) throw error
    throw new Problem(409, 'Another job does the same already: it is queued or running.')
  }
}
