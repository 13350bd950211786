import { stat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from './arguments.ts'
import type { Language, ProposalResult, RedisAddress, RedisCandidate } from '../setup/contract.ts'
import type { Progress, Setup, StepInputs, StepResults } from '../setup/door.ts'
import type { StepId } from '../setup/contract.ts'
import { createSetup } from '../setup/engine.ts'
import { say } from '../setup/words.ts'
import { type InitText, initText } from './init-text.ts'
import type { Job, Outcome } from './run.ts'

/** Whatever takes longer shows how far it is. */
const PATIENCE = 1000

interface Session {
  readonly job: Job
  readonly setup: Setup
  readonly language: Language
  /** Prints a part as it is known. */
  show(part: (text: InitText) => readonly string[]): void
}

function languageOf({ given, terminal }: Job): Language {
  const { LC_ALL, LANG } = terminal.environment
  return given.lang ?? (/^fr/i.test(LC_ALL ?? LANG ?? '') ? 'fr' : 'en')
}

/** One line on standard error that is written over, only where somebody looks. */
function ticker({ terminal, given }: Job, language: Language): { tell(progress: Progress): void; end(): void } {
  const began = performance.now()
  let width = 0
  const write = (text: string): void => {
    terminal.err(`\r${text.padEnd(width)}`)
    width = text.length
  }
  return {
    tell({ share, text, left }) {
      if (!terminal.isTerminal || given.json || performance.now() - began < PATIENCE) return
      const seconds = left === undefined ? '' : `, ${Math.ceil(left / 1000)} s`
      write(`${say(language, text)} ${Math.round(share * 100)} %${seconds}`.slice(0, 78))
    },
    end() {
      if (width > 0) write('')
      if (width > 0 || terminal.isTerminal) terminal.err(width > 0 ? '\r' : '')
    },
  }
}

async function make<S extends StepId>(
  { job, setup, language }: Session,
  step: S,
  input: StepInputs[S],
): Promise<StepResults[S]> {
  const progress = ticker(job, language)
  try {
    return await setup.run(step, input, { signal: job.terminal.signal, onProgress: progress.tell })
  } finally {
    progress.end()
  }
}

function addressOf({ where, id }: RedisCandidate, password: string): RedisAddress {
  const db = Number(/\/(\d+)$/.exec(id)?.[1] ?? 0)
  if (id.startsWith('unix:')) return { socket: id.slice('unix:'.length).replace(/\/\d+$/, ''), password, db }
  const [, host = where, port = '6379'] = /^(?:tcp|tls):\[?(.*?)\]?:(\d+)\/\d+$/.exec(id) ?? []
  return { host, port: Number(port), password, db, ...(id.startsWith('tls:') && { tls: true }) }
}

/** A Redis that asks for a password is worth a question, where somebody can answer. */
async function findRedis(session: Session): Promise<StepResults['redis']> {
  const { job, language } = session
  const { given, terminal } = job
  let found = await make(session, 'redis', given.redisUrl === undefined ? {} : { add: { url: given.redisUrl } })
  if (given.yes || given.json || terminal.secret === undefined) return found
  for (const candidate of found.candidates.filter(one => one.state === 'password')) {
    const question = say(language, { key: 'ask.password', values: { where: candidate.where } })
    const password = await terminal.secret(question)
    if (password !== undefined && password !== '')
      found = await make(session, 'redis', { add: addressOf(candidate, password) })
  }
  return found
}

/** `--backend` takes the best option with that backend. Throws UsageError when there is none. */
async function choose(session: Session): Promise<ProposalResult> {
  const first = await make(session, 'proposal', {})
  const wanted = session.job.given.backend
  if (wanted === undefined || wanted === 'auto' || first.chosen.backend === wanted) return first
  const other = first.alternatives.find(one => one.backend === wanted)
  if (other === undefined)
    throw new UsageError(
      `--backend: ${wanted} cannot be used here; found ${[first.proposal, ...first.alternatives].map(one => one.backend).join(', ')}`,
    )
  return make(session, 'proposal', { choose: other.id, reason: 'palier init --backend' })
}

async function findOut(session: Session): Promise<ProposalResult> {
  const { job, show } = session
  const server = await make(session, 'server', {})
  show(text => text.server(server))
  const { dir } = job.given
  const storage = await make(session, 'storage', dir === undefined ? {} : { dir })
  show(text => text.storage(storage))
  const redis = await findRedis(session)
  show(text => text.redis(redis))
  const measure = await make(session, 'measure', {})
  show(text => text.measure(measure))
  const proposal = await choose(session)
  show(text => text.proposal(proposal))
  await make(session, 'types', {})
  return proposal
}

type Ending = 'kept' | 'already' | 'dry run' | 'declined' | 'reverted' | 'by hand' | 'refused'

async function ask(
  { job, language }: Session,
  key: 'ask.proposal' | 'ask.keep',
  signal?: AbortSignal,
): Promise<boolean> {
  if (job.given.yes) return true
  const answer = await job.terminal.confirm(say(language, { key }), signal)
  if (answer === undefined) job.terminal.err(`palier: ${say(language, { key: 'init.notAsked' })}\n`)
  return answer === true
}

async function apply(session: Session): Promise<Ending> {
  const { job, setup, language, show } = session
  const line = (key: Parameters<typeof say>[1]): void => job.print(() => ['', say(language, key)])
  const review = await setup.review()
  if (review.same) {
    line({ key: 'init.same' })
    return 'already'
  }
  show(text => text.review(review))
  if (job.given.dryRun) {
    line({ key: 'init.dryRun' })
    return 'dry run'
  }
  if (review.why !== undefined) {
    line(review.why)
    show(text => text.snippets(review))
    return 'by hand'
  }
  if (!(await ask(session, 'ask.proposal'))) return 'declined'
  const applied = await make(session, 'apply', {})
  line(applied.text)
  if (applied.phase !== 'waiting to be kept') return 'refused'
  const late = AbortSignal.timeout(Math.max(1, (applied.revertAt ?? 0) - Date.now()))
  const keep = await ask(session, 'ask.keep', late)
  const isLeaving = job.terminal.signal.aborted
  const result = late.aborted ? undefined : await (keep && !isLeaving ? setup.keep() : setup.revert())
  if (result === undefined) await setup.open()
  line(result?.text ?? { key: 'apply.reverted' })
  return result?.phase === 'kept' ? 'kept' : 'reverted'
}

const GOOD: readonly Ending[] = ['kept', 'already', 'dry run']

async function outcomeOf(session: Session, ending: Ending): Promise<Outcome> {
  const { setup, language, show } = session
  let proof: StepResults['proof'] | undefined
  if (ending === 'kept' || ending === 'already') {
    proof = await make(session, 'proof', {})
    const shown = proof
    show(text => text.proof(shown))
    if (proof.passed) await setup.finish()
  }
  const { json } = await setup.report(language)
  const good = GOOD.includes(ending) && proof?.passed !== false
  return { exitCode: good ? 0 : 1, report: { ending, ...json }, lines: () => [] }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Finds out, proposes, writes, and asks whether to keep it. Ctrl-C leaves nothing behind. */
export async function init(job: Job): Promise<Outcome> {
  const { given, terminal } = job
  const directory = process.cwd()
  const language = languageOf(job)
  const setup = createSetup({
    directory,
    environment: terminal.environment,
    ...(given.file !== undefined && { file: given.file }),
  })
  if (given.reopen) {
    await setup.reopen()
    await setup.close()
    const text = say(language, { key: 'init.token', values: { file: setup.tokenFile } })
    return { exitCode: 0, report: { reopened: true, tokenFile: setup.tokenFile }, lines: () => [text] }
  }
  const own = join(directory, '.palier')
  const isNew = !(await isThere(own))
  const session: Session = { job, setup, language, show: part => job.print(paint => part(initText(language, paint))) }
  let ending: Ending = 'declined'
  try {
    await setup.open()
    job.print(paint => [paint('heading', say(language, { key: 'init.title' }))])
    await findOut(session)
    ending = await apply(session)
    return await outcomeOf(session, ending)
  } catch (error) {
    if (!terminal.signal.aborted) throw error
    const text = say(language, { key: 'init.cancelled' })
    return { exitCode: 1, report: { ending: 'cancelled' }, lines: () => ['', text] }
  } finally {
    await setup.close()
    // What only looked, or was called off, leaves the directory as it found it.
    if (isNew && ending !== 'kept' && ending !== 'already') await rm(own, { recursive: true, force: true })
  }
}
