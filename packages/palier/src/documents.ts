import type { Clock } from './clock.ts'
import type { Receipt } from './invalidate.ts'
import { encodeRecord } from './record.ts'

/** A document as it was read. */
export interface Document<V> {
  /** Nobody else's: plain values are frozen, others may be changed without changing what is stored. */
  readonly value: V
  /** 1 when it was made, one more with each change. */
  readonly version: number
  /** Milliseconds until it ends. */
  readonly remaining: number
}

/** What `change` is to leave behind. */
export interface Revision<V> {
  readonly value: V
  /** Milliseconds from now, a positive safe integer. */
  readonly ttl: number
}

/**
 * State that an application keeps in the backend: sessions, what can be undone, what each process counted. Unlike an entry
 * it is no copy of something else, so it is read from the backend itself each time, changed by compare and set, not reached
 * by `clear`, by types, tags or patterns, and a backend that cannot answer is an error (PALIER_STORE_FAILED,
 * PALIER_STORE_TIMEOUT, PALIER_STORE_REFUSED), never "there is none". Where nothing is shared, documents live in this process.
 * What cannot be decoded counts as absent, and is an `error` event. Every method rejects with PALIER_CLOSED after `close()`.
 */
export interface Documents<V> {
  /** Undefined when there is none, or it was deleted. */
  read(id: string): Promise<Document<V> | undefined>
  /**
   * Changes one document knowing what it is: `decide` is given what is there and answers with what to leave, or undefined
   * for no change, and is called again if somebody was in between. Resolves with what is there now. For an hour after its
   * deletion a document is not made again: `decide` is not called, and the answer is undefined.
   */
  change(
    id: string,
    decide: (before: Document<V> | undefined) => Revision<V> | undefined,
  ): Promise<Document<V> | undefined>
  /**
   * Deletes, and leaves a mark against a late `change` for an hour. A durable invalidation: what the backend does not take
   * now waits in the outbox and its journal, and counts here at once.
   */
  delete(id: string): Promise<Receipt>
  /** All documents, in batches and no order; one that is made or deleted meanwhile may be missing or shown, and may be shown twice. */
  all(): AsyncIterable<readonly (Document<V> & { readonly id: string })[]>
}

/** How long a deleted document cannot be made again: longer than any request that still holds it. Milliseconds. */
export const MARK_TTL = 3_600_000

/** What lies in the place of a deleted document: a record of version 0. */
export function markOf({ id, clock }: { readonly id: string; readonly clock: Clock }, full: string): Uint8Array {
  const head = { key: full, createdAt: clock.wall(), ttl: MARK_TTL, grace: 0, cost: 0, mark: 0, form: 0, size: 0 }
  return encodeRecord({ ...head, writer: id, stamps: [] }, new Uint8Array(0))
}
