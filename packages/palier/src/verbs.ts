import type { Factory } from './load.ts'
import type { Receipt } from './invalidate.ts'
import type { CallOptions } from './options.ts'

/** A value with where it came from. */
export interface Fetched<V> {
  readonly value: V
  readonly outcome: 'hit' | 'stale' | 'miss'
  /** `near`, the name of the shared store, or `source`. */
  readonly tier: string
  /** Milliseconds since its load began. */
  readonly age: number
  /** Milliseconds for which it is still fresh; 0 when stale or not kept. */
  readonly ttl: number
}

/** What is known of an entry without touching it. */
export interface Peeked<V> {
  readonly value: V
  readonly state: 'fresh' | 'stale'
  readonly tier: string
  readonly age: number
  readonly ttl: number
  readonly tags: readonly string[]
}

/** A value as this process's memory holds it. */
export interface Glanced<V> {
  /** What is kept itself: readers do not change it. */
  readonly value: V
  /** Milliseconds since its load began. */
  readonly age: number
  /** Milliseconds for which it is still fresh. */
  readonly ttl: number
}

export type ReadOptions = Pick<CallOptions, 'subject'>
export type SetOptions = Pick<CallOptions, 'ttl' | 'grace' | 'tags' | 'subject' | 'negativeTtl'>

/**
 * What can be done with the entries of one type. Keys are texts of any length and any characters. Values are plain
 * data, dates, maps, sets, big integers and binary data; plain values are handed out frozen, others as a copy for each
 * reader. A store that fails never fails a read: it is a miss and an `error` event.
 */
export interface Verbs<V> {
  /** The value if it is fresh, else undefined. */
  get<T extends V = V>(key: string, options?: ReadOptions): Promise<T | undefined>
  /**
   * What this process's memory holds fresh, at once and without a promise; undefined when the backend or a factory must be
   * asked, for which there is `fetch`, and for types whose entries belong to somebody. A hit is counted, a miss is not.
   */
  glance<T extends V = V>(key: string): Glanced<T> | undefined
  /** The values in the order of the keys; one round trip for all that are not near. */
  getMany<T extends V = V>(keys: readonly string[], options?: ReadOptions): Promise<(T | undefined)[]>
  has(key: string, options?: ReadOptions): Promise<boolean>
  /** The entry as it stands, fresh or stale, counted as no hit and kept nowhere nearer. */
  peek<T extends V = V>(key: string, options?: ReadOptions): Promise<Peeked<T> | undefined>
  /**
   * The fresh value, or the one `factory` makes, which is then kept. However many ask at once, in however many
   * processes, the factory runs once. Rejects with the factory's own error unless a stale value may be served, and
   * with PALIER_FACTORY_TIMEOUT. `undefined` is not kept; `null` is a value.
   */
  getOrSet<T extends V>(key: string, factory: Factory<T>, options?: CallOptions): Promise<T>
  /** `getOrSet`, telling where the value came from. */
  fetch<T extends V>(key: string, factory: Factory<T>, options?: CallOptions): Promise<Fetched<T>>
  /**
   * The values of all keys; the factory is called once with those that are missing, and answers in their order. Keys
   * that another process was loading at that moment, and did not finish, are asked for in a later call.
   */
  getOrSetMany<T extends V>(
    keys: readonly string[],
    factory: (missing: readonly string[]) => readonly T[] | Promise<readonly T[]>,
    options?: CallOptions,
  ): Promise<T[]>
  /** Keeps the value in place of any other. Rejects with PALIER_NOT_ENCODABLE or PALIER_TOO_LARGE. */
  set(key: string, value: V, options?: SetOptions): Promise<Receipt>
  setMany(entries: Iterable<readonly [string, V]>, options?: SetOptions): Promise<Receipt>
  /** Keeps the value only if no fresh one is there. True for one caller at most, in any process. */
  add(key: string, value: V, options?: SetOptions): Promise<boolean>
  /** Gives a fresh entry its whole ttl again. False when there is none. */
  touch(key: string, options?: SetOptions): Promise<boolean>
  /** Ends the freshness of an entry; during its grace it may still be served if the factory fails. */
  expire(key: string, options?: SetOptions): Promise<boolean>
  delete(key: string, options?: ReadOptions): Promise<Receipt>
  deleteMany(keys: readonly string[], options?: ReadOptions): Promise<Receipt>
}
