import type { Clock } from '../../clock.ts'

/*
 * The wall clock, by which entries and leases end because several processes must agree on it, when somebody may turn
 * it. A process that lives through that sees it: the monotonic clock went on.
 */
export interface Times {
  /** To be called now and then, so that a turn of the clock is seen when it happens. */
  observe(): void
  /**
   * Milliseconds that an entry of this ttl still has, whose end by its writer's clock is `expiresAt`. One that was
   * written in the future is from before the clock was turned back: it is not dropped for that, and gets its ttl once
   * more at most. Whatever the clock does, no entry lives longer than twice its ttl.
   */
  remaining(expiresAt: number, ttl: number): number
  /** The wall clock as it would be now, had it not been turned since the system gave a file the time `changedAt`. */
  wallSince(changedAt: number): number
}

interface Turn {
  /** The system's time when the clock was last seen before it was turned. */
  readonly before: number
  readonly by: number
}

/** Clocks of hosts that share a directory may differ by less than this. */
const SKEW = 60_000
/** What a time server corrects in one go, and what reading two clocks one after the other makes of it. */
const CORRECTION = 1_000
const REMEMBERED = 8
/** Times of files are as coarse as this, and ours as a millisecond: what happened in the moment of a look was before it. */
const COARSE = 5

export function createTimes(clock: Clock): Times {
  let offset = clock.wall() - clock.now()
  let turnedBackAt = clock.now()
  let seenAt = Date.now()
  const turns: Turn[] = []

  const look = (): { readonly now: number; readonly wall: number } => {
    const now = clock.now()
    const wall = clock.wall()
    const system = Date.now()
    const by = wall - now - offset
    if (Math.abs(by) > CORRECTION) {
      if (by < 0) turnedBackAt = now
      // Turned back together with the system's own, the times of files from before and after cannot be told apart.
      if (system >= seenAt) turns.push({ before: Math.min(seenAt + COARSE, system), by })
      if (turns.length > REMEMBERED) turns.shift()
    }
    offset = wall - now
    seenAt = system
    return { now, wall }
  }

  return {
    observe: () => void look(),
    remaining(expiresAt, ttl) {
      const { now, wall } = look()
      const left = Math.min(expiresAt - wall, ttl)
      return expiresAt - ttl > wall + SKEW ? Math.min(left, ttl - (now - turnedBackAt)) : left
    },
    wallSince(changedAt) {
      let { wall } = look()
      for (const { before, by } of turns) if (changedAt <= before) wall -= by
      return wall
    },
  }
}
