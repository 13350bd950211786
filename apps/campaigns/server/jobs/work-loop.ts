import { setImmediate } from 'node:timers/promises'
import type { Services } from '../services.ts'
import { type Bell, createBell, createDeadline } from './bell.ts'
import type { Drain, JobHandler } from './contract.ts'
import { createDrains, type Drains } from './drains.ts'
import type { RunEnd } from './run-job.ts'
import { createRuns, type Runs } from './runs.ts'
import { createTicks, type Tick } from './ticks.ts'
import { createWorkRecord, type WorkDone, type WorkEvent } from './work-done.ts'

/** Does the jobs, drains and ticks of one process; any number of processes do them beside each other. */
export interface Worker {
  /** Goes on until it is closed, without keeping the process alive. */
  start(): void
  /**
   * Does what is due until nothing is, or so many milliseconds of real time are over. A worker that was not started has
   * then nothing left under way: what did not finish is given back, to go on where it last saved.
   */
  runUntilIdle(options?: { readonly within?: number }): Promise<WorkDone>
  /**
   * Claims nothing more, tells handlers to stop, waits for so many milliseconds, and gives back what has not finished.
   * To be called before the services are closed.
   */
  close(options?: { readonly within?: number }): Promise<void>
}

export interface WorkLoopOptions {
  readonly handlers: readonly JobHandler<unknown>[]
  readonly drains: readonly Drain[]
  readonly ticks: readonly Tick[]
  /** How many jobs of a queue run at once in this process: 1 unless said. */
  readonly concurrency?: Readonly<Record<string, number>>
}

const POLL_MS = 1000
const STOP_WITHIN_MS = 5000

interface Hall {
  readonly services: Services
  readonly runs: Runs
  readonly drains: Drains
  /** Adds what ticks are due and claims what jobs are. Returns how many. */
  look(): Promise<number>
  /** Gives `run` a bell that rings at each wake and whenever a job has ended. */
  listening<T>(run: (bell: Bell) => Promise<T>): Promise<T>
  readonly closing: AbortSignal
}

/**
 * Looks again at each wake and each second, until the worker closes. Each look leaves a turn to everything else: SQLite
 * answers without waiting, so a look that rings its own bell would otherwise keep the process to itself.
 */
function goOn({ services, closing, listening }: Hall, step: () => Promise<number>): Promise<void> {
  return listening(async bell => {
    while (!closing.aborted) {
      const moved = await step().catch((error: unknown) => {
        services.log.error({ err: error }, 'the worker could not look for work')
        return 0
      })
      if (moved === 0) await bell.wait(POLL_MS)
      await setImmediate()
    }
  })
}

/** Whether all that was due has been done in time. */
function settle({ runs, drains, look, closing, listening }: Hall, within: number): Promise<boolean> {
  const until = performance.now() + within
  return listening(async bell => {
    while (!closing.aborted && performance.now() < until) {
      await setImmediate()
      const found = await look()
      const deadline = createDeadline(until - performance.now())
      const drained = await Promise.race([drains.run(), deadline.over.then(() => 0)])
      deadline.cancel()
      if (found + drained > 0) continue
      // What ended or came since the look may have left more to do.
      if (runs.size === 0 && !bell.rung) return performance.now() < until
      await bell.wait(Math.min(POLL_MS, until - performance.now()), true)
    }
    return false
  })
}

function createBells(): Pick<Hall, 'listening'> & { ring(): void } {
  const bells = new Set<Bell>()
  return {
    ring: () => bells.forEach(bell => bell.ring()),
    async listening(run) {
      const bell = createBell()
      bells.add(bell)
      try {
        return await run(bell)
      } finally {
        bells.delete(bell)
      }
    },
  }
}

/** Throws when a tick has no handler, or two handlers have one name. */
export function createWorkLoop(services: Services, options: WorkLoopOptions): Worker {
  const { handlers, drains: list, concurrency = {} } = options
  const closing = new AbortController()
  const { ring, listening } = createBells()
  const listeners = new Set<(event: WorkEvent) => void>()
  const loops: Promise<void>[] = []
  let guests = 0
  const tell = (event: WorkEvent): void => listeners.forEach(listener => listener(event))
  const ended = (name: string, end: RunEnd): void => {
    tell({ kind: 'job', name, end })
    ring()
  }
  const drained = (name: string, count: number): void => tell({ kind: 'drain', name, count })
  const runs = createRuns({ services, handlers, concurrency, ended })
  const drains = createDrains({ services, drains: list, signal: closing.signal, drained })
  const ticks = createTicks(services, options.ticks, handlers)
  const unlisten = services.jobs.listen(ring)
  const isWanted = (): boolean => !closing.signal.aborted && (loops.length > 0 || guests > 0)

  // One look at a time, whoever asks for it: two would only race each other for the same rows.
  let looking: Promise<unknown> = Promise.resolve()
  const look = (): Promise<number> => {
    const next = looking.then(async () => {
      const added = isWanted() ? await ticks.run() : []
      for (const name of added) tell({ kind: 'tick', name })
      return added.length + (await runs.claim(isWanted))
    })
    looking = next.catch(() => undefined)
    return next
  }

  const hall: Hall = { services, runs, drains, look, listening, closing: closing.signal }

  return {
    start() {
      if (loops.length > 0) return
      for (const step of [look, ...list.map((_, index) => () => drains.runOne(index))]) loops.push(goOn(hall, step))
    },
    async runUntilIdle({ within = Number.POSITIVE_INFINITY } = {}) {
      const record = createWorkRecord()
      listeners.add(record.note)
      guests++
      let idle = false
      try {
        idle = await settle(hall, within)
      } finally {
        guests--
        if (!isWanted()) await runs.stop(STOP_WITHIN_MS)
        listeners.delete(record.note)
      }
      return record.done(idle)
    },
    async close({ within = STOP_WITHIN_MS } = {}) {
      closing.abort()
      unlisten()
      ring()
      await looking
      const deadline = createDeadline(within)
      const rest = Promise.all([...loops, drains.settled()])
      await Promise.all([runs.stop(within), Promise.race([rest, deadline.over])])
      deadline.cancel()
    },
  }
}
