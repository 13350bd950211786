import type { FastifyInstance } from 'fastify'
import { createFirstAdmin } from './access/users.ts'
import { buildApp } from './app.ts'
import { type Composition, compose } from './compose.ts'
import type { Environment } from './environment.ts'
import { NotEmpty, writeDataSet } from './generator/write.ts'
import { createWorker } from './jobs/worker.ts'
import type { CachingOptions } from './caching.ts'
import { createLog } from './log.ts'
import { keepCacheEvents } from './operations/cache-events.ts'
import { Problem } from './problem.ts'
import { readPlan } from './setup/plan.ts'
import { startSimulation } from './simulation.ts'

/** What stops the start and is the reader's to change: said in one line, without a stack. */
export class CannotStart extends Error {}

export const SAMPLE = { contacts: 2000, messages: 10_000, seed: 1 }

/** An empty database gets a small sample, so that the first page has something to show. Never a second time. */
export async function addSample({ database, now }: Pick<Composition, 'database' | 'now'>): Promise<boolean> {
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

/** The login of a new installation, told once. ADMIN_PASSWORD says the password, or one is made here. */
async function addAdmin(services: Composition, { admin }: Environment): Promise<string | undefined> {
  try {
    const made = await createFirstAdmin(services, admin)
    return made === undefined ? undefined : `${made.email} / ${made.password ?? '(ADMIN_PASSWORD)'}`
  } catch (error) {
    if (error instanceof Problem) throw new CannotStart(`ADMIN_PASSWORD: ${error.message}`)
    throw error
  }
}

/** The application, ready for requests but on no socket yet. */
export interface Site {
  readonly services: Composition
  readonly app: FastifyInstance
  /** The login that was made now, because there was none. */
  readonly login: string | undefined
  readonly sampled: boolean
  /** Begins what goes on beside requests. Resolves with the address of the simulator, if there is one. */
  begin(address: string): Promise<string | undefined>
  /** Requests, work, services: in this order. */
  close(): Promise<void>
}

/** A second server cannot listen under Passenger: an account of the Cloud API is asked for instead. */
const hasOneSocket = (): boolean => 'PhusionPassenger' in globalThis

/** Opens everything by these settings. The caller closes it; it closes itself when it cannot be opened. */
export async function openSite(environment: Environment, logger: NonNullable<CachingOptions['logger']>): Promise<Site> {
  const services = await compose({
    ...environment,
    publicUrl: environment.publicUrl ?? `http://localhost:${environment.port}`,
    database: { url: environment.databaseUrl, replicaUrl: environment.replicaUrl, pool: environment.pool },
    // A start is the busiest moment of a process. Nobody waits for this budget, and too small a one refuses good stores.
    cache: { detectBudget: '3s', logger, ...readPlan(environment.dataDir) },
    log: createLog(environment.logLevel),
  })
  const closing: (() => Promise<void>)[] = [() => services.close()]
  const endEvents = keepCacheEvents(services)
  closing.push(async () => endEvents())
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end()
  }
  try {
    const login = await addAdmin(services, environment)
    // The sample holds the event loop, and every store that is looked for meanwhile would seem slow.
    await Promise.all([services.caching.cache.ready(), services.sessions.ready(), services.limits.ready()])
    const sampled = environment.sampleData && (await addSample(services))
    const app = await buildApp(services, environment)
    closing.push(() => app.close())
    // Requests come through `routing` where another server listens: that works from here on.
    await app.ready()
    return {
      services,
      app,
      login,
      sampled,
      async begin(address) {
        const mode = environment.simulator === 'auto' && hasOneSocket() ? 'off' : environment.simulator
        const simulator = await startSimulation(services, { mode, address })
        if (simulator !== undefined) closing.push(() => simulator.close())
        if (environment.worker) {
          const worker = createWorker(services)
          worker.start()
          closing.push(() => worker.close())
        }
        return simulator?.url
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
