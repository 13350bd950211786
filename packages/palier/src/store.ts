import type { Bus } from './bus.ts'
import type { Limits, Locks } from './guard.ts'

/** What a store gives back for a key. */
export interface StoredRecord {
  /** The record exactly as it was written: made by `encodeRecord`, opaque to the store but for its key and times. */
  readonly bytes: Uint8Array
  /** Milliseconds until the store itself drops the record, by the store's own clock; always above 0. */
  readonly remaining: number
}

/** A request for the lease of a key. */
export interface Claim {
  /** Random and unique to this claim; `commit`, `renew` and `release` work only for the token that holds the lease. */
  readonly token: string
  /** Lifetime of the lease in milliseconds, unless renewed. */
  readonly ttl: number
  /** `recordHead()` of a record the caller has read and found wanting: while exactly that record is there, the lease may be granted. */
  readonly seen?: Uint8Array
  /** Take the lease whoever holds it and whatever is stored: the former holder can no longer commit. */
  readonly steal?: boolean
}

export interface Claimed {
  readonly record: StoredRecord | undefined
  /** True when the lease is now the caller's. */
  readonly granted: boolean
}

export interface Usage {
  readonly entries: number
  readonly bytes: number
}

/** What a clean-up did. */
export interface Swept {
  readonly expired: number
  readonly evicted: number
  /** Abandoned temporary files and leases that were taken away. */
  readonly debris: number
  readonly entries: number
  readonly bytes: number
}

/** What a store across a network tells of its connections. */
export interface ConnectionListener {
  /**
   * A connection is gone, or the server behind it is no longer the one to write to: the next one may know less. Called
   * before any call can succeed on the next one.
   */
  lost(reason: string): void
  /** Calls may succeed again. */
  ready(): void
}

/**
 * Keeps records for several caches, in this process or in others.
 *
 * Rules every store obeys (`storeContract` in `palier/testing` checks them):
 * - Keys are strings of any length >= 1 and any characters but lone surrogates; two different keys never meet.
 * - A record is seen whole or not at all. A record that cannot be read whole is absent, never an error.
 * - One lease at most per key. `set`, `delete` and a stealing `claim` void it, atomically with what they do, so a
 *   `commit` under a voided, expired or released lease changes nothing and returns false.
 * - `ttl` is a positive safe integer of milliseconds. After it the record is absent.
 * - A method rejects only if the store failed; the caller decides what that means. Nothing is retried inside.
 *   PALIER_STORE_REFUSED says that the store is well but takes no write now (full, read-only); what is there can still be
 *   read, also by a `claim` that needs no lease.
 * - The bytes are the store's: what the caller does with them afterwards changes nothing stored.
 */
export interface SharedStore {
  /** `redis`, `filesystem`, `memory`: what operators read. */
  readonly name: string
  get(key: string): Promise<StoredRecord | undefined>
  /** One round trip whatever the number of keys; the answer has the order of the keys. */
  getMany(keys: readonly string[]): Promise<(StoredRecord | undefined)[]>
  /**
   * Reads the key and asks for its lease, in one round trip and atomically. Granted when no live lease is there (or
   * `steal`), and the key is absent, whatever `seen` says, or holds the record whose head is `seen` (or `steal`). A
   * lease outlives the record beside it; stealing leaves the record readable.
   */
  claim(key: string, claim: Claim): Promise<Claimed>
  /** Stores the record and ends the lease, if and only if the lease is still the token's. */
  commit(key: string, token: string, bytes: Uint8Array, ttl: number): Promise<boolean>
  /** Lets the lease end `ttl` milliseconds from now, be that later or sooner, if it is still the token's. */
  renew(key: string, token: string, ttl: number): Promise<boolean>
  /** Ends the lease without storing, if it is still the token's. */
  release(key: string, token: string): Promise<void>
  /** Stores the record whatever was there, and voids the lease. Calls made in one tick share a round trip. */
  set(key: string, bytes: Uint8Array, ttl: number): Promise<void>
  /** Deletes records and voids their leases; absent keys are no error. */
  delete(keys: readonly string[]): Promise<void>
  /**
   * The keys that start with `prefix`, in batches and no order; no leases, nothing expired. A key written or deleted
   * meanwhile may be missing or shown, and a key may be shown twice.
   */
  scan(prefix: string): AsyncIterable<readonly string[]>
  /** Entries and bytes of the keys that start with `prefix`. Walks them: for operators, never on a request path. */
  usage(prefix: string): Promise<Usage>
  /** Takes away what expired and brings the store under its budgets; absent where the server does it itself. */
  sweep?(): Promise<Swept>
  /** The channel on which the caches of one namespace tell each other what changed. One bus per cache, closed by it. */
  openBus(channel: string): Bus
  readonly locks: Locks
  readonly limits: Limits
  /** Tells of the store's connections until the returned function is called. Absent where there is none to lose. */
  watch?(listener: ConnectionListener): () => void
  /**
   * Which servers answer, in any text: another one as soon as one that may have lost acknowledged writes has taken
   * over (a failover, a restart, a moved slot). Absent where that cannot happen.
   */
  identity?(): Promise<string>
  /** Gives up connections that have fallen silent and opens others; nothing for a borrowed client. Never throws. */
  reconnect?(): void
  /** Ends timers, files and connections the store opened itself; a borrowed client stays open. May be called twice. */
  close(): Promise<void>
}

/** What the near store needs to find on whatever it keeps; the near store alone writes `visited`. */
export interface NearRecord {
  /** Monotonic milliseconds after which the record may be taken away. */
  readonly deadAt: number
  /** Estimated bytes, counted against the budget. */
  readonly size: number
  visited: boolean
}

/** One index of the near store. Keys of two spaces never meet; budgets are shared by all. */
export interface NearSpace<R extends NearRecord> {
  /** The record, even when its time has passed (the engine decides); marks it as used. */
  get(key: string): R | undefined
  /** Like `get`, without marking it as used. */
  peek(key: string): R | undefined
  /** Keeps the record, evicting others to stay within the budgets. False: it alone is larger than the budget, and nothing is kept. */
  set(key: string, record: R): boolean
  delete(key: string): boolean
  keys(): IterableIterator<string>
  clear(): void
}

/** The tier in this process's memory: values, not bytes, and no promise anywhere. */
export interface NearStore<R extends NearRecord> {
  space(name: string): NearSpace<R>
  usage(): Usage
  clear(): void
  close(): void
}
