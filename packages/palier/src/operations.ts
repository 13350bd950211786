import {
  type Core,
  createTarget,
  learnStamps,
  nearEntry,
  nearNow,
  reportError,
  type Target,
  type TypeState,
  valueOf,
} from './core.ts'
import { toMilliseconds } from './duration.ts'
import { type Entry, refreshesEarly } from './entry.ts'
import { createBatch, type ManyFactory } from './batch.ts'
import { badOption, PalierError } from './errors.ts'
import type { MissReason } from './events.ts'
import type { Flight, Landing } from './flight.ts'
import { checkName, checkUnprotected, entryId, logicalKey } from './key.ts'
import { awaitLanding, reportFactory } from './landing.ts'
import { type Factory, joinable, load, type LoadMode, newFlight, read } from './load.ts'
import { deleteKeys, type Receipt } from './invalidate.ts'
import { addValue, expireEntry, setValue, type Times, touchEntry } from './mutate.ts'
import { type CallOptions, callPolicy } from './options.ts'
import type { Fetched, Peeked, ReadOptions, SetOptions, Verbs } from './verbs.ts'

/** One near hit in this many is timed, and of one in so many it is noted how old the entry was: powers of two. */
const SAMPLE = 256
const AGED = 8
/** Stamps that change faster than they can be asked for are passed on to the load, which asks for longer. */
const STAMP_TRIES = 3

/** The verbs of one type: the checks, the hot path, and what is counted; the work itself is in load.ts and mutate.ts. */
export function createVerbs(core: Core, type: TypeState): Verbs<unknown> {
  const { counters, space } = type
  const { clock, nearCounters, events } = core
  const { scope } = type.policy
  const scoped = scope !== 'public'
  let sampled = 0

  function open(): void {
    if (core.closed.signal.aborted) throw new PalierError('PALIER_CLOSED', 'the cache was closed')
  }

  function target(key: string, options: CallOptions | undefined): Target {
    open()
    checkName('key', key)
    checkUnprotected('key', logicalKey(type.name, key), core.protect)
    const subject = options?.subject
    if (scoped) checkName(`subject (entries of type "${type.name}" belong to a ${scope})`, subject)
    else if (subject !== undefined)
      throw badOption('subject', `none: entries of type "${type.name}" are public`, subject)
    return createTarget(core, type, key, subject, entryId(key, subject), callPolicy(type.policy, options))
  }

  function countHit(key: string, tier: string, entry: Entry | undefined): void {
    counters.hits++
    // What could not be kept was made just now.
    counters.aged(entry === undefined ? 0 : clock.now() - entry.loadedAt, 1)
    if (tier === 'near') nearCounters.hits++
    else core.sharedCounters.hits++
    if (events.wants('hit')) events.emit('hit', { type: type.name, key, tier })
  }

  /** The fresh entry of the near tier when nothing at all has to be looked into; what almost every call ends with. */
  function quick(key: string, now: number, share: boolean): Entry | undefined {
    if (now >= core.tier.trust.trustedUntil && !core.tier.trust.poll()) return undefined
    const entry = space.get(key)
    if (entry === undefined || now >= entry.quickUntil || entry.epoch !== core.tier.stamps.epoch) return undefined
    if (!entry.plain && !share) return undefined
    counters.hits++
    nearCounters.hits++
    if ((++sampled & (AGED - 1)) === 0) sample(entry, now)
    if (wantsHits()) events.emit('hit', { type: type.name, key, tier: 'near' })
    return entry
  }

  /** What is too dear to be done at each hit. */
  function sample(entry: Entry, now: number): void {
    counters.aged(now - entry.loadedAt, AGED)
    if (sampled < SAMPLE) return
    sampled = 0
    nearCounters.latency.add(clock.now() - now)
  }

  const wantsHits = (): boolean => events.wants('hit')
  const canBeQuick = core.enabled && !scoped

  function reasonOf(at: Target, landing: Landing | undefined): MissReason {
    if (landing?.outcome === 'stale') return 'expired'
    const reason = landing?.reason ?? 'absent'
    return reason === 'absent' && at.lapsed ? 'expired' : reason
  }

  function miss(at: Target, reason: MissReason): void {
    counters.reasons[reason]++
    if (events.wants('miss')) events.emit('miss', { type: type.name, key: at.key, reason })
  }

  function fresh(entry: Entry | undefined): entry is Entry {
    return entry !== undefined && clock.now() < entry.freshUntil
  }

  /** Looks near, then in the shared store, without running anything. */
  async function find(at: Target): Promise<Landing> {
    const near = await nearEntry(core, at)
    if (fresh(near)) return { entry: near, raw: undefined, outcome: 'hit', tier: 'near', reason: 'absent' }
    if (near !== undefined) at.lapsed = true
    const under = core.reads.find(at.full)
    if (under?.result !== undefined && under.epoch === core.tier.stamps.epoch) return under.result
    return core.reads.launch(at.full, newFlight(core, at), flight => read(core, at, flight))
  }

  async function get(at: Target): Promise<unknown> {
    if (!core.enabled) {
      miss(at, 'disabled')
      return undefined
    }
    const landing = await find(at)
    if (landing.outcome !== 'hit' || landing.entry === undefined) {
      miss(at, reasonOf(at, landing))
      return undefined
    }
    countHit(at.key, landing.tier, landing.entry)
    return valueOf(landing.entry)
  }

  function describe(landing: Landing, share: boolean): Fetched<unknown> {
    const { entry, outcome, tier } = landing
    if (entry === undefined) return { value: landing.raw, outcome, tier, age: 0, ttl: 0 }
    const now = clock.now()
    const age = Math.max(0, Math.round(now - entry.loadedAt))
    return { value: valueOf(entry, share), outcome, tier, age, ttl: Math.max(0, Math.round(entry.freshUntil - now)) }
  }

  function launch(at: Target, factory: Factory<unknown>, mode: LoadMode): { flight: Flight; result: Promise<Landing> } {
    const flight = newFlight(core, at)
    const result = core.loads.launch(at.full, flight, one => load(core, at, one, factory, mode))
    return { flight, result }
  }

  /** A fresh near entry, refreshed behind the caller's back when it is near its end; or a stale one whose refresh just failed. */
  function servable(at: Target, entry: Entry | undefined, factory: Factory<unknown>): Landing | undefined {
    if (entry === undefined) return undefined
    const now = clock.now()
    if (now < entry.freshUntil) {
      const quiet = now >= entry.retryAt && core.loads.find(at.full) === undefined
      if (quiet && refreshesEarly(entry, now, at.policy.early, Math.random())) {
        launch(at, factory, 'refresh').result.catch((error: unknown) => reportFactory(core, at, error))
      }
      return { entry, raw: undefined, outcome: 'hit', tier: 'near', reason: 'absent' }
    }
    if (now < entry.retryAt) return { entry, raw: undefined, outcome: 'stale', tier: 'near', reason: 'expired' }
    return undefined
  }

  async function disabledLoad(at: Target, factory: Factory<unknown>): Promise<Landing> {
    const nowhere = { key: at.key, signal: core.closed.signal, stale: undefined }
    const ignored = (): void => undefined
    const raw = await factory({ ...nowhere, ttl: ignored, tags: ignored, skip: ignored })
    return { entry: undefined, raw, outcome: 'miss', tier: 'source', reason: 'disabled' }
  }

  async function obtain(at: Target, factory: Factory<unknown>, anew: boolean): Promise<Landing> {
    if (!core.enabled) return disabledLoad(at, factory)
    await core.settled
    for (let tries = 0; ; ) {
      // From this look to the launch nothing is awaited: whoever looks next finds the entry or the flight.
      const near = anew ? undefined : nearNow(core, at)
      if (near === 'unknown' && tries < STAMP_TRIES) {
        tries = (await learnStamps(core, at)) ? tries + 1 : STAMP_TRIES
        continue
      }
      const landed = servable(at, near === 'unknown' ? undefined : near, factory)
      if (landed !== undefined) return landed
      const joined = anew ? undefined : joinable(core, at)
      if (joined?.result === undefined) {
        if (anew) core.loads.detach(at.full)
        const { flight, result } = launch(at, factory, anew ? 'anew' : 'missing')
        return awaitLanding(core, at, flight, result)
      }
      const { stamps } = core.tier
      const joinedIn = stamps.epoch
      const landing = await awaitLanding(core, at, joined, joined.result)
      // In another tier nobody knows any more what changed in the one it began in.
      const changed =
        core.tier.stamps !== stamps || (joinedIn > joined.epoch && !stamps.unchangedSince(joined.late, joined.epoch))
      const late = joined.late.length > 0 && changed
      if (!late) return landing
    }
  }

  function settle(at: Target, landing: Landing): Landing {
    if (landing.outcome === 'stale') counters.staleHits++
    else if (landing.outcome === 'miss') miss(at, landing.reason)
    else countHit(at.key, landing.tier, landing.entry)
    return landing
  }

  async function obtainValue(at: Target, factory: Factory<unknown>, anew: boolean): Promise<unknown> {
    const { entry, raw } = settle(at, await obtain(at, factory, anew))
    return entry === undefined ? raw : valueOf(entry, at.policy.share)
  }

  async function getMany(keys: readonly string[], options: ReadOptions | undefined): Promise<unknown[]> {
    const targets = keys.map(key => target(key, options))
    const found = await findMany(targets, miss)
    return targets.map((at, i) => {
      const entry = found[i]
      if (entry === undefined) return undefined
      countHit(at.key, entry.tier, entry.entry)
      return valueOf(entry.entry)
    })
  }

  async function findMany(
    targets: readonly Target[],
    missed: (at: Target, reason: MissReason) => void,
  ): Promise<({ entry: Entry; tier: string } | undefined)[]> {
    await core.settled
    const found = await Promise.all(
      targets.map(async at => {
        const entry = core.enabled ? await nearEntry(core, at) : undefined
        return fresh(entry) ? { entry, tier: 'near' } : undefined
      }),
    )
    const missing = targets.filter((_at, i) => found[i] === undefined)
    const landed = core.enabled ? await readMany(missing) : new Map<Target, Landing>()
    return targets.map((at, i) => {
      const near = found[i]
      if (near !== undefined) return near
      const landing = landed.get(at)
      if (landing?.outcome === 'hit' && landing.entry !== undefined) return { entry: landing.entry, tier: landing.tier }
      missed(at, core.enabled ? reasonOf(at, landing) : 'disabled')
      return undefined
    })
  }

  /** One `getMany` for all, handed out to a read flight each, so that an invalidation meanwhile detaches its own. */
  async function readMany(targets: readonly Target[]): Promise<Map<Target, Landing>> {
    const landed = new Map<Target, Landing>()
    if (targets.length === 0) return landed
    const { link } = core.tier
    if (link === undefined) return landed
    const unique = [...new Map(targets.map(at => [at.full, at])).values()]
    const batch = link.read(store => store.getMany(unique.map(at => at.full)))
    batch.catch((error: unknown) => reportError(core, 'getMany', error))
    const byKey = new Map<string, Promise<Landing>>()
    unique.forEach((at, i) => {
      const one = batch.then(records => records[i])
      // Its reader may turn back before it asks.
      one.catch(() => undefined)
      byKey.set(
        at.full,
        core.reads.launch(at.full, newFlight(core, at), flight => read(core, at, flight, one)),
      )
    })
    for (const at of targets) {
      const landing = await byKey.get(at.full)
      if (landing !== undefined) landed.set(at, landing)
    }
    return landed
  }

  /** The missing keys become flights of one shared factory call, so that each is leased, fenced and joined like any other. */
  async function getOrSetMany(
    keys: readonly string[],
    factory: ManyFactory,
    options: CallOptions | undefined,
  ): Promise<unknown[]> {
    const targets = keys.map(key => target(key, options))
    // A miss here is counted when its load has landed, as what that turned out to be.
    const found = options?.fresh === true ? [] : await findMany(targets, () => undefined)
    const batch = createBatch(
      clock,
      factory,
      new Set(targets.filter((_at, i) => found[i] === undefined).map(at => at.key)),
    )
    return Promise.all(
      targets.map(async (at, i) => {
        const entry = found[i]
        if (entry !== undefined) {
          countHit(at.key, entry.tier, entry.entry)
          return valueOf(entry.entry)
        }
        try {
          return await obtainValue(at, ({ key }) => batch.value(key), options?.fresh === true)
        } finally {
          batch.done(at.key)
        }
      }),
    )
  }

  async function peek(at: Target): Promise<Peeked<unknown> | undefined> {
    if (!core.enabled) return undefined
    const near = await nearEntry(core, at)
    // Detached from the start: a look must not bring anything nearer.
    const flight = newFlight(core, at)
    flight.detached = true
    const landing: Landing =
      near === undefined
        ? await read(core, at, flight)
        : { entry: near, raw: undefined, outcome: 'hit', tier: 'near', reason: 'absent' }
    const { entry } = landing
    if (entry === undefined) return undefined
    const { value, age, ttl } = describe(landing, at.policy.share)
    const tags = entry.stamps.filter(stamp => stamp.name.startsWith('g:')).map(stamp => stamp.name.slice(2))
    return { value, state: fresh(entry) ? 'fresh' : 'stale', tier: landing.tier, age, ttl, tags }
  }

  const off: Receipt = { local: true, shared: 'none' }

  return {
    get(key, options) {
      if (canBeQuick && options === undefined) {
        const entry = quick(key, clock.now(), false)
        if (entry !== undefined) return Promise.resolve(entry.value) as Promise<never>
      }
      return attempt(() => get(target(key, options))) as Promise<never>
    },
    glance(key) {
      if (!canBeQuick || core.closed.signal.aborted) return undefined
      const now = clock.now()
      const entry = quick(key, now, true)
      if (entry === undefined) return undefined
      const { value, loadedAt, freshUntil } = entry
      return { value: value as never, age: Math.max(0, now - loadedAt), ttl: freshUntil - now }
    },
    getMany: (keys, options) => attempt(() => getMany(keys, options)) as Promise<never[]>,
    has: (key, options) => attempt(async () => core.enabled && (await find(target(key, options))).outcome === 'hit'),
    peek: (key, options) => attempt(() => peek(target(key, options))) as Promise<never>,
    getOrSet(key, factory, options) {
      if (canBeQuick && (options === undefined || options.fresh !== true)) {
        const entry = quick(key, clock.now(), false)
        if (entry !== undefined) return Promise.resolve(entry.value) as Promise<never>
      }
      return attempt(() =>
        obtainValue(target(key, options), checkFactory(factory), options?.fresh === true),
      ) as Promise<never>
    },
    fetch: (key, factory, options) =>
      attempt(async () => {
        const at = target(key, options)
        return describe(settle(at, await obtain(at, checkFactory(factory), options?.fresh === true)), at.policy.share)
      }) as Promise<never>,
    getOrSetMany: (keys, factory, options) =>
      attempt(() => getOrSetMany(keys, checkFactory(factory), options)) as Promise<never[]>,
    set: (key, value, options) =>
      attempt(() => {
        const at = target(key, options)
        return core.enabled ? setValue(core, at, checkValue(at.key, value)) : Promise.resolve(off)
      }),
    setMany: (entries, options) =>
      attempt(async () => {
        const writes = [...entries].map(([key, value]) => [target(key, options), checkValue(key, value)] as const)
        if (!core.enabled) return off
        return worst(await Promise.all(writes.map(([at, value]) => setValue(core, at, value))))
      }),
    add: (key, value, options) =>
      attempt(() => {
        const at = target(key, options)
        return core.enabled ? addValue(core, at, checkValue(key, value)) : Promise.resolve(false)
      }),
    touch: (key, options) =>
      attempt(() => (core.enabled ? touchEntry(core, target(key, options), timesOf(options)) : Promise.resolve(false))),
    expire: (key, options) =>
      attempt(() =>
        core.enabled ? expireEntry(core, target(key, options), timesOf(options)) : Promise.resolve(false),
      ),
    delete: (key, options) => attempt(() => remove([target(key, options)])),
    deleteMany: (keys, options) => attempt(() => remove(keys.map(key => target(key, options)))),
  }

  function remove(targets: readonly Target[]): Promise<Receipt> {
    return core.enabled ? deleteKeys(core, targets) : Promise.resolve(off)
  }
}

function timesOf(options: SetOptions | undefined): Times {
  const read = (name: 'ttl' | 'grace', min: number): number | undefined =>
    options?.[name] === undefined ? undefined : toMilliseconds(name, options[name], { min })
  return { ttl: read('ttl', 1), grace: read('grace', 0) }
}

/** Misuse is the caller's rejection, in one form for sync and async mistakes alike. */
async function attempt<T>(run: () => T | Promise<T>): Promise<T> {
  return run()
}

function checkFactory<F>(factory: F): F {
  if (typeof factory !== 'function') throw badOption('factory', 'a function', factory)
  return factory
}

function checkValue(key: string, value: unknown): unknown {
  if (value === undefined) {
    throw new PalierError(
      'PALIER_NOT_ENCODABLE',
      `the value of "${key}": expected anything but undefined; store null for "there is none"`,
      { key },
    )
  }
  return value
}

const ORDER: readonly Receipt['shared'][] = ['none', 'acked', 'pending', 'refused']

/** One receipt for several mutations: the least that can be said of all. */
function worst(receipts: readonly Receipt[]): Receipt {
  const shared = receipts.reduce<Receipt['shared']>(
    (low, { shared: one }) => (ORDER.indexOf(one) > ORDER.indexOf(low) ? one : low),
    'none',
  )
  return { local: receipts.every(receipt => receipt.local), shared }
}
