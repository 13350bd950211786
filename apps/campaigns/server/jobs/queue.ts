import { sql } from 'kysely'
import { insertIfAbsent } from '../database/portable.ts'
import type { IdSource } from '../ids.ts'
import type { Work } from '../work.ts'
import { ASKED_AGAIN } from './claims.ts'
import type { JobHandler, Jobs } from './contract.ts'
import { storedKey } from './keys.ts'

export interface JobQueue extends Jobs {
  /** Calls back at each wake; returns what ends that. */
  listen(listener: () => void): () => void
}

export interface JobsOptions {
  readonly newId: IdSource
  /** All handlers of the application: they say in which queue a job runs and how often it is tried. */
  readonly handlers: readonly JobHandler<unknown>[]
}

/** The handlers by the name of their jobs. Throws when two have the same. */
export function indexHandlers(handlers: readonly JobHandler<unknown>[]): ReadonlyMap<string, JobHandler<unknown>> {
  const byName = new Map<string, JobHandler<unknown>>()
  for (const handler of handlers) {
    if (byName.has(handler.name)) throw new Error(`two handlers of jobs named ${handler.name}`)
    byName.set(handler.name, handler)
  }
  return byName
}

/**
 * Somebody asks for what is queued or running already. A job that waits for its next try after a failure is left to its
 * pause; a running one is marked, by a `run_at` that it was not claimed with, and finds that at its end.
 */
async function askAgain({ trx, at }: Work, key: string, runAt: number): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('jobs')
    .set({ run_at: runAt })
    .where('dedupe_key', '=', key)
    .where('status', '=', 'queued')
    .where('attempts', '=', 0)
    .where('run_at', '>', runAt)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return
  const later = sql<number>`case
    when run_at = ${ASKED_AGAIN} then run_at
    when run_at > ${at} and run_at < ${runAt} then run_at
    else ${runAt} end`
  await trx
    .updateTable('jobs')
    .set({ run_at: runAt > at ? later : ASKED_AGAIN })
    .where('dedupe_key', '=', key)
    .where('status', '=', 'running')
    .execute()
}

/** Where jobs are added, and who is told of it. Holds nothing that has to be closed. */
export function createJobs({ newId, handlers }: JobsOptions): JobQueue {
  const byName = indexHandlers(handlers)
  const listeners = new Set<() => void>()
  const wake = (): void => {
    for (const listener of listeners) listener()
  }
  return {
    async add(work, job) {
      const handler = byName.get(job.name)
      if (handler === undefined) throw new Error(`nothing handles jobs named ${job.name}`)
      const id = newId()
      const { keepKey = false, dedupeKey } = job
      const runAt = Math.max(job.runAt ?? work.at, ASKED_AGAIN + 1)
      const key = dedupeKey === undefined ? null : storedKey(dedupeKey, keepKey)
      const added = await insertIfAbsent(work.trx, work.engine, 'jobs', [
        {
          id,
          queue: handler.queue,
          name: job.name,
          payload: JSON.stringify(job.payload),
          run_at: runAt,
          priority: job.priority ?? 0,
          attempts: 0,
          max_attempts: handler.maxAttempts,
          dedupe_key: key,
          status: 'queued',
          created_by: job.createdBy ?? null,
          created_at: work.at,
        },
      ])
      if (added === 0 && key !== null && !keepKey) await askAgain(work, key, runAt)
      work.after(wake)
      return added === 0 ? undefined : id
    },
    wake,
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
