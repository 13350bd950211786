import type { Duration } from './duration.ts'
import type { Receipt } from './invalidate.ts'

/** What a clear is aimed at. A key or a pattern without a type means the default type, or `type:key` of every type. */
export type ClearTarget =
  | { readonly kind: 'all' }
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'pattern'; readonly pattern: string; readonly type?: string }
  | { readonly kind: 'key'; readonly key: string; readonly type?: string; readonly subject?: string }

/** What a clear would take away, counted in the backend, or in this process where nothing is shared. */
export interface Preview {
  /** Entries that live now, fresh or stale. */
  readonly entries: number
  /** False: counting stopped at its time limit, and there are at least so many. */
  readonly exact: boolean
  readonly bytes: number
  /** Milliseconds of factories it took to make them, and will take again. */
  readonly cost: number
  readonly types: Readonly<Record<string, number>>
  /** Some of their keys, as `type:key`; of entries of a role or a user the key alone, never whose. */
  readonly sample: readonly string[]
}

export interface Cleared {
  readonly receipt: Receipt
  /** What `undo` takes. Absent when nothing can be put back: single keys, patterns, or a backend that did not acknowledge. */
  readonly undo?: string
  /** Until when, in milliseconds since 1970. */
  readonly undoUntil?: number
}

/** One key as people name it. `subject`: whose it is, for types of a role or a user. */
export interface KeyName {
  readonly type: string
  readonly key: string
  readonly subject?: string
}

export interface Undone {
  readonly restored: boolean
  /** Why not: it is too late, or somebody cleared again meanwhile. */
  readonly reason?: string
}

/** One of the groups an entry belongs to. */
export interface ExplainedStamp {
  readonly group: 'namespace' | 'type' | 'tag'
  /** Of a type or a tag. */
  readonly name?: string
  /** False: the group was cleared after the load of the entry began, so the entry is dead. */
  readonly isCurrent: boolean
}

/** An entry as one tier holds it. */
export interface ExplainedTier {
  /** `near`, or the name of the shared store. */
  readonly tier: string
  readonly state: 'fresh' | 'stale' | 'dead' | 'absent'
  /** Why it is not fresh, in words. */
  readonly reason?: string
  /** Milliseconds since its load began. */
  readonly age?: number
  /** Milliseconds for which it is still fresh, and after that still servable. */
  readonly ttl?: number
  readonly grace?: number
  /** As stored: in the backend with its head and compressed, near as estimated. */
  readonly bytes?: number
  /** Milliseconds its factory took. */
  readonly cost?: number
  readonly tags?: readonly string[]
  readonly stamps?: readonly ExplainedStamp[]
  /** The `id` of the cache that wrote it. */
  readonly writer?: string
}

/** What is known of one key, without touching it. */
export interface Explanation {
  readonly type: string
  readonly key: string
  /** What the next read would do: serve it fresh, serve it stale while it is made anew, or make it. */
  readonly next: 'hit' | 'stale' | 'miss'
  /** The same in a sentence. */
  readonly summary: string
  /** Nearest first. */
  readonly tiers: readonly ExplainedTier[]
}

export interface KeyQuery {
  readonly type?: string
  /** `*` any characters, `?` one, `\` the next one literally. Of the key with a type, of `type:key` without. */
  readonly pattern?: string
  /** The last key of the page before. */
  readonly after?: string
  /** 1 to 1000; 100 unless said. */
  readonly limit?: number
}

export interface ListedKey {
  readonly type: string
  readonly key: string
  /** Of an entry of a role or a user: a digest, never whose it is. */
  readonly subject?: string
  readonly state: 'fresh' | 'stale'
  readonly ttl: number
  readonly age: number
  readonly bytes: number
  readonly tags: readonly string[]
}

export interface KeyPage {
  /** In the order of their names. */
  readonly keys: readonly ListedKey[]
  /** Pass it as `after` for the next page; absent on the last one. */
  readonly after?: string
  /** False: the walk stopped at its time limit. */
  readonly complete: boolean
}

/** What an operator may change of a type while the application runs. */
export interface PolicyChange {
  readonly ttl?: Duration
  readonly grace?: Duration
}

/** The policy of a type, in milliseconds. */
export interface PolicyView {
  readonly ttl: number
  readonly grace: number
  readonly scope: 'public' | 'role' | 'user'
  /** What the code says, where an operator has said otherwise. */
  readonly declared?: { readonly ttl: number; readonly grace: number }
}

/**
 * What the console and the management API are made of: for people who look after a running cache, not for its request path.
 * Walks of the backend are bounded by time and cut into slices. Rejects with PALIER_BAD_OPTION, PALIER_BAD_KEY,
 * PALIER_PROTECTED for what may not be asked, with PALIER_STORE_* when the backend cannot answer, and with PALIER_CLOSED.
 */
export interface Operator {
  explain(key: string, options?: { readonly type?: string; readonly subject?: string }): Promise<Explanation>
  keys(query?: KeyQuery): Promise<KeyPage>
  preview(target: ClearTarget): Promise<Preview>
  /** Clears. What is not a single key or a pattern can be put back for ten minutes, by any process; what was set or deleted meanwhile stays so. */
  clear(target: ClearTarget): Promise<Cleared>
  /** Deletes keys of any types together, under one receipt: the least that can be said of all. Nothing is deleted when one of them is wrong. */
  clearKeys(keys: readonly KeyName[]): Promise<Receipt>
  undo(token: string): Promise<Undone>
  /**
   * Asks the backend that should be in use now, rather than at its next try. Resolves with whether it is in use then; where
   * nothing is shared there is nothing to ask, and it is false.
   */
  tryNow(): Promise<boolean>
  /** By type; the default type is `default`. */
  policies(): Readonly<Record<string, PolicyView>>
  /** Entries made from now on live so long, in every process of the namespace within seconds, and after a restart. Null: what the code says. */
  setPolicy(type: string, change: PolicyChange | null): Promise<void>
}
