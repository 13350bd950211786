import { type Core, reportError } from './core.ts'
import { MEMORY, type Place } from './detect.ts'
import { forgetNearTier } from './hearing.ts'
import type { LinkState } from './link.ts'
import type { SharedStore } from './store.ts'
import { createTier, type ManagedTier, type Role } from './tier.ts'

/** How often a better backend that nobody asked for is looked for. */
const SCOUT_EVERY = 5000
/** An outage shorter than this does not touch the disk; and how often a backend to fall back upon is tried again. */
const FALL_BACK_AFTER = 200
const FALL_BACK_AGAIN = 1000
/** Epochs of two tiers never meet. */
const EPOCHS = 2 ** 32

/** How a cache behaves while its backend is out. Milliseconds. */
export interface OutageLimits {
  /** What is loaded meanwhile lives no longer; 0 keeps nothing. */
  readonly ttl: number
  /** The near tier goes on for so long with what it had. */
  readonly serveFor: number
  /** So many invalidations wait one by one. */
  readonly maxPending: number
}

/** The list of tiers behind the near one, and which of them is in use. */
export interface Tiers {
  /** Those that are open, best first. */
  all(): readonly ManagedTier[]
  /** Starts with what detection found. Resolves when the first tier is in use. */
  begin(places: readonly Place[], chosen: number, budget: number): Promise<void>
  close(): Promise<void>
}

export interface TiersParts {
  readonly deadline: number
  readonly limits: OutageLimits
  readonly without: ReadonlySet<string>
  /** The tier of this process alone: always there. */
  readonly local: ManagedTier
  /** Another tier is in use, or one of them changed. */
  changed(): void
  /** The home tier is in use again. */
  returned(): void
}

/** The tier of this process alone, for the time before, beside and after all others. */
export function createLocalTier(core: Core, without: ReadonlySet<string>): ManagedTier {
  const silent = { changed: () => undefined, told: () => undefined }
  const rest = { deadline: 1, maxPending: 1, firstEpoch: 1, without, ...silent }
  return createTier(core, { place: MEMORY, store: undefined, role: 'spare', ...rest })
}

export function createTiers(core: Core, parts: TiersParts): Tiers {
  const { clock, events } = core
  const { limits, local } = parts
  /** By position in the list of places. */
  const opened = new Map<number, ManagedTier>()
  const opening = new Set<number>()
  const cancels = new Set<() => void>()
  const closing = new Set<Promise<void>>()
  let places: readonly Place[] = []
  let homeAt = 0
  let running = false
  let servedUntil = 0
  let generation = 1

  const ranked = (): readonly ManagedTier[] => [...opened].sort(([a], [b]) => a - b).map(([, tier]) => tier)

  const later = (ms: number, run: () => void): void => {
    if (core.closed.signal.aborted) return
    const cancel = clock.after(ms, () => {
      cancels.delete(cancel)
      if (!core.closed.signal.aborted) run()
    })
    cancels.add(cancel)
  }

  const open = (at: number, place: Place, role: Role, store: SharedStore | undefined): ManagedTier => {
    const { deadline, without, changed } = parts
    const firstEpoch = ++generation * EPOCHS
    const rest = { deadline, without, firstEpoch, maxPending: limits.maxPending, changed: onLink, told: changed }
    const tier = createTier(core, { place, store, role, ...rest })
    opened.set(at, tier)
    core.opened = ranked()
    return tier
  }

  function onLink(tier: ManagedTier, state: LinkState, reason: string): void {
    events.emit('link', { store: tier.name, state, reason })
    if (state === 'up' && tier.role === 'scout') promote(tier)
    if (tier === core.home) serveOn(tier, state, reason)
    if (running && state !== 'suspect') elect(reason)
    parts.changed()
  }

  /** For a stated time the near tier may go on with what it had when its backend went. */
  function serveOn(home: ManagedTier | Core['home'], state: LinkState, reason: string): void {
    if (state === 'up') servedUntil = 0
    if (state !== 'open' || limits.serveFor === 0 || core.tier !== home || servedUntil > 0) return
    servedUntil = clock.now() + limits.serveFor
    for (const tier of opened.values()) if (tier === home) tier.serveUntil(servedUntil)
    later(limits.serveFor, () => elect(reason))
  }

  /** Something better than what was chosen is there: from now on it is what counts. */
  function promote(better: ManagedTier): void {
    for (const [at, tier] of opened) {
      if (tier === better) homeAt = at
      tier.role = tier === better ? 'home' : 'spare'
    }
    core.home = better
  }

  /** Takes the best tier that may be read; this process's memory is always there. */
  function elect(reason: string): void {
    if (core.tier === core.home && clock.now() < servedUntil) return
    use(ranked().find(tier => tier.role !== 'scout' && tier.usable()) ?? local, reason)
    if (core.tier !== core.home && core.tier.link === undefined && limits.ttl > 0) later(FALL_BACK_AFTER, fallBack)
  }

  function use(next: ManagedTier, reason: string): void {
    const before = core.tier
    if (before === next) return
    core.tier = next
    core.longest = next === core.home ? Number.POSITIVE_INFINITY : limits.ttl
    // What the other tier vouched for, nobody vouches for now.
    if (!parts.without.has('flush')) forgetNearTier(core)
    if (next === core.home) {
      closeSpares()
      parts.returned()
    }
    events.emit('failover', { from: before.name, to: next.name, reason })
  }

  /** A spare tier is not kept: what it holds is dead by the time it is needed again. */
  function closeSpares(): void {
    for (const [at, tier] of opened) {
      if (tier.role !== 'spare') continue
      opened.delete(at)
      core.opened = ranked()
      const closed = tier.close().finally(() => closing.delete(closed))
      closing.add(closed)
    }
  }

  /** Opens the next place behind the home tier, unless something better than memory is at work. */
  function fallBack(): void {
    if (core.tier === core.home || core.tier.link !== undefined) return
    const at = places.findIndex((place, i) => i > homeAt && place.backend !== 'memory' && !opened.has(i))
    const place = places[at]
    if (place === undefined || opening.has(at)) return
    opening.add(at)
    openSpare(place, at)
      .catch((error: unknown) => {
        reportError(core, 'failover', error)
        later(FALL_BACK_AGAIN, fallBack)
      })
      .finally(() => opening.delete(at))
  }

  async function openSpare(place: Place, at: number): Promise<void> {
    await place.prove()
    if (core.closed.signal.aborted || core.tier === core.home) return
    await open(at, place, 'spare', place.open()).start()
  }

  /** A better backend that nobody asked for may be started later: then every process must find it. */
  function scout(at: number): void {
    const place = places[at]
    if (place === undefined || opened.has(at)) return
    place
      .prove()
      .then(() => {
        if (core.closed.signal.aborted || opened.has(at)) return
        void open(at, place, 'scout', place.open()).start()
      })
      // That it is not there was said when it was first looked for.
      .catch(() => later(SCOUT_EVERY, () => scout(at)))
  }

  /** The first connection may take longer than a call later may. */
  function firstUp(tier: ManagedTier, budget: number): Promise<void> {
    return new Promise(resolve => {
      const endAt = clock.now() + budget
      const look = (): void => {
        if (tier.usable() || clock.now() >= endAt) resolve()
        else later(5, look)
      }
      core.closed.signal.addEventListener('abort', () => resolve(), { once: true })
      tier.start().then(look, look)
    })
  }

  /** A backend that is asked for and not there is waited for, unless it is clear that it can never be. */
  function openHome(at: number, place: Place): boolean {
    try {
      core.home = open(at, place, 'home', place.open())
      return true
    } catch (error) {
      reportError(core, 'open', error)
      return false
    }
  }

  async function begin(found: readonly Place[], chosen: number, budget: number): Promise<void> {
    places = found
    homeAt = chosen
    for (const [at, place] of found.slice(0, chosen).entries()) {
      if (place.wanted && homeAt === chosen && openHome(at, place)) homeAt = at
      else if (homeAt === chosen) later(SCOUT_EVERY, () => scout(at))
    }
    const place = found[chosen]
    if (place === undefined) throw new RangeError(`no place ${chosen}`)
    if (homeAt === chosen) core.home = open(chosen, place, 'home', place.opened?.store)
    // With nothing kept during an outage there is nothing to keep it in.
    else if (limits.ttl > 0) open(chosen, place, 'spare', place.opened?.store)
    else if (place.owned) await place.opened?.store?.close()
    await Promise.all(
      [...opened].map(async ([at, tier]) => (at === chosen ? firstUp(tier, budget) : void tier.start())),
    )
    core.tier = ranked().find(tier => tier.usable()) ?? local
    core.longest = core.tier === core.home ? Number.POSITIVE_INFINITY : limits.ttl
    running = true
    if (core.tier !== core.home) elect('not there at the start')
  }

  return {
    all: ranked,
    begin,
    async close() {
      for (const cancel of cancels) cancel()
      await Promise.all([...closing, ...[...opened.values(), local].map(tier => tier.close())])
    },
  }
}
