import type { Place } from './contestants.ts'

/*
 * What the parent and a contestant's process say to each other: requests with a number, replies with the same.
 */

/** A call that had not ended after so long counts as hung. */
export const LIMIT_MS = 12_000

export interface Task {
  readonly contestant: string
  readonly place: Place
}

export interface CallsTask {
  readonly prefix: string
  readonly everyMs: number
  readonly forMs: number
}

/** One call: when it began in milliseconds since 1970, how long it took, how it ended. */
export interface Call {
  readonly at: number
  readonly ms: number
  readonly end: 'answered' | 'rejected' | 'hung'
  readonly value?: string
  /** Milliseconds that the contestant's control took between this call and the next. */
  readonly control?: number
}

/** What the parent may ask for, and what it gets. */
export interface Requests {
  /** Milliseconds until the first read was answered; creates the session. */
  open: { readonly task: null; readonly result: Call }
  /** Reads each key once, one after the other; how many asked the source. */
  seed: {
    readonly task: readonly string[]
    readonly result: { readonly loads: number; readonly values: readonly string[] }
  }
  /** The version that the source gives from now on. */
  version: { readonly task: number; readonly result: null }
  /** Reads a new key every so often, however long the ones before it take. */
  calls: { readonly task: CallsTask; readonly result: readonly Call[] }
  /** As `calls`, with a fixed set of keys at each turn. */
  reads: {
    readonly task: Omit<CallsTask, 'prefix'> & { readonly keys: readonly string[] }
    readonly result: readonly Call[]
  }
  /** Forgets all keys at once; the values are what the contestant said. */
  forget: { readonly task: readonly string[]; readonly result: readonly Call[] }
  /** Reads a new key every so often until `enough`, and does not care how: somebody else is watching. */
  poke: { readonly task: { readonly prefix: string; readonly everyMs: number }; readonly result: null }
  enough: { readonly task: null; readonly result: null }
  state: { readonly task: null; readonly result: string }
}

export type Verb = keyof Requests
export interface Request {
  readonly id: number
  readonly verb: Verb
  readonly task: unknown
}
export interface Reply {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}
