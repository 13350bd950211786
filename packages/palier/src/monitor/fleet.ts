import type { Document } from '../documents.ts'
import type { HealthState } from '../events.ts'
import { type Counts, type Gauges, minus, NO_COUNTS, plus, type Sample } from './counts.ts'
import type { ExtraReading } from './extra.ts'
import type { MonitoredCache } from './sampler.ts'

/** One process as it says of itself. */
export interface ProcessReport {
  readonly pid: number
  readonly host: string
  /** What the application calls it. */
  readonly name: string
  /** Of the application. */
  readonly version: string
  /** A digest of the cache's settings: processes that differ in it do not agree. */
  readonly config: string
  /** When its monitor began, in milliseconds since 1970. */
  readonly since: number
  readonly state: HealthState
  readonly reason: string
  readonly backend: string
  /** Bytes of memory it had when it reported; of a process of an older version unknown. */
  readonly rss?: number
}

/** One process of the fleet. */
export interface FleetProcess extends ProcessReport {
  /** Of its cache. */
  readonly id: string
  /** Milliseconds since it last reported. */
  readonly age: number
  readonly sample: Sample
}

/** What the processes of a namespace counted together. */
export interface FleetCounts {
  readonly processes: readonly FleetProcess[]
  /** Of those that live and of those that ended. */
  readonly counts: Counts
  /** False: the backend could not be asked, so of the others this is what was known last. */
  readonly readable: boolean
}

/** What a process keeps in the backend about itself. Once sealed it never changes again. */
interface Slip {
  readonly id: string
  readonly report: ProcessReport
  readonly sample: Sample
  readonly sealed: boolean
}

/** Who is counted one by one, and what those who ended counted. Taken from one to the other in one change. */
interface Roster {
  readonly members: readonly string[]
  readonly ended: Counts
}

/** Longer than a process sleeps on a host that puts it to sleep. */
const SLIP_TTL = 7 * 86_400_000
/** A slip that is in the roster's sum is wanted by an owner that wakes up, and tells it from where to go on. */
const FOLDED_TTL = 3_600_000
const ROSTER_TTL = 60 * 86_400_000
const ROSTER = 'roster'

export interface Fleet {
  /** Tells the others what this process counted. Rejects when the backend does not take it. */
  publish(sample: Sample, report: ProcessReport): Promise<void>
  /** All processes, with `sample` for this one. Takes the counts of those that ended over. Never rejects. */
  read(sample: Sample, report: ProcessReport): Promise<FleetCounts>
  /** As `read` found them last, with `sample` for this one. */
  latest(sample: Sample, report: ProcessReport): FleetCounts
  /** The last word of this process: what it counted is kept without it. Rejects when the backend does not take it. */
  leave(sample: Sample, report: ProcessReport): Promise<void>
}

/**
 * How processes are added up without anybody in charge. Each writes what it counted to a slip of its own, so nobody waits
 * for anybody; whoever finds a slip that is overdue seals it, adds it to the roster's sum and strikes it off, the last two in
 * one compare and set, so that it is added once whoever else tries. An owner that wakes up and finds its slip sealed goes
 * on under another name, from there on. `overdue`: milliseconds of silence after which a process counts as ended.
 */
export function createFleet(cache: MonitoredCache, overdue: number): Fleet {
  const slips = cache.documents<Slip>('monitor.slips')
  const rosters = cache.documents<Roster>('monitor.fleet')
  let run = 1
  /** What runs of this process before this one told, which the roster has. */
  let base: Counts = NO_COUNTS
  let told: Counts | undefined
  let isListed = false
  let known: { readonly others: readonly FleetProcess[]; readonly ended: Counts } = { others: [], ended: NO_COUNTS }

  const nameNow = (): string => (run === 1 ? cache.id : `${cache.id}-${run}`)
  const since = (sample: Sample): Sample => ({ ...sample, counts: minus(sample.counts, base) })

  const renew = (counted: Counts): void => {
    base = plus(base, counted)
    run++
    told = undefined
    isListed = false
  }

  /** Strikes a sealed slip off the roster and adds it there, if nobody else did. */
  async function fold(name: string, counts: Counts): Promise<void> {
    await rosters.change(ROSTER, before => {
      if (before === undefined || !before.value.members.includes(name)) return undefined
      const members = before.value.members.filter(member => member !== name)
      return { value: { members, ended: plus(before.value.ended, counts) }, ttl: ROSTER_TTL }
    })
    await slips.change(name, before =>
      before === undefined || before.remaining <= FOLDED_TTL ? undefined : { value: before.value, ttl: FOLDED_TTL },
    )
  }

  async function enlist(name: string): Promise<void> {
    await rosters.change(ROSTER, before => {
      const { members = [], ended = NO_COUNTS } = before?.value ?? {}
      if (members.includes(name) && (before?.remaining ?? 0) > ROSTER_TTL / 2) return undefined
      return { value: { members: [...new Set([...members, name])], ended }, ttl: ROSTER_TTL }
    })
    isListed = true
  }

  /** What became of the slip of this run: written, or sealed by somebody, or written where one was gone. */
  async function write(sample: Sample, report: ProcessReport): Promise<'written' | 'sealed' | 'gone'> {
    const name = nameNow()
    let wasGone = false
    const slip = await slips.change(name, before => {
      wasGone = before === undefined && told !== undefined
      if (before?.value.sealed === true) return undefined
      return { value: { id: cache.id, report, sample: since(sample), sealed: false }, ttl: SLIP_TTL }
    })
    if (slip?.value.sealed !== true) return wasGone ? 'gone' : 'written'
    const { counts } = slip.value.sample
    await fold(name, counts)
    renew(counts)
    return 'sealed'
  }

  async function publish(sample: Sample, report: ProcessReport): Promise<void> {
    const before = told
    let outcome = await write(sample, report)
    if (outcome === 'gone') {
      // Either the backend lost what it had, and all is told anew, or the slip was sealed, added and forgotten.
      const roster = await rosters.read(ROSTER)
      if (roster !== undefined && before !== undefined && !roster.value.members.includes(nameNow())) {
        renew(before)
        outcome = await write(sample, report)
      } else isListed = false
    }
    if (outcome === 'sealed') await write(sample, report)
    told = since(sample).counts
    if (!isListed) await enlist(nameNow())
  }

  /** Whether this run was ended by somebody who took it for dead: then it goes on as another. */
  async function reconcile(members: readonly string[]): Promise<void> {
    const name = nameNow()
    if (told === undefined || members.includes(name)) return
    const slip = await slips.read(name)
    if (slip === undefined) renew(told)
    else if (slip.value.sealed) renew(slip.value.sample.counts)
    else isListed = false
  }

  const isOverdue = (slip: Document<Slip>): boolean => slip.value.sealed || SLIP_TTL - slip.remaining > overdue

  /** Takes the counts of a process that ended over. */
  async function takeOver(name: string): Promise<void> {
    const slip = await slips.change(name, before =>
      before === undefined || before.value.sealed || !isOverdue(before)
        ? undefined
        : { value: { ...before.value, sealed: true }, ttl: SLIP_TTL },
    )
    if (slip === undefined) await fold(name, NO_COUNTS)
    else if (slip.value.sealed) await fold(name, slip.value.sample.counts)
  }

  const own = (sample: Sample, report: ProcessReport): FleetProcess => ({ ...report, id: cache.id, age: 0, sample })

  function latest(sample: Sample, report: ProcessReport, readable = false): FleetCounts {
    const { others, ended } = known
    // Of this process only what its earlier runs did not already hand over.
    const mine = since(sample).counts
    const counts = others.reduce((sum, one) => plus(sum, one.sample.counts), plus(ended, mine))
    return { processes: [own(sample, report), ...others], counts, readable }
  }

  async function read(sample: Sample, report: ProcessReport): Promise<FleetCounts> {
    try {
      const roster = await rosters.read(ROSTER)
      const { members = [], ended = NO_COUNTS } = roster?.value ?? {}
      if (roster === undefined || roster.remaining < ROSTER_TTL / 2) isListed = false
      else await reconcile(members)
      const names = members.filter(name => name !== nameNow())
      const found = await Promise.all(names.map(async name => ({ name, slip: await slips.read(name) })))
      const gone = found.filter(({ slip }) => slip === undefined || isOverdue(slip))
      known = {
        others: found.flatMap(({ slip }): FleetProcess[] => {
          if (slip === undefined || isOverdue(slip)) return []
          const { id, report: theirs, sample: counted } = slip.value
          return [{ ...theirs, id, age: SLIP_TTL - slip.remaining, sample: counted }]
        }),
        ended: gone.reduce((sum, { slip }) => (slip === undefined ? sum : plus(sum, slip.value.sample.counts)), ended),
      }
      const answer = latest(sample, report, true)
      // What is added up is right without it: it only has to happen some time.
      await Promise.all(gone.map(({ name }) => takeOver(name))).catch(() => undefined)
      return answer
    } catch {
      return latest(sample, report)
    }
  }

  async function leave(sample: Sample, report: ProcessReport): Promise<void> {
    await publish(sample, report)
    const name = nameNow()
    const slip = await slips.change(name, before =>
      before === undefined ? undefined : { value: { ...before.value, sealed: true }, ttl: SLIP_TTL },
    )
    if (slip !== undefined) await fold(name, slip.value.sample.counts)
  }

  let last: Promise<unknown> = Promise.resolve()
  /** One at a time: each goes by what the one before it found. */
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const next = last.then(run)
    last = next.catch(() => undefined)
    return next
  }

  return {
    publish: (sample, report) => inTurn(() => publish(sample, report)),
    read: (sample, report) => inTurn(() => read(sample, report)),
    latest: (sample, report) => latest(sample, report),
    leave: (sample, report) => inTurn(() => leave(sample, report)),
  }
}

type Numbers = Readonly<Record<string, number>>

function joinRecords(records: readonly Numbers[], join: (a: number, b: number) => number): Numbers {
  const joined: Record<string, number> = {}
  for (const [name, value] of records.flatMap(record => Object.entries(record))) {
    const before = joined[name]
    joined[name] = before === undefined ? value : join(before, value)
  }
  return joined
}

/** The gauges of several processes as one: added up, or the worst where adding makes no sense. */
export function mergeGauges(processes: readonly FleetProcess[], known: ExtraReading['known']): Gauges {
  const all = processes.map(one => one.sample.gauges)
  const add = (a: number, b: number): number => a + b
  const sum = (pick: (gauges: Gauges) => number): number => all.reduce((total, one) => total + pick(one), 0)
  const extraOf = (name: string): Numbers =>
    joinRecords(
      all.map(one => one.extra[name] ?? {}),
      known[name]?.fleet === 'max' ? Math.max : add,
    )
  const names = new Set(all.flatMap(one => Object.keys(one.extra)))
  return {
    near: { entries: sum(one => one.near.entries), bytes: sum(one => one.near.bytes) },
    pending: sum(one => one.pending),
    // One process that is cut off is worth knowing.
    up: joinRecords(
      all.map(one => one.up),
      Math.min,
    ),
    extra: Object.fromEntries([...names].map(name => [name, extraOf(name)])),
  }
}
