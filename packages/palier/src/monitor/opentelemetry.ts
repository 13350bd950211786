import { type Family, SECONDS } from './families.ts'
import type { MonitoredCache } from './sampler.ts'

type Attributes = Record<string, string>

interface InstrumentOptions {
  readonly description: string
  readonly unit: string
  readonly advice?: { readonly explicitBucketBoundaries: number[] }
}

/** What is used of a meter of `@opentelemetry/api`. */
export interface OpenTelemetryMeter {
  createHistogram(name: string, options: InstrumentOptions): { record(value: number, attributes: Attributes): void }
  createObservableCounter(name: string, options: InstrumentOptions): object
  createObservableGauge(name: string, options: InstrumentOptions): object
  addBatchObservableCallback(callback: OpenTelemetryCallback, instruments: object[]): void
  removeBatchObservableCallback(callback: OpenTelemetryCallback, instruments: object[]): void
}

export type OpenTelemetryCallback = (result: {
  observe(instrument: object, value: number, attributes: Attributes): void
}) => Promise<void>

const ATTRIBUTES: Readonly<Record<string, string>> = {
  cache: 'palier.cache.name',
  type: 'palier.cache.type',
  result: 'palier.cache.result',
  tier: 'palier.cache.tier',
  backend: 'palier.backend.name',
}

const attributesOf = (labels: Readonly<Record<string, string>>): Attributes =>
  Object.fromEntries(Object.entries(labels).map(([label, text]) => [ATTRIBUTES[label] ?? `palier.${label}`, text]))

/**
 * Gives a meter the metrics of this process: adding up processes is what a collector is for. `known` says which there are.
 * Returns what ends it.
 */
export function bindMeter(
  meter: OpenTelemetryMeter,
  cache: MonitoredCache,
  known: readonly Family[],
  families: () => Promise<readonly Family[]>,
): () => void {
  const instruments = new Map<string, object>()
  for (const { name, dotted, unit, help, type } of known) {
    if (type === 'histogram') continue
    const options = { description: help, unit }
    const make = type === 'counter' ? 'createObservableCounter' : 'createObservableGauge'
    instruments.set(name, meter[make](dotted, options))
  }
  const callback: OpenTelemetryCallback = async result => {
    for (const { name, series } of await families()) {
      const instrument = instruments.get(name)
      if (instrument === undefined) continue
      for (const { labels, value } of series) {
        if (typeof value === 'number') result.observe(instrument, value, attributesOf(labels))
      }
    }
  }
  const all = [...instruments.values()]
  meter.addBatchObservableCallback(callback, all)
  const seconds = meter.createHistogram('palier.cache.fill.duration', {
    description: 'How long factories ran.',
    unit: 's',
    advice: { explicitBucketBoundaries: [...SECONDS] },
  })
  const off = cache.on('load', ({ type, ms, namespace }) =>
    seconds.record(ms / 1000, attributesOf({ cache: namespace, type: type === '' ? 'default' : type })),
  )
  return () => {
    off()
    meter.removeBatchObservableCallback(callback, all)
  }
}
