import type { Bus } from './bus.ts'
import type { Clock } from './clock.ts'
import type { Codec } from './codec.ts'
import { EARLY_REACH, Entry } from './entry.ts'
import { PalierError } from './errors.ts'
import type { Events, MissReason } from './events.ts'
import type { Captured, Flights } from './flight.ts'
import type { Journal } from './journal.ts'
import { entryKey, NAMESPACE, tagStamp, typeStamp } from './key.ts'
import type { Leases } from './lease.ts'
import { type Link, messageOf } from './link.ts'
import type { Backend } from './detect.ts'
import type { Policy } from './options.ts'
import type { Outbox } from './outbox.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { readValue, type Snapshot, type SnapshotLimits, takeSnapshot } from './snapshot.ts'
import type { TierCounters, TypeCounters } from './stats.ts'
import type { NearSpace, NearStore, StoredRecord } from './store.ts'
import type { Stamps } from './tags.ts'

/** What decides whether the near tier may be believed: the bus, or nothing when nothing is shared. */
export type Trust = Pick<Bus, 'trustedUntil' | 'poll'>

/** Nothing is shared, so nothing can be missed. */
export const NO_DOUBT: Trust = { trustedUntil: Number.POSITIVE_INFINITY, poll: () => true }
/** Nobody vouches for what was learned: the near tier is off. */
export const ALL_DOUBT: Trust = { trustedUntil: 0, poll: () => false }

/**
 * A place in the list of tiers behind the near one: a shared store with all that is needed to be right about it, or, without
 * a link, this process alone. Each has stamps of its own: what was loaded under one tier is dead under another.
 */
export interface Tier {
  readonly backend: Backend | 'custom'
  /** What operators read: the name of the store, or `memory`. */
  readonly name: string
  /** Undefined: nothing is shared. */
  readonly link: Link | undefined
  readonly stamps: Stamps
  readonly leases: Leases
  readonly outbox: Outbox
  /** What decides whether the near tier may be believed while this tier is in use. */
  readonly trust: Trust
  /** Tells the store what is deleted; all that waits in the outbox goes this way. Rejects if the store did not take it. */
  deliver(targets: readonly string[]): Promise<void>
  /** The store has taken a write that ends what was there before under these targets. */
  acknowledged(targets: readonly string[]): void
  /** Tells the other caches of the namespace; a failure is an event, never an exception. */
  tell(text: string): void
  /** Takes away in the background what the deletion of a type, or of everything, has killed. */
  sweepBehind(type: string | undefined): void
}

/** Everything the parts of one cache share. */
export interface Core {
  readonly namespace: string
  /** 16 random hexadecimal digits: which cache wrote a record. */
  readonly id: string
  readonly enabled: boolean
  readonly clock: Clock
  readonly codec: Codec
  readonly limits: SnapshotLimits
  readonly protect: readonly string[]
  readonly events: Events
  /** Resolves when it is known which tier to begin with; never rejects. */
  readonly settled: Promise<void>
  readonly loads: Flights
  readonly reads: Flights
  readonly near: NearStore<Entry>
  readonly nearCounters: TierCounters
  readonly sharedCounters: TierCounters
  readonly types: ReadonlyMap<string, TypeState>
  /** Stamps that an undo may bring back, by name: sweeps leave what carries them. */
  readonly held: Map<string, Set<string>>
  /** What is read and written now: the home tier or, while that is out, the next best. */
  tier: Tier
  /** The tier whose word counts: what it has acknowledged is done. */
  home: Tier
  /** All that are open, also those that are being told what they missed before they are used. */
  opened: readonly Tier[]
  /** The longest that anything loaded now may live, fresh and stale together: bounded while the home tier cannot be heard. */
  longest: number
  /** Where what waits outlives the process; none without a directory. */
  journal: Journal | undefined
  closed: AbortController
  /** Asks the backend, if it can be asked, what operators have changed of the policies; a failure is an event. */
  loadPolicies(): void
}

export interface TypeState {
  readonly name: string
  /** As the code declares it, or as an operator has changed it. */
  policy: Policy
  readonly declared: Policy
  readonly counters: TypeCounters
  /** Entries without a subject, by key; and those of a subject, by id. Two spaces, so the two never meet. */
  readonly space: NearSpace<Entry>
  readonly subjects: NearSpace<Entry>
  /** The stamps each entry of the type carries, whatever its value says. */
  readonly stampNames: readonly string[]
}

/** One key of one type, as all parts of the engine pass it on. */
export interface Target {
  readonly type: TypeState
  readonly key: string
  /** Name inside its near space. */
  readonly nearKey: string
  readonly space: NearSpace<Entry>
  /** What the shared store knows it by. */
  readonly full: string
  readonly policy: Policy
  /** Set when the near tier had the entry, but its time was over: why this read misses. */
  lapsed: boolean
}

export function createTarget(
  core: Core,
  type: TypeState,
  key: string,
  subject: string | undefined,
  id: string,
  policy: Policy,
): Target {
  const full = entryKey(core.namespace, type.name, id)
  const inSubjects = subject !== undefined
  return {
    type,
    key,
    nearKey: inSubjects ? id : key,
    space: inSubjects ? type.subjects : type.space,
    full,
    policy,
    lapsed: false,
  }
}

export function stampNamesOf(type: string, tags: readonly string[]): readonly string[] {
  return [NAMESPACE, typeStamp(type), ...tags.map(tagStamp)]
}

/** The stamp names of a call: those of the type, and of the tags this call adds. */
export function stampNames(target: Target): readonly string[] {
  const { type, policy } = target
  return policy.tags === type.policy.tags ? type.stampNames : stampNamesOf(type.name, policy.tags)
}

/** What an entry takes on the heap beside its key and value: the object, its place in the index, its times. Measured in `bench/`. */
const ENTRY_BYTES = 220

/** Bytes of an entry beside its value. */
export function overheadOf(target: Target): number {
  return ENTRY_BYTES + target.nearKey.length * 2
}

/** The near tier may be read and written now. */
export function nearTrusted(core: Core): boolean {
  return core.clock.now() < core.tier.trust.trustedUntil || core.tier.trust.poll()
}

type Judged = Parameters<Tier['stamps']['judge']>[0]

/** Dead, and no undo can bring it back. */
export function isGone(core: Core, known: Tier['stamps'], entry: Judged, type: string, key: string): boolean {
  if (known.judge(entry, type, key) !== 'dead') return false
  if (core.held.size === 0) return true
  const stamps = entry.stamps.map(stamp => {
    const isHeld = core.held.get(stamp.name)?.has(stamp.value) === true
    return isHeld ? { name: stamp.name, value: known.currentOf(stamp.name) ?? stamp.value } : stamp
  })
  return known.judge({ stamps, mark: entry.mark }, type, key) === 'dead'
}

/**
 * The entry the near tier holds and may still serve, fresh or stale; undefined when there is none, it is dead, or the
 * tier is in doubt; `unknown` when the store must be asked for a stamp first. Without a promise, so that a caller can look
 * and act in one step.
 */
export function nearNow(core: Core, target: Target): Entry | 'unknown' | undefined {
  if (!nearTrusted(core)) return undefined
  const entry = target.space.get(target.nearKey)
  if (entry === undefined) return undefined
  if (core.clock.now() >= entry.deadAt) {
    target.lapsed = true
    return undefined
  }
  if (entry.epoch === core.tier.stamps.epoch) return entry
  const verdict = core.tier.stamps.judge(entry, target.type.name, target.key)
  if (verdict === 'unknown') return 'unknown'
  if (verdict === 'dead') {
    if (isGone(core, core.tier.stamps, entry, target.type.name, target.key)) target.space.delete(target.nearKey)
    return undefined
  }
  entry.epoch = core.tier.stamps.epoch
  return entry
}

/** `nearNow`, after the store was asked for the stamps it takes. Undefined also when the store cannot be asked. */
export async function nearEntry(core: Core, target: Target): Promise<Entry | undefined> {
  const found = nearNow(core, target)
  if (found !== 'unknown') return found
  await learnStamps(core, target)
  const again = nearNow(core, target)
  return again === 'unknown' ? undefined : again
}

/** Asks for the stamps of the near entry; a store that fails is an event. True when they are known now. */
export async function learnStamps(core: Core, target: Target): Promise<boolean> {
  const entry = target.space.peek(target.nearKey)
  if (entry === undefined) return true
  try {
    await core.tier.stamps.know(entry.stamps.map(stamp => stamp.name))
    return true
  } catch (error) {
    reportError(core, 'stamps', error, target)
    return false
  }
}

/** The value of an entry for one reader: the frozen one itself, or a copy of its own, unless the reader wants what is kept. */
export function valueOf(entry: Entry, share = false): unknown {
  return entry.plain || share ? entry.value : readValue(entry)
}

export interface NewEntry {
  readonly snapshot: Snapshot
  readonly captured: Captured
  readonly loadedAt: number
  readonly cost: number
  readonly ttl: number
  readonly grace: number
}

/** An entry just loaded or set in this process. */
export function makeEntry(core: Core, target: Target, from: NewEntry): Entry {
  const now = core.clock.now()
  return new Entry({
    value: from.snapshot.value,
    plain: from.snapshot.plain,
    size: from.snapshot.size + overheadOf(target),
    loadedAt: from.loadedAt,
    freshUntil: now + from.ttl,
    deadAt: now + from.ttl + from.grace,
    ttl: from.ttl,
    cost: from.cost,
    early: target.policy.early * EARLY_REACH,
    stamps: from.captured.stamps,
    mark: from.captured.mark,
  })
}

export interface Lifetime {
  readonly ttl: number
  readonly grace: number
}

/** How long what is loaded now may live: while the home tier is out, nobody would hear that it was deleted elsewhere. */
export function lifetimeOf(core: Core, { ttl, grace }: Lifetime): Lifetime {
  const fresh = Math.min(ttl, core.longest)
  return { ttl: fresh, grace: Math.min(grace, core.longest - fresh) }
}

/** Keeps an entry in the near tier, if that is allowed and in no doubt, and nothing has killed it since its load began. */
export function keepNear(core: Core, target: Target, entry: Entry): void {
  const { near } = target.policy
  const shared = core.tier.link !== undefined
  if ((shared && near === false) || core.longest === 0 || !nearTrusted(core)) return
  const verdict = core.tier.stamps.judge(entry, target.type.name, target.key)
  if (verdict === 'dead') return
  const kept = shared && near !== false ? entry.limitedTo(Math.trunc(core.clock.now()) + near) : entry
  if (verdict === 'alive') kept.epoch = core.tier.stamps.epoch
  target.space.set(target.nearKey, kept)
}

/** The bytes of an entry for a shared store. */
export async function toRecord(core: Core, target: Target, from: NewEntry): Promise<Uint8Array> {
  const encoded = await core.codec.encode(from.snapshot, { compressAbove: target.policy.compress })
  const { captured, ttl, grace, cost } = from
  const createdAt = core.clock.wall() - (core.clock.now() - from.loadedAt)
  const head = { key: target.full, createdAt, ttl, grace, cost, writer: core.id, ...captured }
  return encodeRecord({ ...head, form: encoded.form, size: encoded.size }, encoded.payload)
}

export type Reading =
  | { readonly state: 'fresh' | 'stale'; readonly entry: Entry }
  | { readonly state: 'dead'; readonly reason: MissReason }

/** What a record of a shared store is worth: a fresh or stale entry, or nothing and why. Never rejects. */
export async function fromRecord(core: Core, target: Target, record: StoredRecord): Promise<Reading> {
  const { stamps } = core.tier
  try {
    const head = decodeRecord(record.bytes)
    if (head === undefined || head.key !== target.full) {
      throw new PalierError('PALIER_DAMAGED', 'a record is damaged, of an unknown version, or of another key')
    }
    core.sharedCounters.bytesRead += record.bytes.length
    const { name } = target.type
    const stampNames = head.stamps.map(stamp => stamp.name)
    // Without a bus that vouches for them, the stamps known here may be long out of date.
    if (!nearTrusted(core)) await stamps.refresh(stampNames)
    let verdict = stamps.judge(head, name, target.key)
    if (verdict === 'unknown') {
      await stamps.know(stampNames)
      verdict = stamps.judge(head, name, target.key)
    }
    if (verdict !== 'alive') return { state: 'dead', reason: 'invalidated' }
    const snapshot = await core.codec.decode(head.payload, head.form, head.size)
    const now = core.clock.now()
    // Never longer than it ever was: an expired entry without grace is still there for the store's shortest moment.
    const fresh = Math.min(record.remaining - head.grace, head.ttl)
    const entry = new Entry({
      value: snapshot.value,
      plain: snapshot.plain,
      size: snapshot.size + overheadOf(target),
      loadedAt: now - Math.max(0, head.ttl + head.grace - record.remaining) - head.cost,
      freshUntil: now + fresh,
      deadAt: now + record.remaining,
      ttl: head.ttl,
      cost: head.cost,
      early: target.policy.early * EARLY_REACH,
      stamps: head.stamps,
      mark: head.mark,
    })
    return { state: fresh > 0 ? 'fresh' : 'stale', entry }
  } catch (error) {
    reportError(core, 'read', error, target)
    return {
      state: 'dead',
      reason: error instanceof PalierError && error.code === 'PALIER_DAMAGED' ? 'damaged' : 'store',
    }
  }
}

/** A private copy of a value with its size; throws PALIER_NOT_ENCODABLE or PALIER_TOO_LARGE. */
export function snapshotOf(core: Core, value: unknown): Snapshot {
  return takeSnapshot(value, core.limits)
}

/** Counts and publishes a failure that no caller is told of. */
export function reportError(core: Core, operation: string, cause: unknown, target?: Target): void {
  if (target !== undefined) target.type.counters.errors++
  const code = cause instanceof PalierError ? cause.code : 'PALIER_STORE_FAILED'
  if (code.startsWith('PALIER_STORE_')) core.sharedCounters.errors++
  const key = target === undefined ? {} : { key: target.key }
  core.events.emit('error', { operation, code, message: messageOf(cause), cause, ...key })
}
