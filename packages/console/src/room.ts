import type { Cache, Clock, Logger } from 'palier'
import type { Audit } from './audit.ts'

/** What the console asks of a cache; every `Cache` fits, whatever its types. */
export type ManagedCache = Pick<Cache, 'documents' | 'id' | 'limiter' | 'lock' | 'operator' | 'stats' | 'status'>

/** The time as the console needs it. */
export type ConsoleClock = Pick<Clock, 'now' | 'wall' | 'hold'>

export type HistoryRange = 'minutes' | 'hours' | 'days'

/** What knows more than this process and this moment: a monitor of `palier`. What it gives is passed on as it is. */
export interface ConsoleMonitor {
  /** Counts of all processes, summed, and each process. */
  fleet(): unknown
  /** The text of `/metrics`. */
  prometheus(): string | Promise<string>
  history(range: HistoryRange, type?: string): unknown
  /** Health judged over time. */
  health(): unknown
  alerts(): unknown
  /** What happened since, an event each. */
  snapshot(since?: number): unknown
}

/** Runs that fill the cache before somebody asks, by name; usually the name of a type. */
export type WarmUps = Readonly<Record<string, () => Promise<unknown>>>

/** What the sections of the console share. */
export interface Room {
  readonly cache: ManagedCache
  readonly monitor: ConsoleMonitor | undefined
  readonly warm: WarmUps
  readonly clock: ConsoleClock
  readonly log: Logger
  readonly audit: Audit
}
