import type { Clock } from './clock.ts'

export type Delivery = () => Promise<void>

/** How often what waits is tried again. */
const RETRY_EVERY = 500

/**
 * Invalidations the shared store has not acknowledged. While a target waits here, whoever reads it passes the shared
 * store over, so that this process never sees what it deleted; it leaves when the store has taken the deletion. One
 * entry per target, the newest counts.
 */
export interface Outbox {
  /** Deliveries that failed and wait to be tried again. */
  readonly size: number
  /** True while the shared store may still hold what was deleted under this target. */
  has(target: string): boolean
  /** What was put under this target: the one `drop` may name. */
  find(target: string): Delivery | undefined
  /** A delivery is about to be made by the caller, who then says `drop` or `failed`. The newest of a target counts. */
  put(target: string, deliver: Delivery): void
  /** The delivery failed: it waits, and is tried again now and then. */
  failed(target: string, deliver: Delivery): void
  /** This delivery is done or moot; a newer one under the same target stays. */
  drop(target: string, deliver: Delivery | undefined): void
  /** Tries everything that waits, one after the other, as long as the store may be called. Never rejects. */
  drain(): Promise<void>
  close(): void
}

export interface OutboxHooks {
  /** False: no use trying now. */
  usable(): boolean
  /** Something waits now, or nothing does any more. */
  changed(): void
}

export function createOutbox(clock: Clock, hooks: OutboxHooks): Outbox {
  const known = new Map<string, Delivery>()
  /** Those of the known that failed; what is being tried for the first time is nobody's trouble yet. */
  const waiting = new Set<string>()
  let draining: Promise<void> | undefined
  let cancel: (() => void) | undefined
  let closed = false

  const arm = (): void => {
    if (closed || cancel !== undefined || waiting.size === 0) return
    cancel = clock.after(RETRY_EVERY, () => {
      cancel = undefined
      void outbox.drain()
    })
  }

  async function drainAll(): Promise<void> {
    for (const target of waiting) {
      const deliver = known.get(target)
      try {
        await deliver?.()
      } catch {
        // The failure was reported when it first happened; what matters now is that the target stays.
        if (!hooks.usable()) return
        continue
      }
      outbox.drop(target, deliver)
    }
  }

  const outbox: Outbox = {
    get size() {
      return waiting.size
    },
    has: target => known.size > 0 && known.has(target),
    find: target => known.get(target),
    put: (target, deliver) => void known.set(target, deliver),
    failed(target, deliver) {
      if (known.get(target) !== deliver) return
      waiting.add(target)
      arm()
      if (waiting.size === 1) hooks.changed()
    },
    drop(target, deliver) {
      if (deliver === undefined || known.get(target) !== deliver) return
      known.delete(target)
      if (waiting.delete(target) && waiting.size === 0) hooks.changed()
    },
    drain() {
      draining ??= drainAll().finally(() => {
        draining = undefined
        arm()
      })
      return draining
    },
    close() {
      closed = true
      cancel?.()
    },
  }
  return outbox
}
