import type { Clock } from '../clock.ts'
import { badOption } from '../errors.ts'
import type { MissReason } from '../events.ts'
import { type Counts, errorsOf, hitRate, readsOf, type TypeCounts } from './counts.ts'
import type { MonitoredCache } from './sampler.ts'

export type HistoryRange = 'minutes' | 'hours' | 'days'

/** What all processes together did in one stretch of time. */
export interface HistoryBucket {
  /** When it began, in milliseconds since 1970. */
  readonly at: number
  /** False: no process counted in it, so nothing is known; that is a gap, and no zero. */
  readonly known: boolean
  readonly reads: number
  readonly hits: number
  readonly stale: number
  readonly misses: number
  readonly loads: number
  readonly loadErrors: number
  readonly errors: number
  /** Milliseconds that factories ran. */
  readonly loadMs: number
  /** Milliseconds that factories did not have to run: each hit and stale hit counts as one load of its type took on average. */
  readonly savedMs: number
  readonly missReasons: Readonly<Record<MissReason, number>>
  /** Hits in a hundred reads; undefined below 200 reads, of which nothing can be said. */
  readonly rate: number | undefined
}

export interface HistoryView {
  readonly range: HistoryRange
  /** Milliseconds of a bucket. */
  readonly step: number
  /** Oldest first, without a hole: the last one is still filling. */
  readonly buckets: readonly HistoryBucket[]
}

/** One of the rings of the history, and what it takes. */
export interface HistoryKept {
  readonly name: 'minutes' | 'minutes-of-types' | 'hours' | 'days'
  /** Milliseconds of a bucket, and for how long buckets are kept. */
  readonly step: number
  readonly keep: number
  /** There are that many now; in a directory each is a file. */
  readonly documents: number
  /** Of their text before it is encoded: about what they take. */
  readonly bytes: number
}

/** Fewer reads than this say nothing about a hit rate. */
const LEAST_READS = 200

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The frequent ones first: zeros at the end of a row are not kept. */
const REASONS: readonly MissReason[] = ['absent', 'expired', 'invalidated', 'forced', 'store', 'damaged', 'disabled']

/** Hits, stale, misses, loads, load errors, errors, milliseconds of loads, milliseconds saved, misses by `REASONS`. */
type Row = readonly number[]
/** By type; the total is under the empty name. */
type Rows = Readonly<Record<string, Row>>

/** A stretch of buckets in one document, so that what ends, ends as a whole. */
interface Page {
  readonly slots: Readonly<Record<string, Rows>>
  /** The number of the last addition of each process: one that comes twice counts once. Newest last. */
  readonly heard: readonly (readonly [string, number])[]
}

/** One of the rings: how long a bucket and a page are, how long both are kept, and of what. */
interface Ring {
  readonly name: HistoryKept['name']
  readonly step: number
  readonly page: number
  readonly keep: number
  readonly holds: 'total' | 'types' | 'both'
}

const RINGS: readonly Ring[] = [
  { name: 'minutes', step: MINUTE, page: HOUR, keep: DAY, holds: 'total' },
  { name: 'minutes-of-types', step: MINUTE, page: HOUR, keep: 6 * HOUR, holds: 'types' },
  { name: 'hours', step: HOUR, page: DAY, keep: 30 * DAY, holds: 'both' },
  { name: 'days', step: DAY, page: 20 * DAY, keep: 400 * DAY, holds: 'both' },
]

/** More processes than add to one page between two additions of the slowest. */
const HEARD = 64
/** Pages that wait for a backend that is out: one hour of it, and a little. */
const WAITING = 16

const TOTAL = ''
const NO_ROW: Row = [0, 0, 0, 0, 0, 0, 0]

/** `total`: what was counted of the type since the process began, which says how long a load of it takes. */
const rowOf = (type: TypeCounts, total: TypeCounts = type): Row => {
  const { hits, stale, misses } = readsOf({ type })
  const { load } = total
  const saved = load.count === 0 ? 0 : ((hits + stale) * load.total) / load.count
  const times = [Math.round(type.load.total), Math.round(saved)]
  const reasons = REASONS.map(reason => type.misses[reason])
  return [hits, stale, misses, type.loads, type.loadErrors, type.errors, ...times, ...reasons]
}

const addRows = (a: Row = [], b: Row = []): Row =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0))

function addAll(a: Rows = {}, b: Rows = {}): Rows {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...names].map(name => [name, addRows(a[name], b[name])]))
}

function addSlots(a: Page['slots'], b: Page['slots']): Page['slots'] {
  const slots = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...slots].map(slot => [slot, addAll(a[slot], b[slot])]))
}

const trimmed = (row: Row): Row => row.slice(0, row.findLastIndex(one => one > 0) + 1)

function rowsOf(counts: Counts, totals: Counts, holds: Ring['holds']): Rows {
  const types = Object.entries(counts.types).map(([name, type]): [string, Row] => [
    name,
    rowOf(type, totals.types[name]),
  ])
  const sum = types.reduce<Row>((all, [, row]) => addRows(all, row), NO_ROW)
  // Not every error belongs to a type.
  const total = trimmed(sum.map((one, i) => (i === 5 ? errorsOf(counts) : one)))
  const used = types.map(([name, row]): [string, Row] => [name, trimmed(row)]).filter(([, row]) => row.length > 0)
  return { ...(holds !== 'types' && { [TOTAL]: total }), ...(holds !== 'total' && Object.fromEntries(used)) }
}

function bucketOf(at: number, row: Row | undefined): HistoryBucket {
  const [hits = 0, stale = 0, misses = 0, loads = 0, loadErrors = 0, errors = 0, loadMs = 0, savedMs = 0, ...by] =
    row ?? []
  const reads = hits + stale + misses
  const rate = hitRate({ reads, hits, stale }, LEAST_READS)
  const counted = { reads, hits, stale, misses, loads, loadErrors, errors, loadMs, savedMs }
  const missReasons = Object.fromEntries(REASONS.map((reason, i) => [reason, by[i] ?? 0]))
  return { at, known: row !== undefined, ...counted, missReasons: missReasons as HistoryBucket['missReasons'], rate }
}

/** What is to be added to one page: what was sent and not acknowledged, and what came since. */
interface Waiting {
  readonly ring: Ring
  /** Number of the page: its time divided by its length. */
  readonly page: number
  sent: { readonly number: number; readonly slots: Page['slots'] } | undefined
  later: Page['slots']
}

export interface History {
  /** Adds what was counted since the last call, to now. `totals`: what was counted since the process began, if that is not all. */
  add(counts: Counts, totals?: Counts): void
  /** Brings what waits to the backend. Rejects when it does not take it; then it waits on, for an hour at most. */
  flush(): Promise<void>
  /** True when something was read, or failed, since the last flush. */
  pending(): boolean
  /** Rejects when the backend cannot be asked. */
  view(range: HistoryRange, type: string | undefined): Promise<HistoryView>
  /** What the rings take in the backend. Reads all of it; rejects when the backend cannot be asked. */
  kept(): Promise<readonly HistoryKept[]>
  /** The median hit rate of this hour of the day over the seven days before; undefined where nothing is known. */
  usual(): Promise<number | undefined>
}

export function createHistory(cache: MonitoredCache, clock: Clock): History {
  const pages = cache.documents<Page>('monitor.history')
  const waiting = new Map<string, Waiting>()
  let numbers = 0

  const idOf = (ring: Ring, page: number): string => `${ring.name}:${page}`

  function add(counts: Counts, totals: Counts = counts): void {
    const now = clock.wall()
    for (const ring of RINGS) {
      const page = Math.floor(now / ring.page)
      const id = idOf(ring, page)
      const one: Waiting = waiting.get(id) ?? { ring, page, sent: undefined, later: {} }
      one.later = addSlots(one.later, { [Math.floor(now / ring.step)]: rowsOf(counts, totals, ring.holds) })
      waiting.set(id, one)
    }
    for (const id of [...waiting.keys()].slice(0, Math.max(0, waiting.size - WAITING))) waiting.delete(id)
  }

  async function bring(id: string, one: Waiting): Promise<void> {
    one.sent ??= { number: ++numbers, slots: one.later }
    const { number, slots } = one.sent
    if (slots === one.later) one.later = {}
    await pages.change(id, before => {
      const heard = before?.value.heard ?? []
      if ((heard.find(([name]) => name === cache.id)?.[1] ?? 0) >= number) return undefined
      const others = heard.filter(([name]) => name !== cache.id).slice(1 - HEARD)
      const value: Page = {
        slots: addSlots(before?.value.slots ?? {}, slots),
        heard: [...others, [cache.id, number]],
      }
      return { value, ttl: one.ring.keep + one.ring.page }
    })
    one.sent = undefined
    if (Object.keys(one.later).length === 0) waiting.delete(id)
  }

  async function flush(): Promise<void> {
    const done = await Promise.allSettled([...waiting].map(([id, one]) => bring(id, one)))
    const failed = done.find(one => one.status === 'rejected')
    const reason: unknown = failed?.reason
    if (failed !== undefined) throw reason
  }

  /** A page with what waits here for it. */
  async function read(ring: Ring, page: number): Promise<Page['slots']> {
    const id = idOf(ring, page)
    // What waits may be on its way: it is added here only if the page does not have it yet.
    const { sent, later = {} } = waiting.get(id) ?? {}
    const sentBefore = numbers
    const stored = (await pages.read(id))?.value
    const heard = stored?.heard.find(([name]) => name === cache.id)?.[1] ?? 0
    const mine = addSlots(sent === undefined || heard >= sent.number ? {} : sent.slots, heard > sentBefore ? {} : later)
    return addSlots(stored?.slots ?? {}, mine)
  }

  async function slotsOf(ring: Ring, from: number, to: number): Promise<Page['slots']> {
    const first = Math.floor(from / ring.page)
    const count = Math.floor(to / ring.page) - first + 1
    const all = await Promise.all(Array.from({ length: count }, (_, i) => read(ring, first + i)))
    return Object.assign({}, ...all) as Page['slots']
  }

  function ringOf(range: HistoryRange, type: string | undefined): Ring {
    const name = range === 'minutes' && type !== undefined ? 'minutes-of-types' : range
    const ring = RINGS.find(one => one.name === name)
    if (ring === undefined) throw badOption('range', "'minutes', 'hours' or 'days'", range)
    return ring
  }

  async function view(range: HistoryRange, type: string | undefined): Promise<HistoryView> {
    const ring = ringOf(range, type)
    const { step, keep } = ring
    const last = Math.floor(clock.wall() / step)
    const first = last - keep / step + 1
    const slots = await slotsOf(ring, first * step, last * step)
    const bucket = (at: number): HistoryBucket => {
      const rows = slots[at]
      // A type that was not used while others were is no gap.
      const row = type === undefined ? rows?.[TOTAL] : (rows?.[type] ?? (rows === undefined ? undefined : []))
      return bucketOf(at * step, row)
    }
    return { range, step, buckets: Array.from({ length: last - first + 1 }, (_, i) => bucket(first + i)) }
  }

  async function kept(): Promise<readonly HistoryKept[]> {
    const now = clock.wall()
    return Promise.all(
      RINGS.map(async ({ name, step, page, keep }) => {
        const last = Math.floor(now / page)
        const ids = Array.from({ length: Math.ceil(keep / page) + 1 }, (_, i) => `${name}:${last - i}`)
        const found = await Promise.all(ids.map(async id => (await pages.read(id))?.value))
        const there = found.filter(one => one !== undefined)
        const bytes = there.reduce((sum, one) => sum + JSON.stringify(one).length, 0)
        return { name, step, keep, documents: there.length, bytes }
      }),
    )
  }

  async function usual(): Promise<number | undefined> {
    const ring = ringOf('hours', undefined)
    const hour = Math.floor(clock.wall() / HOUR)
    const slots = await slotsOf(ring, (hour - 7 * 24) * HOUR, (hour - 1) * HOUR)
    const rates = Array.from({ length: 7 }, (_, i) => bucketOf(0, slots[hour - 24 * (i + 1)]?.[TOTAL]).rate)
    const sorted = rates.filter(rate => rate !== undefined).sort((a, b) => a - b)
    return sorted[sorted.length >> 1]
  }

  return {
    add,
    flush,
    pending: () =>
      [...waiting.values()].some(({ sent, later }) =>
        [sent?.slots, later].some(slots =>
          Object.values(slots ?? {}).some(rows => Object.values(rows).some(row => row.some(one => one > 0))),
        ),
      ),
    view,
    kept,
    usual,
  }
}
