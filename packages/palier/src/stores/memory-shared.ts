import { type Clock, systemClock } from '../clock.ts'
import { PalierError } from '../errors.ts'
import { recordHead } from '../record.ts'
import type { Claim, Claimed, NearRecord, NearSpace, SharedStore, StoredRecord, Swept, Usage } from '../store.ts'
import { type BusHub, createBusHub } from './memory-bus.ts'
import { type MemoryGuards, memoryGuards } from './memory-guards.ts'
import { nearStore } from './memory-near.ts'

/*
 * A whole store in this process: what a cache takes its leases from when nothing is shared, and what simulations run
 * on. Each call does its work at once, before it returns its promise, so each is atomic with nothing to lock. Bytes
 * are copied on the way in and on the way out, as if they crossed a wire: nobody can change what is stored.
 */
export interface MemoryOptions {
  readonly clock?: Clock
  /** At most so many records; unbounded by default. A record too large for the budgets is gone as soon as it is set. */
  readonly maxEntries?: number
  /** At most so many bytes of keys and records; unbounded by default. */
  readonly maxBytes?: number
}

/** A `SharedStore` and the door to its backing. */
export interface MemoryStore extends SharedStore {
  /** Another store on the same backing, which lives until the last of its stores is closed. */
  connect(): SharedStore
}

interface Stored extends NearRecord {
  readonly bytes: Uint8Array
}

interface Lease extends NearRecord {
  readonly token: string
}

interface Backing {
  readonly clock: Clock
  readonly records: NearSpace<Stored>
  readonly leases: NearSpace<Lease>
  readonly buses: BusHub
  readonly guards: MemoryGuards
  /** Stores not closed yet. */
  open: number
  end(): void
}

const SCAN_BATCH = 256

export function memoryStore(options: MemoryOptions = {}): MemoryStore {
  const { clock = systemClock, maxEntries = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = options
  const records = nearStore<Stored>({ maxEntries, maxBytes, clock })
  // Apart, because a lease must not be evicted to make room for a record: its holder would load in vain.
  const leases = nearStore<Lease>({ maxEntries: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY, clock })
  const backing: Backing = {
    clock,
    records: records.space('records'),
    leases: leases.space('leases'),
    buses: createBusHub(),
    guards: memoryGuards(clock),
    open: 0,
    end() {
      records.close()
      leases.close()
    },
  }
  return {
    ...openStore(backing),
    connect() {
      if (backing.open === 0) throw closedError()
      return openStore(backing)
    },
  }
}

function closedError(): PalierError {
  return new PalierError('PALIER_CLOSED', 'this memory store is closed')
}

function openStore(backing: Backing): SharedStore {
  let closed = false
  const { locks, limits } = backing.guards
  backing.open++
  /** Rejects, never throws: a closed store fails as any other store does. */
  const open = async <T>(act: () => T | Promise<T>): Promise<T> => {
    if (closed) throw closedError()
    return act()
  }
  return {
    name: 'memory',
    get: key => open(() => read(backing, key)),
    getMany: keys => open(() => keys.map(key => read(backing, key))),
    claim: (key, claim) => open(() => claimLease(backing, key, claim)),
    commit: (key, token, bytes, ttl) =>
      open(() => {
        if (leaseOf(backing, key) !== token) return false
        write(backing, key, bytes, ttl)
        return true
      }),
    renew: (key, token, ttl) =>
      open(() => {
        if (leaseOf(backing, key) !== token) return false
        lend(backing, key, token, ttl)
        return true
      }),
    release: (key, token) =>
      open(() => {
        if (leaseOf(backing, key) === token) backing.leases.delete(key)
      }),
    set: (key, bytes, ttl) => open(() => write(backing, key, bytes, ttl)),
    delete: keys =>
      open(() => {
        for (const key of keys) {
          backing.records.delete(key)
          backing.leases.delete(key)
        }
      }),
    async *scan(prefix) {
      if (closed) throw closedError()
      yield* scanKeys(backing, prefix)
    },
    usage: prefix => open(() => usage(backing, prefix)),
    sweep: () => open(() => sweep(backing)),
    openBus: channel => backing.buses.openBus(channel),
    locks: {
      acquire: (name, owner, ttl) => open(() => locks.acquire(name, owner, ttl)),
      renew: (name, owner, ttl) => open(() => locks.renew(name, owner, ttl)),
      release: (name, owner) => open(() => locks.release(name, owner)),
    },
    limits: {
      take: (key, rate, cost) => open(() => limits.take(key, rate, cost)),
      count: (key, window, cost, penalty) => open(() => limits.count(key, window, cost, penalty)),
      reset: key => open(() => limits.reset(key)),
    },
    async close() {
      if (closed) return
      closed = true
      if (--backing.open === 0) backing.end()
    },
  }
}

function alive({ clock, records }: Backing, key: string): Stored | undefined {
  const stored = records.get(key)
  return stored !== undefined && stored.deadAt > clock.now() ? stored : undefined
}

function read(backing: Backing, key: string): StoredRecord | undefined {
  const stored = alive(backing, key)
  return stored && { bytes: new Uint8Array(stored.bytes), remaining: stored.deadAt - backing.clock.now() }
}

function leaseOf({ clock, leases }: Backing, key: string): string | undefined {
  const lease = leases.get(key)
  return lease !== undefined && lease.deadAt > clock.now() ? lease.token : undefined
}

function lend({ clock, leases }: Backing, key: string, token: string, ttl: number): void {
  leases.set(key, { token, deadAt: clock.now() + ttl, size: 1, visited: false })
}

function claimLease(backing: Backing, key: string, { token, ttl, seen, steal }: Claim): Claimed {
  const stored = alive(backing, key)
  const wanting = stored === undefined || (seen !== undefined && Buffer.compare(recordHead(stored.bytes), seen) === 0)
  const granted = steal === true || (wanting && leaseOf(backing, key) === undefined)
  if (granted) lend(backing, key, token, ttl)
  return { record: read(backing, key), granted }
}

function write({ clock, records, leases }: Backing, key: string, bytes: Uint8Array, ttl: number): void {
  // A fresh array of exactly this length: a small Buffer would keep the 8 KB pool it was cut from.
  const copy = new Uint8Array(bytes)
  records.set(key, { bytes: copy, deadAt: clock.now() + ttl, size: bytes.length + key.length, visited: false })
  leases.delete(key)
}

/** Bounded by the number of keys at its start, so that a busy writer cannot keep it going for ever. */
async function* scanKeys({ clock, records }: Backing, prefix: string): AsyncGenerator<readonly string[]> {
  let left = 0
  for (const _ of records.keys()) left++
  let batch: string[] = []
  for (const key of records.keys()) {
    if (left-- <= 0) break
    if (!key.startsWith(prefix) || (records.peek(key)?.deadAt ?? 0) <= clock.now()) continue
    batch.push(key)
    if (batch.length < SCAN_BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function usage({ clock, records }: Backing, prefix: string): Usage {
  const now = clock.now()
  let entries = 0
  let bytes = 0
  for (const key of records.keys()) {
    const stored = key.startsWith(prefix) ? records.peek(key) : undefined
    if (stored === undefined || stored.deadAt <= now) continue
    entries++
    bytes += stored.size
  }
  return { entries, bytes }
}

function sweep(backing: Backing): Swept {
  const { entries, bytes } = usage(backing, '')
  return {
    expired: drop(backing.records, backing.clock),
    evicted: 0,
    debris: drop(backing.leases, backing.clock),
    entries,
    bytes,
  }
}

function drop<R extends NearRecord>(space: NearSpace<R>, clock: Clock): number {
  const now = clock.now()
  let dropped = 0
  for (const key of space.keys()) {
    if ((space.peek(key)?.deadAt ?? now) <= now && space.delete(key)) dropped++
  }
  return dropped
}
