import type { FastifyInstance } from 'fastify'
import { createFirstAdmin } from './access/users.ts'
import { buildApp } from './app.ts'
import { type Composition, compose } from './compose.ts'
import { UnusableDatabase } from './database/url.ts'
import { BadVariable, type Environment, readEnvironment } from './environment.ts'
import { NotEmpty, writeDataSet } from './generator/write.ts'
import { createWorker } from './jobs/worker.ts'
import { createLog } from './log.ts'
import { keepCacheEvents } from './operations/cache-events.ts'
import { closeWhenAsked } from './operations/shutdown.ts'
import { Problem } from './problem.ts'
import { startSimulation } from './simulation.ts'
import { warmUp } from './warm.ts'

/** What stops the start and is the reader's to change: said in one line, without a stack. */
class CannotStart extends Error {}

const SAMPLE = { contacts: 2000, messages: 10_000, seed: 1 }

/** An empty database gets a small sample, so that the first page has something to show. Never a second time. */
async function addSample({ database, now }: Composition): Promise<boolean> {
  const first = await database.writer.selectFrom('contacts').select('id').limit(1).executeTakeFirst()
  if (first !== undefined) return false
  try {
    await writeDataSet(database, { ...SAMPLE, now: now() })
    return true
  } catch (error) {
    // Something is in it after all, or another process was quicker: both are as good as a sample.
    if (error instanceof NotEmpty) return false
    throw error
  }
}

async function listen(app: FastifyInstance, { port, host }: Environment): Promise<string> {
  try {
    return await app.listen({ port, host })
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EADDRINUSE') {
      const other = port === 65_535 ? 3000 : port + 1
      const advice = `Stop that program, or choose another port: PORT=${other} npm start (PORT=0 takes any free one).`
      throw new CannotStart(`Port ${port} on ${host} is already in use by another program. ${advice}`)
    }
    if (code === 'EACCES') {
      throw new CannotStart(`Port ${port} may not be opened by this user. Choose one from 1024 on with PORT.`)
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new CannotStart(`HOST: expected an address of this machine, received "${host}".`)
    }
    throw error
  }
}

/** The login of a new installation, printed once. ADMIN_PASSWORD says the password, or one is made here. */
async function addAdmin(services: Composition, { admin }: Environment): Promise<string | undefined> {
  try {
    const made = await createFirstAdmin(services, admin)
    return made === undefined ? undefined : `${made.email} / ${made.password ?? '(ADMIN_PASSWORD)'}`
  } catch (error) {
    if (error instanceof Problem) throw new CannotStart(`ADMIN_PASSWORD: ${error.message}`)
    throw error
  }
}

interface Started {
  readonly address: string
  readonly login: string | undefined
  readonly sampled: boolean
  readonly simulator: string | undefined
}

function printState({ caching, database }: Composition, { address, login, sampled, simulator }: Started): void {
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

async function start(): Promise<void> {
  const environment = readEnvironment(process.env)
  const log = createLog(environment.logLevel)
  let started = false
  // The lines of the start say how it went; later changes of state are news.
  const info = (line: string): void => (started ? console.info(line) : undefined)
  const services = await compose({
    ...environment,
    publicUrl: environment.publicUrl ?? `http://localhost:${environment.port}`,
    database: { url: environment.databaseUrl, replicaUrl: environment.replicaUrl, pool: environment.pool },
    // A start is the busiest moment of a process. Nobody waits for this budget, and too small a one refuses good stores.
    cache: { detectBudget: '3s', logger: { warn: console.warn, info } },
    log,
  })
  const closing: (() => Promise<void>)[] = [() => services.close()]
  const endEvents = keepCacheEvents(services)
  closing.push(async () => endEvents())
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end()
  }
  closeWhenAsked({ within: CLOSE_WITHIN_MS, close, say: line => console.log(line) })
  try {
    const login = await addAdmin(services, environment)
    // The sample holds the event loop, and every store that is looked for meanwhile would seem slow.
    await Promise.all([services.caching.cache.ready(), services.sessions.ready(), services.limits.ready()])
    const sampled = environment.sampleData && (await addSample(services))
    const app = await buildApp(services, environment)
    closing.push(() => app.close())
    const address = await listen(app, environment)
    const simulator = await startSimulation(services, { mode: environment.simulator, address })
    if (simulator !== undefined) closing.push(() => simulator.close())
    if (environment.worker) {
      const worker = createWorker(services)
      worker.start()
      closing.push(() => worker.close())
    }
    printState(services, { address, login, sampled, simulator: simulator?.url })
    started = true
    await warmUp(services)
  } catch (error) {
    await close()
    throw error
  }
}

function isForReader(error: unknown): error is Error {
  const badOption = (error as { code?: string }).code === 'PALIER_BAD_OPTION'
  const known = [BadVariable, CannotStart, UnusableDatabase].some(kind => error instanceof kind)
  return known || badOption
}

try {
  await start()
} catch (error) {
  console.error(isForReader(error) ? error.message : error)
  process.exitCode = 1
}
