import type { Clock } from '../clock.ts'
import { createExpiry, type Expiry } from '../eviction/expiry.ts'
import type { EvictionPolicy, Index } from '../eviction/policy.ts'
import { sieve } from '../eviction/sieve.ts'
import type { NearRecord, NearSpace, NearStore } from '../store.ts'

/*
 * The near tier: one Map per space, and nothing per record beside it. A hit is a Map lookup and at most one write.
 * Room is made before a record goes in, so no call returns with a budget exceeded. The expired leave in three ways:
 * replaced by their successor, found by a short look when room is needed, or met by a walk on one timer for the whole
 * store, which visits a bounded number of records each time and stands still while the store is empty.
 */
export interface NearOptions<R extends NearRecord> {
  /** At most so many records, all spaces together. */
  readonly maxEntries: number
  /** At most so many bytes, all spaces together, by the records' own `size`. */
  readonly maxBytes: number
  readonly clock: Clock
  /** A record left for room while it was still alive. It is gone already; what this throws, the `set` throws. */
  readonly onEvict?: (space: string, key: string, record: R) => void
}

const SWEEP_EVERY = 1_000
/** About a millisecond of work. */
const SWEEP_VISITS = 10_000
/** What a `set` that needs room spends on looking for the expired first. */
const GLANCE_VISITS = 16

/** What the spaces of one store share. */
interface Ledger<R extends NearRecord> {
  readonly options: NearOptions<R>
  readonly policy: EvictionPolicy<R, Space<R>>
  readonly expiry: Expiry<R, Space<R>>
  entries: number
  bytes: number
  closed: boolean
  cancelSweep: (() => void) | undefined
}

export function nearStore<R extends NearRecord>(options: NearOptions<R>): NearStore<R> {
  const ledger: Ledger<R> = {
    options,
    policy: sieve(),
    expiry: createExpiry(),
    entries: 0,
    bytes: 0,
    closed: false,
    cancelSweep: undefined,
  }
  const spaces = new Map<string, Space<R>>()
  const clear = (): void => {
    for (const space of spaces.values()) space.clear()
  }
  return {
    space(name) {
      let space = spaces.get(name)
      if (space === undefined) {
        space = new Space(name, ledger)
        spaces.set(name, space)
        ledger.policy.join(space)
        ledger.expiry.join(space)
      }
      return space
    },
    usage: () => ({ entries: ledger.entries, bytes: ledger.bytes }),
    clear,
    close() {
      ledger.closed = true
      clear()
      ledger.cancelSweep?.()
      ledger.cancelSweep = undefined
    },
  }
}

/** A class because `get` is the hottest call of the library: one shape, methods shared by all spaces. */
class Space<R extends NearRecord> implements NearSpace<R>, Index<R> {
  readonly records: Map<string, R> = new Map()
  readonly name: string
  readonly ledger: Ledger<R>
  bytes = 0

  constructor(name: string, ledger: Ledger<R>) {
    this.name = name
    this.ledger = ledger
  }

  get(key: string): R | undefined {
    const record = this.records.get(key)
    // Reading first: a write to what is marked already would still dirty its cache line.
    if (record !== undefined && !record.visited) record.visited = true
    return record
  }

  peek(key: string): R | undefined {
    return this.records.get(key)
  }

  set(key: string, record: R): boolean {
    const { ledger } = this
    const { maxEntries, maxBytes } = ledger.options
    const fits = maxEntries >= 1 && record.size >= 0 && record.size <= maxBytes
    if (ledger.closed || !fits) {
      // What the key held is outdated now, whether or not its successor finds room.
      this.delete(key)
      return false
    }
    let old = this.records.get(key)
    while (
      ledger.entries + (old === undefined ? 1 : 0) > maxEntries ||
      ledger.bytes + record.size - (old === undefined ? 0 : old.size) > maxBytes
    ) {
      makeRoom(this, key)
      // Gone, if it had expired; or changed by whoever was told of an eviction.
      old = this.records.get(key)
    }
    this.records.set(key, record)
    const grown = old === undefined ? record.size : record.size - old.size
    this.bytes += grown
    ledger.bytes += grown
    if (old === undefined) {
      ledger.entries++
      ledger.policy.added(this, key, record)
    } else if (old.visited) record.visited = true
    ledger.expiry.noted(record)
    if (ledger.cancelSweep === undefined) armSweep(ledger)
    return true
  }

  delete(key: string): boolean {
    const record = this.records.get(key)
    if (record === undefined) return false
    remove(this, key, record)
    return true
  }

  keys(): IterableIterator<string> {
    return this.records.keys()
  }

  clear(): void {
    const { ledger, records } = this
    ledger.entries -= records.size
    ledger.bytes = ledger.entries === 0 ? 0 : ledger.bytes - this.bytes
    this.bytes = 0
    records.clear()
  }
}

function remove<R extends NearRecord>(space: Space<R>, key: string, record: R): void {
  const { ledger, records } = space
  records.delete(key)
  ledger.entries--
  // Sizes need not be whole numbers; what rounding leaves behind must not add up over the years.
  space.bytes = records.size === 0 ? 0 : space.bytes - record.size
  ledger.bytes = ledger.entries === 0 ? 0 : ledger.bytes - record.size
}

/** Takes a record out: an expired one if a short look finds any, else the policy's choice, which is never `key` itself. */
function makeRoom<R extends NearRecord>(space: Space<R>, key: string): void {
  const { ledger } = space
  const { clock, onEvict } = ledger.options
  const now = clock.now()
  if (sweep(ledger, now, GLANCE_VISITS) > 0) return
  const victim = ledger.policy.victim(space, key)
  if (victim === undefined) {
    // Alone in the store, and too much only by a rounding of its size.
    space.delete(key)
    return
  }
  remove(victim.index, victim.key, victim.record)
  if (victim.record.deadAt > now) onEvict?.(victim.index.name, victim.key, victim.record)
}

function sweep<R extends NearRecord>(ledger: Ledger<R>, now: number, visits: number): number {
  return ledger.expiry.due(now) ? ledger.expiry.sweep(now, visits, remove) : 0
}

function armSweep<R extends NearRecord>(ledger: Ledger<R>): void {
  const { clock } = ledger.options
  ledger.cancelSweep = clock.after(SWEEP_EVERY, () => {
    ledger.cancelSweep = undefined
    sweep(ledger, clock.now(), SWEEP_VISITS)
    if (ledger.entries > 0) armSweep(ledger)
  })
}
