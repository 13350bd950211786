import type { ReportAnswer, TypeView } from './api.ts'

const when = (at: number): string => new Date(at).toISOString()

/** One line each, whatever stands in what is told. */
const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')

function typeLine({ type, policy, reads, hitRate, misses, loads, loadErrors }: TypeView): string {
  const rate = hitRate === undefined ? `${reads} reads` : `${hitRate} % of ${reads} reads`
  return `${type}: ttl ${policy.ttl} ms, grace ${policy.grace} ms; hits ${rate}, misses ${misses}, loads ${loads}, failed ${loadErrors}`
}

/** A report as a text for a ticket. */
export function reportText(report: ReportAnswer): string {
  const { id, at, versions, config, health, trace, processes, types, tiers, alerts, tests } = report
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : ['', title, ...lines.map(line => `  ${line}`)]
  return [
    `Palier report ${id}, ${when(at)}`,
    `palier ${versions.palier}, node ${versions.node}, ${versions.platform}`,
    `namespace ${config.namespace}, ${config.enabled ? 'enabled' : 'disabled'}`,
    `${health.state} since ${when(health.since)}: ${health.reason}`,
    ...(health.judged ? [`over time ${health.judged.state}: ${health.judged.reason}`] : []),
    `backend ${config.backend}: ${config.why}`,
    ...section(
      'Looked for',
      trace.map(({ backend, outcome, why }) => `${backend}: ${outcome}: ${why}`),
    ),
    ...section(
      'Tiers',
      health.tiers.map(({ name, role, state, used, reason }) => {
        const counted = tiers.find(tier => tier.name === name)
        const hits = counted === undefined ? '' : `; hits ${counted.hits}, errors ${counted.errors}`
        return `${name} (${role}): ${state}${used ? ', used' : ''}${reason === undefined ? '' : `: ${reason}`}${hits}`
      }),
    ),
    ...section(
      'Processes',
      processes.map(
        ({ name, version, config: digest, state, reason }) =>
          `${name} ${version || '(no version)'}, settings ${digest}: ${state}: ${reason}`,
      ),
    ),
    ...section(`Types since ${when(types.from)}`, types.types.map(typeLine)),
    ...section(
      'Settings',
      Object.entries(config.settings).map(([name, { value, source }]) => `${name} = ${value} (${source})`),
    ),
    ...section(
      'Alerts',
      (alerts?.active ?? []).map(({ text, detail, since }) => `${text} since ${when(since)}: ${detail}`),
    ),
    ...section(
      'Tests',
      tests.map(({ at: ranAt, mode, backend, ok, speed }) => {
        const times = `read p95 ${speed.read.p95} ms, write p95 ${speed.write.p95} ms`
        return `${when(ranAt)} ${mode} on ${backend}: ${ok ? 'passed' : 'failed'}, ${times}`
      }),
    ),
    '',
  ]
    .map(oneLine)
    .join('\n')
}
