import type { FastifyInstance } from 'fastify'
import { UnusableDatabase } from './database/url.ts'
import { BadVariable, type Environment, readEnvironment } from './environment.ts'
import { closeWhenAsked } from './operations/shutdown.ts'
import { runSetup } from './setup/run.ts'
import { loadSettings } from './setup/settings-file.ts'
import { CannotStart, openSite, SAMPLE, type Site } from './site.ts'
import { warmUp } from './warm.ts'

function listenProblem(error: unknown, { port, host }: Environment): unknown {
  const { code } = error as { code?: string }
  if (code === 'EADDRINUSE') {
    const other = port === 65_535 ? 3000 : port + 1
    const advice = `Stop that program, or choose another port: PORT=${other} npm start (PORT=0 takes any free one).`
    return new CannotStart(`Port ${port} on ${host} is already in use by another program. ${advice}`)
  }
  if (code === 'EACCES') {
    return new CannotStart(`Port ${port} may not be opened by this user. Choose one from 1024 on with PORT.`)
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new CannotStart(`HOST: expected an address of this machine, received "${host}".`)
  }
  return error
}

async function listen(app: FastifyInstance, environment: Environment): Promise<string> {
  try {
    return await app.listen({ port: environment.port, host: environment.host })
  } catch (error) {
    throw listenProblem(error, environment)
  }
}

interface Started {
  readonly address: string
  readonly simulator: string | undefined
}

function printState({ services, login, sampled }: Site, { address, simulator }: Started): void {
  const { caching, database } = services
  const { backend, why, enabled } = caching.cache.status()
  const lines: (readonly [string, string])[] = [
    ['campaigns', address],
    ['database', database.location],
  ]
  if (login !== undefined) lines.push(['login', login])
  if (sampled) {
    const sample = `${SAMPLE.contacts} contacts, ${SAMPLE.messages} messages; SAMPLE_DATA=false leaves it out`
    lines.push(['sample data', sample])
  }
  if (simulator !== undefined)
    lines.push(['whatsapp', `simulator at ${simulator}; configure an account to send for real`])
  const off = 'off (CACHE_ENABLED=false): every read goes to the database'
  lines.push(['cache', enabled ? `${backend}: ${why}` : off])
  for (const [name, text] of lines) console.log(`${name.padEnd(13)}${text}`)
}

const CLOSE_WITHIN_MS = 25_000

async function start(environment: Environment): Promise<void> {
  let started = false
  // The lines of the start say how it went; later changes of state are news.
  const info = (line: string): void => (started ? console.info(line) : undefined)
  const opening = openSite(environment, { warn: console.warn, info })
  const close = async (): Promise<void> => (await opening).close()
  closeWhenAsked({ within: CLOSE_WITHIN_MS, close, say: line => console.log(line) })
  const site = await opening
  try {
    const address = await listen(site.app, environment)
    const simulator = await site.begin(address)
    printState(site, { address, simulator })
    started = true
    await warmUp(site.services)
  } catch (error) {
    await site.close()
    throw error
  }
}

async function run(): Promise<void> {
  const real = loadSettings()
  const environment = readEnvironment(process.env)
  if (!environment.setup) return start(environment)
  try {
    await runSetup(real, environment)
  } catch (error) {
    throw listenProblem(error, environment)
  }
}

function isForReader(error: unknown): error is Error {
  const badOption = (error as { code?: string }).code === 'PALIER_BAD_OPTION'
  const known = [BadVariable, CannotStart, UnusableDatabase].some(kind => error instanceof kind)
  return known || badOption
}

// Not awaited here: hosts that load this file with `require` take no module that waits.
run().catch((error: unknown) => {
  console.error(isForReader(error) ? error.message : error)
  process.exitCode = 1
})
