import type { Bus } from './bus.ts'
import { type Core, reportError, type Trust } from './core.ts'
import { decodeMessage } from './message.ts'
import { sweepNear } from './sweep.ts'
import { NAMESPACE } from './tags.ts'
import { typeOfKey } from './types.ts'

/** Nothing is shared, so nothing can be missed. */
export const NO_DOUBT: Trust = { trustedUntil: Number.POSITIVE_INFINITY, poll: () => true }
/** A shared store without a bus that answers: the near tier is off. */
export const ALL_DOUBT: Trust = { trustedUntil: 0, poll: () => false }

/** How often attaching to the bus is tried again. */
const ATTACH_EVERY = 1000

/** Everything learned so far may be wrong: the near tier, the stamps, and whatever is under way. */
export function forgetEverything(core: Core): void {
  core.near.clear()
  core.stamps.forgetAll()
  core.loads.detachWhere(() => true)
  core.reads.detachWhere(() => true)
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
function sweepRules(core: Core): void {
  core.stamps
    .know([NAMESPACE])
    .then(() => sweepNear(core))
    .catch((error: unknown) => {
      reportError(core, 'stamps', error)
      forgetEverything(core)
    })
}

function hear(core: Core, text: string): void {
  const message = decodeMessage(text)
  if (message === undefined || message.kind === 'flush') forgetEverything(core)
  else if (message.kind === 'made') core.stamps.forgetKnown(message.names)
  else if (message.kind === 'stamps') {
    core.stamps.forget(message.names)
    if (message.names.includes(NAMESPACE)) sweepRules(core)
  } else for (const full of message.names) forgetEntry(core, full)
}

/** Begins to hear the other caches; tries again until it can, or the cache is closed. Resolves after the first try. */
export async function listen(core: Core, bus: Bus, changed: () => void): Promise<void> {
  if (core.closed.signal.aborted) return
  try {
    await bus.attach({
      message: text => hear(core, text),
      lost(reason) {
        forgetEverything(core)
        core.events.emit('flush', { reason })
        changed()
      },
    })
    core.trust = bus
  } catch (error) {
    reportError(core, 'bus', error)
    const again = core.clock.after(ATTACH_EVERY, () => void listen(core, bus, changed))
    core.closed.signal.addEventListener('abort', again, { once: true })
  }
  changed()
}
