import type { Kysely } from 'kysely'
import { forUpdate, skipLocked } from '../database/portable.ts'
import type { JobTable, Tables } from '../database/schema.ts'
import type { Services } from '../services.ts'
import { type Work, write } from '../work.ts'
import { keyAfterEnd } from './keys.ts'

/**
 * The statements that a job's life is made of. Each changes one row and only while it is as its caller believes, so that
 * of any number of workers one succeeds, on every engine.
 */

/** A claim nobody renews for so long may be taken over. Milliseconds. */
export const LEASE_MS = 30_000

/** The `run_at` of a running job that was asked for again meanwhile. */
export const ASKED_AGAIN = 0

/** How many are looked at together: others may be quicker to get some of them. */
const LOOK_AHEAD = 20

export type Candidate = Pick<
  JobTable,
  'id' | 'name' | 'status' | 'run_at' | 'locked_by' | 'locked_until' | 'attempts' | 'max_attempts'
>

const CANDIDATE = ['id', 'name', 'status', 'run_at', 'locked_by', 'locked_until', 'attempts', 'max_attempts'] as const

/** Queued jobs of these names that are due, the most urgent first. */
export function dueJobs(db: Kysely<Tables>, names: readonly string[], at: number): Promise<Candidate[]> {
  return db
    .selectFrom('jobs')
    .select(CANDIDATE)
    .where('status', '=', 'queued')
    .where('run_at', '<=', at)
    .where('name', 'in', [...names])
    .orderBy('priority', 'desc')
    .orderBy('run_at')
    .orderBy('id')
    .limit(LOOK_AHEAD)
    .execute()
}

/** Jobs of these names whose worker has not been heard of for a lease. */
export function abandonedJobs(db: Kysely<Tables>, names: readonly string[], at: number): Promise<Candidate[]> {
  return db
    .selectFrom('jobs')
    .select(CANDIDATE)
    .where('status', '=', 'running')
    .where('locked_until', '<=', at)
    .where('name', 'in', [...names])
    .orderBy('locked_until')
    .limit(LOOK_AHEAD)
    .execute()
}

/** A job that is held under a token of its own: whoever takes it over, be it the same worker, has another. */
export interface Claim {
  readonly job: JobTable
  readonly token: string
}

/** Undefined when somebody else was quicker, or is about to be. */
export async function claimJob(services: Services, candidate: Candidate): Promise<Claim | undefined> {
  const { id, status, run_at, locked_by, locked_until } = candidate
  const token = services.newId()
  const job = await write(services, async ({ trx, engine, at }) => {
    const seen = trx.selectFrom('jobs').selectAll().where('id', '=', id).where('status', '=', status)
    const same =
      status === 'queued'
        ? seen.where('run_at', '=', run_at)
        : seen.where('locked_by', '=', locked_by).where('locked_until', '=', locked_until)
    // Waiting for whoever claims it now would be waiting for nothing, and make a queue of all workers.
    const row = await same.$call(skipLocked(engine)).executeTakeFirst()
    if (row === undefined) return undefined
    const claim = {
      status: 'running',
      locked_by: token,
      locked_until: at + LEASE_MS,
      attempts: row.attempts + 1,
      started_at: row.started_at ?? at,
      // Whoever asked for one that was abandoned is served by this run; whoever does from now on has to be noticed.
      run_at: status === 'queued' ? run_at : at,
    } as const
    await trx.updateTable('jobs').set(claim).where('id', '=', id).execute()
    return { ...row, ...claim }
  })
  return job === undefined ? undefined : { job, token }
}

type Change = Partial<JobTable>

/** Changes the job while the claim holds. False when it does not any more. */
async function changeHeld({ trx }: Work, { job, token }: Claim, change: Change): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('jobs')
    .set(change)
    .where('id', '=', job.id)
    .where('locked_by', '=', token)
    .where('status', '=', 'running')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export function renewClaim(services: Services, claim: Claim): Promise<boolean> {
  return write(services, work => changeHeld(work, claim, { locked_until: work.at + LEASE_MS }))
}

/** In the handler's transaction. Something new to save starts the count of tries anew. */
export function saveProgress(work: Work, claim: Claim, progress: string, fresh: boolean): Promise<boolean> {
  const change: Change = { progress, locked_until: work.at + LEASE_MS }
  return changeHeld(work, claim, fresh ? { ...change, attempts: 1 } : change)
}

const FREE = { locked_by: null, locked_until: null } as const

/** Where a job goes that does not run any more. */
export type Fate =
  | { readonly to: 'done'; readonly result: string }
  | { readonly to: 'failed'; readonly error: string }
  /** Not finished yet, and not in trouble. */
  | { readonly to: 'again'; readonly at: number }
  | { readonly to: 'retry'; readonly at: number; readonly error: string }
  /** As if this try had never begun. */
  | { readonly to: 'release' }

function changeOf(fate: Fate, { id, dedupe_key }: JobTable, at: number): Change {
  const ended: Change = { ...FREE, finished_at: at, dedupe_key: keyAfterEnd(dedupe_key, id) }
  switch (fate.to) {
    case 'done':
      return { ...ended, status: 'done', result: fate.result, last_error: null }
    case 'failed':
      return { ...ended, status: 'failed', last_error: fate.error }
    case 'again':
      return { ...FREE, status: 'queued', run_at: fate.at, attempts: 0, last_error: null }
    case 'retry':
      return { ...FREE, status: 'queued', run_at: fate.at, last_error: fate.error }
    case 'release':
      return { ...FREE, status: 'queued' }
  }
}

/** When somebody asked for the job while it ran, it is queued again whatever became of it. */
function changeWhenAsked(fate: Fate, askedFor: number, at: number): Change {
  const asked = askedFor === ASKED_AGAIN ? at : askedFor
  switch (fate.to) {
    case 'done':
      return { ...FREE, status: 'queued', run_at: asked, attempts: 0, progress: null, last_error: null }
    case 'failed':
      return { ...FREE, status: 'queued', run_at: asked, attempts: 0, last_error: fate.error }
    case 'again':
      return { ...FREE, status: 'queued', run_at: Math.min(asked, fate.at), attempts: 0, last_error: null }
    case 'retry':
      return { ...FREE, status: 'queued', run_at: fate.at, last_error: fate.error }
    case 'release':
      return { ...FREE, status: 'queued', run_at: asked }
  }
}

/** Lets go of a job. False when it was somebody else's already. */
export async function settleJob(services: Services, { job, token }: Claim, fate: Fate): Promise<boolean> {
  return await write(services, async ({ trx, engine, at }) => {
    // Locked, so that nobody can ask for it between the look and the change.
    const row = await trx
      .selectFrom('jobs')
      .select(['run_at', 'attempts'])
      .where('id', '=', job.id)
      .where('locked_by', '=', token)
      .where('status', '=', 'running')
      .$call(forUpdate(engine))
      .executeTakeFirst()
    if (row === undefined) return false
    const change = row.run_at === job.run_at ? changeOf(fate, job, at) : changeWhenAsked(fate, row.run_at, at)
    const attempts: Change = fate.to === 'release' ? { attempts: Math.max(0, row.attempts - 1) } : {}
    await trx
      .updateTable('jobs')
      .set({ ...change, ...attempts })
      .where('id', '=', job.id)
      .execute()
    return true
  })
}
