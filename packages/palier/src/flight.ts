import type { Entry, Stamped } from './entry.ts'
import type { MissReason } from './events.ts'

/** What a flight came back with. */
export interface Landing {
  /** What readers get; undefined when the value could not be kept, then `raw` is it. */
  readonly entry: Entry | undefined
  readonly raw: unknown
  readonly outcome: 'hit' | 'stale' | 'miss'
  readonly tier: string
  readonly reason: MissReason
}

/** The stamps as they were when a load began. */
export interface Captured {
  readonly stamps: readonly Stamped[]
  readonly mark: number
}

/**
 * One read or load under way, shared by all who ask for the same key meanwhile. An invalidation detaches it: those
 * already waiting get its result, nobody joins it any more, and it stores nothing.
 */
export class Flight {
  readonly type: string
  readonly key: string
  /** Epoch of the stamps when it began. */
  readonly epoch: number
  readonly startedAt: number
  detached = false
  captured: Captured | undefined
  /** The stamps could not be had: what was invalidated since it began cannot be told. */
  blind = false
  /** Tags the factory named itself: joiners who came after one of them changed may not use the result. */
  late: readonly string[] = []
  /** Something older that may be served if the load fails or is slow. */
  stale: Entry | undefined
  result: Promise<Landing> | undefined
  /** Gives its lease back before it lands: its result is of no use any more, and others need not wait for it. */
  abandon: () => void = () => undefined
  #started: (() => void)[] | undefined = []

  constructor(type: string, key: string, epoch: number, startedAt: number) {
    this.type = type
    this.key = key
    this.epoch = epoch
    this.startedAt = startedAt
  }

  /** The factory runs from now on: soft time-outs count from here. */
  begin(): void {
    const waiting = this.#started ?? []
    this.#started = undefined
    for (const run of waiting) run()
  }

  whenBegun(run: () => void): void {
    if (this.#started === undefined) run()
    else this.#started.push(run)
  }
}

/** Whether anything was invalidated under a key since a moment. */
export interface Watch {
  readonly detached: boolean
  end(): void
}

/** The flights of this process, at most one to join per key. Reads and loads are two books: a load must not join a read. */
export interface Flights {
  find(key: string): Flight | undefined
  /** Makes the flight the one to join for `key`, until it lands or is detached; detaches the one before it. */
  launch(key: string, flight: Flight, run: (flight: Flight) => Promise<Landing>): Promise<Landing>
  /** A flight that nobody joins, to learn whether its key is detached before `end`. */
  watch(key: string): Watch
  detach(key: string): void
  detachWhere(chosen: (flight: Flight) => boolean): void
  readonly size: number
}

export function createFlights(): Flights {
  const open = new Map<string, Flight>()
  const leave = (key: string, flight: Flight): void => {
    if (open.get(key) === flight) open.delete(key)
  }
  return {
    find: key => open.get(key),
    launch(key, flight, run) {
      // The one it takes the place of began before something changed: it could no longer be found to be detached.
      const before = open.get(key)
      if (before !== undefined) {
        before.detached = true
        before.abandon()
      }
      open.set(key, flight)
      const result = run(flight).finally(() => leave(key, flight))
      flight.result = result
      // Every caller may have gone on with a stale value; a rejection nobody waits for is not unhandled.
      result.catch(() => undefined)
      return result
    },
    watch(key) {
      const flight = new Flight('', key, 0, 0)
      const before = open.get(key)
      if (before !== undefined) before.detached = true
      open.set(key, flight)
      return {
        get detached() {
          return flight.detached
        },
        end: () => leave(key, flight),
      }
    },
    detach(key) {
      const flight = open.get(key)
      if (flight === undefined) return
      flight.detached = true
      open.delete(key)
    },
    detachWhere(chosen) {
      for (const [key, flight] of open) {
        if (!chosen(flight)) continue
        flight.detached = true
        open.delete(key)
      }
    },
    get size() {
      return open.size
    },
  }
}
