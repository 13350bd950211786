import type { SetupState } from 'palier/setup'
import { givenResponse } from '../answer.ts'
import type { Form } from './forms.ts'
import { page, progressCard } from './frame.ts'
import { type Html, html } from './html.ts'
import { knowPanel } from './know.ts'
import type { WizardOptions, WizardSetup } from './options.ts'
import { banner } from './parts.ts'
import type { Run, Runs } from './runs.ts'
import { unlockPage } from './screens/unlock.ts'
import type { Teller } from './tell.ts'
import type { Screen, ScreenStatus, View } from './view.ts'
import type { Place, Visit, Visits } from './visits.ts'

/** Seconds between reloads of a page that waits: the script asks by itself, and the reload is there in case it does not. */
const RELOAD = { alone: 2, withScript: 20 }
/** The same for the question whether to keep, whose answer has a time. The script counts that down. */
const RELOAD_QUESTION = 10

/** What the parts of the wizard share. */
export interface WizardRoom {
  readonly setup: WizardSetup
  readonly options: WizardOptions
  readonly screens: readonly Screen[]
  readonly visits: Visits
  readonly runs: Runs
  log(line: string): void
}

/** What a request is about, once it is known who sends it. */
export interface Scene {
  readonly request: Request
  readonly place: Place
  readonly visit: Visit
  readonly state: SetupState
  readonly teller: Teller
}

export interface Shown {
  readonly sent?: Form | undefined
  readonly problems?: Readonly<Record<string, string>> | undefined
  readonly error?: string | undefined
}

export interface Pages {
  statuses(scene: Pick<Scene, 'state' | 'teller'>): Promise<readonly ScreenStatus[]>
  /** A screen, or how far its work is. */
  show(scene: Scene, screen: Screen, shown?: Shown): Promise<Response>
  unlock(scene: Scene, shown?: Shown): Promise<Response>
  /** After the end: nothing of the installation answers any more. */
  last(scene: Scene): Promise<Response>
}

/** Relative: a proxy may know this place under another path. */
export const go = (screen: string, cookies: readonly string[] = []): Response => {
  const response = new Response(null, { status: 303, headers: { Location: `./${screen}` } })
  for (const one of cookies) response.headers.append('Set-Cookie', one)
  return response
}

/** Draws the pages. */
export function createPages({ setup, options, screens, visits, runs }: WizardRoom): Pages {
  const statuses = async ({ state, teller }: Pick<Scene, 'state' | 'teller'>): Promise<readonly ScreenStatus[]> =>
    Promise.all(
      screens.map(async screen => ({ id: screen.id, title: screen.title(teller), status: await screen.status(state) })),
    )

  const viewOf = async (scene: Scene, { sent, problems = {} }: Shown = {}): Promise<View> => ({
    teller: scene.teller,
    state: scene.state,
    setup,
    options,
    token: html`<input type="hidden" name="_token" value="${visits.formToken(scene.visit)}">`,
    screens: scene.visit.unlocked ? await statuses(scene) : [],
    sent,
    problems,
    now: Date.now(),
  })

  const hostFacts = async ({ language }: Teller) =>
    Promise.all(
      [...(options.before ?? []), ...(options.after ?? [])].map(async step => ({
        title: step.title[language],
        loaded: await step.load(language),
      })),
    )

  const respond = (scene: Scene, status: number, content: Html, cookies: readonly string[] = []): Response => {
    const response = givenResponse({ status, body: content.markup, type: 'text/html; charset=utf-8' }, {})
    const { visit, place } = scene
    const all = visit.isNew ? [visits.cookie('visit', visit.id, place), ...cookies] : cookies
    for (const one of all) response.headers.append('Set-Cookie', one)
    return response
  }

  const unlockScreen = async (scene: Scene, shown: Shown = {}): Promise<Response> => {
    const view = await viewOf(scene, shown)
    const { t } = scene.teller
    const error = shown.error === undefined ? undefined : banner('down', shown.error)
    const content = unlockPage(view, setup.tokenFile)
    const body = page({
      view,
      visit: scene.visit,
      screen: 'unlock',
      title: t('unlock.title'),
      lead: t('unlock.lead'),
      content,
      error,
    })
    return respond(scene, shown.error === undefined ? 200 : 422, body)
  }

  const waiting = (
    view: View,
    visit: Visit,
    run: Run | undefined,
    screen: string,
  ): { readonly content: Html; readonly refresh: number } => {
    const { t, say, ms } = view.teller
    const progress = run?.progress
    const text =
      run === undefined ? t('run.elsewhere') : progress === undefined ? t('run.starting') : say(progress.text)
    const left = progress?.left === undefined ? undefined : t('run.left', { time: ms(progress.left) })
    const content = progressCard(view, { share: progress?.share, text, left, facts: undefined }, screen)
    return { content, refresh: visit.script ? RELOAD.withScript : RELOAD.alone }
  }

  const show = async (scene: Scene, screen: Screen, shown: Shown = {}): Promise<Response> => {
    const { state, teller, visit } = scene
    const view = await viewOf(scene, shown)
    const run = runs.current()
    const isHere = run?.screen === screen.id && !run.isDone
    const isElsewhere = run === undefined && state.running !== undefined && state.running === screen.id
    const waits = isHere || isElsewhere ? waiting(view, visit, run, screen.id) : undefined
    const content = waits?.content ?? (await screen.render(view))
    const asks = screen.id === 'apply' && state.pending !== undefined && !visit.script
    const refresh = waits?.refresh ?? (asks ? RELOAD_QUESTION : undefined)
    const body = page({
      view,
      visit,
      screen: screen.id,
      title: screen.title(teller),
      lead: screen.lead(teller, state),
      content,
      refresh,
      know: knowPanel(teller, state, await hostFacts(teller)),
      error:
        shown.error === undefined ? undefined : banner('down', teller.t('error.title'), html`<p>${shown.error}</p>`),
    })
    return respond(scene, shown.error === undefined ? 200 : 422, body)
  }

  const last = async (scene: Scene): Promise<Response> => {
    const { t } = scene.teller
    const { site, console } = options.proof ?? {}
    const view = { ...(await viewOf(scene)), screens: [] }
    const links = html`<div class="row">${site !== undefined && html`<a class="button primary" href="${site}">${t('proof.site')}</a>`}${console !== undefined && html`<a class="button" href="${console}">${t('proof.console')}</a>`}</div>`
    const content = html`${banner('healthy', t('end.title'), html`<p>${t('end.text')}</p>`)}${links}`
    return respond(scene, 200, page({ view, visit: scene.visit, screen: 'unlock', title: t('end.title'), content }))
  }

  return { statuses, show, unlock: unlockScreen, last }
}
