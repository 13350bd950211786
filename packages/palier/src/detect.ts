import { type Clock, within } from './clock.ts'
import { PalierError } from './errors.ts'
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
  /** The configuration names it: when it is not there, it is waited for. */
  readonly wanted: boolean
  /** Proves it by using it, within the budget in milliseconds. */
  probe(budget: number): Promise<Probe>
  /** Opens it; undefined for memory, where nothing is shared. */
  open(): SharedStore | undefined
}

/** A backend as a cache uses it: now, later, or never. */
export interface Place {
  readonly backend: Backend | 'custom'
  readonly wanted: boolean
  /** The cache closes the store. */
  readonly owned: boolean
  /** Why it could not be used when it was looked for. */
  readonly refused?: string
  /** Opened already, because it was chosen. */
  readonly opened?: { readonly store: SharedStore | undefined }
  /** Opens it as it is: it may not answer yet. Undefined for memory, where nothing is shared. */
  open(): SharedStore | undefined
  /** Resolves when it has proved itself; rejects with why it cannot serve. */
  prove(): Promise<void>
}

export interface Detection {
  readonly backend: Backend
  readonly why: string
  readonly trace: readonly TraceStep[]
  /** Best first: those that were looked for and are not there, the chosen one, and those to fall back upon. */
  readonly places: readonly Place[]
  /** Position of the chosen one. */
  readonly chosen: number
  /** The store of the chosen one; undefined for memory. */
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
  const inQuestion = candidates.slice(start)
  const placeOf = (candidate: Candidate): Place => ({
    backend: candidate.backend,
    wanted: candidate.wanted || candidate.backend === choice,
    owned: true,
    open: () => candidate.open(),
    prove: () => prove(candidate, clock, budget),
  })
  for (const [i, candidate] of inQuestion.entries()) {
    const began = clock.now()
    const found = await tryOut(candidate, clock, Math.max(LEAST_BUDGET, endAt - began))
    const ms = Math.round(clock.now() - began)
    const { backend } = candidate
    if (!found.ok) {
      trace.push({ backend, outcome: 'refused', why: found.why, hint: found.hint, ms })
      continue
    }
    trace.push({ backend, outcome: 'chosen', why: found.detail, ms })
    const places = inQuestion.map(one => {
      const why = trace.find(step => step.backend === one.backend && step.outcome === 'refused')?.why
      return { ...placeOf(one), ...(why !== undefined && { refused: why }) }
    })
    places[i] = { ...placeOf(candidate), opened: { store: found.store } }
    const fellBack = choice !== 'auto' && backend !== choice
    return { backend, why: sentence(trace), trace, places, chosen: i, store: found.store, fellBack }
  }
  const why = 'nothing else could be used'
  const store = undefined
  return { backend: 'memory', why, trace, places: [MEMORY], chosen: 0, store, fellBack: choice !== 'auto' }
}

/** This process's own memory: always there, and nothing to open. */
export const MEMORY: Place = {
  backend: 'memory',
  wanted: false,
  owned: true,
  opened: { store: undefined },
  open: () => undefined,
  prove: () => Promise.resolve(),
}

/** A store that the caller gives: the only one, and closed by the caller. */
export interface Given {
  readonly backend: 'custom'
  readonly places: readonly Place[]
  readonly chosen: number
}

export function givenStore(store: SharedStore): Given {
  const place: Place = {
    backend: 'custom',
    wanted: true,
    owned: false,
    opened: { store },
    open: () => store,
    prove: () => Promise.resolve(),
  }
  return { backend: 'custom', places: [place], chosen: 0 }
}

async function prove(candidate: Candidate, clock: Clock, budget: number): Promise<void> {
  const found = await tryOut({ ...candidate, open: () => undefined }, clock, budget)
  if (!found.ok) throw new PalierError('PALIER_STORE_FAILED', `${candidate.backend} was refused: ${found.why}`)
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
