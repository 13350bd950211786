import type { Cached } from './cached.ts'
import type { Counter, CounterOptions } from './counter.ts'
import type { Documents } from './documents.ts'
import type { Backend, TraceStep } from './detect.ts'
import type { Setting } from './environment.ts'
import type { EventName, HealthState, Listener } from './events.ts'
import type { Receipt } from './invalidate.ts'
import type { LinkState } from './link.ts'
import type { Limiter, LimiterOptions } from './limiter.ts'
import type { Lock, LockOptions } from './lock.ts'
import type { Once } from './once.ts'
import type { Operator } from './operator.ts'
import type { AnyPolicy, ReadyType, ValueOf } from './options.ts'
import type { Stats } from './stats.ts'
import type { Verbs } from './verbs.ts'

export interface TierStatus {
  readonly name: string
  /** `shared`: the backend. `spare`: stands in while that is out. `scout`: better, not asked for, and just found. */
  readonly role: 'near' | 'shared' | 'spare' | 'scout'
  readonly state: LinkState | 'in doubt'
  /** Reads and writes go there now. */
  readonly used: boolean
  readonly reason?: string
  /** Since when it is in this state, in milliseconds since 1970. */
  readonly since?: number
  /** Milliseconds until it is tried again. */
  readonly nextTryIn?: number
}

/** What operators see: what the cache runs on, why, and how it is. */
export interface Status {
  readonly namespace: string
  readonly enabled: boolean
  /** What is in use now; `detecting` until `ready()` resolves. */
  readonly backend: Backend | 'detecting' | 'custom'
  readonly why: string
  readonly trace: readonly TraceStep[]
  readonly state: HealthState
  readonly reason: string
  /** Since when, in milliseconds since 1970. */
  readonly since: number
  /** Nearest first. */
  readonly tiers: readonly TierStatus[]
  /** Invalidations that the backend has not acknowledged, and since when the oldest waits, in milliseconds since 1970. */
  readonly outbox: { readonly pending: number; readonly oldestAt?: number }
  /** Caches seen alive on this namespace, this one included. */
  readonly processes: number
  /** How long another process may go on serving what was deleted here, in milliseconds; 0 when nothing is shared. */
  readonly staleBound: number
  readonly configuration: Readonly<Record<string, Setting<string>>>
}

/** The entries of one type. */
export interface TypedCache<V> extends Verbs<V> {
  readonly name: string
  /** Deletes every entry of the type whose key matches: `*` any characters, `?` one, `\` the next one literally. */
  deleteByPattern(pattern: string): Promise<Receipt>
}

export type Policies = Readonly<Record<string, AnyPolicy>>

/** What `createCache` gives. The verbs on it use the default type, whose keys never meet those of another. */
export interface Cache<T extends Policies = Policies> extends Verbs<unknown> {
  /** 16 hexadecimal digits, random: every record says which cache wrote it. */
  readonly id: string
  type<N extends (keyof T & string) | ReadyType>(name: N): TypedCache<N extends keyof T ? ValueOf<T[N]> : unknown>
  /** Deletes every entry that carries the tag. One write, however many entries. */
  deleteByTag(tag: string): Promise<Receipt>
  deleteByTags(tags: readonly string[]): Promise<Receipt>
  deleteByType(name: (keyof T & string) | ReadyType): Promise<Receipt>
  /** Deletes every entry whose `type:key` (or key, without a type) matches: `*` any characters, `?` one, `\` the next literally. */
  deleteByPattern(pattern: string): Promise<Receipt>
  /** Deletes everything of this namespace, and nothing else. */
  clear(): Promise<Receipt>
  /**
   * A lock for all processes that share the backend; undefined when somebody holds it and does not let go within `wait`, or when
   * the backend is out and `onOutage` is `closed`, as it is by default. Rejects with PALIER_BAD_OPTION, PALIER_BAD_KEY, PALIER_CLOSED.
   */
  lock(name: string, options?: LockOptions): Promise<Lock | undefined>
  /** Runs under the lock and releases it. Rejects with PALIER_LOCKED, without running, when the lock is not to be had. */
  withLock<R>(name: string, options: LockOptions, run: (lock: Lock) => R | Promise<R>): Promise<R>
  /** Limits how often something may happen, in all processes that share the backend. Limiters of one name and window share their counts. */
  limiter(name: string, options: LimiterOptions): Limiter
  /** Counts how often something happened, in fixed windows, in all processes that share the backend. Counters of one name share their counts. */
  counter(name: string, options: CounterOptions): Counter
  /**
   * Runs a scheduled job for one occurrence (14:00 of today, say) in one process of all that share the backend, and tells
   * whether it ran here. An occurrence is claimed once: one whose run failed, or whose process died, is not run again.
   * Rejects with the error of `run`, with PALIER_BAD_OPTION, PALIER_BAD_KEY, PALIER_CLOSED.
   */
  readonly once: Once
  /**
   * State of the application in the backend, by a name of its own: read strictly, changed by compare and set, reached by no
   * clear. Throws PALIER_BAD_KEY for a name that is none, PALIER_CLOSED.
   */
  documents<V>(name: string): Documents<V>
  /** For the people who look after a running cache: what the console and the management API are made of. */
  readonly operator: Operator
  readonly cached: Cached
  on<N extends EventName>(name: N, listener: Listener<N>): () => void
  stats(): Stats
  status(): Status
  /** Resolves when a backend was found, and the policies that operators have changed are known; never rejects. Nothing needs to wait for it. */
  ready(): Promise<Status>
  /** Ends timers and connections of our own; borrowed clients stay open. Later calls reject with PALIER_CLOSED. */
  close(): Promise<void>
}
