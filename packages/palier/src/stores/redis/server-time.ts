import type { Clock } from '../../clock.ts'

/*
 * A write that was sent may be carried out long after its caller was told that it failed: when a frozen server wakes, or when
 * the kernel at last delivers what a connection that is given up had sent. Nothing this process does can take it back, and what
 * was deleted meanwhile would be there again. So a write that needs no lease says until when it may happen, by the server's
 * own clock; the server's answers tell how far that is from ours.
 */
export interface ServerTime {
  /** The last moment for a write sent now, in the server's milliseconds since 1970; 0 while nothing is known of its clock. */
  latest(): number
  /** The server has just answered and said its time. */
  learn(serverNow: number): void
}

/** `deadline`: milliseconds in which the caller of a write is answered, one way or the other. */
export function createServerTime(clock: Clock, deadline: number): ServerTime {
  /** The server's clock less ours, at least: it was that much when it said so, and the answer took some time. */
  let ahead: number | undefined
  return {
    latest: () => (ahead === undefined ? 0 : Math.floor(clock.now() + ahead + deadline)),
    learn(serverNow) {
      const found = serverNow - clock.now()
      // A slow answer says less than an earlier quick one, unless a clock was set.
      const jumped = ahead === undefined || Math.abs(found - ahead) > deadline
      ahead = jumped ? found : Math.max(found, ahead ?? found)
    },
  }
}
