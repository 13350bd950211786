import { pause } from './clock.ts'
import {
  type Core,
  fromRecord,
  keepNear,
  lifetimeOf,
  makeEntry,
  nearEntry,
  nearTrusted,
  reportError,
  snapshotOf,
  stampNames,
  type Target,
  type Tier,
  toRecord,
  valueOf,
} from './core.ts'
import { type Duration, toMilliseconds } from './duration.ts'
import type { Entry } from './entry.ts'
import { PalierError } from './errors.ts'
import type { MissReason } from './events.ts'
import { type Captured, Flight, type Landing } from './flight.ts'
import { tagStamp } from './key.ts'
import { servedStale, stale } from './landing.ts'
import { LEASE_TTL, newToken } from './lease.ts'
import type { Link } from './link.ts'
import { textList } from './options.ts'
import { recordHead } from './record.ts'
import { readValue } from './snapshot.ts'
import type { StoredRecord } from './store.ts'
import type { Verdict } from './tags.ts'

/** What a factory is told, and what it may decide from its own result. */
export interface FactoryContext {
  readonly key: string
  /** Fires when the cache is closed. */
  readonly signal: AbortSignal
  /** The value that ran out, when there is one: for conditional requests. */
  readonly stale: unknown
  /** The ttl of this result. */
  ttl(duration: Duration): void
  /** More tags for this result. */
  tags(tags: readonly string[]): void
  /** Give the result to the callers, but keep it nowhere. */
  skip(): void
}

export type Factory<V> = (context: FactoryContext) => V | Promise<V>

/** `refresh`: a fresh value is there, but near its end. `anew`: whatever is there may not be used. */
export type LoadMode = 'missing' | 'refresh' | 'anew'

/** How long one process waits for another one's load before it loads for itself, storing nothing. */
const LEASE_WAIT = 10_000
const FIRST_POLL = 4
const LONGEST_POLL = 50
const POLLS_AT_ONCE = 4
/** Two copies of one load differ by less than this in the time they seem to have been loaded at. */
const SAME_LOAD = 50

/** The right to load, in the tier that was in use when it was asked for. Without a token nothing is shared or the store is out of reach; `stores` says whether the result may be kept. */
interface Seat {
  readonly landed?: Landing
  readonly token?: string
  readonly tier: Tier
  readonly stores: boolean
  readonly reason: MissReason
}

/** Reads the shared tier, or else runs the factory, as one flight. Rejects only with the factory's own error. */
export async function load(
  core: Core,
  target: Target,
  flight: Flight,
  factory: Factory<unknown>,
  mode: LoadMode,
): Promise<Landing> {
  await core.settled
  flight.captured = await captureNow(core, target)
  flight.blind = flight.captured === undefined
  const old = await nearEntry(core, target)
  if (old !== undefined && mode !== 'anew') flight.stale = old
  const seat = await takeSeat(core, target, flight, mode, old)
  if (seat.landed !== undefined) return seat.landed
  return runFactory(core, target, flight, factory, seat)
}

/** Undefined when the store could not be asked for a stamp: then nothing loaded now may be stored. */
async function captureNow(core: Core, target: Target): Promise<Captured | undefined> {
  const { stamps } = core.tier
  const names = stampNames(target)
  if (!nearTrusted(core)) {
    try {
      await stamps.refresh(names)
    } catch (error) {
      reportError(core, 'stamps', error, target)
      return undefined
    }
  }
  // A stamp may be invalidated while the store is asked for it, and again; that many in a row is a store to give up on.
  for (let attempt = 0; attempt < 20; attempt++) {
    const captured = stamps.capture(names)
    if (captured !== undefined) return captured
    try {
      await stamps.know(names)
    } catch (error) {
      reportError(core, 'stamps', error, target)
      return undefined
    }
  }
  return undefined
}

async function takeSeat(
  core: Core,
  target: Target,
  flight: Flight,
  mode: LoadMode,
  old: Entry | undefined,
): Promise<Seat> {
  const { tier } = core
  const missing: MissReason = mode === 'anew' ? 'forced' : old === undefined && !target.lapsed ? 'absent' : 'expired'
  const { link } = tier
  if (link === undefined) return { tier, stores: flight.captured !== undefined, reason: missing }
  if (flight.captured === undefined || tier.outbox.hasKey(target.full, target.type.name)) {
    return { tier, stores: false, reason: 'store' }
  }
  // The near tier may keep it as long as somebody vouches for what is there.
  if (!link.usable()) return { tier, stores: true, reason: 'store' }
  try {
    return await claimSeat(core, target, flight, mode, { tier, link, missing })
  } catch (error) {
    reportError(core, 'claim', error, target)
    // A store that takes no write just now voids no lease either: the near tier may keep what the bus still guards.
    return { tier, stores: error instanceof PalierError && error.code === 'PALIER_STORE_REFUSED', reason: 'store' }
  }
}

async function claimSeat(
  core: Core,
  target: Target,
  flight: Flight,
  mode: LoadMode,
  { tier, link, missing }: { readonly tier: Tier; readonly link: Link; readonly missing: MissReason },
): Promise<Seat> {
  const token = newToken()
  const giveUpAt = core.clock.now() + LEASE_WAIT
  let seen: Uint8Array | undefined
  let reason = missing
  for (let wait = FIRST_POLL, polls = 0; ; polls++) {
    const claim = { token, ttl: LEASE_TTL, ...(seen && { seen }), ...(mode === 'anew' && { steal: true }) }
    const before = core.clock.now()
    const { record, granted } = await link.call(store => store.claim(target.full, claim))
    core.sharedCounters.latency.add(core.clock.now() - before)
    if (granted) return { token, tier, stores: true, reason }
    if (record !== undefined && !sameHead(recordHead(record.bytes), seen)) {
      const reading = await fromRecord(core, target, record)
      const known = flight.stale
      if (reading.state !== 'dead') {
        const newer = known === undefined || reading.entry.loadedAt > known.loadedAt + SAME_LOAD
        if (newer) flight.stale = reading.entry
        if (reading.state === 'fresh' && (mode === 'missing' || newer)) {
          if (!flight.detached) keepNear(core, target, reading.entry)
          return { landed: hit(tier.name, reading.entry), tier, stores: true, reason }
        }
        reason = mode === 'missing' ? 'expired' : reason
      } else reason = reading.reason
      seen = recordHead(record.bytes)
      continue
    }
    if (flight.stale !== undefined && mode !== 'anew') {
      return { landed: servedStale(core, target, flight.stale, 'refreshing'), tier, stores: true, reason }
    }
    if (core.clock.now() >= giveUpAt) return { tier, stores: false, reason }
    // A sweep, or a load that is just landing, holds a lease for a moment only.
    if (polls < POLLS_AT_ONCE) continue
    await pause(core.clock, wait)
    wait = Math.min(wait * 2, LONGEST_POLL)
  }
}

function sameHead(head: Uint8Array, seen: Uint8Array | undefined): boolean {
  return seen !== undefined && Buffer.compare(head, seen) === 0
}

function hit(tier: string, entry: Entry): Landing {
  return { entry, raw: undefined, outcome: 'hit', tier, reason: 'absent' }
}

interface Wishes {
  ttl: number | undefined
  tags: readonly string[]
  skip: boolean
}

async function runFactory(
  core: Core,
  target: Target,
  flight: Flight,
  factory: Factory<unknown>,
  seat: Seat,
): Promise<Landing> {
  const { counters } = target.type
  const { tier, token } = seat
  const release = (): void => {
    if (token === undefined) return
    tier.leases.drop(token)
    // If this fails, whoever waits for the lease waits for its end, and no more is lost.
    tier.link?.call(one => one.release(target.full, token)).catch(() => undefined)
  }
  if (token !== undefined) tier.leases.hold(target.full, token)
  flight.abandon = release
  const wishes: Wishes = { ttl: undefined, tags: [], skip: false }
  const startedAt = core.clock.now()
  let kept: Kept = NOT_KEPT
  try {
    flight.begin()
    const raw = await factory(createContext(core, target, flight, wishes))
    const cost = core.clock.now() - startedAt
    counters.loads++
    counters.load.add(cost)
    flight.late = wishes.tags.map(tagStamp)
    const entry =
      wishes.skip || raw === undefined
        ? undefined
        : await buildEntry(core, target, flight, raw, { startedAt, cost, wishes })
    if (entry !== undefined && seat.stores) kept = await store(core, target, flight, entry, seat)
    core.events.emit('load', { type: target.type.name, key: target.key, ms: cost, stored: kept.near })
    return { entry: entry?.entry, raw, outcome: 'miss', tier: 'source', reason: seat.reason }
  } catch (error) {
    counters.loadErrors++
    const old = flight.stale
    if (old !== undefined && !flight.detached) throttle(core, target, old)
    throw error
  } finally {
    // A commit has ended the lease itself; anything else leaves it to be given back.
    if (kept.committed && token !== undefined) tier.leases.drop(token)
    else release()
  }
}

/** After a failed refresh the old value is served for a while without a new try. */
function throttle(core: Core, target: Target, old: Entry): void {
  old.retryAt = Math.trunc(core.clock.now()) + target.policy.throttle
  if (target.space.peek(target.nearKey) === undefined) keepNear(core, target, old)
}

function createContext(core: Core, target: Target, flight: Flight, wishes: Wishes): FactoryContext {
  return {
    key: target.key,
    signal: core.closed.signal,
    get stale() {
      return flight.stale === undefined ? undefined : valueOf(flight.stale)
    },
    ttl(duration) {
      wishes.ttl = toMilliseconds('ttl', duration)
    },
    tags(tags) {
      wishes.tags = [...wishes.tags, ...textList('tags', tags)]
    },
    skip() {
      wishes.skip = true
    },
  }
}

interface Built {
  readonly entry: Entry
  /** The bytes for the shared store, made when it is known that one will take them. */
  bytes(): Promise<Uint8Array>
  /** How long a store keeps it: fresh and stale. */
  readonly life: number
  /** False: a tag the value named may have changed during the load. */
  readonly sure: boolean
}

interface Loaded {
  readonly startedAt: number
  readonly cost: number
  readonly wishes: Wishes
}

/** The entry of a factory's result; undefined when the value cannot be kept, which is an event, not the caller's error. */
async function buildEntry(
  core: Core,
  target: Target,
  flight: Flight,
  raw: unknown,
  loaded: Loaded,
): Promise<Built | undefined> {
  const { policy } = target
  try {
    const snapshot = snapshotOf(core, raw)
    const named = policy.tagsOf === undefined ? [] : textList('tags', policy.tagsOf(readValue(snapshot)))
    flight.late = [...new Set([...named, ...loaded.wishes.tags])].map(tagStamp)
    const early = flight.captured
    const late =
      flight.late.length === 0 ? early : await core.tier.stamps.captureLate(flight.late, flight.startedAt, flight.epoch)
    const sure = early !== undefined && late !== undefined
    const stamps =
      flight.late.length === 0 ? (early?.stamps ?? []) : [...(early?.stamps ?? []), ...(late?.stamps ?? [])]
    const captured = { stamps, mark: early?.mark ?? 0 }
    const base = loaded.wishes.ttl ?? (raw === null && policy.negativeTtl > 0 ? policy.negativeTtl : policy.ttl)
    const wanted = Math.max(1, Math.round(base * (1 - policy.jitter * Math.random())))
    const lifetime = lifetimeOf(core, { ttl: wanted, grace: policy.grace })
    const from = { snapshot, captured, loadedAt: loaded.startedAt, cost: loaded.cost, ...lifetime }
    const life = lifetime.ttl + lifetime.grace
    return { entry: makeEntry(core, target, from), bytes: () => toRecord(core, target, from), life, sure }
  } catch (error) {
    reportError(core, 'encode', error, target)
    return undefined
  }
}

interface Kept {
  /** A later read in this process will find it. */
  readonly near: boolean
  /** The shared store has it, and the lease is over. */
  readonly committed: boolean
}

const NOT_KEPT: Kept = { near: false, committed: false }

/** Whether nothing has killed the entry since its load began. A stamp that was only doubted meanwhile is asked for again. */
async function isAlive(core: Core, tier: Tier, target: Target, entry: Entry): Promise<boolean> {
  const judge = (): Verdict => tier.stamps.judge(entry, target.type.name, target.key)
  if (core.tier !== tier) return false
  const verdict = judge()
  if (verdict !== 'unknown') return verdict === 'alive'
  try {
    await tier.stamps.know(entry.stamps.map(stamp => stamp.name))
  } catch (error) {
    reportError(core, 'stamps', error, target)
  }
  return core.tier === tier && judge() === 'alive'
}

/** Keeps a loaded entry where that is right. */
async function store(core: Core, target: Target, flight: Flight, built: Built, { tier, token }: Seat): Promise<Kept> {
  if (!built.sure || !(await isAlive(core, tier, target, built.entry))) return NOT_KEPT
  let committed = false
  const { link } = tier
  if (token !== undefined && link !== undefined) {
    try {
      const bytes = await built.bytes()
      committed = await link.call(one => one.commit(target.full, token, bytes, built.life))
      if (!committed) return NOT_KEPT
      core.sharedCounters.bytesWritten += bytes.length
    } catch (error) {
      // The store is full or gone, but nobody voided the lease: the near tier may keep what a bus still guards.
      reportError(core, 'commit', error, target)
    }
  }
  if (!(await isAlive(core, tier, target, built.entry)) || flight.detached) return { near: false, committed }
  keepNear(core, target, built.entry)
  return { near: true, committed }
}

/** Reads the shared tier alone, as one flight; `batched` is the record when it was asked for together with others. */
export async function read(
  core: Core,
  target: Target,
  flight: Flight,
  batched?: Promise<StoredRecord | undefined>,
): Promise<Landing> {
  await core.settled
  const { link, name, outbox } = core.tier
  const miss = (reason: MissReason): Landing => ({
    entry: undefined,
    raw: undefined,
    outcome: 'miss',
    tier: '',
    reason,
  })
  if (link === undefined) return miss('absent')
  if (!link.usable() || outbox.hasKey(target.full, target.type.name)) return miss('store')
  try {
    const before = core.clock.now()
    const record = await (batched ?? link.read(store => store.get(target.full)))
    core.sharedCounters.latency.add(core.clock.now() - before)
    if (record === undefined) return miss('absent')
    const reading = await fromRecord(core, target, record)
    if (reading.state === 'dead') return miss(reading.reason)
    if (!flight.detached) keepNear(core, target, reading.entry)
    return reading.state === 'fresh' ? hit(name, reading.entry) : stale(reading.entry)
  } catch (error) {
    reportError(core, 'get', error, target)
    return miss('store')
  }
}

/** The flight to join for this key, or undefined when there is none that began after everything invalidated since. */
export function joinable(core: Core, target: Target): Flight | undefined {
  const flight = core.loads.find(target.full)
  if (flight === undefined) return undefined
  const { stamps } = core.tier
  if (flight.epoch === stamps.epoch) return flight
  // Not yet captured: its load has not begun, and will begin after whatever changed.
  if (flight.captured === undefined) return flight.blind ? undefined : flight
  return stamps.judge(flight.captured, target.type.name, target.key) === 'alive' ? flight : undefined
}

export function newFlight(core: Core, target: Target): Flight {
  return new Flight(target.type.name, target.key, core.tier.stamps.epoch, core.clock.now())
}
