/** What a policy may know of what it keeps or lets go. */
export interface Evictable {
  readonly deadAt: number
  readonly size: number
  /** Set by a hit, whoever reads; cleared by the policy alone. */
  visited: boolean
}

/** The records of one space. A `Map` keeps the order of insertion at no cost, so policies build on that order. */
export interface Index<R extends Evictable> {
  readonly records: Map<string, R>
}

export interface Victim<I, R> {
  readonly index: I
  readonly key: string
  readonly record: R
}

/** Decides who leaves when room is needed. The README of this folder states the rules it keeps. */
export interface EvictionPolicy<R extends Evictable, I extends Index<R> = Index<R>> {
  /** An index joins, empty. */
  join(index: I): void
  /** A record has just been put under a key of the index that had none. */
  added(index: I, key: string, record: R): void
  /**
   * Who leaves next, never `sparedKey` of `spared`; undefined when there is nobody else. The caller takes the victim
   * out of its index.
   */
  victim(spared: I, sparedKey: string): Victim<I, R> | undefined
}
