import type { Clock } from '../../clock.ts'

/** The wall clock as the ends of entries are measured by it, when somebody may turn it. */
export interface Times {
  wall(): number
  /**
   * Milliseconds that an entry of this ttl still has, whose end by its writer's clock is `expiresAt`. One that was
   * written in the future is from before the clock was turned back: of those, none is dropped for that, and none
   * lives longer than its ttl from then on, as far as this process has seen.
   */
  remaining(expiresAt: number, ttl: number): number
}

/** Clocks of hosts that share a directory may differ by less than this. */
const SKEW = 60_000
/** What a time server corrects in one go, and what reading two clocks one after the other makes of it. */
const CORRECTION = 1_000

export function createTimes(clock: Clock): Times {
  let offset = clock.wall() - clock.now()
  let turnedBackAt = clock.now()

  return {
    wall: () => clock.wall(),
    remaining(expiresAt, ttl) {
      const now = clock.now()
      const wall = clock.wall()
      if (wall - now < offset - CORRECTION) turnedBackAt = now
      offset = wall - now
      const left = Math.min(expiresAt - wall, ttl)
      return expiresAt - ttl > wall + SKEW ? Math.min(left, ttl - (now - turnedBackAt)) : left
    },
  }
}
