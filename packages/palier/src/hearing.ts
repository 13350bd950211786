import type { Bus } from './bus.ts'
import { type Core, reportError, type Tier } from './core.ts'
import { NAMESPACE, stampTarget } from './key.ts'
import { decodeMessage } from './message.ts'
import { sweepNear } from './sweep.ts'
import { typeOfKey } from './types.ts'

/** How often attaching to the bus is tried again. */
const ATTACH_EVERY = 1000

/** Everything in this process's memory, and whatever is under way, may be wrong. */
export function forgetNearTier(core: Core): void {
  core.near.clear()
  core.loads.detachWhere(() => true)
  core.reads.detachWhere(() => true)
}

/** Everything learned through this tier may be wrong. */
export function forgetEverything(core: Core, tier: Tier): void {
  tier.stamps.forgetAll()
  if (core.tier === tier) forgetNearTier(core)
}

function forgetEntry(core: Core, full: string): void {
  core.loads.detach(full)
  core.reads.detach(full)
  const found = typeOfKey(core.types, core.namespace, full)
  if (found === undefined) return
  const { type, id } = found
  if (id.startsWith(':')) type.space.delete(id.slice(1))
  else type.subjects.delete(id)
}

/**
 * A new rule may be dropped again before an entry it killed is ever read here: what the near tier holds is judged now. If
 * the rule cannot be had, everything near might be dead.
 */
function sweepRules(core: Core, tier: Tier): void {
  tier.stamps
    .know([NAMESPACE])
    .then(() => sweepNear(core))
    .catch((error: unknown) => {
      reportError(core, 'stamps', error)
      forgetEverything(core, tier)
    })
}

/** Patterns come with the stamp of the namespace, so `all` may mean less than all. */
function tellHeard(core: Core, stampNames: readonly string[]): void {
  if (!core.events.wants('heard')) return
  const targets = stampNames.map(stampTarget)
  if (targets.some(({ target }) => target === 'all')) core.events.emit('heard', { target: 'all', names: [] })
  for (const target of ['tag', 'type'] as const) {
    const names = targets.flatMap(one => (one.target === target && one.name !== undefined ? [one.name] : []))
    if (names.length > 0) core.events.emit('heard', { target, names })
  }
}

function hear(core: Core, tier: Tier, text: string): void {
  const message = decodeMessage(text)
  if (message === undefined || message.kind === 'flush') forgetEverything(core, tier)
  else if (message.kind === 'policies') core.loadPolicies()
  else if (message.kind === 'made') tier.stamps.forgetKnown(message.names)
  else if (message.kind === 'stamps') {
    tier.stamps.forget(message.names)
    if (message.names.includes(NAMESPACE)) sweepRules(core, tier)
    tellHeard(core, message.names)
  } else for (const full of message.names) forgetEntry(core, full)
}

export interface HearingHooks {
  /** Messages may have been missed. */
  lost(reason: string): void
  /** The tier is heard from now on. */
  heard(): void
  /** True once nobody wants to hear it any more. */
  isOver(): boolean
}

/** Begins to hear the other caches of a tier; tries again until it can, or the cache is closed. Resolves after the first try. */
export async function listen(core: Core, tier: Tier, bus: Bus, hooks: HearingHooks): Promise<void> {
  if (core.closed.signal.aborted || hooks.isOver()) return
  try {
    await bus.attach({ message: text => hear(core, tier, text), lost: hooks.lost })
    hooks.heard()
  } catch (error) {
    if (hooks.isOver()) return
    reportError(core, 'bus', error)
    const { signal } = core.closed
    const cancel = core.clock.after(ATTACH_EVERY, () => {
      signal.removeEventListener('abort', cancel)
      void listen(core, tier, bus, hooks)
    })
    signal.addEventListener('abort', cancel, { once: true })
  }
}
