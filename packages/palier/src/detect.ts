import { type Clock, within } from './clock.ts'
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
    const found = await tryOut(candidate, clock, Math.max(LEAST_BUDGET, endAt - began))
    const ms = Math.round(clock.now() - began)
    const { backend } = candidate
    if (!found.ok) {
      trace.push({ backend, outcome: 'refused', why: found.why, hint: found.hint, ms })
      continue
    }
    trace.push({ backend, outcome: 'chosen', why: found.detail, ms })
    const fellBack = choice !== 'auto' && backend !== choice
    return { backend, why: sentence(trace), trace, store: found.store, fellBack }
  }
  return { backend: 'memory', why: 'nothing else could be used', trace, store: undefined, fellBack: choice !== 'auto' }
}

type Opened = { readonly ok: true; readonly detail: string; readonly store: SharedStore | undefined }
type Refusal = Extract<Probe, { ok: false }>

async function tryOut(candidate: Candidate, clock: Clock, budget: number): Promise<Opened | Refusal> {
  const late: Refusal = {
    ok: false,
    why: `no answer within ${Math.round(budget)} ms`,
    hint: 'a firewall that drops packets, or a disk that hangs, looks like this',
  }
  try {
    const probe = await within<Probe>(
      clock,
      budget,
      () => candidate.probe(budget),
      () => late,
    )
    return probe.ok ? { ok: true, detail: probe.detail, store: candidate.open() } : probe
  } catch (cause) {
    return { ok: false, why: messageOf(cause), hint: 'see the reason' }
  }
}

function sentence(trace: readonly TraceStep[]): string {
  const refused = trace
    .filter(step => step.outcome === 'refused')
    .map(step => `${step.backend} was refused: ${step.why}`)
  const chosen = trace.find(step => step.outcome === 'chosen')
  return [chosen?.why ?? '', ...refused].join('; ')
}
