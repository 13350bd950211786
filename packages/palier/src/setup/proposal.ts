import { badOption } from '../errors.ts'
import type {
  CorrectnessProof,
  MeasuredRow,
  Proposal,
  ProposalInput,
  ProposalResult,
  RedisCandidate,
  Sentence,
} from './contract.ts'
import type { StepResults } from './door.ts'
import { sentence } from './room.ts'

/*
 * From what was found to one proposal and its alternatives. Pure: the same facts give the same proposal, and each line
 * of evidence is something that was seen.
 */

type Facts = Pick<Partial<StepResults>, 'server' | 'storage' | 'redis' | 'measure'>

/** A Redis further away than this costs a page more than a local disk. Microseconds, p95 of a read. */
const FAR = 5000

interface Option extends Proposal {
  /** Better above worse. */
  readonly rank: number
}

const rowOf = (facts: Facts, id: string): MeasuredRow | undefined => facts.measure?.rows.find(one => one.id === id)

const proofsOf = (row: MeasuredRow | undefined): readonly CorrectnessProof[] => row?.proofs ?? []
const failures = (row: MeasuredRow | undefined): readonly Sentence[] =>
  proofsOf(row)
    .filter(one => one.outcome === 'failed')
    .map(one => one.text)

const ms = (micros: number): number => Number((micros / 1000).toPrecision(2))

function evidenceOf(row: MeasuredRow | undefined): readonly Sentence[] {
  const lines: Sentence[] = []
  if (row?.readHit !== undefined)
    lines.push(sentence('proposal.reads', { p50: ms(row.readHit.p50), p95: ms(row.readHit.p95) }))
  const made = proofsOf(row).filter(one => one.outcome !== 'not made')
  const passed = made.filter(one => one.outcome === 'passed').length
  if (made.length > 0) lines.push(sentence('proposal.proofs', { n: passed, of: made.length }))
  const { comparison } = row ?? {}
  if (comparison !== undefined && comparison.to === 'disk') {
    if (comparison.verdict === 'faster') lines.push(sentence('proposal.faster', { times: comparison.times ?? 1 }))
    else if (comparison.verdict !== 'slower') lines.push(sentence('proposal.same'))
  }
  return lines
}

/** Slower than the disk is nothing that speaks for it. */
function slowerOf(row: MeasuredRow | undefined): readonly Sentence[] {
  const { comparison } = row ?? {}
  if (comparison?.to !== 'disk' || comparison.verdict !== 'slower') return []
  return [sentence('proposal.slower', { times: comparison.times ?? 1 })]
}

function takeoverOf(row: MeasuredRow | undefined, diskUsable: boolean): Sentence | undefined {
  const cut = proofsOf(row).find(one => one.id === 'cut' && one.outcome === 'passed')
  if (cut?.ms === undefined) return undefined
  return sentence(diskUsable ? 'proposal.takeover.disk' : 'proposal.takeover.memory', { ms: cut.ms })
}

function failureOf(row: MeasuredRow | undefined): readonly Sentence[] {
  return row?.failure === undefined ? [] : [row.failure]
}

function redisOption(facts: Facts, candidate: RedisCandidate): Option {
  const { id, where } = candidate
  const row = rowOf(facts, id)
  const diskUsable = facts.storage?.usable === true
  const wrong = [
    ...candidate.facts.filter(one => one.verdict === 'bad').map(one => one.text),
    ...(candidate.usable
      ? []
      : [facts.redis?.client === undefined ? sentence('redis.summary.client') : candidate.text]),
    ...failures(row),
    ...failureOf(row),
  ]
  const p95 = row?.readHit?.p95 ?? 0
  const far = diskUsable && facts.storage?.kind === 'local' && p95 > FAR
  const warnings = candidate.facts.filter(one => one.verdict === 'warning').map(one => one.text)
  return {
    id,
    backend: 'redis',
    title: sentence('proposal.redis', { where }),
    chain: ['memory', id, ...(diskUsable ? ['disk'] : []), 'origin'],
    takeover: takeoverOf(row, diskUsable),
    evidence: [...evidenceOf(row), candidate.text].slice(0, 3),
    cost: [sentence('proposal.redis.cost'), ...slowerOf(row), ...warnings],
    against: far ? [...wrong, sentence('proposal.far', { ms: ms(p95) })] : wrong,
    rank: wrong.length > 0 ? -10 : far ? 2 : candidate.hasPassword ? 10 : 9,
  }
}

function diskOption(facts: Facts): Option {
  const { storage, redis } = facts
  const row = rowOf(facts, 'disk')
  const good = (storage?.tests ?? []).filter(one => one.verdict === 'good').length
  const wrong = [
    ...(storage?.tests ?? []).filter(one => one.verdict === 'bad').map(one => one.text),
    ...(storage === undefined ? [sentence('proposal.disk.untested')] : []),
    ...failures(row),
    ...failureOf(row),
  ]
  const none = (redis?.candidates ?? []).every(one => !one.recommended)
  return {
    id: 'disk',
    backend: 'filesystem',
    title: sentence('proposal.disk'),
    chain: ['memory', 'disk', 'origin'],
    takeover: takeoverOf(row, false),
    evidence: [
      ...(storage === undefined ? [] : [sentence('proposal.disk.tests', { n: good, of: storage.tests.length })]),
      ...evidenceOf(row),
      ...(none && redis !== undefined ? [redis.summary] : []),
    ].slice(0, 3),
    cost: [sentence('proposal.disk.cost'), ...(storage === undefined ? [] : [storage.budget.text])],
    against: storage?.kind === 'network' ? [...wrong, sentence('storage.kind.network')] : wrong,
    rank: wrong.length > 0 ? -5 : storage?.kind === 'network' ? 4 : 5,
  }
}

function memoryOption(facts: Facts): Option {
  const row = rowOf(facts, 'memory')
  const processes = facts.server?.processes
  const several = processes !== undefined && processes > 1
  return {
    id: 'memory',
    backend: 'memory',
    title: sentence('proposal.memory'),
    chain: ['memory', 'origin'],
    takeover: undefined,
    evidence: evidenceOf(row),
    cost: [sentence('proposal.memory.cost')],
    against: several ? [sentence('proposal.memory.several', { n: processes })] : [],
    rank: several ? -1 : 0,
  }
}

const shown = ({ rank: _rank, ...proposal }: Option): Proposal => proposal

/** Best first. Memory alone always works, so there is always one. */
function optionsOf(facts: Facts): readonly [Option, ...Option[]] {
  const candidates = (facts.redis?.candidates ?? []).filter(
    one => one.usable || one.state === 'open' || one.state === 'ready',
  )
  const memory = memoryOption(facts)
  const all = [...candidates.map(one => redisOption(facts, one)), diskOption(facts), memory]
  const [first = memory, ...others] = all.sort((a, b) => b.rank - a.rank)
  return [first, ...others]
}

/** One proposal and at most two alternatives, best first: of other backends, before more of the same. */
export function propose(facts: Facts): Pick<ProposalResult, 'proposal' | 'alternatives'> {
  const [first, ...others] = optionsOf(facts)
  const isOther = (one: Option, i: number): boolean =>
    one.backend !== first.backend && others.findIndex(each => each.backend === one.backend) === i
  const different = others.filter(isOther)
  const same = others.filter(one => !different.includes(one))
  return { proposal: shown(first), alternatives: [...different, ...same].slice(0, 2).map(shown) }
}

const LONGEST_REASON = 300

/** Throws PALIER_BAD_OPTION for a choice that is not there, or one against the tests without a reason. */
export function decide(facts: Facts, { choose, reason }: ProposalInput): ProposalResult {
  const { proposal, alternatives } = propose(facts)
  const all = optionsOf(facts).map(shown)
  const chosen = choose === undefined ? proposal : all.find(one => one.id === choose)
  if (chosen === undefined) throw badOption('choose', all.map(one => one.id).join(', '), choose)
  const text = reason?.trim() ?? ''
  if (text.length > LONGEST_REASON)
    throw badOption('reason', `at most ${LONGEST_REASON} characters`, `${text.length} characters`)
  if (chosen.against.length > 0 && chosen.id !== proposal.id && text === '') {
    throw badOption('reason', 'why you use it against the tests', reason)
  }
  return { proposal, alternatives, chosen, reason: chosen.against.length > 0 && text !== '' ? text : undefined }
}
