import type { Timing } from './counts.ts'
import { type Family, SECONDS } from './families.ts'

/*
 * The text format of Prometheus, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 */

const escapeHelp = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replace(/"/g, '\\"')

const numberText = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}`
}

function histogram(name: string, labels: Readonly<Record<string, string>>, timing: Timing): string[] {
  const buckets = SECONDS.map((bound, i) =>
    line(`${name}_bucket`, { ...labels, le: String(bound) }, timing.buckets[i] ?? 0),
  )
  return [
    ...buckets,
    line(`${name}_bucket`, { ...labels, le: '+Inf' }, timing.count),
    line(`${name}_sum`, labels, timing.total / 1000),
    line(`${name}_count`, labels, timing.count),
  ]
}

/** Metrics without a series are left out. */
export function prometheusText(families: readonly Family[]): string {
  const filled = families.filter(({ series }) => series.length > 0)
  const lines = filled.flatMap(({ name, help, type, series }) => [
    `# HELP ${name} ${escapeHelp(help)}`,
    `# TYPE ${name} ${type}`,
    ...series.flatMap(({ labels, value }) =>
      typeof value === 'number' ? [line(name, labels, value)] : histogram(name, labels, value),
    ),
  ])
  return `${lines.join('\n')}\n`
}
