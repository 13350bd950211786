import type { Clock } from './clock.ts'
import type { Recents } from './recents.ts'
import { FLUSH_TARGET, isDocumentTarget, keyTarget, stampTarget, WIDEST, widened } from './targets.ts'
import { typeStamp } from './key.ts'

/** How often what waits is tried again while the store answers. */
const RETRY_EVERY = 500
/** Targets of each kind that are delivered in one call. */
const KINDS = [
  ['k:', 500],
  ['s:', 100],
  ['p:', 1],
  ['d:', 100],
  ['', 1],
] as const

/** What a later version wrote into the journal is of no kind known here, and delivered all the same. */
const kindOf = (target: string): string => KINDS.find(([kind]) => target.startsWith(kind))?.[0] ?? ''

/** One put of a target; a newer put of the same target has another ticket. */
export interface Ticket {
  readonly target: string
  readonly number: number
}

/**
 * Invalidations the shared store has not acknowledged. While a target waits here, whoever reads it passes the shared
 * store over, so that this process never sees what it deleted; it leaves when the store has taken the deletion. One
 * entry per target, the newest counts. Bounded, and nothing is ever dropped: when there are too many, the deletions of
 * keys become one of their type, and those of groups one of the whole namespace; those of documents stay what they are.
 */
export interface Outbox {
  /** Deliveries that failed and wait to be tried again. */
  readonly size: number
  /** Since when the oldest of them waits, in milliseconds since 1970. */
  readonly oldestAt: number | undefined
  /** True while the shared store may still hold what was deleted under this full key of this type. */
  hasKey(full: string, type: string): boolean
  hasStamp(name: string): boolean
  /** What was put under this target: what a write that takes its place may `drop`. */
  find(target: string): Ticket | undefined
  /** A delivery is about to be made by the caller, who then says `delivered` or `failed`. */
  put(targets: readonly string[]): readonly Ticket[]
  /** They are with the store; a newer one under the same target stays. */
  delivered(tickets: readonly Ticket[]): void
  /** They are not: they wait. Resolves when they would outlive this process, as far as there is a journal. */
  failed(tickets: readonly Ticket[]): Promise<void>
  /** Moot: a write that the store has taken stands in its place. */
  drop(ticket: Ticket | undefined): void
  /** These wait from now on, whoever put them; the journal has them, or need not. */
  take(targets: readonly string[]): void
  /**
   * Tries everything that waits. Resolves with true when all is delivered, with false when the store refused some; rejects
   * when the store failed. Those who ask meanwhile share one run.
   */
  drain(): Promise<boolean>
  /** Forgets everything: the store will never be asked about it. */
  clear(): void
  close(): void
}

export interface OutboxParts {
  readonly clock: Clock
  readonly namespace: string
  readonly recents: Recents
  /** So many targets wait one by one. */
  readonly max: number
  /** Called when a target is put and again before it is retried: what is known about it from before does not count. */
  begin(targets: readonly string[]): void
  /** Tells the store, all of one kind. Rejects if it did not take them. */
  deliver(targets: readonly string[]): Promise<void>
  /** They wait no more. */
  done(targets: readonly string[]): void
  /** False: no use trying now. */
  reachable(): boolean
  isRefusal(error: unknown): boolean
  /** Makes lines durable. Never rejects. */
  record(targets: readonly string[]): Promise<void>
  /** Something waits now, or nothing does any more. */
  changed(): void
  /** Parts of the protocol that are switched off, to show that each is needed. */
  readonly without: ReadonlySet<string>
}

export function createOutbox(parts: OutboxParts): Outbox {
  const { clock, namespace, recents, max, without } = parts
  const known = new Map<string, number>()
  /** Those of the known that failed, and since when; what is tried for the first time is nobody's trouble yet. */
  const waiting = new Map<string, number>()
  /** Those of the waiting that are in the journal, or on their way there. */
  const recorded = new Set<string>()
  /** How many of the waiting are of documents: those are told one by one, however many. */
  let documents = 0
  let numbers = 0
  let draining: Promise<boolean> | undefined
  let cancel: (() => void) | undefined
  let closed = false

  const arm = (): void => {
    // What waits for a store that is out is delivered when it comes back, by whoever lets it in again.
    if (closed || cancel !== undefined || waiting.size === 0 || !parts.reachable()) return
    cancel = clock.after(RETRY_EVERY, () => {
      cancel = undefined
      // What fails is reported where it first happened; what matters now is that the target stays.
      if (parts.reachable()) outbox.drain().catch(() => undefined)
    })
  }

  const isCurrent = ({ target, number }: Ticket): boolean => known.get(target) === number

  const forget = (targets: readonly string[]): void => {
    const before = waiting.size
    for (const target of targets) {
      known.delete(target)
      if (waiting.delete(target) && isDocumentTarget(target)) documents--
      recorded.delete(target)
    }
    parts.done(targets)
    if (before > 0 && waiting.size === 0) parts.changed()
  }

  /** What waits and will kill whatever this one would. */
  const coverOf = (target: string): string | undefined => {
    if (target === WIDEST || target === FLUSH_TARGET || isDocumentTarget(target)) return undefined
    if (waiting.has(WIDEST)) return WIDEST
    const wide = widened(namespace, target)
    return wide !== target && waiting.has(wide) ? wide : undefined
  }

  /** A wider one stands for these: with a new number, because its delivery may be under way since before they were put. */
  const cover = (targets: readonly string[]): readonly string[] => {
    const covers = [...new Set(targets.map(coverOf).filter(wide => wide !== undefined))]
    for (const wide of covers) known.set(wide, ++numbers)
    if (covers.length > 0) parts.begin(covers)
    forget(targets)
    return covers
  }

  /** Returns what waits now for these: themselves, or what stands for them. */
  const wait = (targets: readonly string[]): readonly string[] => {
    const before = waiting.size
    const covered = targets.filter(target => coverOf(target) !== undefined)
    const covers = covered.length > 0 ? cover(covered) : []
    const fresh = targets.filter(target => !waiting.has(target) && !covered.includes(target))
    for (const target of fresh) {
      if (!known.has(target)) known.set(target, ++numbers)
      waiting.set(target, clock.wall())
      if (isDocumentTarget(target)) documents++
    }
    const wide = waiting.size - documents > max ? collapse() : []
    arm()
    if (before === 0 && waiting.size > 0) parts.changed()
    return [...wide, ...[...covers, ...fresh].filter(target => waiting.has(target))]
  }

  /** First every key becomes its type, then whatever is left becomes the namespace. Returns what takes their place. */
  const collapse = (): readonly string[] => {
    const all = [...waiting.keys()].filter(target => target !== FLUSH_TARGET && !isDocumentTarget(target))
    const keys = all.filter(target => target.startsWith('k:'))
    const types = new Set(keys.map(key => widened(namespace, key)))
    const isMuch = all.length - keys.length + types.size > max
    const wide = isMuch ? [WIDEST] : [...types]
    const gone = isMuch ? all.filter(target => target !== WIDEST) : keys
    const oldest = gone.reduce((least, target) => Math.min(least, waiting.get(target) ?? least), clock.wall())
    for (const target of wide) {
      known.set(target, ++numbers)
      waiting.set(target, Math.min(oldest, waiting.get(target) ?? oldest))
    }
    parts.begin(wide)
    forget(gone)
    return wide
  }

  /** Deletions of keys first: there may be many, and they need no room. */
  async function drainAll(): Promise<boolean> {
    let refused = false
    for (const [kind, atOnce] of KINDS) {
      const targets = [...waiting.keys()].filter(target => kindOf(target) === kind)
      for (let from = 0; from < targets.length; from += atOnce) {
        const batch = targets.slice(from, from + atOnce).filter(target => waiting.has(target))
        if (batch.length === 0 || (await tell(batch))) continue
        refused = true
        break
      }
    }
    return !refused
  }

  /** False: the store refused them. */
  async function tell(batch: readonly string[]): Promise<boolean> {
    parts.begin(batch)
    const tickets = batch.map(target => ({ target, number: known.get(target) ?? 0 }))
    try {
      await parts.deliver(batch)
    } catch (error) {
      if (!parts.isRefusal(error)) throw error
      return false
    }
    settle(tickets, !without.has('re-arm'))
    return true
  }

  const settle = (tickets: readonly Ticket[], remember: boolean): void => {
    const targets = tickets.map(({ target }) => target)
    if (remember) recents.add(targets)
    forget(tickets.filter(isCurrent).map(({ target }) => target))
  }

  const outbox: Outbox = {
    get size() {
      return waiting.size
    },
    get oldestAt() {
      let oldest: number | undefined
      for (const at of waiting.values()) if (oldest === undefined || at < oldest) oldest = at
      return oldest
    },
    hasKey: (full, type) =>
      known.size > 0 && (known.has(keyTarget(full)) || known.has(stampTarget(typeStamp(type))) || known.has(WIDEST)),
    hasStamp: name => known.size > 0 && known.has(stampTarget(name)),
    find(target) {
      const number = known.get(target)
      return number === undefined ? undefined : { target, number }
    },
    put(targets) {
      const tickets = targets.map(target => ({ target, number: ++numbers }))
      if (!without.has('outbox')) for (const { target, number } of tickets) known.set(target, number)
      parts.begin(targets)
      return tickets
    },
    delivered: tickets => settle(tickets, true),
    async failed(tickets) {
      const waits = wait(tickets.filter(isCurrent).map(({ target }) => target))
      const fresh = waits.filter(target => !recorded.has(target))
      for (const target of fresh) recorded.add(target)
      if (fresh.length > 0) await parts.record(fresh)
    },
    drop(ticket) {
      if (ticket !== undefined && isCurrent(ticket)) forget([ticket.target])
    },
    take(targets) {
      // With new numbers: a delivery that is under way may be heard by the server before.
      for (const target of targets) known.set(target, ++numbers)
      parts.begin(targets)
      wait(targets)
    },
    drain() {
      draining ??= drainAll().finally(() => {
        draining = undefined
        arm()
      })
      return draining
    },
    clear: () => forget([...known.keys()]),
    close() {
      closed = true
      cancel?.()
    },
  }
  return outbox
}
