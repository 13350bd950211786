/** A stamp as an entry carries it. */
export interface Stamped {
  readonly name: string
  readonly value: string
}

/**
 * A value with its times, as the near tier keeps it. A class, because millions of one shape are read on the hottest
 * path; all instants are whole monotonic milliseconds, so that they need no boxed number.
 */
export class Entry {
  /** What a reader gets: a frozen plain value, or a private original that is copied for each reader. */
  readonly value: unknown
  readonly plain: boolean
  readonly size: number
  /** When its load began, as far as this process knows. */
  readonly loadedAt: number
  freshUntil: number
  deadAt: number
  /** Until here a reader may take the entry without another thought; never after `freshUntil`. */
  quickUntil: number
  /** Its whole ttl, for whoever gives it that again. */
  readonly ttl: number
  /** How long its load took: what early refresh reckons with. */
  readonly cost: number
  readonly stamps: readonly Stamped[]
  readonly mark: number
  /** The epoch of the stamps at which this entry was last found alive; 0: never yet. */
  epoch: number
  /** After a failed refresh: no new try before this. */
  retryAt = 0
  visited = false

  constructor(init: EntryInit) {
    this.value = init.value
    this.plain = init.plain
    this.size = init.size
    this.loadedAt = Math.trunc(init.loadedAt)
    this.freshUntil = Math.trunc(init.freshUntil)
    this.deadAt = Math.trunc(init.deadAt)
    this.ttl = Math.trunc(init.ttl)
    this.cost = Math.trunc(init.cost)
    this.stamps = init.stamps
    this.mark = init.mark
    this.epoch = 0
    this.quickUntil = this.freshUntil - Math.trunc(init.early * this.cost)
  }

  /** How long past its ttl it may be served. */
  get grace(): number {
    return this.deadAt - this.freshUntil
  }

  /** The entry as somebody may hold it who must look again at `until`. */
  limitedTo(until: number): Entry {
    if (until >= this.deadAt) return this
    const freshUntil = Math.min(this.freshUntil, until)
    const { value, plain, size, loadedAt, ttl, cost, stamps, mark } = this
    const times = { loadedAt, freshUntil, deadAt: until, ttl, cost, early: 0 }
    const copy = new Entry({ value, plain, size, stamps, mark, ...times })
    copy.quickUntil = Math.min(this.quickUntil, until)
    copy.retryAt = this.retryAt
    return copy
  }
}

export interface EntryInit {
  readonly value: unknown
  readonly plain: boolean
  readonly size: number
  readonly loadedAt: number
  readonly freshUntil: number
  readonly deadAt: number
  readonly ttl: number
  readonly cost: number
  /** How many times its cost before the end an early refresh may begin; 0 for never. */
  readonly early: number
  readonly stamps: readonly Stamped[]
  readonly mark: number
}

/**
 * Whether this reader should refresh a fresh entry before its end: the nearer the end and the dearer the load, the
 * likelier. XFetch, Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
 */
export function refreshesEarly(entry: Entry, now: number, beta: number, random: number): boolean {
  return beta > 0 && now - entry.cost * beta * Math.log(random) >= entry.freshUntil
}

/** Past this many times `cost * beta` before the end, an early refresh is likelier than one in 20,000 never wanted. */
export const EARLY_REACH = 10
