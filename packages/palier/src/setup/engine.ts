import { rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { badOption, PalierError } from '../errors.ts'
import { applyChange, keepChange, reviewChange, revertChange, revertIfOverdue } from './apply.ts'
import { SHAPES, type StepId, STEPS } from './contract.ts'
import type { Progress, RunOptions, Setup, SetupOptions, SetupState, StepInputs, StepResults } from './door.ts'
import { lockedFor, withLock } from './lock.ts'
import { measureBackends } from './measure.ts'
import { proveLive } from './proof.ts'
import { decide } from './proposal.ts'
import { findRedis } from './redis.ts'
import { reportOf } from './report.ts'
import { clockOf, environmentOf, type Room, sentence, settingsFile } from './room.ts'
import { lookAtServer } from './server.ts'
import { openState, type Saved, stateOf, stepDone } from './state.ts'
import { checkStorage, storageChoice } from './storage.ts'
import { createToken } from './token.ts'
import { planTypes } from './types.ts'

/** Longer than any step takes. */
const STEP_LOCK = { lasts: 180_000, wait: 500 }

interface Made<S extends StepId> {
  readonly result: StepResults[S]
  readonly change?: (saved: Saved) => Saved
  /** The result is told, but the step is not done by it. */
  readonly open?: boolean
}

type Runners = { readonly [S in StepId]: (room: Room, input: StepInputs[S]) => Promise<Made<S>> }

const RUN: Runners = {
  async server(room, input) {
    const { shape } = input
    if (shape !== undefined && !SHAPES.includes(shape)) throw badOption('shape', SHAPES.join(', '), shape)
    const result = await lookAtServer(room, input)
    return { result, change: saved => (shape === undefined ? saved : { ...saved, shape }) }
  },
  async storage(room, input) {
    const storage = storageChoice(room.saved, input)
    return { result: await checkStorage(room, input), change: saved => ({ ...saved, storage }) }
  },
  redis: (room, input) => findRedis(room, input),
  measure: async (room, input) => ({ result: await measureBackends(room, input) }),
  proposal: async (room, input) => ({ result: decide(room.saved.results, input) }),
  types: async (room, input) => ({ result: planTypes(room.options.types ?? [], input) }),
  async apply(room, input) {
    const result = await applyChange(room, input)
    return { result, open: result.phase === 'refused' || result.phase === 'reverted' }
  },
  proof: async room => ({ result: await proveLive(room) }),
}

/** What a skipped step leaves: nothing measured, nothing added, the proposal as it is. */
const DEFAULTS: { readonly [S in StepId]?: (room: Room) => Promise<Made<S>> } = {
  storage: room => RUN.storage(room, {}),
  proposal: room => RUN.proposal(room, {}),
  types: room => RUN.types(room, {}),
}

function checkStep(step: unknown): asserts step is StepId {
  if (!STEPS.some(one => one === step)) throw badOption('step', STEPS.join(', '), step)
}

/** Makes the engine of an installation. Nothing is touched before `open`. Throws PALIER_BAD_OPTION. */
export function createSetup(options: SetupOptions): Setup {
  if (typeof options.directory !== 'string' || options.directory === '')
    throw badOption('directory', 'a path', options.directory)
  const clock = clockOf(options)
  const directory = resolve(options.directory)
  const state = openState(directory)
  const token = createToken(state, clock)
  const stepLock = join(state.dir, 'step.lock')
  let cancelRevert = (): void => undefined
  let isClosed = false

  async function roomOf({ signal, onProgress }: RunOptions, step: StepId): Promise<Room> {
    return {
      options,
      environment: await environmentOf(options),
      directory,
      file: settingsFile(options),
      state,
      saved: await state.read(),
      clock,
      signal: signal ?? new AbortController().signal,
      tell: (share, text, more) => onProgress?.({ step, share, text, ...more } satisfies Progress),
    }
  }

  /** Nobody but this process's timer, or the next process that opens the setup, takes an unkept change back. */
  function armRevert({ pending }: Pick<Saved, 'pending'>): void {
    cancelRevert()
    cancelRevert = () => undefined
    if (pending === undefined || isClosed) return
    cancelRevert = clock.after(Math.max(0, pending.revertAt - clock.wall()), () => {
      roomOf({}, 'apply')
        .then(revertIfOverdue)
        .catch((error: unknown) => options.log?.(`palier setup: the change could not be taken back: ${String(error)}`))
    })
  }

  function checkOpen(saved: Saved): void {
    if (saved.finished)
      throw new PalierError('PALIER_CLOSED', 'the installation is finished; palier init --reopen opens it again')
  }

  async function current(): Promise<SetupState> {
    const saved = await state.read()
    return stateOf(saved, await lockedFor(stepLock))
  }

  async function take<S extends StepId>(
    step: S,
    runOptions: RunOptions,
    status: 'done' | 'skipped',
    make: (room: Room) => Promise<Made<S>>,
  ): Promise<StepResults[S]> {
    checkOpen(await state.read())
    // Makes the directory of the locks, too.
    await state.update(saved => saved)
    return withLock(stepLock, step, STEP_LOCK, async () => {
      const room = await roomOf(runOptions, step)
      const { result, change, open = false } = await make(room)
      room.signal.throwIfAborted()
      const saved = await state.update(each =>
        stepDone(change?.(each) ?? each, step, open ? undefined : status, result),
      )
      if (step === 'apply') armRevert(saved)
      room.tell(1, sentence('done'))
      return result
    })
  }

  async function run<S extends StepId>(
    step: S,
    input: StepInputs[S],
    runOptions: RunOptions = {},
  ): Promise<StepResults[S]> {
    checkStep(step)
    return take(step, runOptions, 'done', room => RUN[step](room, input))
  }

  async function clean(saved: Saved): Promise<void> {
    if ((await lockedFor(stepLock)) !== undefined) return
    // Only what has our name in it: a state file that somebody edited must not delete anything else.
    const ours = saved.litter.filter(path => /^palier-setup-[0-9a-f]{6}-/.test(basename(path)))
    for (const path of ours) await rm(path, { recursive: true, force: true, maxRetries: 3 })
    if (saved.litter.length > 0) await state.update(each => ({ ...each, litter: [] }))
  }

  return {
    tokenFile: token.file,
    async open() {
      const saved = await state.update(each => each)
      if (saved.pending !== undefined) await revertIfOverdue(await roomOf({}, 'apply'))
      armRevert(await state.read())
      await clean(saved)
      if (!saved.finished) {
        const text = await token.ensure()
        options.log?.(`palier setup: the token is ${text} (also in ${token.file})`)
      }
      return current()
    },
    async unlock(typed: unknown) {
      if (typeof typed !== 'string' || typed.length > 200)
        throw badOption('token', 'the text of the token', typeof typed)
      return token.unlock(typed)
    },
    state: current,
    async setLanguage(language) {
      if (language !== 'en' && language !== 'fr') throw badOption('language', 'en or fr', language)
      await state.update(saved => ({ ...saved, language }))
    },
    run,
    async skip(step) {
      checkStep(step)
      const make = DEFAULTS[step]
      if (make !== undefined) await take(step, {}, 'skipped', make as (room: Room) => Promise<Made<typeof step>>)
      else {
        const saved = await state.read()
        checkOpen(saved)
        if (saved.pending !== undefined)
          throw new PalierError('PALIER_LOCKED', 'a change waits to be kept or taken back')
        await state.update(each => ({ ...each, steps: { ...each.steps, [step]: 'skipped' } }))
      }
      return current()
    },
    async fast(runOptions = {}) {
      const order = ['server', 'storage', 'redis', 'measure', 'proposal', 'types'] as const
      const known = await state.read()
      for (const step of order) {
        // What somebody already said, the shape, the directory, typed addresses, is kept by the steps themselves.
        if (step === 'types' && known.results.types !== undefined) continue
        await run(step, {}, runOptions)
      }
      const { proposal } = (await state.read()).results
      if (proposal === undefined) throw new PalierError('PALIER_CLOSED', 'the proposal was taken away meanwhile')
      return proposal
    },
    async review() {
      return reviewChange(await roomOf({}, 'apply'))
    },
    async keep() {
      const result = await keepChange(await roomOf({}, 'apply'))
      cancelRevert()
      return result
    },
    async revert() {
      const result = await revertChange(await roomOf({}, 'apply'))
      cancelRevert()
      return result
    },
    async report(language) {
      return reportOf(await current(), language, clock.wall())
    },
    async finish() {
      const saved = await state.read()
      if (saved.pending !== undefined) throw new PalierError('PALIER_LOCKED', 'a change waits to be kept or taken back')
      await state.update(each => ({ ...each, finished: true, addresses: [] }))
      await rm(token.file, { force: true })
    },
    async reopen() {
      await state.update(each => ({ ...each, finished: false, tries: [] }))
      await rm(token.file, { force: true })
      await token.ensure()
    },
    async close() {
      isClosed = true
      cancelRevert()
    },
  }
}
