import { type Clock, patiently } from './clock.ts'
import { messageOf } from './link.ts'
import type { BackendChoice } from './options.ts'
import type { SharedStore } from './store.ts'

export type Backend = 'redis' | 'filesystem' | 'memory'

/** One step of the search for a backend, as people read it. */
export interface TraceStep {
  readonly backend: Backend
  readonly outcome: 'chosen' | 'refused' | 'not tried'
  readonly why: string
  /** What would make it work. */
  readonly hint?: string
  readonly ms: number
}

export type Probe =
  | { readonly ok: true; readonly detail: string }
  | { readonly ok: false; readonly why: string; readonly hint: string }

/** A backend that may be there. */
export interface Candidate {
  readonly backend: Backend
  /** Proves it by using it, within the budget in milliseconds. */
  probe(budget: number): Promise<Probe>
  /** Opens it; undefined for memory, where nothing is shared. */
  open(): SharedStore | undefined
}

export interface Detection {
  readonly backend: Backend
  readonly why: string
  readonly trace: readonly TraceStep[]
  readonly store: SharedStore | undefined
  /** True when the backend that was asked for by name is not the one that was found. */
  readonly fellBack: boolean
}

/** Even a late candidate gets this long: a directory answers in a few milliseconds. */
const LEAST_BUDGET = 100

/** Takes the first candidate that proves itself. Never rejects; `candidates` ends with one that cannot fail. */
export async function detect(
  candidates: readonly Candidate[],
  choice: BackendChoice,
  clock: Clock,
  budget: number,
): Promise<Detection> {
  const trace: TraceStep[] = []
  const endAt = clock.now() + budget
  const start = choice === 'auto' ? 0 : candidates.findIndex(one => one.backend === choice)
  for (const skipped of candidates.slice(0, start)) {
    trace.push({ backend: skipped.backend, outcome: 'not tried', why: `the configuration asks for ${choice}`, ms: 0 })
  }
  for (const candidate of candidates.slice(start)) {
    const began = clock.now()
    const probe = await prove(candidate, clock, Math.max(LEAST_BUDGET, endAt - began))
    const ms = Math.round(clock.now() - began)
    const { backend } = candidate
    if (!probe.ok) {
      trace.push({ backend, outcome: 'refused', why: probe.why, hint: probe.hint, ms })
      continue
    }
    trace.push({ backend, outcome: 'chosen', why: probe.detail, ms })
    const fellBack = choice !== 'auto' && backend !== choice
    return { backend, why: sentence(trace), trace, store: candidate.open(), fellBack }
  }
  return { backend: 'memory', why: 'nothing else could be used', trace, store: undefined, fellBack: choice !== 'auto' }
}

async function prove(candidate: Candidate, clock: Clock, budget: number): Promise<Probe> {
  const late: Probe = {
    ok: false,
    why: `no answer within ${Math.round(budget)} ms`,
    hint: 'a firewall that drops packets, or a disk that hangs, looks like this',
  }
  let cancel: () => void = () => undefined
  const timeout = new Promise<Probe>(resolve => {
    cancel = patiently(clock, budget, () => resolve(late))
  })
  try {
    return await Promise.race([candidate.probe(budget), timeout])
  } catch (cause) {
    return { ok: false, why: messageOf(cause), hint: 'see the reason' }
  } finally {
    cancel()
  }
}

function sentence(trace: readonly TraceStep[]): string {
  const refused = trace
    .filter(step => step.outcome === 'refused')
    .map(step => `${step.backend} was refused: ${step.why}`)
  const chosen = trace.find(step => step.outcome === 'chosen')
  return [chosen?.why ?? '', ...refused].join('; ')
}
