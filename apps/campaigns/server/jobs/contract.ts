import type { Services } from '../services.ts'
import type { Work } from '../work.ts'

/**
 * Durable work in the `jobs` table: at least once, by one worker at a time, after the transaction that asked for it and
 * never before. A worker holds a job by a lease that it renews; when it dies, another takes the job up where its last
 * saved progress says.
 */
export interface NewJob {
  readonly name: string
  /** Plain data; read back by the handler's `parse`. */
  readonly payload: object
  /** Milliseconds since 1970; at once unless said. */
  readonly runAt?: number
  /** The higher the sooner; 0 unless said. */
  readonly priority?: number
  /**
   * While a job with this key is queued or running there is no second one, of at most 110 characters. The queued one is
   * brought forward if this one is due sooner; the running one runs once more when it has ended, since it may have
   * looked before there was anything to see.
   */
  readonly dedupeKey?: string
  /** The key stands for an occurrence and is kept when the job ends, so that there is never a second one. */
  readonly keepKey?: boolean
  readonly createdBy?: string | null
}

export interface JobContext<P> {
  readonly id: string
  readonly payload: P
  /** 1 for the first try, and for the first after something new was saved. */
  readonly attempt: number
  readonly createdBy: string | null
  /** What the last run saved; undefined the first time. */
  readonly progress: unknown
  /** Aborted when the lease is lost, the job is cancelled or the worker closes: stop at the next safe place. */
  readonly signal: AbortSignal
  readonly services: Services
  /**
   * Saves how far it is, inside a transaction of the job's own work: both happen or neither does. Throws when the lease
   * was lost or the job cancelled, which undoes that work. Call it last: it locks the job's row, which every `add` with
   * its key waits for.
   */
  save(work: Work, progress: object): Promise<void>
}

/**
 * Done, with what whoever may see the job is shown; or not yet: run again at that time, in milliseconds since 1970, with
 * the progress that was saved.
 */
export type JobOutcome = { readonly result: object } | { readonly againAt: number }

export interface JobHandler<P> {
  readonly name: string
  /** Jobs of one queue run one after the other in a process; queues run beside each other. */
  readonly queue: string
  /** How often it is tried when it throws or its process dies, without anything new saved in between. */
  readonly maxAttempts: number
  /** Throws when the payload is none of this handler's: the job has then failed, and is not tried again. */
  parse(payload: unknown): P
  /** What of the payload whoever may see the job is shown; nothing unless said. */
  describe?(payload: P): object
  run(context: JobContext<P>): Promise<JobOutcome>
}

/** What is drained whenever there is something, beside the jobs: inbox, mail, what the cache has still to be told. */
export interface Drain {
  readonly name: string
  /**
   * Handles what is due, a bounded part of it. Returns how much was got rid of: 0 means that nothing is due now, anything
   * else that it is to be run again at once. What it throws is logged, and it rests for a while.
   */
  run(services: Services, signal: AbortSignal): Promise<number>
}

export interface Jobs {
  /**
   * Adds a job in the caller's transaction; workers of this process look for it after the commit. Returns its id, or
   * undefined when the key is taken. With a key, call it after the other statements of the transaction.
   */
  add(work: Work, job: NewJob): Promise<string | undefined>
  /** Something was added or stored for a drain: workers of this process look now. */
  wake(): void
}
