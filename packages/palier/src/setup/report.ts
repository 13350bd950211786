import { createHash } from 'node:crypto'
import type { Fact, Language } from './contract.ts'
import type { Report, SetupState } from './door.ts'
import { say } from './words.ts'

const MARKS: Readonly<Record<Fact['verdict'], string>> = {
  good: '[ok]  ',
  note: '[note]',
  warning: '[warn]',
  bad: '[bad] ',
  unknown: '[?]   ',
}

function factLines(language: Language, facts: readonly Fact[]): readonly string[] {
  return facts.map(one => {
    const evidence = one.evidence === undefined ? '' : ` (${one.evidence})`
    return `${MARKS[one.verdict]} ${say(language, one.label)}: ${say(language, one.text)}${evidence}`
  })
}

function sections(language: Language, { results }: SetupState): readonly (readonly [string, readonly string[]])[] {
  const { server, storage, redis, measure, proposal, apply, proof } = results
  const list: (readonly [string, readonly string[]])[] = []
  const add = (
    step: 'server' | 'storage' | 'redis' | 'measure' | 'proposal' | 'apply' | 'proof',
    lines: readonly string[],
  ): void => void list.push([say(language, { key: `step.${step}` }), lines])
  if (server !== undefined) add('server', factLines(language, server.facts))
  if (storage !== undefined) add('storage', [...factLines(language, storage.tests), say(language, storage.budget.text)])
  if (redis !== undefined) {
    const rows = redis.candidates.flatMap(one => [
      `${one.where}: ${say(language, one.text)}`,
      ...factLines(language, one.facts).map(line => `  ${line}`),
    ])
    add('redis', [say(language, redis.summary), ...rows])
  }
  if (measure !== undefined) {
    const rows = measure.rows.map(({ name, readHit, write, mixed, proofs }) => {
      const figure = (micros: number | undefined): string => (micros === undefined ? '-' : `${micros} µs`)
      const made = proofs.filter(one => one.outcome !== 'not made')
      const good = made.filter(one => one.outcome === 'passed').length
      return `${say(language, name)}: ${figure(readHit?.p50)} / ${figure(readHit?.p95)}, ${figure(write?.p95)}, ${figure(mixed?.p95)}, ${good}/${made.length}`
    })
    add('measure', rows)
  }
  if (proposal !== undefined) {
    const { chosen, reason } = proposal
    add('proposal', [
      say(language, chosen.title),
      ...chosen.evidence.map(one => say(language, one)),
      ...(reason === undefined ? [] : [reason]),
    ])
  }
  if (apply !== undefined) add('apply', [say(language, apply.text)])
  if (proof !== undefined)
    add('proof', [say(language, proof.summary), ...(proof.reason === undefined ? [] : [say(language, proof.reason)])])
  return list
}

/** What was found, without secrets: results hold none. */
export function reportOf(state: SetupState, language: Language, at: number): Report {
  const json = {
    format: 1,
    at: new Date(at).toISOString(),
    node: process.version,
    platform: process.platform,
    steps: state.steps,
    results: state.results,
  }
  const digest = createHash('sha256').update(JSON.stringify(json)).digest('hex')
  const id = `${digest.slice(0, 4)}-${digest.slice(4, 8)}`
  const body = sections(language, state).map(
    ([title, lines]) => `${title}\n${lines.map(line => `  ${line}\n`).join('')}`,
  )
  const head = `Palier ${id}, ${json.at}, Node ${process.version}, ${process.platform}\n`
  return { id, text: [head, ...body].join('\n'), json: { id, ...json } }
}
