import type { HealthState } from '../events.ts'
import { LATENCY_BOUNDS } from '../stats.ts'
import type { Counts, Gauges, Timing, TypeCounts } from './counts.ts'
import { type ExtraReading, labelsOf } from './extra.ts'

type Labels = Readonly<Record<string, string>>

/** One series of a family: a number, or a histogram. */
export interface Series {
  readonly labels: Labels
  readonly value: number | Timing
}

/** A metric with all its series, under both of its names. */
export interface Family {
  /** As Prometheus names it, with its unit and `_total`. */
  readonly name: string
  /** As OpenTelemetry names it: with dots, without either. */
  readonly dotted: string
  /** In the notation of UCUM. */
  readonly unit: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly series: readonly Series[]
}

/** All that metrics are made of, of one process or of all. */
export interface View {
  readonly namespace: string
  readonly counts: Counts
  readonly gauges: Gauges
  readonly state: HealthState
  readonly processes: number
  readonly readable: boolean
  readonly known: ExtraReading['known']
}

const STATES: readonly HealthState[] = ['HEALTHY', 'WARMING', 'DEGRADED', 'DOWN']

const sum = (numbers: Readonly<Record<string, number>>): number => Object.values(numbers).reduce((a, b) => a + b, 0)

type Shape = readonly [name: string, dotted: string, unit: string, help: string]

const family = (type: Family['type'], [name, dotted, unit, help]: Shape, series: readonly Series[]): Family => ({
  name,
  dotted,
  unit,
  help,
  type,
  series,
})

function ofTypes({ counts }: View): readonly Family[] {
  const types = Object.entries(counts.types)
  const perType = (pick: (type: TypeCounts) => number | Timing): Series[] =>
    types.map(([type, one]) => ({ labels: { type }, value: pick(one) }))
  const split = (label: string, pick: (type: TypeCounts) => Readonly<Record<string, number>>): Series[] =>
    types.flatMap(([type, one]) =>
      Object.entries(pick(one)).map(([name, value]) => ({ labels: { type, [label]: name }, value })),
    )
  const results = ({ hits, stale, misses }: TypeCounts) => {
    const bypass = misses.disabled
    return { hit: hits, stale, miss: sum(misses) - bypass, bypass }
  }
  const fills = ({ loads, loadErrors }: TypeCounts) => ({ success: loads, error: loadErrors })
  const at = 'palier.cache'
  const counter = (shape: Shape, series: Series[]): Family => family('counter', shape, series)
  return [
    counter(
      ['palier_cache_requests_total', `${at}.requests`, '{request}', 'Reads by what they came to.'],
      split('result', results),
    ),
    counter(
      ['palier_cache_misses_total', `${at}.misses`, '{request}', 'Reads that found nothing, by the reason.'],
      split('reason', type => type.misses),
    ),
    counter(
      ['palier_cache_fills_total', `${at}.fills`, '{fill}', 'Runs of factories, by how they ended.'],
      split('outcome', fills),
    ),
    counter(
      ['palier_cache_sets_total', `${at}.sets`, '{set}', 'Values kept.'],
      perType(one => one.sets),
    ),
    counter(
      ['palier_cache_deletes_total', `${at}.deletes`, '{delete}', 'Keys deleted.'],
      perType(one => one.deletes),
    ),
    family(
      'histogram',
      ['palier_cache_fill_duration_seconds', `${at}.fill.duration`, 's', 'How long factories ran.'],
      perType(one => one.load),
    ),
  ]
}

function ofTiers({ counts }: View): readonly Family[] {
  const tiers = Object.entries(counts.tiers)
  const stores = tiers.filter(([name]) => name !== 'near')
  const near = counts.tiers['near']
  const bytes = (pick: 'bytesRead' | 'bytesWritten'): Series[] =>
    stores.map(([backend, one]) => ({ labels: { backend }, value: one[pick] }))
  return [
    family(
      'counter',
      ['palier_cache_hits_total', 'palier.cache.hits', '{request}', 'Hits by the tier that had the entry.'],
      tiers.map(([tier, one]) => ({ labels: { tier }, value: one.hits })),
    ),
    family(
      'histogram',
      [
        'palier_cache_operation_duration_seconds',
        'palier.cache.operation.duration',
        's',
        'How long a tier took: each read of a backend, one near hit in 256.',
      ],
      tiers.map(([backend, one]) => ({
        labels: { backend, op: backend === 'near' ? 'hit' : 'read' },
        value: one.latency,
      })),
    ),
    family(
      'counter',
      ['palier_cache_evictions_total', 'palier.cache.evictions', '{entry}', 'Entries that made room for others.'],
      near === undefined ? [] : [{ labels: { tier: 'near', reason: 'room' }, value: near.evictions }],
    ),
    family(
      'counter',
      ['palier_cache_read_bytes_total', 'palier.cache.read', 'By', 'Bytes read from a backend.'],
      bytes('bytesRead'),
    ),
    family(
      'counter',
      ['palier_cache_written_bytes_total', 'palier.cache.written', 'By', 'Bytes written to a backend.'],
      bytes('bytesWritten'),
    ),
  ]
}

function ofEvents({ counts }: View): readonly Family[] {
  const { errors, switches, invalidations } = counts
  return [
    family(
      'counter',
      ['palier_cache_errors_total', 'palier.cache.errors', '{error}', 'Failures of the cache, by operation.'],
      Object.entries(errors).map(([operation, value]) => ({ labels: { operation }, value })),
    ),
    family(
      'counter',
      ['palier_backend_switches_total', 'palier.backend.switches', '{switch}', 'Moves from one backend to another.'],
      Object.entries(switches).flatMap(([from, all]) =>
        Object.entries(all).map(([to, value]) => ({ labels: { from, to }, value })),
      ),
    ),
    family(
      'counter',
      ['palier_invalidations_total', 'palier.invalidations', '{invalidation}', 'Invalidations by what they reach.'],
      Object.entries(invalidations).map(([scope, value]) => ({ labels: { scope }, value })),
    ),
  ]
}

function ofNow({ gauges, state, processes, readable }: View): readonly Family[] {
  const { near, pending, up } = gauges
  const gauge = (shape: Shape, series: readonly Series[]): Family => family('gauge', shape, series)
  const labels = { tier: 'near' }
  return [
    gauge(
      ['palier_cache_entries', 'palier.cache.entries', '{entry}', 'Entries in memory.'],
      [{ labels, value: near.entries }],
    ),
    gauge(
      ['palier_cache_size_bytes', 'palier.cache.size', 'By', 'Estimated bytes of the entries in memory.'],
      [{ labels, value: near.bytes }],
    ),
    gauge(
      ['palier_backend_up', 'palier.backend.up', '1', 'Whether a backend can be used (1) or not (0).'],
      Object.entries(up).map(([backend, value]) => ({ labels: { backend }, value })),
    ),
    gauge(
      ['palier_outbox_pending', 'palier.outbox.pending', '{invalidation}', 'Invalidations that wait for the backend.'],
      [{ labels: {}, value: pending }],
    ),
    gauge(
      ['palier_health_state', 'palier.health.state', '1', 'The state of health: 1 for the one it is in.'],
      STATES.map(one => ({ labels: { state: one }, value: one === state ? 1 : 0 })),
    ),
    gauge(
      ['palier_processes', 'palier.processes', '{process}', 'Processes that these numbers are of.'],
      [{ labels: {}, value: processes }],
    ),
    gauge(
      [
        'palier_fleet_readable',
        'palier.fleet.readable',
        '1',
        'Whether the numbers of the other processes are of now (1), or the last that were known (0).',
      ],
      [{ labels: {}, value: readable ? 1 : 0 }],
    ),
  ]
}

/** `palier_sessions_active` and `palier_ratelimit_decisions_total` become `palier.sessions.active` and so on. */
const dotted = (name: string): string => name.replace(/_total$/, '').replaceAll('_', '.')

function ofOthers({ counts, gauges, known }: View): readonly Family[] {
  return Object.values(known).map(({ name, help, type }) => {
    const series = (type === 'counter' ? counts : gauges).extra[name] ?? {}
    return family(
      type,
      [name, dotted(name), name.endsWith('_seconds') ? 's' : name.endsWith('_bytes') ? 'By' : '1', help],
      Object.entries(series).map(([labels, value]) => ({ labels: labelsOf(labels), value })),
    )
  })
}

/** All metrics of a view, those without a series too; each series is labelled with the cache it is of. */
export function familiesOf(view: View): readonly Family[] {
  const all = [...ofTypes(view), ...ofTiers(view), ...ofEvents(view), ...ofNow(view), ...ofOthers(view)]
  return all.map(one => ({
    ...one,
    series: one.series.map(({ labels, value }) => ({ labels: { cache: view.namespace, ...labels }, value })),
  }))
}

/** Upper bounds of every histogram, in seconds. */
export const SECONDS: readonly number[] = LATENCY_BOUNDS.map(ms => ms / 1000)
