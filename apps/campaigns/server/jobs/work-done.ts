import type { RunEnd } from './run-job.ts'

/** What a worker did in a while. */
export interface WorkDone {
  /** The ticks whose jobs were added. */
  readonly ticks: readonly string[]
  /** By name, how often a run ended in which way. */
  readonly jobs: Readonly<Record<string, Readonly<Partial<Record<RunEnd, number>>>>>
  /** By name, how much was drained. */
  readonly drained: Readonly<Record<string, number>>
  /** False when the time was over first. */
  readonly idle: boolean
}

export type WorkEvent =
  | { readonly kind: 'tick'; readonly name: string }
  | { readonly kind: 'job'; readonly name: string; readonly end: RunEnd }
  | { readonly kind: 'drain'; readonly name: string; readonly count: number }

export interface WorkRecord {
  note(event: WorkEvent): void
  done(idle: boolean): WorkDone
}

export function createWorkRecord(): WorkRecord {
  const ticks: string[] = []
  const jobs: Record<string, Partial<Record<RunEnd, number>>> = {}
  const drained: Record<string, number> = {}
  return {
    note(event) {
      const { kind, name } = event
      if (kind === 'tick') ticks.push(name)
      else if (kind === 'drain') drained[name] = (drained[name] ?? 0) + event.count
      else jobs[name] = { ...jobs[name], [event.end]: (jobs[name]?.[event.end] ?? 0) + 1 }
    },
    done: idle => ({ ticks, jobs, drained, idle }),
  }
}
