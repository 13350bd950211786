import type { Bus } from './bus.ts'
import { within } from './clock.ts'
import { ALL_DOUBT, type Core, NO_DOUBT, reportError, type Tier } from './core.ts'
import type { Place } from './detect.ts'
import { PalierError } from './errors.ts'
import { forgetEverything, listen } from './hearing.ts'
import type { Journal, Legacy } from './journal.ts'
import { NAMESPACE } from './key.ts'
import { createLeases } from './lease.ts'
import { createLink, type Link, type LinkState } from './link.ts'
import { encodeMessage } from './message.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createRecents, NO_RECENTS } from './recents.ts'
import { createStampStore } from './stamp-store.ts'
import type { SharedStore } from './store.ts'
import { createSweeper, type Sweeper } from './sweep.ts'
import type { Rule } from './rules.ts'
import { FLUSH_TARGET, type Pattern, patternTarget, sortTargets, WIDEST } from './targets.ts'
import { Stamps } from './tags.ts'
import { MARK_TTL, markOf } from './documents.ts'

/**
 * `home`: its word counts, and what it has not acknowledged waits. `spare`: stands in while the home tier is out, and begins anew
 * each time. `scout`: better than the home tier, never yet there, and not asked for.
 */
export type Role = 'home' | 'spare' | 'scout'

/** A tier as the cache manages it. */
export interface ManagedTier extends Tier {
  readonly place: Place
  role: Role
  readonly bus: Bus | undefined
  /** True when readers may use it. */
  usable(): boolean
  /** First connection; resolves when it is known whether the tier is up. */
  start(): Promise<void>
  /** Takes over what processes that died lately left waiting for this tier. Never rejects. */
  inherit(): Promise<void>
  /** The near tier goes on for a while after the loss, without being heard by anybody. Ends with the next recovery. */
  serveUntil(moment: number): void
  close(): Promise<void>
}

export interface TierParts {
  readonly place: Place
  readonly store: SharedStore | undefined
  readonly role: Role
  readonly deadline: number
  readonly maxPending: number
  readonly firstEpoch: number
  readonly without: ReadonlySet<string>
  /** The link changed; called after it did. */
  changed(tier: ManagedTier, state: LinkState, reason: string): void
  /** What waits, or whether the tier is heard, changed. */
  told(): void
}

/** What everybody is told when it is no longer known what they missed. */
const FLUSH = encodeMessage({ kind: 'flush', names: [] })

const isRefusal = (error: unknown): boolean => error instanceof PalierError && error.code === 'PALIER_STORE_REFUSED'

export function createTier(core: Core, parts: TierParts): ManagedTier {
  const { place, store, deadline, without } = parts
  const { clock, namespace } = core
  /** Messages on their way: the bus is closed only after them. */
  const telling = new Set<Promise<unknown>>()
  let bus: Bus | undefined
  let trust = store === undefined ? NO_DOUBT : ALL_DOUBT
  let isHeard = false
  let isClosed = false
  let serving = 0
  /** What the servers called themselves when the link was last known to be good, and when that was. */
  let identity: string | undefined
  let confirmedAt = clock.now()
  /** What processes that are gone left behind, until it is delivered. */
  let legacies: Legacy[] = []

  const recents = store?.identity === undefined ? NO_RECENTS : createRecents({ clock, namespace, without })
  const link: Link | undefined =
    store === undefined
      ? undefined
      : createLink(clock, deadline, store, {
          recover,
          isSameServer,
          refused: place.refused,
          changed(state, reason) {
            if (state === 'open') recents.freeze(confirmedAt)
            if (state === 'up') recents.thaw()
            parts.changed(tier, state, reason)
          },
        })
  const outbox: Outbox = createOutbox({
    clock,
    namespace,
    recents,
    without,
    max: parts.maxPending,
    isRefusal,
    begin: targets => begin(stamps, targets),
    done(targets) {
      stamps.settle(sortTargets(targets).stamps)
      for (const target of targets) if (target.startsWith('p:')) stamps.settleRule(target)
    },
    deliver: targets => tier.deliver(targets),
    reachable: () => link?.reachable() === true,
    record,
    changed() {
      if (outbox.size === 0) settleJournal()
      parts.told()
    },
  })
  const stamps: Stamps = new Stamps({
    clock,
    store: link === undefined ? undefined : createStampStore(namespace, core.id, clock, link),
    isPending: name => outbox.hasStamp(name),
    onCreated: names => tier.tell(encodeMessage({ kind: 'made', names })),
    firstEpoch: parts.firstEpoch,
  })

  /** What waits for files is of no use in the same directory, and what waits for Redis is none of theirs. */
  const journal = (): Journal | undefined =>
    tier.role === 'spare' || place.backend === 'filesystem' ? undefined : core.journal

  async function record(targets: readonly string[]): Promise<void> {
    try {
      await journal()?.append(targets)
    } catch (error) {
      reportError(core, 'journal', error)
    }
  }

  /** Nothing waits any more: neither our own lines nor those of the dead are needed. */
  function settleJournal(): void {
    const own = journal()
    if (own === undefined) return
    const done = legacies
    legacies = []
    Promise.all([own.clear(), ...done.map(legacy => legacy.settle())]).catch((error: unknown) =>
      reportError(core, 'journal', error),
    )
  }

  async function inherit(): Promise<void> {
    try {
      const legacy = await journal()?.inherit()
      if (legacy === undefined) return
      if (legacy.lines.length > 0) legacies.push(legacy)
      // Who is back first tells what all know of, or would read what a neighbour has deleted.
      const targets = [...new Set([...legacy.lines, ...legacy.neighbours])]
      if (targets.length > 0) outbox.take(targets)
    } catch (error) {
      reportError(core, 'journal', error)
    }
  }

  async function identify(): Promise<string | undefined> {
    const askedAt = clock.now()
    const found = await link?.reach(async one => one.identity?.())
    if (identity === undefined || found === identity) confirmedAt = askedAt
    return found
  }

  async function isSameServer(): Promise<boolean> {
    const found = await identify()
    return identity === undefined || found === identity
  }

  /** Before the store is read again: it is told what it missed, and what another server in its place may have lost. */
  async function recover(): Promise<void> {
    if (!without.has('flush')) forgetEverything(core, tier)
    serving = 0
    trust = bus !== undefined && isHeard ? bus : store === undefined ? NO_DOUBT : ALL_DOUBT
    // First of all the bus: who is told something now must be able to pass it on.
    await hear()
    if (tier.role === 'spare') return beginAnew()
    const found = await identify()
    if (identity !== undefined && found !== identity && !without.has('replay')) outbox.take(recents.within())
    identity = found
    // Whoever uses it already was never told of anything by this process.
    if (tier.role === 'scout') outbox.take([WIDEST])
    await inherit()
    // A store that refuses is well: what waits is passed over by readers here, and tried again.
    while (outbox.size > 0 && (await outbox.drain())) continue
  }

  /** What a spare tier holds is from another outage, or from caches that go on in this one: none of it was told of what happened since. */
  async function beginAnew(): Promise<void> {
    outbox.clear()
    const tickets = outbox.put([WIDEST])
    await tier.deliver([WIDEST])
    outbox.delivered(tickets)
  }

  /** A bus that does not answer must not hold up the store that does; until it answers the near tier stays off. */
  async function hear(): Promise<void> {
    if (store === undefined || bus !== undefined) return
    const opened = store.openBus(namespace)
    bus = opened
    const listening = listen(core, tier, opened, {
      heard() {
        trust = opened
        isHeard = true
        parts.told()
      },
      isOver: () => isClosed,
      lost(reason) {
        if (clock.now() < serving) return
        forgetEverything(core, tier)
        core.loadPolicies()
        core.events.emit('flush', { reason })
        parts.told()
      },
    })
    await within(
      clock,
      deadline,
      () => listening,
      () => undefined,
    )
  }

  const tier: ManagedTier = {
    backend: place.backend,
    name: store?.name ?? 'memory',
    place,
    role: parts.role,
    link,
    stamps,
    outbox,
    leases: createLeases(clock, link),
    get bus() {
      return bus
    },
    get trust() {
      return trust
    },
    usable: () => link === undefined || link.usable(),
    async start() {
      await link?.start()
    },
    async inherit() {
      await inherit()
      await outbox.drain().catch(() => undefined)
    },
    serveUntil(moment) {
      serving = moment
      trust = { trustedUntil: moment, poll: () => false }
    },
    async deliver(targets) {
      if (link === undefined) return
      const { keys, stamps: names, patterns, documents, flush } = sortTargets(targets)
      if (keys.length > 0) {
        await link.reach(one => one.delete(keys))
        tier.tell(encodeMessage({ kind: 'keys', names: keys }))
      }
      if (names.length > 0) await shareStamps(names)
      for (const pattern of patterns) {
        const rule = await stamps.shareRule(ruleOf(pattern))
        tier.tell(encodeMessage({ kind: 'stamps', names: [NAMESPACE] }))
        sweeper.behind(pattern.type, rule)
      }
      if (documents.length > 0) await markDocuments(link, documents)
      if (flush) await publishFlush()
    },
    acknowledged(targets) {
      if (tier.role === 'home') recents.add(targets)
    },
    tell,
    sweepBehind: type => sweeper.behind(type),
    async close() {
      isClosed = true
      sweeper.close()
      outbox.close()
      link?.close()
      tier.leases.close()
      // A message that hangs is not waited for longer than any other call.
      await within(
        clock,
        deadline,
        () => Promise.all(telling),
        () => [],
      )
      await bus?.close().catch((error: unknown) => reportError(core, 'bus', error))
      if (place.owned) await store?.close().catch((error: unknown) => reportError(core, 'close', error))
    },
  }

  const sweeper: Sweeper = createSweeper(core, tier)

  /** A bus that takes nothing is no failure of the store: what waits for it does not hold the rest up. */
  async function publishFlush(): Promise<void> {
    try {
      await bus?.publish(FLUSH)
    } catch (cause) {
      throw new PalierError('PALIER_STORE_REFUSED', 'the bus takes no message', { cause })
    }
  }

  async function markDocuments(to: Link, documents: readonly string[]): Promise<void> {
    try {
      await Promise.all(documents.map(full => to.reach(one => one.set(full, markOf(core, full), MARK_TTL))))
    } catch (error) {
      // There may be no room for a mark where there is always leave to delete; the mark stays to be made.
      if (isRefusal(error)) await to.reach(one => one.delete(documents))
      throw error
    }
  }

  async function shareStamps(names: readonly string[]): Promise<void> {
    try {
      await stamps.share(names)
    } catch (error) {
      // There may be no room for a new stamp where there is always leave to delete one.
      if (!isRefusal(error)) throw error
      await stamps.withdraw(names)
    }
    tier.tell(encodeMessage({ kind: 'stamps', names }))
  }

  function tell(text: string): void {
    if (bus === undefined) return
    const told: Promise<unknown> = bus
      .publish(text)
      .catch((error: unknown) => {
        reportError(core, 'bus', error)
        // What exactly was not told does not matter: once it can be heard again, everybody forgets everything.
        outbox.take([FLUSH_TARGET])
      })
      .finally(() => telling.delete(told))
    telling.add(told)
  }

  return tier
}

/** From now on these are not believed: fresh stamps, and rules that kill before they have a number. */
function begin(stamps: Stamps, targets: readonly string[]): void {
  const { stamps: names, patterns } = sortTargets(targets)
  if (names.length > 0) stamps.renew(names)
  for (const pattern of patterns) stamps.pendRule(patternTarget(pattern), ruleOf(pattern))
}

const ruleOf = ({ glob, type }: Pattern): Omit<Rule, 'n'> => (type === undefined ? { glob } : { glob, type })
