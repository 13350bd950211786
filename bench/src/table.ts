import type { Pace, Verdict, WorkResult } from './harness.ts'
import type { Servers } from './surroundings.ts'

/** What was counted rather than timed. */
export interface Facts {
  readonly name: string
  readonly what: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly verdicts: readonly Verdict[]
}

export interface TableResult {
  readonly works: readonly WorkResult[]
  readonly facts: readonly Facts[]
  /** What was left out, and why. */
  readonly missing: readonly string[]
}

export interface RunOptions {
  readonly pace: Pace
  /** Small numbers all over: shows that the harness works, not how fast anything is. */
  readonly quick: boolean
  readonly servers: Servers
  say(line: string): void
}

export interface Table {
  readonly name: string
  readonly title: string
  run(options: RunOptions): Promise<TableResult>
}

export const NO_REDIS = 'redis-server is not installed: what needs it was left out'
