import type {
  CorrectnessProof,
  Fact,
  Language,
  MeasuredRow,
  Proposal,
  Sentence,
  Timing,
  Verdict,
} from '../setup/contract.ts'
import type {
  Review,
  ProofResult,
  RedisResult,
  ServerResult,
  StorageResult,
  MeasureResult,
  ProposalResult,
} from '../setup/contract.ts'
import { say } from '../setup/words.ts'
import { labelled, microsText, type Paint, type Style, table, wrap } from './text.ts'

/** What `palier init` prints, in the language asked for. */
export interface InitText {
  heading(sentence: Sentence): readonly string[]
  server(result: ServerResult): readonly string[]
  storage(result: StorageResult): readonly string[]
  redis(result: RedisResult): readonly string[]
  measure(result: MeasureResult): readonly string[]
  proposal(result: ProposalResult): readonly string[]
  review(review: Review): readonly string[]
  snippets(review: Review): readonly string[]
  proof(result: ProofResult): readonly string[]
}

const STYLES: Readonly<Record<Verdict, Style | undefined>> = {
  good: 'good',
  note: undefined,
  warning: 'warning',
  bad: 'bad',
  unknown: undefined,
}
const MARKS: Readonly<Record<Verdict, string>> = { good: 'ok', note: '-', warning: '!', bad: 'x', unknown: '?' }
const LABEL = 38

function micros(timing: Timing | undefined, which: 'p50' | 'p95'): string {
  return timing === undefined ? '-' : `${microsText(timing[which])} µs`
}

/** Of those that could be made here. */
function passed(proofs: readonly CorrectnessProof[]): string {
  const made = proofs.filter(one => one.outcome !== 'not made')
  return made.length === 0 ? '-' : `${made.filter(one => one.outcome === 'passed').length}/${made.length}`
}

export function initText(language: Language, paint: Paint): InitText {
  const t = (sentence: Sentence): string => say(language, sentence)
  const heading = (sentence: Sentence): readonly string[] => ['', paint('heading', t(sentence))]

  function factLines(facts: readonly Fact[], indent = 2): readonly string[] {
    return facts.flatMap(({ verdict, label, text, advice }) => {
      const style = STYLES[verdict]
      const mark = MARKS[verdict].padEnd(3)
      const lines = labelled(`${' '.repeat(indent)}${mark}${t(label)} `, t(text), LABEL + indent)
      const [first = '', ...rest] = lines
      const painted =
        style === undefined
          ? first
          : first.replace(mark, paint(style, mark.trimEnd()) + mark.slice(mark.trimEnd().length))
      return [painted, ...rest, ...(advice === undefined ? [] : wrap(t(advice), LABEL + indent))]
    })
  }

  function comparison({ comparison: found }: MeasuredRow): string {
    if (found === undefined) return ''
    const key =
      found.verdict === 'faster' ? 'measure.faster' : found.verdict === 'slower' ? 'measure.slower' : 'measure.same'
    return t({ key }) + (found.times === undefined ? '' : ` ×${found.times}`)
  }

  const bullets = (sentences: readonly Sentence[]): readonly string[] =>
    sentences.flatMap(one => wrap(t(one), 4).map((line, i) => (i === 0 ? `  - ${line.trimStart()}` : line)))

  function one({ title, takeover, evidence, cost, against }: Proposal): readonly string[] {
    return [
      `  ${paint('heading', t(title))}`,
      ...(takeover === undefined ? [] : wrap(t(takeover), 2)),
      `  ${t({ key: 'init.why' })}`,
      ...bullets(evidence),
      `  ${t({ key: 'init.cost' })}`,
      ...bullets(cost),
      ...(against.length === 0 ? [] : [`  ${paint('warning', t({ key: 'init.against' }))}`, ...bullets(against)]),
    ]
  }

  return {
    heading,
    server: result => [...heading({ key: 'step.server' }), ...factLines(result.facts)],
    storage: result => [
      ...heading({ key: 'step.storage' }),
      `  ${result.dir}`,
      ...factLines(result.tests),
      ...wrap(t(result.budget.text), 2),
    ],
    redis: result => [
      ...heading({ key: 'step.redis' }),
      ...wrap(t(result.summary), 2),
      ...result.candidates.flatMap(({ where, text, advice, facts, verdict }) => [
        ...factLines([
          {
            id: where,
            verdict,
            label: { key: 'name.redis', values: { where } },
            text,
            ...(advice !== undefined && { advice }),
          },
        ]),
        ...factLines(facts, 6),
      ]),
      ...(result.silent.length === 0 ? [] : wrap(t({ key: 'init.silent', values: { n: result.silent.length } }), 2)),
    ],
    measure(result) {
      const columns = t({ key: 'measure.columns' }).split(' | ')
      const rows = result.rows.map(row => [
        t(row.name),
        micros(row.readHit, 'p50'),
        micros(row.readHit, 'p95'),
        micros(row.write, 'p95'),
        micros(row.mixed, 'p95'),
        passed(row.proofs),
        comparison(row),
      ])
      const failed = result.rows.flatMap(row =>
        row.proofs.filter(proof => proof.outcome === 'failed').map(proof => proof.text),
      )
      const failures = result.rows.flatMap(row => (row.failure === undefined ? [] : [row.failure]))
      const stopped = result.stopped === undefined ? [] : [result.stopped]
      return [
        ...heading({ key: 'step.measure' }),
        ...table([['', ...columns, ''], ...rows], [1, 2, 3, 4, 5]),
        ...bullets([...failed, ...failures, ...stopped]),
      ]
    },
    proposal: ({ chosen, alternatives }) => [
      ...heading({ key: 'step.proposal' }),
      ...one(chosen),
      ...(alternatives.length === 0
        ? []
        : [`  ${t({ key: 'init.alternatives' })}`, ...bullets(alternatives.map(each => each.title))]),
    ],
    review: ({ file, diff, touched, restart }) => [
      ...heading({ key: 'init.changes', values: { file } }),
      ...diff.map(
        ({ mark, text }) =>
          `  ${mark === '+' ? paint('good', `+ ${text}`) : mark === '-' ? paint('bad', `- ${text}`) : `  ${text}`}`,
      ),
      ...touched.map(({ path, mode, what }) => `  ${mode} ${path}: ${t(what)}`),
      ...wrap(t(restart), 2),
    ],
    snippets: ({ snippets }) =>
      snippets.flatMap(({ title, text }) => [
        ...heading(title),
        ...text
          .trimEnd()
          .split('\n')
          .map(line => `  ${line}`),
      ]),
    proof: ({ requests, summary, reason, cron }) => [
      ...heading({ key: 'step.proof' }),
      ...table(
        requests.map(({ label, status, ms }) => [t(label), status, `${ms} ms`]),
        [2],
      ),
      ...wrap(t(summary), 2),
      ...(reason === undefined ? [] : wrap(t(reason), 2)),
      ...heading({ key: 'init.cron' }),
      `  ${cron}`,
    ],
  }
}
