import type { Services } from '../services.ts'
import { createDeadline } from './bell.ts'
import { abandonedJobs, type Candidate, type Claim, claimJob, dueJobs, settleJob } from './claims.ts'
import type { JobHandler } from './contract.ts'
import { indexHandlers } from './queue.ts'
import { type Run, type RunEnd, startRun } from './run-job.ts'

/** The jobs that run in this process, and which queues have room for more. */
export interface Runs {
  readonly size: number
  /** Claims until no queue has room, nothing is due or `goOn` says no. Returns how many it got. */
  claim(goOn: () => boolean): Promise<number>
  /** Tells all that run to stop, and after so many milliseconds gives back those that have not. */
  stop(within: number): Promise<void>
}

export interface RunsOptions {
  readonly services: Services
  readonly handlers: readonly JobHandler<unknown>[]
  readonly concurrency: Readonly<Record<string, number>>
  readonly ended: (name: string, end: RunEnd) => void
}

/** A job that ends the process each time it is tried would else do so for ever. */
async function giveUp(services: Services, claim: Claim, tries: number): Promise<void> {
  const error = `the process that ran it ended without a word, at try ${tries}`
  await settleJob(services, claim, { to: 'failed', error })
}

export function createRuns({ services, handlers, concurrency, ended }: RunsOptions): Runs {
  const byName = indexHandlers(handlers)
  const running = new Map<string, Run>()
  const busy = new Map<string, number>()
  const occupy = (queue: string, by: number): void => void busy.set(queue, (busy.get(queue) ?? 0) + by)
  const hasRoom = (queue: string): boolean => (busy.get(queue) ?? 0) < (concurrency[queue] ?? 1)
  /** A lease that ended while its job runs here, because the clock jumped, is its own to renew. */
  const isOurs = ({ locked_by }: Candidate): boolean => locked_by !== null && running.has(locked_by)

  /** False when there is no room, or somebody else was quicker. */
  async function take(candidate: Candidate): Promise<boolean> {
    const handler = byName.get(candidate.name)
    if (handler === undefined || !hasRoom(handler.queue)) return false
    const claim = await claimJob(services, candidate)
    if (claim === undefined) return false
    if (candidate.status === 'running' && candidate.attempts >= candidate.max_attempts) {
      await giveUp(services, claim, candidate.attempts)
      ended(handler.name, 'failed')
      return true
    }
    const run = startRun(services, handler, claim)
    running.set(claim.token, run)
    occupy(handler.queue, 1)
    void run.ended.then(end => {
      running.delete(claim.token)
      occupy(handler.queue, -1)
      ended(handler.name, end)
    })
    return true
  }

  async function candidates(): Promise<Candidate[]> {
    const names = handlers.filter(handler => hasRoom(handler.queue)).map(({ name }) => name)
    if (names.length === 0) return []
    const { database, now } = services
    const at = now()
    const abandoned = await abandonedJobs(database.writer, names, at)
    const due = await dueJobs(database.writer, names, at)
    return [...abandoned.filter(candidate => !isOurs(candidate)), ...due]
  }

  return {
    get size() {
      return running.size
    },
    async claim(goOn) {
      for (let got = 0; ; ) {
        const found = goOn() ? await candidates() : []
        if (found.length === 0) return got
        for (const candidate of found) if (goOn() && (await take(candidate))) got++
      }
    },
    async stop(within) {
      const runs = [...running.values()]
      for (const run of runs) run.stop()
      const deadline = createDeadline(within)
      await Promise.race([Promise.all(runs.map(run => run.ended)), deadline.over])
      deadline.cancel()
      for (const run of runs) if (running.has(run.claim.token)) await run.abandon()
    },
  }
}
