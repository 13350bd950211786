import type { Cache, Clock, Logger, Monitor } from 'palier'
import type { Audit } from './audit.ts'

/** What the console asks of a cache; every `Cache` fits, whatever its types. */
export type ManagedCache = Pick<Cache, 'documents' | 'id' | 'limiter' | 'lock' | 'operator' | 'stats' | 'status'>

/** The time as the console needs it. */
export type ConsoleClock = Pick<Clock, 'now' | 'wall' | 'hold'>

/** What the console asks of a monitor; every `Monitor` fits. */
export type ConsoleMonitor = Pick<
  Monitor,
  | 'alerts'
  | 'budgets'
  | 'channels'
  | 'fleet'
  | 'health'
  | 'history'
  | 'kept'
  | 'prometheus'
  | 'recent'
  | 'rules'
  | 'snapshot'
  | 'testAlert'
>

/** Runs that fill the cache before somebody asks, by name; usually the name of a type. */
export type WarmUps = Readonly<Record<string, () => Promise<unknown>>>

/** What the sections of the console share. */
export interface Room {
  readonly cache: ManagedCache
  readonly monitor: ConsoleMonitor | undefined
  readonly warm: WarmUps
  /** What this place is called. */
  readonly environment: string
  /** When the console was made, in milliseconds since 1970: about when the counting of this process began. */
  readonly bornAt: number
  /** Of this package. */
  readonly version: string
  readonly clock: ConsoleClock
  readonly log: Logger
  readonly audit: Audit
}
