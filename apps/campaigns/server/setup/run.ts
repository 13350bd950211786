import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { createWizard, nodeConsole } from '@palier/console'
import { createSetup, type SetupOptions } from 'palier/setup'
import { type Environment, readEnvironment } from '../environment.ts'
import { closeWhenAsked } from '../operations/shutdown.ts'
import { openSite, type Site } from '../site.ts'
import { warmUp } from '../warm.ts'
import { adminStep } from './admin-step.ts'
import { databaseStep } from './database-step.ts'
import { createFront, type Front } from './front.ts'
import { liveProof } from './live.ts'
import { DECLARED, takeBackPlan, TYPE_TEXTS, writePlan } from './plan.ts'
import { joinMembers, type Members } from './processes.ts'
import { enforce, readSettings, settingsFile } from './settings-file.ts'

type Variables = Readonly<Record<string, string | undefined>>

const MOUNT = '/setup'
/** Milliseconds between two looks at what other processes decided. */
const LOOK_EVERY = 1000
const CLOSE_WITHIN_MS = 25_000
/** The line that a change of the installation writes: settings without it are no choice yet. */
const SETTINGS = 'PALIER_SETTINGS'

/** The application in this process, which comes and goes with the settings while the socket stays. */
interface Stage {
  readonly site: Site | undefined
  readonly settings: string | undefined
  /** Opens, replaces or closes the application by what the settings file says now. One at a time. */
  follow(): Promise<void>
  close(): Promise<void>
}

function createStage(real: Variables, onChange: () => void, address: () => string): Stage {
  let site: Site | undefined
  let settings: string | undefined
  let queue: Promise<void> = Promise.resolve()
  let warming: Promise<void> = Promise.resolve()
  let leaving: Promise<unknown> = Promise.resolve()

  /** The one before ends on its own time: what it still answers is nobody's to wait for. */
  const replace = (next: Site | undefined, name: string | undefined): void => {
    const before = site
    const warmed = warming
    site = next
    settings = name
    onChange()
    if (before === undefined) return
    const gone = warmed.then(() => before.close())
    gone.catch((error: unknown) => console.error(error instanceof Error ? error.message : error))
    leaving = Promise.allSettled([leaving, gone])
  }
  const open = async (name: string): Promise<void> => {
    const logger = { warn: console.warn, info: console.info }
    const next = await openSite(readEnvironment(process.env), logger)
    replace(next, name)
    await next.begin(address())
    warming = warmUp(next.services)
    const { backend, why } = next.services.caching.cache.status()
    console.log(`the application runs with the new settings: ${backend}: ${why}`)
  }
  const follow = async (): Promise<void> => {
    const lines = readSettings(real)
    const name = lines[SETTINGS]
    if (name === settings) return
    enforce(real, lines)
    if (name === undefined) replace(undefined, undefined)
    else await open(name)
  }
  return {
    get site() {
      return site
    },
    get settings() {
      return settings
    },
    follow() {
      const turn = queue.then(follow)
      queue = turn.catch(() => undefined)
      return turn
    },
    async close() {
      await queue
      replace(undefined, undefined)
      await leaving
    },
  }
}

/** What the engine asks of this application. */
function hostOf(
  real: Variables,
  { dataDir, publicUrl }: Environment,
  stage: Stage,
  members: Members,
  front: Front,
): SetupOptions {
  return {
    directory: dataDir,
    environment: real,
    file: settingsFile(real),
    types: DECLARED,
    ...(publicUrl !== undefined && { baseUrl: publicUrl }),
    processes: () => Promise.resolve(members.all()),
    apply({ types, files }) {
      if (types === undefined) takeBackPlan(dataDir)
      else writePlan(dataDir, types, files)
      return Promise.resolve()
    },
    async restart() {
      await stage.follow()
      members.tell(stage.settings)
    },
    ...liveProof(() => stage.site, front),
    log: line => console.log(line),
  }
}

const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

/** The whole of what is due, for hosts where the process does not stay alive. */
function cronLine(dataDir: string): string {
  const program = join(import.meta.dirname, '..', 'cli.js')
  const where = `DATA_DIR=${quoted(dataDir)} ${quoted(process.execPath)} ${quoted(program)}`
  return `*/5 * * * * cd ${quoted(process.cwd())} && ${where} tick`
}

/** Everything but the pages of the installation and the application itself leads to the installation. */
function routes(wizard: RequestListener, site: () => Site | undefined): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    if (path === MOUNT || path.startsWith(`${MOUNT}/`)) return wizard(request, response)
    const app = site()?.app
    if (app !== undefined) return app.routing(request, response)
    response.writeHead(303, { location: `${MOUNT}/`, 'cache-control': 'no-store' }).end()
  }
}

/**
 * One server, one `listen`: the installation at `/setup/`, and the application behind the same socket as soon as settings
 * are applied, taken away again when they are taken back. Another process on the same directory does the same. Rejects
 * when the port cannot be listened on.
 */
export async function runSetup(real: Variables, environment: Environment): Promise<void> {
  const front = createFront()
  let address = ''
  const members = joinMembers(join(environment.dataDir, 'setup-processes'))
  let changed = (): void => undefined
  const stage = createStage(
    real,
    () => changed(),
    () => environment.publicUrl ?? address,
  )
  const closing: (() => Promise<void>)[] = [() => stage.close(), () => front.close(), async () => members.leave()]
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0)) await end()
  }
  closeWhenAsked({ within: CLOSE_WITHIN_MS, close, say: line => console.log(line) })
  // Before anything else: some hosts give up on a process that does not listen within three seconds.
  address = await front.listen(environment.port, environment.host)
  const setup = createSetup(hostOf(real, environment, stage, members, front))
  closing.unshift(() => setup.close())
  const { finished } = await setup.open()
  const wizard = createWizard(setup, {
    name: 'Campaigns',
    before: [databaseStep(real, join(environment.dataDir, 'campaigns.sqlite'))],
    after: [adminStep(real)],
    types: TYPE_TEXTS,
    proof: { site: '/', console: '/admin/cache/', cron: cronLine(environment.dataDir) },
  })
  closing.unshift(() => wizard.close())
  const pages = nodeConsole(wizard, { mount: MOUNT })
  const listener = routes(pages, () => stage.site)
  changed = () => members.tell(stage.settings)
  await stage.follow()
  members.tell(stage.settings)
  front.use(listener)
  const look = setInterval(() => {
    stage.follow().catch((error: unknown) => console.error(error instanceof Error ? error.message : error))
    members.tell(stage.settings)
  }, LOOK_EVERY)
  look.unref()
  closing.unshift(async () => clearInterval(look))
  // A socket is nothing that anybody could open in a browser.
  const place = environment.publicUrl ?? (address.startsWith('http') ? address : 'the site')
  console.log(`campaigns    ${finished ? place : `${place}, installation at ${MOUNT}/`}`)
}
