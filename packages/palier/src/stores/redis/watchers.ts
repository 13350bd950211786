import type { Clock } from '../../clock.ts'
import type { ConnectionListener } from '../../store.ts'

/** Those who want to hear of the connections of one port. */
export interface Watchers extends ConnectionListener {
  add(listener: ConnectionListener): () => void
  readonly size: number
}

export function createWatchers(): Watchers {
  // Wrapped, so that a listener given twice is told twice and taken off once.
  const all = new Set<{ readonly listener: ConnectionListener }>()
  return {
    get size() {
      return all.size
    },
    add(listener) {
      const entry = { listener }
      all.add(entry)
      return () => void all.delete(entry)
    },
    lost(reason) {
      for (const { listener } of [...all]) listener.lost(reason)
    },
    ready() {
      for (const { listener } of [...all]) listener.ready()
    },
  }
}

/** The longest interval between two looks for another server while one goes on answering that it is a replica. */
const LONGEST = 16_000
const SHORTEST = 1000

/**
 * Says yes at once, after a second, after another one, and then at intervals that double up to 16 s; from the beginning
 * when nothing was asked for twice the longest interval.
 */
export function createSpacing(clock: Clock): () => boolean {
  let interval = 0
  let nextAt = Number.NEGATIVE_INFINITY
  let repeats = 0
  let askedAt = Number.NEGATIVE_INFINITY
  return () => {
    const now = clock.now()
    if (now - askedAt > 2 * LONGEST) repeats = 0
    askedAt = now
    if (now < nextAt && repeats > 0) return false
    interval = Math.min(LONGEST, SHORTEST * 2 ** Math.max(0, repeats - 1))
    repeats++
    nextAt = now + interval
    return true
  }
}
