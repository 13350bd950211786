import { type Clock, within } from '../clock.ts'
import { badOption } from '../errors.ts'

/** One number of a metric. Label values come from configuration, never from keys, paths or people. */
export interface MetricPoint {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric of the application or of another package, shown beside those of the cache. */
export interface Metric {
  /** As Prometheus names it: a counter ends in `_total`, and units are base units (`_seconds`, `_bytes`). */
  readonly name: string
  readonly help: string
  /** A `counter` only grows while the process lives; a `gauge` is what is so now. */
  readonly type: 'counter' | 'gauge'
  /** How gauges of several processes become one: `sum` (the default), or `max` where each process sees the whole. */
  readonly fleet?: 'sum' | 'max'
  readonly points: readonly MetricPoint[]
}

/** Asked at each look; what it gives is shown until the next. */
export type MetricSource = () => readonly Metric[] | Promise<readonly Metric[]>

type Series = Readonly<Record<string, Readonly<Record<string, number>>>>

/** What all sources said: by metric, then by labels. */
export interface ExtraReading {
  readonly counters: Series
  readonly gauges: Series
  /** What each metric is. */
  readonly known: Readonly<Record<string, Omit<Metric, 'points'>>>
}

export const NO_EXTRA: ExtraReading = { counters: {}, gauges: {}, known: {} }

const NAME = /^[a-z_][a-z0-9_]*$/
const OWN = /^palier_(cache|backend|invalidations|health|processes|fleet|outbox)/

function check({ name, help, type, points }: Metric): void {
  if (typeof name !== 'string' || !NAME.test(name) || OWN.test(name)) {
    throw badOption('metric.name', 'lower case letters, digits and _, not a name of the cache itself', name)
  }
  if (type !== 'counter' && type !== 'gauge') throw badOption(`metric ${name}: type`, "'counter' or 'gauge'", type)
  if ((type === 'counter') !== name.endsWith('_total')) {
    throw badOption('metric.name', 'a name that ends in _total for a counter, and for nothing else', name)
  }
  if (typeof help !== 'string' || help === '') throw badOption(`metric ${name}: help`, 'a sentence', help)
  for (const { labels = {}, value } of points) {
    if (typeof value !== 'number' || Number.isNaN(value)) throw badOption(`metric ${name}: value`, 'a number', value)
    const bad = Object.keys(labels).find(label => !NAME.test(label) || label === 'le' || label === 'cache')
    if (bad !== undefined) throw badOption(`metric ${name}: label`, 'lower case letters, digits and _', bad)
  }
}

/** Labels as one text, whatever their order. */
function labelsText(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function labelsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(JSON.parse(text) as [string, string][])
}

/** A source that takes longer is passed over this time. */
const DEADLINE = 5000

function readingOf(metrics: readonly Metric[]): ExtraReading {
  const counters: Record<string, Record<string, number>> = {}
  const gauges: Record<string, Record<string, number>> = {}
  const known: Record<string, Omit<Metric, 'points'>> = {}
  for (const metric of metrics) {
    check(metric)
    const { points, ...what } = metric
    known[metric.name] = what
    const series = ((metric.type === 'counter' ? counters : gauges)[metric.name] ??= {})
    for (const { labels = {}, value } of points) series[labelsText(labels)] = value
  }
  return { counters, gauges, known }
}

/**
 * Gives what asks every source. One that fails, or is too slow, is told to `failed`, and what it said before stays: metrics
 * are wanted most when something is out. Rejects with PALIER_BAD_OPTION for a metric that is wrong.
 */
export function createExtra(
  sources: readonly MetricSource[],
  clock: Clock,
  failed: (error: unknown) => void,
): () => Promise<ExtraReading> {
  const said: (readonly Metric[])[] = sources.map(() => [])
  const late = (): never => {
    throw new Error(`no answer within ${DEADLINE} ms`)
  }
  return async () => {
    await Promise.all(
      sources.map(async (source, i) => {
        try {
          said[i] = await within<readonly Metric[]>(clock, DEADLINE, async () => source(), late)
        } catch (error) {
          failed(error)
        }
      }),
    )
    return readingOf(said.flat())
  }
}
