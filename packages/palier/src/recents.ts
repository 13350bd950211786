import type { Clock } from './clock.ts'
import { isDocumentTarget, WIDEST, widened } from './targets.ts'

/** How long acknowledged writes may be lost by a server that takes over. Milliseconds. */
const WINDOW = 60_000
/** Kept for longer, because a server that took over is not noticed in the same moment. Milliseconds. */
const UNNOTICED = 10_000
/** So many are remembered one by one; older ones become one of their type, but for those of documents. */
const MOST = 50_000

/**
 * The invalidations the store has acknowledged lately. A server that takes over may have lost the last `WINDOW` before this
 * process lost the connection, so what was acknowledged since then is told to it again. The window is counted back from
 * that moment, not from now, because an outage may last longer than the window; and what is told again counts as acknowledged
 * anew, because the next server may fail too.
 */
export interface Recents {
  add(targets: readonly string[]): void
  /** The connection was last known to be good at this monotonic moment: nothing acknowledged in the window before it is forgotten until `thaw`. */
  freeze(at: number): void
  thaw(): void
  /** What a server that has taken over may not know. */
  within(): readonly string[]
}

export interface RecentsOptions {
  readonly clock: Clock
  readonly namespace: string
  /** `window` counts back from now, to show what that would break. */
  readonly without: ReadonlySet<string>
}

/** For a store that never has another server in its place. */
export const NO_RECENTS: Recents = {
  add: () => undefined,
  freeze: () => undefined,
  thaw: () => undefined,
  within: () => [],
}

export function createRecents({ clock, namespace, without }: RecentsOptions): Recents {
  /** By target, in the order of the acknowledgements. */
  const acknowledged = new Map<string, number>()
  /** Deleted documents apart: nothing wider stands for one. */
  const documents = new Map<string, number>()
  let frozenAt: number | undefined

  const start = (): number => (without.has('window') ? clock.now() : (frozenAt ?? clock.now())) - WINDOW

  const prune = (): void => {
    const before = start() - UNNOTICED
    for (const known of [acknowledged, documents]) {
      for (const [target, at] of known) {
        if (at >= before) break
        known.delete(target)
      }
    }
  }

  /** The older half, each key as its whole type: more misses after a failover, and nothing forgotten. */
  const widen = (): void => {
    const wide = new Map<string, number>()
    let left = MOST / 2
    for (const [target, at] of acknowledged) {
      if (left-- <= 0) break
      acknowledged.delete(target)
      wide.set(widened(namespace, target), at)
    }
    const newer = [...acknowledged]
    acknowledged.clear()
    // More types than that are no types: then it is everything.
    const older: [string, number][] = wide.size < MOST / 2 ? [...wide] : [[WIDEST, Math.max(...wide.values())]]
    for (const [target, at] of [...older, ...newer]) {
      acknowledged.delete(target)
      acknowledged.set(target, at)
    }
  }

  return {
    add(targets) {
      const now = clock.now()
      for (const target of targets) {
        const known = isDocumentTarget(target) ? documents : acknowledged
        known.delete(target)
        known.set(target, now)
      }
      prune()
      while (acknowledged.size > MOST) widen()
    },
    freeze(at) {
      frozenAt ??= at
    },
    thaw() {
      frozenAt = undefined
    },
    within() {
      const since = start()
      return [...acknowledged, ...documents].filter(([, at]) => at >= since).map(([target]) => target)
    },
  }
}
