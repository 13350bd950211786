import { setMaxListeners } from 'node:events'
import type { Bus } from './bus.ts'
import { createCached } from './cached.ts'
import { type Clock, systemClock } from './clock.ts'
import { createCodec } from './codec.ts'
import { createCounter } from './counter.ts'
import { createDocuments } from './document-store.ts'
import type { Documents } from './documents.ts'
import { type Core, reportError } from './core.ts'
import type { Detection, Given } from './detect.ts'
import { toMilliseconds } from './duration.ts'
import type { Entry } from './entry.ts'
import { type Settings, shownSettings } from './environment.ts'
import { badOption, PalierError } from './errors.ts'
import { createEvents, type HealthState } from './events.ts'
import { createLocalTier, createTiers, type OutageLimits } from './failover.ts'
import { createFlights } from './flight.ts'
import { createGuardRoom } from './guarding.ts'
import { type Health, healthOf, tierStatuses, WARM_FOR } from './health.ts'
import { forgetNearTier } from './hearing.ts'
import { addPattern, type Receipt, renewStamps, sweepTiers } from './invalidate.ts'
import type { Journal } from './journal.ts'
import { randomHex } from './lease.ts'
import { checkName, checkUnprotected, NAMESPACE, PROTECTED_PREFIXES, tagStamp, typeStamp } from './key.ts'
import { createLimiter } from './limiter.ts'
import { createLockDoor } from './lock.ts'
import { attachLogger } from './log.ts'
import { createOnce } from './once.ts'
import { createOperator } from './operate.ts'
import { createVerbs } from './operations.ts'
import { type CacheOptions, numberOption, type OutageOptions, textList } from './options.ts'
import { type Stats, summary, TierCounters } from './stats.ts'
import type { NearStore, SharedStore } from './store.ts'
import { createTypes, typeOfSpace } from './types.ts'
import type { ManagedTier } from './tier.ts'
import type { Cache, Policies, Status, TypedCache } from './cache.ts'

/** What the engine is given by whoever knows the concrete stores. */
export interface Surroundings {
  readonly settings: Settings
  nearStore(options: {
    maxEntries: number
    maxBytes: number
    clock: Clock
    onEvict: (space: string, key: string) => void
  }): NearStore<Entry>
  /** Finds the backend; never rejects. */
  discover(clock: Clock, budget: number): Promise<Detection | Given>
  /** A store of this process alone: locks, limits and documents where nothing is shared. */
  memoryRoom(clock: Clock): SharedStore
  /** Where invalidations that wait outlive the process; absent without a directory. */
  openJournal?(namespace: string, clock: Clock): Journal
  /** Parts of the protocol that are switched off, to show that each is needed: for the simulator alone. */
  readonly weaken?: ReadonlySet<string>
}

/** How often a state that is not well is looked at. */
const LOOK_EVERY = 1000
/** How often the stamps are read again: often enough to be among what a store used last. */
const TEND_EVERY = 300_000

/** A caller waits for it: longer is no bound. */
const LONGEST_WAIT = 60_000

const STRONG: ReadonlySet<string> = new Set()

function outageLimits(options: OutageOptions = {}): OutageLimits {
  for (const name of Object.keys(options)) {
    if (!['ttl', 'serveFor', 'maxPending', 'journal'].includes(name)) {
      throw badOption(`outage.${name}`, 'one of ttl, serveFor, maxPending, journal', name)
    }
  }
  if (options.journal !== undefined && typeof options.journal !== 'boolean') {
    throw badOption('outage.journal', 'true or false', options.journal)
  }
  return {
    ttl: toMilliseconds('outage.ttl', options.ttl ?? 10_000, { min: 0 }),
    serveFor: toMilliseconds('outage.serveFor', options.serveFor ?? 0, { min: 0 }),
    maxPending: numberOption('outage.maxPending', options.maxPending ?? 10_000, 1, 1_000_000),
  }
}

export function createEngine<const T extends Policies>(options: CacheOptions<T>, around: Surroundings): Cache<T> {
  const { settings } = around
  const clock = options.clock ?? systemClock
  const namespace = options.namespace ?? 'default'
  const protect = [
    ...PROTECTED_PREFIXES,
    ...(options.protect === undefined ? [] : textList('protect', options.protect)),
  ]
  checkName('namespace', namespace)
  checkUnprotected('namespace', `${namespace}:`, protect)
  const limits = {
    maxBytes: numberOption('maxValueBytes', options.maxValueBytes ?? 16 * 2 ** 20, 1, 2 ** 29),
    maxDepth: 200,
  }
  const deadline = toMilliseconds('deadline', options.deadline ?? 250, { max: LONGEST_WAIT })
  const budget = toMilliseconds('detectBudget', options.detectBudget ?? 750, { max: LONGEST_WAIT })
  const events = createEvents(namespace)
  const nearCounters = new TierCounters('near')
  const sharedCounters = new TierCounters('shared')

  const near = around.nearStore({
    maxEntries: numberOption('memory.maxEntries', options.memory?.maxEntries ?? 100_000, 1, 2 ** 31),
    maxBytes: numberOption('memory.maxBytes', options.memory?.maxBytes ?? 64 * 2 ** 20, 1, Number.MAX_SAFE_INTEGER),
    clock,
    onEvict: (space, key) => {
      nearCounters.evictions++
      if (events.wants('evict')) events.emit('evict', { type: typeOfSpace(space), key })
    },
  })

  const types = createTypes(options, near, protect)
  const limitsOfOutage = outageLimits(options.outage)
  const without = around.weaken ?? STRONG
  let settle: () => void = () => undefined
  const settled = new Promise<void>(resolve => {
    settle = resolve
  })
  let isSettled = false
  let detection: Detection | undefined
  let given = false
  let warmUntil = 0
  let lastState: HealthState | undefined
  let cancelLook: (() => void) | undefined
  let cancelTend: (() => void) | undefined
  let stateSince = clock.wall()
  let policiesKnown: Promise<void> = Promise.resolve()

  const parts = {
    namespace,
    id: randomHex(8),
    enabled: settings.enabled.value,
    clock,
    codec: createCodec(limits),
    limits,
    protect,
    events,
    settled,
    loads: createFlights(),
    reads: createFlights(),
    near,
    nearCounters,
    sharedCounters,
    types,
    held: new Map<string, Set<string>>(),
    opened: [],
    longest: Number.POSITIVE_INFINITY,
    journal: undefined,
    closed: new AbortController(),
    loadPolicies() {
      if (core.enabled && core.home.link?.usable() === true) policiesKnown = desk.policies.load()
    },
  }
  const { core, local } = withTier(parts, without)
  // Whatever runs behind listens to it while it runs, and there may be much of that.
  setMaxListeners(0, core.closed.signal)
  const tiers = createTiers(core, {
    deadline,
    limits: limitsOfOutage,
    without,
    local,
    changed: tellState,
    returned() {
      warmUntil = clock.now() + WARM_FOR
      core.loadPolicies()
    },
  })
  const detachLogger = attachLogger(events, options.logger ?? console, clock)

  async function begin(): Promise<void> {
    if (!core.enabled) return
    const found = await around.discover(clock, budget)
    if ('trace' in found) detection = found
    else given = true
    if (core.closed.signal.aborted) {
      const place = found.places[found.chosen]
      if (place?.owned === true) await place.opened?.store?.close()
      return
    }
    if (options.outage?.journal !== false) core.journal = around.openJournal?.(namespace, clock)
    await tiers.begin(found.places, found.chosen, budget)
    tend()
  }

  function health(): Health {
    const outageTtl = limitsOfOutage.ttl
    return healthOf(core, { settled: isSettled, warmUntil, outageTtl })
  }

  /** What is not well may become so without anybody telling: it is looked at again until it is. */
  function lookAgain(state: HealthState): void {
    if (state === 'HEALTHY' || cancelLook !== undefined || core.closed.signal.aborted) return
    if (!isSettled) return
    cancelLook = clock.after(LOOK_EVERY, () => {
      cancelLook = undefined
      tellState()
    })
  }

  function tend(): void {
    cancelTend = clock.after(TEND_EVERY, () => {
      const { link, stamps } = core.tier
      for (const tier of tiers.all()) if (tier === core.home && tier.usable()) void tier.inherit()
      if (link?.usable() === true) stamps.tend().catch((error: unknown) => reportError(core, 'stamps', error))
      tend()
    })
  }

  function tellState(): void {
    const { state, reason } = health()
    lookAgain(state)
    if (state === lastState) return
    lastState = state
    stateSince = clock.wall()
    events.emit('state', { state, reason })
  }

  const verbs = new Map<string, TypedCache<unknown>>()
  for (const state of types.values()) {
    const patterns = { name: state.name, deleteByPattern: (glob: string) => deleteByPattern(glob, state.name) }
    verbs.set(state.name, { ...createVerbs(core, state), ...patterns })
  }

  function typed(name: string): TypedCache<unknown> {
    const found = name === '' ? undefined : verbs.get(name)
    if (found === undefined) throw badOption('type', `one of ${[...types.keys()].filter(Boolean).join(', ')}`, name)
    return found
  }

  function checkOpen(): void {
    if (core.closed.signal.aborted) throw new PalierError('PALIER_CLOSED', 'the cache was closed')
  }

  async function renew(
    target: 'tag' | 'type' | 'all',
    names: readonly string[],
    stampNames: readonly string[],
  ): Promise<Receipt> {
    checkOpen()
    if (!core.enabled) return { local: true, shared: 'none' }
    const receipt = await renewStamps(core, stampNames)
    events.emit('delete', { target, names })
    tellState()
    return receipt
  }

  async function deleteByPattern(glob: string, type: string | undefined): Promise<Receipt> {
    checkOpen()
    checkName('pattern', glob)
    checkUnprotected('pattern', type === undefined || type === '' ? glob : `${type}:${glob}`, protect)
    if (!core.enabled) return { local: true, shared: 'none' }
    const receipt = await addPattern(core, { glob, type })
    events.emit('delete', { target: 'pattern', names: [glob] })
    return receipt
  }

  function status(): Status {
    tellState()
    const { state, reason } = health()
    const { tier, home } = core
    const { oldestAt } = home.outbox
    return {
      namespace,
      enabled: core.enabled,
      backend: core.enabled && !isSettled ? 'detecting' : tier.backend,
      why: detection?.why ?? (given ? 'a store was given' : reason),
      trace: detection?.trace ?? [],
      state,
      reason,
      since: stateSince,
      tiers: tierStatuses(core, tiers.all()),
      outbox: { pending: home.outbox.size, ...(oldestAt !== undefined && { oldestAt }) },
      processes:
        tiers
          .all()
          .find(one => one === tier)
          ?.bus?.peers() ?? 1,
      staleBound:
        tier === home && home.link?.state !== 'open'
          ? (busOf(tier)?.bound ?? 0)
          : Math.max(limitsOfOutage.ttl, limitsOfOutage.serveFor),
      configuration: shownSettings(settings),
    }
  }

  const busOf = (tier: Core['tier']): Bus | undefined => tiers.all().find(one => one === tier)?.bus

  function stats(): Stats {
    const all = [...types.values()]
    const total = summary(all.map(state => state.counters))
    const used = all.filter(state => state.counters.used).map(state => [state.name || 'default', state.counters.read()])
    return {
      ...total,
      requests: total.hits + total.staleHits + total.misses,
      types: Object.fromEntries(used) as Stats['types'],
      tiers: [
        nearCounters.read(),
        ...(core.tier.link === undefined ? [] : [{ ...sharedCounters.read(), name: core.tier.name }]),
      ],
      near: near.usage(),
    }
  }

  async function close(): Promise<void> {
    if (core.closed.signal.aborted) return
    core.closed.abort(new PalierError('PALIER_CLOSED', 'the cache was closed'))
    await settled
    const { outbox, link } = core.home
    if (link?.usable() === true) await outbox.drain().catch(() => undefined)
    cancelLook?.()
    cancelTend?.()
    desk.close()
    detachLogger()
    forgetNearTier(core)
    near.close()
    await tiers.close()
    await memory.close()
    await core.journal?.close().catch((error: unknown) => reportError(core, 'journal', error))
  }

  tellState()
  void begin()
    .catch((error: unknown) => reportError(core, 'begin', error))
    .finally(() => {
      isSettled = true
      settle()
      core.loadPolicies()
      tellState()
    })

  const memory = around.memoryRoom(clock)
  const room = createGuardRoom(core, memory, deadline, () => busOf(core.home)?.peers() ?? 1)
  const door = createLockDoor(room)
  const documentsOf = <V>(name: string): Documents<V> => createDocuments<V>(core, memory, deadline, name)
  const once = createOnce(room, door, documentsOf<string>('palier-once'))
  const desk = createOperator(core, documentsOf)
  const plain = verbs.get('')
  if (plain === undefined) throw new TypeError('the default type is missing')
  const cache: Cache<T> = {
    ...plain,
    id: core.id,
    type: typed,
    async deleteByTag(tag) {
      checkName('tag', tag)
      return renew('tag', [tag], [tagStamp(tag)])
    },
    async deleteByTags(tags) {
      const names = [...new Set(textList('tags', tags))]
      return renew('tag', names, names.map(tagStamp))
    },
    async deleteByType(name) {
      typed(name)
      const receipt = await renew('type', [name], [typeStamp(name)])
      sweepTiers(core, name)
      return receipt
    },
    deleteByPattern: async pattern => deleteByPattern(pattern, undefined),
    async clear() {
      near.clear()
      const receipt = await renew('all', [], [NAMESPACE])
      sweepTiers(core, undefined)
      return receipt
    },
    lock: async (name, lockOptions) => (checkOpen(), door.lock(name, lockOptions)),
    withLock: async (name, lockOptions, run) => (checkOpen(), door.withLock(name, lockOptions, run)),
    once: async (name, occurrence, run, onceOptions) => (checkOpen(), once(name, occurrence, run, onceOptions)),
    documents: name => (checkOpen(), documentsOf(name)),
    operator: desk.operator,
    limiter: (name, limiterOptions) => (checkOpen(), createLimiter(room, name, limiterOptions)),
    counter: (name, counterOptions) => (checkOpen(), createCounter(room, name, counterOptions)),
    cached: createCached(type => (type === undefined ? plain : typed(type))),
    on: (name, listener) => events.on(name, listener),
    stats,
    status,
    async ready() {
      await settled
      await policiesKnown
      return status()
    },
    close,
  }
  return cache
}

/** A core begins with the tier of this process alone, which is in use until the backend is known. */
function withTier(
  parts: Omit<Core, 'tier' | 'home'>,
  without: ReadonlySet<string>,
): { readonly core: Core; readonly local: ManagedTier } {
  const core = { ...parts } as Core
  const local = createLocalTier(core, without)
  core.tier = local
  core.home = local
  return { core, local }
}
