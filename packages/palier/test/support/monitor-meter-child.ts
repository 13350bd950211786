import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { createCache, createMonitor } from '../../src/index.ts'

/* Writes what a real meter collects of a cache, while its monitor is bound to it and afterwards. */

/** By the name of the instrument. */
export type MeteredChild = Readonly<
  Record<
    string,
    {
      readonly unit: string
      readonly type: string | undefined
      readonly points: readonly { readonly attributes: Readonly<Record<string, unknown>>; readonly value: unknown }[]
    }
  >
>

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
const provider = new MeterProvider({ readers: [reader] })

async function collect(): Promise<MeteredChild> {
  exporter.reset()
  await provider.forceFlush()
  const metrics = exporter.getMetrics().flatMap(one => one.scopeMetrics.flatMap(scope => scope.metrics))
  return Object.fromEntries(
    metrics.map(({ descriptor, dataPointType, dataPoints }) => [
      descriptor.name,
      {
        unit: descriptor.unit,
        type: DataPointType[dataPointType],
        points: dataPoints.map(({ attributes, value }) => ({ attributes, value })),
      },
    ]),
  )
}

const cache = createCache({ namespace: 'shop', backend: 'memory', logger: false })
await cache.ready()
const things = { name: 'app_things', help: 'Things.', type: 'gauge', points: [{ value: 4 }] } as const
const monitor = createMonitor(cache, { logger: false, advice: false, extra: [() => [things]] })
const unbind = await monitor.bindOpenTelemetry(provider.getMeter('palier'))
const users = cache.type('user')
await users.getOrSet('1', () => ({ name: 'a' }))
await users.get('1')
await users.get('1')
const bound = await collect()
unbind()
await users.getOrSet('2', () => ({ name: 'b' }))
process.stdout.write(JSON.stringify({ bound, unbound: await collect() }))
await provider.shutdown()
await monitor.close()
await cache.close()
