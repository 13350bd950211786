import type { Clock } from './clock.ts'

/** How often what waits is tried again. */
const RETRY_EVERY = 500

/**
 * Invalidations the shared store has not acknowledged. While a target waits here, whoever reads it passes the shared
 * store over, so that this process never sees what it deleted; it leaves when the store has taken the deletion. One
 * entry per target, the newest counts.
 */
export interface Outbox {
  readonly size: number
  /** True while the shared store may still hold what was deleted under this target. */
  has(target: string): boolean
  /** Keeps `deliver` until it resolves, trying it now and then. */
  put(target: string, deliver: () => Promise<void>): void
  /** A newer, acknowledged mutation of the target makes the waiting one moot. */
  drop(target: string): void
  /** Tries everything that waits, one after the other; stops at the first that fails. Never rejects. */
  drain(): Promise<void>
  close(): void
}

export function createOutbox(clock: Clock): Outbox {
  const waiting = new Map<string, () => Promise<void>>()
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
    for (const [target, deliver] of waiting) {
      try {
        await deliver()
      } catch {
        // The failure was reported when it first happened; what matters now is that the target stays.
        return
      }
      if (waiting.get(target) === deliver) waiting.delete(target)
    }
  }

  const outbox: Outbox = {
    get size() {
      return waiting.size
    },
    has: target => waiting.size > 0 && waiting.has(target),
    put(target, deliver) {
      waiting.set(target, deliver)
      arm()
    },
    drop: target => void waiting.delete(target),
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
