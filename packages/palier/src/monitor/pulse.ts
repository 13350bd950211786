import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import type { Status } from '../cache.ts'
import { within } from '../clock.ts'
import { PalierError } from '../errors.ts'
import type { HealthState } from '../events.ts'
import { oneLine, summaryLine } from '../log.ts'
import { LATENCY_BOUNDS } from '../stats.ts'
import type { Alerts } from './alerts.ts'
import {
  type Counts,
  errorsOf,
  hitRate,
  minus,
  NO_COUNTS,
  plus,
  quantile,
  readsOf,
  type Sample,
  type Timing,
} from './counts.ts'
import { createExtra, type ExtraReading, NO_EXTRA } from './extra.ts'
import type { Fleet, FleetCounts, ProcessReport } from './fleet.ts'
import type { Budget, HealthJudge, Judgement, Minute } from './health.ts'
import type { History } from './history.ts'
import type { MonitoredCache, Sampler } from './sampler.ts'
import type { MonitorSettings } from './settings.ts'
import type { Timeline } from './timeline.ts'
import { createWindow } from './window.ts'

/** All that a look at a cache goes through. */
export interface PulseParts {
  readonly cache: MonitoredCache
  readonly namespace: string
  readonly settings: MonitorSettings
  readonly sampler: Sampler
  readonly timeline: Timeline
  readonly fleet: Fleet
  readonly history: History
  readonly judge: HealthJudge
  readonly alerts: Alerts | undefined
}

/** Looks at a cache now and then, and remembers what it saw. */
export interface Pulse {
  /** Never rejects: what fails is a line in the log. */
  look(): Promise<void>
  /** The last word: brings what waits to the backend, and takes leave. Never rejects. */
  end(): Promise<void>
  /** What was counted until now, with what the sources said last. */
  sample(): Sample
  /** When it looked last, in milliseconds since 1970. */
  lookedAt(): number | undefined
  health(): Judgement & { readonly since: number }
  /** What the sources said last. */
  readonly known: ExtraReading['known']
  /** What is being used up, as it was looked at last. */
  readonly budgets: readonly Budget[]
  /** What all processes counted lately: within about an hour, or since the monitor began. */
  lately(): Promise<{ readonly from: number; readonly counts: Counts }>
  /** Asks the sources anew. Rejects with PALIER_BAD_OPTION for a metric that is wrong. */
  refresh(): Promise<ExtraReading>
  /** All processes, as of now if the backend can be asked. Never rejects. */
  read(): Promise<FleetCounts>
}

const MINUTE = 60_000
/** A process in which nothing happens says so this often, in looks, and its history in minutes. */
const BEAT = 6
const IDLE_FLUSH = 10 * MINUTE
const USUAL_EVERY = 60 * MINUTE
/** What counts as lately, and how often totals are remembered for it. */
const LATELY = 60 * MINUTE
const LATELY_EVERY = 5 * MINUTE

const SOURCES = 'a source of metrics'

/** What the application is asked may take so long. */
const SLOWEST = 5000

const late = (): never => {
  throw new Error(`no answer within ${SLOWEST} ms`)
}

const NO_TIMING: Timing = { count: 0, total: 0, buckets: [] }

const isUp = (state: string): boolean => state === 'up' || state === 'suspect'

/** Documents are where the backend is, or in this process when nothing is shared. */
function isReachable(status: Status): boolean {
  if (status.backend === 'detecting') return false
  const home = status.tiers.find(tier => tier.role === 'shared')
  return home === undefined || isUp(home.state)
}

function isAlone({ tiers }: Status): boolean {
  const stores = tiers.filter(tier => tier.role !== 'near')
  return stores.length > 0 && !stores.some(tier => tier.used && isUp(tier.state))
}

/** The backends that count, by name: whether each can be used. */
const homesOf = ({ tiers }: Status): Record<string, number> =>
  Object.fromEntries(tiers.filter(one => one.role === 'shared').map(one => [one.name, isUp(one.state) ? 1 : 0]))

const sumTimings = (all: readonly Timing[]): Timing => all.reduce((sum, one) => plus(sum, one), NO_TIMING)

function minuteOf(counts: Counts): Minute {
  const { reads, hits, stale } = readsOf(counts.types)
  const stores = Object.entries(counts.tiers).filter(([name]) => name !== 'near')
  const calls = sumTimings(stores.map(([, one]) => one.latency))
  return {
    reads,
    hits: hits + stale,
    errors: errorsOf(counts),
    hitRate: hitRate({ reads, hits, stale }, 1),
    calls: calls.count,
    p95: quantile(calls, LATENCY_BOUNDS, 0.95),
  }
}

/** Settings are told by a digest only. */
function configOf({ configuration }: Status): string {
  const values = Object.entries(configuration).map(([name, { value }]) => [name, value])
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 12)
}

/** In what the processes differ that should be alike. */
function disputeOf({ processes }: FleetCounts): string | undefined {
  const versions = new Set(processes.map(one => one.version))
  if (versions.size > 1) return `${processes.length} processes run ${versions.size} versions of the application`
  const configs = new Set(processes.map(one => one.config))
  return configs.size > 1 ? `${processes.length} processes have ${configs.size} configurations` : undefined
}

const isBad = (state: HealthState): boolean => state === 'DEGRADED' || state === 'DOWN'

/** The log of a monitor: the same trouble is told once until it changes. */
function createVoice({ logger }: MonitorSettings, namespace: string) {
  const troubles = new Map<string, string>()
  const say = (level: 'warn' | 'info', text: string): void => {
    if (logger !== false) logger[level](oneLine(text))
  }
  return {
    say,
    trouble(what: string, error: unknown): void {
      const message = error instanceof Error ? error.message : String(error)
      if (troubles.get(what) === message) return
      troubles.set(what, message)
      say('warn', `[CACHE MONITOR] ${namespace}: ${what}: ${message}`)
    },
    fine: (what: string): void => void troubles.delete(what),
  }
}

export function createPulse(parts: PulseParts): Pulse {
  const { cache, namespace, settings, sampler, timeline, fleet, history, judge, alerts } = parts
  const { clock, every } = settings
  const voice = createVoice(settings, namespace)
  let hasFailed = false
  const ask = createExtra(settings.extra, clock, error => {
    hasFailed = true
    voice.trouble(SOURCES, error)
  })
  const recent = createWindow(MINUTE)
  const wide = createWindow(settings.limits?.window ?? MINUTE)
  const long = createWindow(LATELY)
  let longAt: number | undefined
  const bornAt = clock.wall()
  const config = configOf(cache.status())
  let extra = NO_EXTRA
  let before: Counts | undefined
  let summed = NO_COUNTS
  let budgets: readonly Budget[] = []
  let usual: number | undefined
  let usualAt: number | undefined
  let minuteAt: number | undefined
  let flushedAt = clock.now()
  let published = { at: Number.NEGATIVE_INFINITY, what: '' }
  let judgement: Judgement = { state: 'WARMING', reason: 'it just started' }
  let since = bornAt
  let together: FleetCounts | undefined
  let lookedAt: number | undefined

  const sample = (): Sample => sampler.take(extra)

  function report(): ProcessReport {
    const status = cache.status()
    const { processName: name, version } = settings
    const who = { pid: process.pid, host: hostname(), name, version, config, since: bornAt }
    return { ...who, ...judgement, backend: status.backend, rss: process.memoryUsage.rss() }
  }

  async function attempt<T>(what: string, run: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const value = await run()
      voice.fine(what)
      return value
    } catch (error) {
      // A cache that was closed is nobody's trouble.
      if (!(error instanceof PalierError && error.code === 'PALIER_CLOSED')) voice.trouble(what, error)
      return undefined
    }
  }

  async function refresh(): Promise<ExtraReading> {
    hasFailed = false
    extra = await ask()
    if (!hasFailed) voice.fine(SOURCES)
    return extra
  }

  const read = (): Promise<FleetCounts> =>
    isReachable(cache.status()) ? fleet.read(sample(), report()) : Promise.resolve(fleet.latest(sample(), report()))

  /** Only what all processes counted: what was read while the backend was out would be a step down, and up again. */
  function remember(now: number, { counts, readable }: FleetCounts): void {
    if (!readable || (longAt !== undefined && now - longAt < LATELY_EVERY)) return
    longAt = now
    long.add(now, counts)
  }

  async function lately(): Promise<{ readonly from: number; readonly counts: Counts }> {
    const start = long.start()
    const { counts } = await read()
    return start === undefined
      ? { from: bornAt, counts: sample().counts }
      : { from: Math.round(clock.wall() - (clock.now() - start.at)), counts: minus(counts, start.counts) }
  }

  /** What is not worth asking at each look. */
  async function everyMinute(now: number, reachable: boolean): Promise<void> {
    minuteAt = now
    budgets = (await attempt('budgets', () => within(clock, SLOWEST, async () => settings.budgets(), late))) ?? []
    together = await read()
    wide.add(now, together.counts)
    remember(now, together)
    if (!reachable) return
    if (usualAt === undefined || now - usualAt >= USUAL_EVERY) {
      usualAt = now
      usual = await attempt('history', () => history.usual())
    }
    if (history.pending() || now - flushedAt >= IDLE_FLUSH) {
      flushedAt = now
      await attempt('history', () => history.flush())
    }
  }

  async function publish(now: number, current: Sample): Promise<void> {
    const what = JSON.stringify([current.counts, judgement])
    if (what === published.what && now - published.at < BEAT * every) return
    await attempt('fleet', () => fleet.publish(current, report()))
    published = { at: now, what }
  }

  function judgeHealth(now: number, status: Status, latest: Counts): void {
    const { reads, hits, stale } = readsOf(latest.types)
    const next = judge.look({
      now,
      enabled: status.enabled,
      fact: { state: status.state, reason: status.reason },
      alone: isAlone(status),
      minute: minuteOf(recent.since(MINUTE)),
      latest: { reads, hits: hits + stale },
      budgets,
      dispute: together === undefined ? undefined : disputeOf(together),
      usual,
    })
    const changed = next.state !== judgement.state
    judgement = next
    if (!changed) return
    since = clock.wall()
    timeline.add('health', `${next.state}: ${next.reason}`)
    // What the cache itself says of the moment is in its own log already.
    if (next.state === status.state) return
    voice.say(isBad(next.state) ? 'warn' : 'info', `[CACHE HEALTH] ${namespace}: ${next.state}: ${next.reason}`)
  }

  function summarize(current: Sample, backend: string): void {
    const counts = minus(current.counts, summed)
    summed = current.counts
    const all = readsOf(counts.types)
    const loads = sumTimings(Object.values(counts.types).map(type => type.load))
    const loadP95 = loads.count === 0 ? undefined : quantile(loads, LATENCY_BOUNDS, 0.95)
    const numbers = { reads: all.reads, hitRate: hitRate(all, 1) ?? 0, errors: errorsOf(counts), loadP95 }
    const line = summaryLine({ namespace, backend, ...numbers })
    if (line !== undefined) voice.say('info', line)
  }

  /** Takes what was counted since the last look into the windows and the history. */
  function account(now: number): { current: Sample; latest: Counts } {
    const current = sample()
    const latest = minus(current.counts, before ?? NO_COUNTS)
    before = current.counts
    recent.add(now, current.counts)
    history.add(latest, current.counts)
    return { current, latest }
  }

  return {
    async look() {
      const now = clock.now()
      await attempt('metrics', refresh)
      const { current, latest } = account(now)
      const status = cache.status()
      const reachable = isReachable(status)
      const isMinute = minuteAt === undefined || now - minuteAt >= MINUTE
      if (isMinute && minuteAt !== undefined) summarize(current, status.backend)
      if (isMinute) await everyMinute(now, reachable)
      judgeHealth(now, status, latest)
      if (reachable) await publish(now, current)
      await alerts?.look({
        now,
        // A cache that is switched off finds nothing, as it was told to.
        counts: isMinute && status.enabled ? wide.since(settings.limits?.window ?? MINUTE) : undefined,
        isWarming: judgement.state === 'WARMING',
        up: homesOf(status),
        budgets,
        reason: status.reason,
        reachable,
      })
      lookedAt = clock.wall()
    },
    async end() {
      const { current } = account(clock.now())
      if (!isReachable(cache.status())) return
      await attempt('history', () => history.flush())
      await attempt('fleet', () => fleet.leave(current, report()))
    },
    sample,
    lookedAt: () => lookedAt,
    get known() {
      return extra.known
    },
    health: () => ({ ...judgement, since }),
    get budgets() {
      return budgets
    },
    lately,
    refresh,
    read,
  }
}
