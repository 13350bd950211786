import { bytesText, countText, plural } from '../advice/words.ts'
import type { Comparison, Diagnosis } from './doctor.ts'
import { type Measurement, OPERATIONS, RECORD_BYTES, timingOf } from '../advice/measure.ts'
import type { Finding } from '../advice/finding.ts'
import { labelled, microsText, type Paint, table, WIDTH, wrap } from './text.ts'

const LABEL = 14

function searchLines({ trace }: Diagnosis, paint: Paint): readonly string[] {
  const lines = trace.flatMap(({ backend, outcome, why, hint, ms }) => {
    const spent = outcome === 'chosen' || outcome === 'refused' ? ` (${ms} ms)` : ''
    const step = labelled(`  ${backend}`, `${outcome}: ${why}${spent}`, LABEL)
    return hint === undefined ? step : [...step, ...wrap(`to do: ${hint}`, LABEL)]
  })
  return [paint('heading', 'Search, best first'), ...lines]
}

function configurationLines({ configuration, namespace }: Diagnosis, paint: Paint): readonly string[] {
  const words = { option: 'from the command line', environment: 'from the environment', default: 'default' } as const
  const widest = Math.max(...configuration.map(({ value }) => value.length))
  const roomy = widest <= 36
  const rows = configuration.map(({ name, value, source }) => [
    name,
    roomy ? value : words[source],
    roomy ? words[source] : value,
  ])
  return [paint('heading', 'Configuration'), ...table(rows, []), ...wrap(`Namespace asked about: ${namespace}.`, 2)]
}

function comparisonText({ operation, stores, faster, times }: Comparison): string {
  const [a, b] = stores
  if (faster === undefined) return `${operation}: no measurable difference between ${a} and ${b}.`
  return `${operation}: ${faster} is ${times} times as fast as ${faster === a ? b : a}.`
}

function speedLines({ measurements, comparisons }: Diagnosis, paint: Paint): readonly string[] {
  const rows = [['', ...OPERATIONS.flatMap(name => [`${name}: median`, 'p95'])]]
  const broken: Measurement[] = []
  for (const one of measurements) {
    if (one.failure !== undefined) {
      broken.push(one)
      continue
    }
    const timings = OPERATIONS.map(name => timingOf(one.samples[name]))
    const cells = timings.flatMap(each =>
      each === undefined ? ['-', '-'] : [microsText(each.medianMicros), microsText(each.p95Micros)],
    )
    rows.push([one.name, ...cells])
  }
  const rounds = Math.max(0, ...measurements.map(({ samples }) => samples.delete.length))
  const title = `Speed, microseconds (${rounds} rounds in turns, records of ${countText(RECORD_BYTES)} bytes)`
  return [
    paint('heading', title),
    ...table(rows, [1, 2, 3, 4, 5, 6]),
    ...comparisons.flatMap(one => wrap(comparisonText(one), 2)),
    ...broken.flatMap(({ name, failure }) => wrap(paint('bad', `${name} failed: ${failure}`), 2)),
  ]
}

function redisLines({ redis }: Diagnosis, paint: Paint): readonly string[] {
  if (redis === undefined) return []
  const { version, mode, usedBytes, maxmemory, policy, appendonly, save, keys } = redis
  const limit = maxmemory === undefined ? 'unknown' : maxmemory === 0 ? 'none' : bytesText(maxmemory)
  const disk = [...(appendonly === true ? ['appendonly'] : []), ...(save ? [`snapshots (${save})`] : [])]
  const unknown = appendonly === undefined && save === undefined
  const rows = [
    ['version', `${version ?? 'unknown'}, ${mode ?? 'unknown mode'}`],
    [
      'memory',
      `${usedBytes === undefined ? 'unknown' : bytesText(usedBytes)} used, limit ${limit}, policy ${policy ?? 'unknown'}`,
    ],
    ['keys', `${countText(keys)} in all databases, those of other programs included`],
    ['disk', unknown ? 'unknown' : disk.length === 0 ? 'nothing is written' : disk.join(', ')],
  ]
  return [
    '',
    paint('heading', 'Redis'),
    ...rows.flatMap(([name = '', text = '']) => labelled(`  ${name}`, text, LABEL)),
  ]
}

function diskLines({ disk }: Diagnosis, paint: Paint): readonly string[] {
  if (disk === undefined) return []
  const { dir, freeBytes, totalBytes, freeFiles, totalFiles, network } = disk
  const files =
    freeFiles === undefined || totalFiles === undefined
      ? 'not counted by this file system'
      : `${countText(freeFiles)} of ${countText(totalFiles)} free`
  const rows = [
    ['directory', dir],
    ['space', `${bytesText(freeBytes)} of ${bytesText(totalBytes)} free`],
    ['files', files],
    ['disk', network ? 'network' : 'local'],
  ]
  return [
    '',
    paint('heading', 'Files'),
    ...rows.flatMap(([name = '', text = '']) => labelled(`  ${name}`, text, LABEL)),
  ]
}

function findingLines(findings: readonly Finding[], paint: Paint): readonly string[] {
  if (findings.length === 0) return []
  const ordered = [...findings].sort((a, b) => (a.level === b.level ? 0 : a.level === 'warning' ? -1 : 1))
  const lines = ordered.flatMap(({ level, text, advice }) => {
    const [first = '', ...rest] = labelled(`  ${level}`, text, LABEL)
    const head = level === 'warning' ? first.replace('warning', paint('warning', 'warning')) : first
    return [head, ...rest, ...wrap(`to do: ${advice}`, LABEL)]
  })
  return ['', paint('heading', 'Findings'), ...lines]
}

function verdict({ healthy, refused, measurements, findings }: Diagnosis, paint: Paint): readonly string[] {
  const warnings = findings.filter(one => one.level === 'warning').length
  if (healthy) {
    const tail = warnings === 0 ? '.' : `, with ${plural(warnings, 'warning', 'warnings')}.`
    return ['', paint('good', `Healthy${tail}`)]
  }
  const failed = measurements.filter(one => one.failure !== undefined).map(one => `${one.name} failed its measurement`)
  const why = [...(refused === undefined ? [] : [refused]), ...failed].join('; ')
  const [first = '', ...rest] = wrap(`Not healthy: ${why}.`, 0, WIDTH)
  return ['', paint('bad', first), ...rest]
}

export function renderDoctor(diagnosis: Diagnosis, paint: Paint): readonly string[] {
  const { found, where } = diagnosis
  return [
    ...labelled('Backend', `${found.backend}, ${where}`, LABEL),
    '',
    ...searchLines(diagnosis, paint),
    '',
    ...configurationLines(diagnosis, paint),
    '',
    ...speedLines(diagnosis, paint),
    ...redisLines(diagnosis, paint),
    ...diskLines(diagnosis, paint),
    ...findingLines(diagnosis.findings, paint),
    ...verdict(diagnosis, paint),
  ]
}
