import { createCached } from './cached.ts'
import { type Clock, pause, systemClock, within } from './clock.ts'
import { createCodec } from './codec.ts'
import { type Core, nearTrusted, reportError } from './core.ts'
import type { Detection } from './detect.ts'
import { toMilliseconds } from './duration.ts'
import type { Entry } from './entry.ts'
import { type Settings, shownSettings } from './environment.ts'
import { badOption, PalierError } from './errors.ts'
import { createEvents, type HealthState } from './events.ts'
import { createFlights } from './flight.ts'
import { ALL_DOUBT, forgetEverything, listen, NO_DOUBT } from './hearing.ts'
import { checkName, checkUnprotected, PROTECTED_PREFIXES } from './key.ts'
import { createLeases } from './lease.ts'
import { createLink, messageOf, TRIAL_KEY } from './link.ts'
import { attachLogger } from './log.ts'
import { encodeMessage } from './message.ts'
import { addPattern, type Receipt, renewStamps } from './mutate.ts'
import { type CacheOptions, numberOption, textList } from './options.ts'
import { createVerbs } from './operations.ts'
import { createOutbox } from './outbox.ts'
import { type Stats, summary, TierCounters } from './stats.ts'
import type { NearStore, SharedStore } from './store.ts'
import { sweepBehind } from './sweep.ts'
import { NAMESPACE, Stamps, tagStamp, typeStamp } from './tags.ts'
import { createTypes, typeOfSpace } from './types.ts'
import type { Cache, Policies, Status, TierStatus, TypedCache } from './cache.ts'

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
  discover(
    clock: Clock,
    budget: number,
  ): Promise<Detection | { readonly backend: 'custom'; readonly store: NonNullable<CacheOptions['store']> }>
}

/** What everybody is told when it is no longer known what they missed. */
const FLUSH = encodeMessage({ kind: 'flush', names: [] })
/** How often a state that is not well is looked at. */
const LOOK_EVERY = 1000
/** How often the stamps are read again: often enough to be among what a store used last. */
const TEND_EVERY = 300_000

/** Waits until the store's own connection has answered once: the first deadline must not fall to its opening. */
async function warm(
  store: SharedStore,
  clock: Clock,
  { budget, deadline }: { budget: number; deadline: number },
): Promise<void> {
  const endAt = clock.now() + budget
  const answered = async (): Promise<boolean> => {
    try {
      return await within(
        clock,
        deadline,
        async () => (await store.get(TRIAL_KEY), true),
        () => false,
      )
    } catch {
      // What is wrong shows at the first call that somebody waits for.
      return false
    }
  }
  while (!(await answered()) && clock.now() < endAt) await pause(clock, 10)
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
  const deadline = toMilliseconds('deadline', options.deadline ?? 250)
  const budget = toMilliseconds('detectBudget', options.detectBudget ?? 900)
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
  const link = createLink(clock, deadline, {
    changed(state) {
      if (state === 'up') void outbox.drain()
      tellState()
    },
  })
  const outbox = createOutbox(clock, { usable: () => link.usable(), changed: () => tellState() })
  const stamps = new Stamps(namespace, clock, link)
  let bus: ReturnType<NonNullable<typeof link.store>['openBus']> | undefined
  /** Messages on their way: the bus is closed only after them. */
  const telling = new Set<Promise<unknown>>()
  let detection: Detection | undefined
  /** Why less is in use than was found. */
  let trouble: string | undefined
  let lastState: HealthState | undefined
  let cancelLook: (() => void) | undefined
  let cancelTend: (() => void) | undefined
  let stateSince = clock.wall()

  const core: Core = {
    namespace,
    enabled: settings.enabled.value,
    clock,
    codec: createCodec(limits),
    limits,
    protect,
    events,
    link,
    leases: createLeases(clock, link),
    outbox,
    stamps,
    loads: createFlights(),
    reads: createFlights(),
    near,
    nearCounters,
    sharedCounters,
    types,
    trust: ALL_DOUBT,
    closed: new AbortController(),
    tell(text) {
      if (bus === undefined) return
      const heard = bus
      const told: Promise<unknown> = heard
        .publish(text)
        .catch((error: unknown) => {
          reportError(core, 'bus', error)
          // What exactly was not told does not matter: once it can be heard again, everybody forgets everything.
          const flush = (): Promise<void> => heard.publish(FLUSH)
          outbox.put('bus', flush)
          outbox.failed('bus', flush)
        })
        .finally(() => telling.delete(told))
      telling.add(told)
    },
  }
  stamps.onCreated = names => core.tell(encodeMessage({ kind: 'made', names }))
  const detachLogger = attachLogger(events, options.logger ?? console, clock)

  async function begin(): Promise<void> {
    if (!core.enabled) {
      link.settle(undefined, 'the cache is disabled')
      return
    }
    const found = await around.discover(clock, budget)
    const isOurs = 'trace' in found
    if ('trace' in found) detection = found
    const { store } = found
    if (core.closed.signal.aborted) {
      if (isOurs) await store?.close()
      link.settle(undefined, 'the cache was closed')
      return
    }
    if (store === undefined) {
      core.trust = NO_DOUBT
      link.settle(undefined, detection?.why ?? 'nothing is shared')
      return
    }
    await warm(store, clock, { budget, deadline })
    try {
      bus = store.openBus(namespace)
    } catch (error) {
      reportError(core, 'bus', error)
      core.trust = NO_DOUBT
      trouble = `the bus of ${store.name} cannot be opened: ${messageOf(error)}; nothing is shared`
      if (isOurs) await store.close()
      link.settle(undefined, trouble)
      return
    }
    // A bus that does not answer must not hold up the store that does; until it answers the near tier stays off.
    const listening = listen(core, bus, tellState)
    await within(
      clock,
      deadline,
      () => listening,
      () => undefined,
    )
    tend()
    link.settle(store, detection?.why ?? 'a store was given')
  }

  function health(): { state: HealthState; reason: string } {
    if (!core.enabled) return { state: 'HEALTHY', reason: 'the cache is disabled: each read goes to the source' }
    if (link.state === 'detecting') return { state: 'WARMING', reason: link.reason }
    if (link.state === 'open') return { state: 'DEGRADED', reason: `${link.reason}; reads go to the source` }
    if (outbox.size > 0) return { state: 'DEGRADED', reason: `${outbox.size} invalidations wait for the shared store` }
    if (trouble !== undefined) return { state: 'DEGRADED', reason: trouble }
    if (!nearTrusted(core)) return { state: 'DEGRADED', reason: 'the bus is not heard: the near tier is off' }
    if (detection?.fellBack === true) return { state: 'DEGRADED', reason: detection.why }
    return { state: 'HEALTHY', reason: link.reason }
  }

  /** What is not well may become so without anybody telling: it is looked at again until it is. */
  function lookAgain(state: HealthState): void {
    if (state !== 'DEGRADED' || cancelLook !== undefined || core.closed.signal.aborted) return
    cancelLook = clock.after(LOOK_EVERY, () => {
      cancelLook = undefined
      tellState()
    })
  }

  function tend(): void {
    cancelTend = clock.after(TEND_EVERY, () => {
      if (link.usable()) stamps.tend().catch((error: unknown) => reportError(core, 'stamps', error))
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
    const receipt = await addPattern(core, glob, type)
    events.emit('delete', { target: 'pattern', names: [glob] })
    return receipt
  }

  function tiers(): readonly TierStatus[] {
    if (!core.enabled) return []
    const nearState: TierStatus = {
      name: 'memory',
      role: 'near',
      state: nearTrusted(core) ? 'up' : 'in doubt',
    }
    const { store } = link
    return store === undefined
      ? [nearState]
      : [nearState, { name: store.name, role: 'shared', state: link.state === 'up' ? 'up' : 'open' }]
  }

  function status(): Status {
    tellState()
    const { state, reason } = health()
    const given = link.store !== undefined && detection === undefined
    return {
      namespace,
      enabled: core.enabled,
      backend: link.state === 'detecting' ? 'detecting' : given ? 'custom' : (detection?.backend ?? 'memory'),
      why: detection?.why ?? link.reason,
      trace: detection?.trace ?? [],
      state,
      reason,
      since: stateSince,
      tiers: tiers(),
      outbox: { pending: outbox.size },
      processes: bus?.peers() ?? 1,
      staleBound: bus?.bound ?? 0,
      configuration: shownSettings(settings),
    }
  }

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
        ...(link.store === undefined ? [] : [{ ...sharedCounters.read(), name: link.store.name }]),
      ],
      near: near.usage(),
    }
  }

  async function close(): Promise<void> {
    if (core.closed.signal.aborted) return
    core.closed.abort(new PalierError('PALIER_CLOSED', 'the cache was closed'))
    await link.settled
    if (link.usable()) await outbox.drain()
    outbox.close()
    link.close()
    cancelLook?.()
    cancelTend?.()
    core.leases.close()
    detachLogger()
    forgetEverything(core)
    near.close()
    // A message that hangs is not waited for longer than any other call.
    await within(
      clock,
      deadline,
      () => Promise.all(telling),
      () => [],
    )
    await bus?.close().catch((error: unknown) => reportError(core, 'bus', error))
    if (options.store === undefined)
      await link.store?.close().catch((error: unknown) => reportError(core, 'close', error))
  }

  tellState()
  void begin().finally(tellState)

  const plain = verbs.get('')
  if (plain === undefined) throw new TypeError('the default type is missing')
  const cache: Cache<T> = {
    ...plain,
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
      sweepBehind(core, name)
      return receipt
    },
    deleteByPattern: async pattern => deleteByPattern(pattern, undefined),
    async clear() {
      near.clear()
      const receipt = await renew('all', [], [NAMESPACE])
      sweepBehind(core, undefined)
      return receipt
    },
    cached: createCached(type => (type === undefined ? plain : typed(type))),
    on: (name, listener) => events.on(name, listener),
    stats,
    status,
    async ready() {
      await link.settled
      return status()
    },
    close,
  }
  return cache
}
