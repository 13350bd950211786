import type { Services } from '../services.ts'
import { type Claim, type Fate, LEASE_MS, renewClaim, saveProgress, settleJob } from './claims.ts'
import type { JobContext, JobHandler, JobOutcome } from './contract.ts'
import { backOff, faultText } from './retries.ts'

/** The job belongs to somebody else by now, or was cancelled: its work must not be committed. */
class LeaseLost extends Error {
  constructor() {
    super('the job was taken over or cancelled')
    this.name = 'LeaseLost'
  }
}

/** How a run ended. `lost`: it was not ours to end. */
export type RunEnd = Fate['to'] | 'lost'

export interface Run {
  readonly claim: Claim
  /** Never rejects. */
  readonly ended: Promise<RunEnd>
  /** Tells the handler to stop; what it throws from then on is no failure. */
  stop(): void
  /** Gives the job back without waiting for the handler, whose next `save` throws. */
  abandon(): Promise<void>
}

interface Lease {
  readonly signal: AbortSignal
  readonly isLost: () => boolean
  lose(): void
  stop(): void
  end(): void
}

/** Renews the claim at a third of its length, by a timer that keeps no process alive. */
function holdLease(services: Services, claim: Claim): Lease {
  const abort = new AbortController()
  let lost = false
  let renewedAt = performance.now()
  const lose = (): void => {
    lost = true
    abort.abort(new LeaseLost())
  }
  const renew = async (): Promise<void> => {
    const asked = performance.now()
    try {
      if (await renewClaim(services, claim)) renewedAt = asked
      else lose()
    } catch (error) {
      services.log.warn({ err: error, job: claim.job.id }, 'the lease of a job could not be renewed')
      // By now another worker may have it, wherever the database is for us.
      if (performance.now() - renewedAt >= LEASE_MS) lose()
    }
  }
  let renewing = Promise.resolve()
  const timer = setInterval(() => {
    renewing = renewing.then(renew)
  }, LEASE_MS / 3)
  timer.unref()
  return {
    signal: abort.signal,
    isLost: () => lost,
    lose,
    stop: () => abort.abort(new Error('the worker closes')),
    end: () => clearInterval(timer),
  }
}

function contextOf(services: Services, claim: Claim, lease: Lease, payload: unknown): JobContext<unknown> {
  const { job } = claim
  let saved = job.progress
  return {
    id: job.id,
    payload,
    attempt: job.attempts,
    createdBy: job.created_by,
    progress: saved === null ? undefined : JSON.parse(saved),
    signal: lease.signal,
    services,
    async save(work, progress) {
      const text = JSON.stringify(progress)
      if (lease.isLost() || !(await saveProgress(work, claim, text, text !== saved))) {
        lease.lose()
        throw new LeaseLost()
      }
      work.after(() => {
        saved = text
      })
    },
  }
}

function fateOf(outcome: JobOutcome): Fate {
  return 'result' in outcome
    ? { to: 'done', result: JSON.stringify(outcome.result) }
    : { to: 'again', at: outcome.againAt }
}

/** A payload that its handler refuses will be refused the next time, too. */
function parsePayload(handler: JobHandler<unknown>, text: string): { payload: unknown } | { refusal: string } {
  try {
    return { payload: handler.parse(JSON.parse(text)) }
  } catch (error) {
    return { refusal: faultText(error) }
  }
}

async function runHandler(
  services: Services,
  handler: JobHandler<unknown>,
  claim: Claim,
  lease: Lease,
): Promise<Fate | 'lost'> {
  const { job } = claim
  const parsed = parsePayload(handler, job.payload)
  if ('refusal' in parsed) return { to: 'failed', error: parsed.refusal }
  try {
    return fateOf(await handler.run(contextOf(services, claim, lease, parsed.payload)))
  } catch (error) {
    if (lease.isLost()) return 'lost'
    if (lease.signal.aborted) return { to: 'release' }
    return await failure(services, claim, error)
  }
}

async function failure({ database, log, now }: Services, { job }: Claim, error: unknown): Promise<Fate> {
  const reason = faultText(error)
  // Saving starts the count anew, so it is the row that knows it.
  const row = await database.writer.selectFrom('jobs').select('attempts').where('id', '=', job.id).executeTakeFirst()
  const tries = row?.attempts ?? job.attempts
  log.error({ err: error, job: job.id, name: job.name, tries }, 'a job failed')
  if (tries >= job.max_attempts) return { to: 'failed', error: reason }
  return { to: 'retry', at: now() + backOff(tries), error: reason }
}

/** Runs a claimed job to its end, or to the end of its claim. */
export function startRun(services: Services, handler: JobHandler<unknown>, claim: Claim): Run {
  const lease = holdLease(services, claim)
  const { job } = claim
  const run = async (): Promise<RunEnd> => {
    const began = performance.now()
    try {
      const fate = await runHandler(services, handler, claim, lease)
      if (fate === 'lost' || !(await settleJob(services, claim, fate))) return 'lost'
      const outcome = fate.to === 'done' ? 'done' : fate.to === 'again' || fate.to === 'release' ? 'again' : 'failed'
      services.metrics.job(job.name, outcome, performance.now() - began)
      return fate.to
    } catch (error) {
      // Its end could not be written down: the lease ends, and the job is taken up again.
      services.log.error({ err: error, job: job.id, name: job.name }, 'the end of a job could not be stored')
      return 'lost'
    } finally {
      lease.end()
    }
  }
  return {
    claim,
    ended: run(),
    stop: lease.stop,
    async abandon() {
      lease.lose()
      await settleJob(services, claim, { to: 'release' })
    },
  }
}
