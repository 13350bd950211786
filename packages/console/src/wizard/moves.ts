import { PalierError } from 'palier'
import { STEPS } from 'palier/setup'
import { newId, problem, problemResponse } from '../answer.ts'
import type { Form } from './forms.ts'
import { go, type Pages, type Scene, type WizardRoom } from './pages.ts'
import type { Run } from './runs.ts'
import { StepRefused } from './screens/host.ts'
import type { Teller } from './tell.ts'
import type { Outcome, Screen, ScreenStatus } from './view.ts'

const isStep = (id: string): id is (typeof STEPS)[number] => (STEPS as readonly string[]).includes(id)

/** What an error may say on a page: its own words where it is about what was typed, a name in the log where it is not. */
function errorText({ t }: Teller, error: unknown, log: (line: string) => void): string {
  if (error instanceof StepRefused) return error.message
  if (error instanceof PalierError) {
    if (error.code === 'PALIER_LOCKED') return t('error.locked')
    if (error.code === 'PALIER_CLOSED') return t('error.closed', { message: error.message })
    if (error.code === 'PALIER_BAD_OPTION') return t('error.input', { message: error.message })
  }
  const id = newId()
  log(`palier wizard: ${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return t('error.other', { message: `${error instanceof Error ? error.message : 'unknown'} (${id})` })
}

/** What becomes of a button. */
export interface Moves {
  act(scene: Scene, screen: Screen, form: Form): Promise<Response>
  /** After work: its error on its page, or where it leads. */
  settle(scene: Scene, screen: Screen, run: Run, sent?: Form): Promise<Response>
}

/** Starts work, waits for it as long as a page may take, and goes on. `ended` is told when the installation is over. */
export function createMoves(
  { setup, options, screens, runs, log }: WizardRoom,
  pages: Pages,
  ended: () => void,
): Moves {
  /** Behind a screen: the first that is still open, or that is always looked at; otherwise the first open one of all. */
  const nextOf = (at: string, known: readonly ScreenStatus[]): Screen => {
    const from = screens.findIndex(one => one.id === at)
    const isOpen = ({ id }: Screen): boolean =>
      ['open', 'stale'].includes(known.find(one => one.id === id)?.status ?? 'open')
    const later = screens.slice(from + 1)
    return (
      later.find(one => isOpen(one) || one.always === true) ??
      screens.find(isOpen) ??
      later[0] ??
      (screens.at(-1) as Screen)
    )
  }

  const onwards = async (scene: Scene, at: string): Promise<Response> => {
    const state = await setup.state()
    const known = await pages.statuses({ state, teller: scene.teller })
    const next = nextOf(at, known)
    const status = known.find(one => one.id === next.id)?.status
    if (next.begin !== undefined && (status === 'open' || status === 'stale'))
      await runs.start(next.id, next.begin(setup))
    return go(next.id)
  }

  /** After work: its error on this page, or where it leads. */
  const settle = async (scene: Scene, screen: Screen, run: Run, sent?: Form): Promise<Response> => {
    const { error } = run
    const fresh = { ...scene, state: await setup.state() }
    if (error !== undefined) {
      const problems = error instanceof StepRefused ? error.problems : undefined
      return pages.show(fresh, screen, { sent, problems, error: errorText(scene.teller, error, log) })
    }
    if (run.to === undefined) return go(screen.id)
    return run.to === '' ? onwards(scene, screen.id) : go(await landing(scene, run.to))
  }

  /** The quick way skips the questions of the host: they come first, where they are still open. */
  const landing = async (scene: Scene, to: string): Promise<string> => {
    if (to !== 'proposal') return to
    const known = await pages.statuses(scene)
    return options.before?.find(step => known.find(one => one.id === step.id)?.status === 'open')?.id ?? to
  }

  const act = async (scene: Scene, screen: Screen, form: Form): Promise<Response> => {
    const { teller, state } = scene
    const name = form.text('act')
    if (name === 'next') return onwards(scene, screen.id)
    if (name === 'cancel') {
      await runs.cancel()
      runs.take(screen.id)
      return go(screen.id)
    }
    if (name === 'skip' && isStep(screen.id)) {
      const id = screen.id
      return settleStart(scene, screen, form, { work: () => setup.skip(id), to: '' })
    }
    const outcome = await screen.act({ setup, form, act: name, state, teller })
    return settleStart(scene, screen, form, outcome)
  }

  const settleStart = async (scene: Scene, screen: Screen, form: Form, outcome: Outcome): Promise<Response> => {
    const { teller } = scene
    if (outcome === undefined) return problemResponse(problem(400, 'not-found', 'this form has no such button'))
    if ('refused' in outcome)
      return pages.show(scene, screen, { sent: form, problems: outcome.problems, error: outcome.refused })
    if ('last' in outcome) {
      ended()
      return pages.last(scene)
    }
    if (!('work' in outcome)) return go(outcome.to ?? screen.id)
    if (!(await runs.start(screen.id, outcome.work, outcome.to)))
      return pages.show(scene, screen, { sent: form, error: teller.t('run.busy') })
    const run = runs.take(screen.id)
    return run === undefined ? go(screen.id) : settle(scene, screen, run, form)
  }

  return { act, settle }
}
