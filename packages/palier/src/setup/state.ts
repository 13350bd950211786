import { join } from 'node:path'
import { PalierError } from '../errors.ts'
import { claimDirectory } from '../stores/file/probe.ts'
import { type Language, type RedisAddress, type Shape, type StepId, STEPS, type StorageInput } from './contract.ts'
import type { SetupState, StepResults, StepStatus } from './door.ts'
import { readIfThere, replaceFile } from './files.ts'
import { withLock } from './lock.ts'

/** A change of the settings file that nobody has kept yet. */
export interface Pending {
  /** Milliseconds since 1970. */
  readonly revertAt: number
  readonly settings: string
  /** SHA-256 of the file as it was written, and of what was there before; `undefined`: there was none. */
  readonly applied: string
  readonly before: string | undefined
}

/** All that an installation keeps between processes: `.palier/setup.json`, 0600. */
export interface Saved {
  readonly format: 1
  readonly finished: boolean
  readonly language?: Language
  readonly steps: Readonly<Partial<Record<StepId, Exclude<StepStatus, 'open'>>>>
  readonly results: Readonly<Partial<StepResults>>
  readonly shape?: Shape
  readonly storage: Pick<StorageInput, 'dir' | 'quota' | 'budget'>
  /** Typed addresses, passwords included until they are in the settings file. */
  readonly addresses: readonly RedisAddress[]
  readonly pending?: Pending
  /** Times of tries to unlock and of addresses typed, milliseconds since 1970. */
  readonly tries: readonly number[]
  readonly asked: readonly number[]
  /** Directories that a measurement made and has not taken away yet. */
  readonly litter: readonly string[]
}

const EMPTY: Saved = {
  format: 1,
  finished: false,
  steps: {},
  results: {},
  storage: {},
  addresses: [],
  tries: [],
  asked: [],
  litter: [],
}

export interface StateFile {
  /** `.palier` below the directory of the application. */
  readonly dir: string
  read(): Promise<Saved>
  /** Changes what is saved; one process at a time. */
  update(change: (saved: Saved) => Saved): Promise<Saved>
}

function parse(text: string, path: string): Saved {
  try {
    const saved = JSON.parse(text) as Partial<Saved>
    if (saved.format === 1) return { ...EMPTY, ...saved }
  } catch {
    // Told below: what cannot be read is never written over in silence.
  }
  throw new PalierError('PALIER_DAMAGED', `${path} cannot be read: delete it to begin the installation again`)
}

const UPDATE = { lasts: 10_000, wait: 5000 }

export function openState(directory: string): StateFile {
  const dir = join(directory, '.palier')
  const path = join(dir, 'setup.json')
  const read = async (): Promise<Saved> => {
    const text = await readIfThere(path)
    return text === undefined ? EMPTY : parse(text, path)
  }
  return {
    dir,
    read,
    async update(change) {
      const refused = await claimDirectory(dir)
      if (refused !== undefined) throw new PalierError('PALIER_STORE_REFUSED', `${refused.why}: ${refused.hint}`)
      return withLock(join(dir, 'setup.lock'), 'saving', UPDATE, async () => {
        const next = change(await read())
        await replaceFile(path, `${JSON.stringify(next)}\n`)
        return next
      })
    },
  }
}

/** A step was made (`undefined`: tried, and is still open): what was built on an earlier one of its kind is out of date. */
export function stepDone<S extends StepId>(
  saved: Saved,
  step: S,
  status: 'done' | 'skipped' | undefined,
  result: StepResults[S],
): Saved {
  // The plan of the types follows from what the application declares, and from nothing that is found.
  const later = STEPS.slice(STEPS.indexOf(step) + 1).filter(one => one !== 'types')
  const stale = later.filter(one => saved.steps[one] !== undefined).map(one => [one, 'stale'] as const)
  const { [step]: _before, ...others } = saved.steps
  return {
    ...saved,
    steps: { ...others, ...(status !== undefined && { [step]: status }), ...Object.fromEntries(stale) },
    results: { ...saved.results, [step]: result },
  }
}

/** What a door may see: no address with its password, no litter. */
export function stateOf(saved: Saved, running: string | undefined): SetupState {
  const steps = Object.fromEntries(STEPS.map(step => [step, saved.steps[step] ?? 'open'])) as SetupState['steps']
  return {
    finished: saved.finished,
    steps,
    next: STEPS.find(step => steps[step] === 'open' || steps[step] === 'stale') ?? 'proof',
    results: saved.results,
    pending: saved.pending === undefined ? undefined : { revertAt: saved.pending.revertAt },
    language: saved.language,
    running: STEPS.find(step => step === running),
  }
}
