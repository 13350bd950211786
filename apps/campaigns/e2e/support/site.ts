import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { SYSTEM } from '../../server/access/actor.ts'
import { createPasswords } from '../../server/access/passwords.ts'
import { ROLE_PERMISSIONS } from '../../server/access/permissions.ts'
import { createUser } from '../../server/access/users.ts'
import { buildApp } from '../../server/app.ts'
import { type Composition, compose } from '../../server/compose.ts'
import type { Role } from '../../server/database/schema.ts'
import { type DataSet, writeDataSet } from '../../server/generator/write.ts'
import { createWorker } from '../../server/jobs/worker.ts'
import { startSimulation } from '../../server/simulation.ts'

/** The application with everything that `npm start` starts, on a port of its own. */
export interface Site {
  readonly url: string
  readonly app: FastifyInstance
  readonly services: Composition
  readonly people: Readonly<Record<Role, { readonly email: string; readonly password: string }>>
  /** Of its database, its cache and its files. */
  readonly directory: string
  /** With `byHand`: does what is to be done at this hour, until nothing is left. */
  settle(): Promise<void>
  /** With `byHand`: lets time pass. */
  later(hours: number): void
  close(): Promise<void>
}

export interface SiteOptions {
  readonly backend?: 'auto' | 'redis' | 'filesystem' | 'memory'
  readonly redisUrl?: string
  /** A sample of that size; empty unless said. */
  readonly data?: Partial<DataSet>
  /** Sends, to the simulator; its clock and its work go on when the test says so. */
  readonly byHand?: boolean
  /** Another server of a site that runs already: one database, one directory, a port of its own. */
  readonly beside?: Site
  /** Where the pages are; those that were built unless said. */
  readonly pages?: string
}

const PASSWORD = 'a password for the browser'
/** Hashing at full cost would be most of what a login takes. */
const CHEAP = { memoryCost: 64, timeCost: 1 }
const OWNER = { ...SYSTEM, role: 'admin' as const, permissions: ROLE_PERMISSIONS.admin }
const ROLES = ['admin', 'manager', 'agent'] as const
/** A browser that runs many tests is one visitor with very many requests. */
const PLENTY = { limit: 100_000, window: 60_000 }

const HOUR_MS = 3_600_000

async function createPeople(services: Composition): Promise<Site['people']> {
  const made = ROLES.map(async role => {
    const email = `${role}@example.org`
    await createUser(services, OWNER, { email, name: `The ${role}`, role, password: PASSWORD, locale: 'en' })
    return [role, { email, password: PASSWORD }] as const
  })
  return Object.fromEntries(await Promise.all(made)) as Site['people']
}

/** The worker and the simulator, which do nothing but what they are told to. */
async function startByHand(services: Composition, address: string) {
  const simulator = await startSimulation(services, { mode: 'on', address, now: services.now })
  if (simulator === undefined) throw new Error('the simulator did not start')
  const worker = createWorker(services)
  return {
    async settle() {
      for (let idle = 0; idle < 2; ) {
        const { jobs, drained } = await worker.runUntilIdle()
        const waiting = simulator.state().pending
        await simulator.settle()
        const told = waiting - simulator.state().pending
        idle = Object.keys(jobs).length + Object.keys(drained).length + told === 0 ? idle + 1 : 0
      }
      await services.caching.settle()
    },
    async close() {
      await worker.close()
      await simulator.close()
    },
  }
}

/** Starts it; the caller closes it. */
export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const { backend = 'filesystem', redisUrl, data, byHand = false, beside, pages } = options
  const directory = beside?.directory ?? mkdtempSync(join(tmpdir(), 'campaigns-e2e-'))
  let offset = 0
  const services = await compose({
    database: { url: `sqlite:${join(directory, 'campaigns.sqlite')}`, replicaUrl: undefined },
    dataDir: join(directory, 'data'),
    now: () => Date.now() + offset,
    passwords: createPasswords(CHEAP),
    state: { backend: 'filesystem', detectBudget: '10s' },
    rates: { address: PLENTY, account: PLENTY, login: PLENTY, api: PLENTY, anonymous: PLENTY },
    cache: {
      dir: join(directory, 'cache'),
      backend,
      ...(redisUrl !== undefined && { redisUrl }),
      detectBudget: '10s',
      logger: { warn: () => undefined, info: () => undefined },
    },
  })
  await Promise.all([services.caching.cache.ready(), services.sessions.ready(), services.limits.ready()])
  if (data !== undefined) {
    await writeDataSet(services.database, { contacts: 100, messages: 500, seed: 1, now: Date.now(), ...data })
  }
  const people = beside?.people ?? (await createPeople(services))
  const app = await buildApp(services, { mostLag: 0, ...(pages !== undefined && { pages }) })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const work = byHand ? await startByHand(services, url) : undefined
  return {
    url,
    app,
    services,
    people,
    directory,
    async settle() {
      if (work === undefined) throw new Error('settle: expected a site with byHand')
      await work.settle()
    },
    later(hours) {
      offset += hours * HOUR_MS
    },
    async close() {
      await work?.close()
      await app.close()
      await services.close()
      if (beside === undefined) rmSync(directory, { recursive: true, force: true })
    },
  }
}
