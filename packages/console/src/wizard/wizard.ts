import { fileURLToPath } from 'node:url'
import { STEPS } from 'palier/setup'
import { givenResponse, newId, problem, problemResponse } from '../answer.ts'
import { type Assets, readAssets, toDirectory } from '../assets.ts'
import type { Arrival, CacheConsole } from '../console.ts'
import { createSeal } from '../headers.ts'
import { foreign, type Form, readForm } from './forms.ts'
import { createMoves } from './moves.ts'
import { checkSteps, type WizardOptions, type WizardSetup, type WizardStep } from './options.ts'
import { createPages, go, type Scene, type WizardRoom } from './pages.ts'
import { createRuns } from './runs.ts'
import { applyScreen } from './screens/apply.ts'
import { hostScreen } from './screens/host.ts'
import { measureScreen } from './screens/measure.ts'
import { proofScreen } from './screens/proof.ts'
import { proposalScreen } from './screens/proposal.ts'
import { redisScreen } from './screens/redis.ts'
import { serverScreen } from './screens/server.ts'
import { storageScreen } from './screens/storage.ts'
import { typesScreen } from './screens/types.ts'
import { tellerOf } from './tell.ts'
import type { Screen } from './view.ts'
import { createVisits } from './visits.ts'

/** Where the build puts style and script. */
const BUILT: string = fileURLToPath(new URL('../../dist/wizard-pages/', import.meta.url))
const FILES = new Set(['/wizard.css', '/wizard.js'])
/** Milliseconds that style and script outlive the installation for the page that says so. */
const LAST_PAGE = 60_000

/** The pages of an installation: one function, mounted like the console. */
export type Wizard = CacheConsole

function screensOf({ before = [], after = [] }: WizardOptions): readonly Screen[] {
  const host = (steps: readonly WizardStep[]): readonly Screen[] => steps.map(hostScreen)
  return [
    serverScreen,
    ...host(before),
    storageScreen,
    redisScreen,
    measureScreen,
    proposalScreen,
    typesScreen,
    ...host(after),
    applyScreen,
    proofScreen,
  ]
}

interface Routes {
  get(scene: Scene, path: string): Promise<Response>
  post(scene: Scene, path: string): Promise<Response>
}

const nothing = (): Response => problemResponse(problem(404, 'not-found', 'there is nothing at this path'))

/** Which path answers what, to whom. */
function createRoutes(room: WizardRoom, ended: () => void): Routes {
  const { setup, screens, visits, runs } = room
  const pages = createPages(room)
  const { act, settle } = createMoves(room, pages, ended)
  const screenAt = (path: string): Screen | undefined => screens.find(one => `/${one.id}` === path)

  const choose = (scene: Scene, form: Form): Response => {
    const [language, theme, back] = [form.text('language'), form.text('theme'), form.text('back')]
    const cookies: string[] = []
    if (language === 'en' || language === 'fr') cookies.push(visits.cookie('language', language, scene.place))
    if (theme === 'system' || theme === 'light' || theme === 'dark')
      cookies.push(visits.cookie('theme', theme, scene.place))
    return go(screens.some(one => one.id === back) ? back : 'unlock', cookies)
  }

  const unlock = async (scene: Scene, form: Form): Promise<Response> => {
    const { teller, visit, place } = scene
    const done = await setup.unlock(form.text('token'))
    if (!done.ok) {
      const text = teller.say(done.text)
      return pages.unlock(scene, { error: text, problems: { token: text } })
    }
    await setup.setLanguage(teller.language)
    const first = screens.find(one => one.id === scene.state.next) ?? serverScreen
    return go(first.id, [visits.unlockCookie(visit, place)])
  }

  const post = async (scene: Scene, path: string): Promise<Response> => {
    const { request, visit, teller } = scene
    const screen = screenAt(path)
    const isOpenToAll = path === '/choice' || path === '/unlock'
    if (screen === undefined && !isOpenToAll) return nothing()
    const read = await readForm(request)
    if ('problem' in read) return problemResponse(read.problem)
    if (foreign(request) !== undefined || visit.isNew || !visits.isFormToken(visit, read.form.text('_token'))) {
      const error = teller.t('error.forged')
      const answer =
        visit.unlocked && screen !== undefined
          ? await pages.show(scene, screen, { error })
          : await pages.unlock(scene, { error })
      return new Response(answer.body, { status: 403, headers: answer.headers })
    }
    if (path === '/choice') return choose(scene, read.form)
    if (path === '/unlock') return unlock(scene, read.form)
    return visit.unlocked && screen !== undefined ? act(scene, screen, read.form) : go('unlock')
  }

  const progressJson = ({ teller }: Scene): Response => {
    const run = runs.current()
    const { progress } = run ?? {}
    const body = {
      done: run === undefined || run.isDone,
      share: progress?.share,
      text: progress === undefined ? undefined : teller.say(progress.text),
      left: progress?.left === undefined ? undefined : teller.t('run.left', { time: teller.ms(progress.left) }),
    }
    return givenResponse({ body }, {})
  }

  const get = async (scene: Scene, path: string): Promise<Response> => {
    const { visit, state, teller } = scene
    if (path === '/unlock') return visit.unlocked ? go(state.next) : pages.unlock(scene)
    if (!visit.unlocked) return go('unlock')
    if (path === '/') return go(screens.find(one => one.id === state.next)?.id ?? 'server')
    if (path === '/progress') return progressJson(scene)
    if (path === '/report.txt') {
      const { text, id } = await setup.report(teller.language)
      return givenResponse(
        { body: text, type: 'text/plain; charset=utf-8' },
        { 'Content-Disposition': `attachment; filename="palier-${id}.txt"` },
      )
    }
    const screen = screenAt(path)
    if (screen === undefined) return nothing()
    const run = runs.take(screen.id)
    return run !== undefined && (run.error !== undefined || run.to !== undefined)
      ? settle(scene, screen, run)
      : pages.show(scene, screen)
  }

  return { get, post }
}

/**
 * The pages that install a cache: server, disk, Redis, measurement, proposal, types, application and proof, with the steps of
 * the host between them. Plain forms; they work with scripts blocked. Locked until somebody shows the token of the
 * setup, and gone (404) once it is finished. `setup.open()` is called before, by whoever made the setup and closes it.
 * Throws PALIER_BAD_OPTION for a step of the host without a name of its own.
 */
export function createWizard(setup: WizardSetup, options: WizardOptions = {}): Wizard {
  checkSteps(options, [...STEPS, 'unlock', 'choice', 'progress'])
  const logger = options.logger === false ? undefined : (options.logger ?? console)
  const log = (line: string): void => logger?.warn(line)
  const visits = createVisits(setup.tokenFile, Date.now)
  const runs = createRuns()
  const assets: Assets = readAssets(BUILT)
  const seal = createSeal([])
  const underWay = new Set<Promise<Response>>()
  let isClosed = false
  let finishedAt = Number.NEGATIVE_INFINITY
  const room = { setup, options, screens: screensOf(options), visits, runs, log }
  const { get, post } = createRoutes(room, () => {
    finishedAt = performance.now()
  })

  const answer = async (request: Request, { mount = '' }: Arrival): Promise<Response> => {
    const url = new URL(request.url)
    const base = mount.replace(/\/+$/, '')
    const path = url.pathname.startsWith(base) ? url.pathname.slice(base.length) : '/*'
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const isFile = isRead && FILES.has(path)
    const state = await setup.state()
    // The page that says so is still to be drawn.
    if (state.finished && !(isFile && performance.now() - finishedAt < LAST_PAGE))
      return problemResponse(problem(404, 'not-found', 'the installation is finished'))
    if (!isRead && request.method !== 'POST')
      return problemResponse(problem(405, 'wrong-method', 'this path answers GET, POST', { Allow: 'GET, HEAD, POST' }))
    if (isRead && path === '') return toDirectory(url)
    if (isFile)
      return assets.serve(request, path) ?? problemResponse(problem(404, 'not-built', 'style and script are not built'))
    const visit = visits.read(request, state.language)
    const secure = url.protocol === 'https:' || (request.headers.get('x-forwarded-proto') ?? '').startsWith('https')
    const scene: Scene = { request, place: { mount: base, secure }, visit, state, teller: tellerOf(visit.language) }
    return isRead ? get(scene, path) : post(scene, path)
  }

  const handle = async (request: Request, arrival: Arrival): Promise<Response> => {
    if (isClosed) return problemResponse({ status: 503, code: 'PALIER_CLOSED', detail: 'the installation is closed' })
    try {
      const response = await answer(request, arrival)
      return request.method === 'HEAD' ? new Response(null, response) : response
    } catch (error) {
      const id = newId()
      log(`palier wizard: ${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      return problemResponse({
        status: 500,
        code: 'internal',
        detail: 'the request failed; the log has the reason under this id',
        id,
      })
    }
  }

  return {
    handle(request, arrival = {}) {
      // With `no-referrer` browsers send forms with the origin `null`, and the origin is what is checked.
      const work = handle(request, arrival).then(response => {
        const sealed = seal(response)
        sealed.headers.set('Referrer-Policy', 'same-origin')
        return sealed
      })
      underWay.add(work)
      return work.finally(() => underWay.delete(work))
    },
    async close() {
      isClosed = true
      await runs.cancel()
      await Promise.allSettled(underWay)
    },
  }
}
