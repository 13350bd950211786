import { advise } from '../advice/advise.ts'
import type { Cache, Policies } from '../cache.ts'
import type { HealthState } from '../events.ts'
import { oneLine } from '../log.ts'
import { type Alert, type AlertRule, createAlerts, rulesOf } from './alerts.ts'
import type { Counts, Gauges, Sample } from './counts.ts'
import { channelsOf, createDelivery, type Delivered } from './deliver.ts'
import { type Family, familiesOf } from './families.ts'
import { createFleet, type FleetCounts, mergeGauges } from './fleet.ts'
import { type Budget, createHealthJudge, type Judgement, worstOf } from './health.ts'
import { createHistory, type HistoryKept, type HistoryRange, type HistoryView } from './history.ts'
import { bindMeter, type OpenTelemetryMeter } from './opentelemetry.ts'
import { prometheusText } from './prometheus.ts'
import { createPulse, type Pulse } from './pulse.ts'
import { createSampler } from './sampler.ts'
import { type MonitorOptions, type MonitorSettings, monitorSettings } from './settings.ts'
import { createTimeline, type TimelineEvent } from './timeline.ts'

/** Health as people are told it: the facts of the moment, held long enough that they do not flicker. */
export interface HealthView {
  readonly state: HealthState
  /** A sentence for people. */
  readonly reason: string
  /** In milliseconds since 1970. */
  readonly since: number
}

/** All processes of a namespace together. */
export interface FleetView extends FleetCounts {
  /** Added up, or the worst where adding makes no sense. */
  readonly gauges: Gauges
  /** The worst of all, and how many are so. */
  readonly health: Judgement & { readonly affected: number; readonly processes: number }
}

export interface AlertsView {
  /** When it was looked last, in milliseconds since 1970: nothing is noticed between two looks. Undefined before the first. */
  readonly lookedAt: number | undefined
  readonly active: readonly Alert[]
  /** What is over, newest first; at most 50. */
  readonly recent: readonly Alert[]
}

export interface MonitorSnapshot {
  /** In milliseconds since 1970. */
  readonly at: number
  /** Pass it as `since` next time. */
  readonly sequence: number
  /** What happened after `since`, oldest first; at most the last 300. */
  readonly events: readonly TimelineEvent[]
  readonly health: HealthView
  readonly alerts: AlertsView
}

/** What all processes counted lately. */
export interface RecentView {
  /** In milliseconds since 1970: an hour ago, or when the monitor began to watch. */
  readonly from: number
  readonly to: number
  readonly counts: Counts
}

/** `fleet`: all processes of the namespace; `process`: this one alone. */
export type MetricScope = 'process' | 'fleet'

/** What `createMonitor` gives. */
export interface Monitor {
  /** What this process counted since its cache began. */
  sample(): Sample
  /** What all processes counted; while the backend is out, of the others it is what was known last. Rejects as `prometheus` does. */
  fleet(): Promise<FleetView>
  /**
   * The metrics in the text format of Prometheus (`text/plain; version=0.0.4`), of all processes unless told otherwise: any
   * process may be scraped, and counters never go back. Rejects with PALIER_BAD_OPTION for a metric of `extra` that is wrong.
   */
  prometheus(options?: { readonly scope?: MetricScope }): Promise<string>
  /** Gives the metrics of this process to a meter of OpenTelemetry. Resolves with what ends that. */
  bindOpenTelemetry(meter: OpenTelemetryMeter): Promise<() => void>
  /**
   * What was read, of all types or of one: 24 hours by the minute (6 for a type), 30 days by the hour, 400 days by the day.
   * Rejects with PALIER_BAD_OPTION, and with PALIER_STORE_* when the backend cannot be asked.
   */
  history(range: HistoryRange, type?: string): Promise<HistoryView>
  /** What was counted within about the last hour. Never rejects: while the backend is out, of the others it is what was known last. */
  recent(): Promise<RecentView>
  /** What the history takes in the backend. Reads all of it. Rejects with PALIER_STORE_* when the backend cannot be asked. */
  kept(): Promise<readonly HistoryKept[]>
  health(): HealthView
  alerts(): AlertsView
  /** When an alert begins; none while alerts are switched off. */
  rules(): readonly AlertRule[]
  /** Where alerts go. */
  channels(): readonly Delivered['channel'][]
  /** Sends an alert that says it is a test, and tells how that went. Never rejects. */
  testAlert(): Promise<readonly Delivered[]>
  /** What is being used up, as it was looked at last, once a minute. */
  budgets(): readonly Budget[]
  /** One look, as the timer makes them; for cron, and for hosts that put a process to sleep. Never rejects. */
  tick(): Promise<void>
  /** What happened after an event, for whoever asks again and again. */
  snapshot(since?: number): MonitorSnapshot
  /** Ends the timer and hands over what was counted. Call it before the cache is closed. Never rejects. */
  close(): Promise<void>
}

const TEST_DETAIL = 'somebody asked for it; nothing is wrong'

/** Silence, in looks, after which a process counts as ended. */
const OVERDUE = 18

/** Looks every so often, one look at a time. Returns what looks now, and what ends it. */
function createBeat(pulse: Pulse, { clock, every, timer }: MonitorSettings) {
  let last: Promise<void> = Promise.resolve()
  let isOver = false
  let cancel: () => void = () => undefined
  const look = (): Promise<void> => {
    last = last.then(() => (isOver ? undefined : pulse.look()))
    return last
  }
  const arm = (): void => {
    if (isOver || !timer) return
    cancel = clock.after(every, () => void look().then(arm))
  }
  arm()
  return {
    look,
    async end(): Promise<void> {
      if (!isOver) {
        cancel()
        const ended = last.then(() => pulse.end())
        isOver = true
        last = ended
      }
      await last
    },
  }
}

async function tellAdvice(cache: Cache, namespace: string, { advice, logger }: MonitorSettings): Promise<void> {
  if (advice === false || logger === false) return
  for (const { level, text, advice: what } of await advise(cache, advice)) {
    const line = oneLine(`[CACHE ADVICE] ${namespace}: ${text} ${what}`)
    if (level === 'warning') logger.warn(line)
    else logger.info(line)
  }
}

/** Everything that listens to a cache or writes for it. */
function createParts(cache: Cache, namespace: string, settings: MonitorSettings) {
  const { clock, limits, every } = settings
  const sampler = createSampler(cache, clock)
  const timeline = createTimeline(cache, clock)
  const history = createHistory(cache, clock)
  const judge = createHealthJudge(clock.now())
  const deliver = createDelivery(settings, clock)
  const tell = async (alert: Alert): Promise<void> => {
    timeline.add('alert', `${alert.until === undefined ? '' : 'over: '}${alert.text}: ${alert.detail}`)
    await deliver(alert)
  }
  const alerts = limits === undefined ? undefined : createAlerts(cache, clock, namespace, limits, tell)
  const fleet = createFleet(cache, OVERDUE * every)
  const offs = [
    cache.on('delete', ({ target }) => {
      if (target === 'all') judge.warm(clock.now(), 'everything was cleared')
    }),
    cache.on('policy', ({ type }) => judge.warm(clock.now(), `the policy of ${type} was changed`)),
    cache.on('failover', ({ to }) => judge.warm(clock.now(), `${to} came into use`)),
  ]
  return {
    timeline,
    history,
    alerts,
    deliver,
    pulse: createPulse({ cache, namespace, settings, sampler, timeline, fleet, history, judge, alerts }),
    deafen(): void {
      sampler.close()
      timeline.close()
      for (const off of offs) off()
    },
  }
}

/**
 * Watches a cache: metrics for Prometheus and OpenTelemetry, of this process and of all that share the backend, a history of
 * bounded size, health over time, alerts and a line a minute. It needs no daemon: processes tell each other through the
 * backend what they counted, at most once per `every`. One monitor per cache. It never keeps the process alive. Throws
 * PALIER_BAD_OPTION for an option that is wrong.
 */
export function createMonitor<T extends Policies>(cache: Cache<T>, options: MonitorOptions = {}): Monitor {
  const settings = monitorSettings(options)
  const { clock } = settings
  const { namespace } = cache.status()
  // Which types a cache has makes no difference here.
  const watched = cache as unknown as Cache
  const { timeline, history, alerts, deliver, pulse, deafen } = createParts(watched, namespace, settings)
  const beat = createBeat(pulse, settings)
  const advised = tellAdvice(watched, namespace, settings).catch(() => undefined)

  async function fleet(): Promise<FleetView> {
    const { known } = await pulse.refresh()
    const counted = await pulse.read()
    return { ...counted, gauges: mergeGauges(counted.processes, known), health: worstOf(counted.processes) }
  }

  async function families(scope: MetricScope): Promise<readonly Family[]> {
    if (scope === 'process') {
      const { known } = await pulse.refresh()
      const { counts, gauges } = pulse.sample()
      const { state } = pulse.health()
      return familiesOf({ namespace, counts, gauges, state, processes: 1, readable: true, known })
    }
    const { counts, gauges, health, processes, readable } = await fleet()
    const { known } = pulse
    return familiesOf({ namespace, counts, gauges, state: health.state, processes: processes.length, readable, known })
  }

  const alertsView = (): AlertsView => ({
    lookedAt: pulse.lookedAt(),
    active: alerts?.active() ?? [],
    recent: alerts?.recent() ?? [],
  })

  return {
    sample: pulse.sample,
    fleet,
    prometheus: async ({ scope = 'fleet' } = {}) => prometheusText(await families(scope)),
    bindOpenTelemetry: async meter => bindMeter(meter, watched, await families('process'), () => families('process')),
    history: (range, type) => history.view(range, type),
    async recent() {
      const { from, counts } = await pulse.lately()
      return { from, to: clock.wall(), counts }
    },
    kept: history.kept,
    health: pulse.health,
    alerts: alertsView,
    rules: () => (settings.limits === undefined ? [] : rulesOf(settings.limits)),
    channels: () => channelsOf(settings),
    testAlert: () => deliver({ signature: 'test', namespace, text: 'Test', detail: TEST_DETAIL, since: clock.wall() }),
    budgets: () => pulse.budgets,
    tick: beat.look,
    snapshot: (since = 0) => ({
      at: clock.wall(),
      sequence: timeline.sequence,
      events: timeline.after(since),
      health: pulse.health(),
      alerts: alertsView(),
    }),
    async close() {
      await beat.end()
      await advised
      deafen()
    },
  }
}
