import type { Actor } from '../access/actor.ts'
import type { JobStatus, JobTable } from '../database/schema.ts'
import { notFound } from '../problem.ts'
import type { Services } from '../services.ts'

/** What imports and exports show of their job. */
export interface JobView<P, S> {
  readonly id: string
  readonly status: JobStatus
  readonly payload: P
  /** Undefined until something was saved. */
  readonly progress: S | undefined
  readonly row: JobTable
}

/** A job of one kind, for whoever asked for it and for those who may see all jobs; to others there is none. */
export async function findJob<P, S>(
  { database }: Services,
  actor: Actor,
  { id, name, what }: { readonly id: string; readonly name: string; readonly what: string },
): Promise<JobView<P, S>> {
  const query = database.writer.selectFrom('jobs').selectAll().where('id', '=', id).where('name', '=', name)
  const row = await query.executeTakeFirst()
  const mine = row !== undefined && row.created_by !== null && row.created_by === actor.userId
  if (row === undefined || !(mine || actor.permissions.has('jobs:read'))) throw notFound(what, id)
  const progress = row.progress === null ? undefined : (JSON.parse(row.progress) as S)
  return { id: row.id, status: row.status, payload: JSON.parse(row.payload) as P, progress, row }
}
