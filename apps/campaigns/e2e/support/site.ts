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
  close(): Promise<void>
}

export interface SiteOptions {
  readonly backend?: 'auto' | 'redis' | 'filesystem' | 'memory'
  readonly redisUrl?: string
  /** A sample of that size; empty unless said. */
  readonly data?: Partial<DataSet>
  /** Sends for real, to the simulator. */
  readonly worker?: boolean
}

const PASSWORD = 'a password for the browser'
/** Hashing at full cost would be most of what a login takes. */
const CHEAP = { memoryCost: 64, timeCost: 1 }
const OWNER = { ...SYSTEM, role: 'admin' as const, permissions: ROLE_PERMISSIONS.admin }
const ROLES = ['admin', 'manager', 'agent'] as const
/** A browser that runs many tests is one visitor with very many requests. */
const PLENTY = { limit: 100_000, window: 60_000 }

/** Starts it; the caller closes it. */
export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const { backend = 'filesystem', redisUrl, data, worker = false } = options
  const directory = mkdtempSync(join(tmpdir(), 'campaigns-e2e-'))
  const services = await compose({
    database: { url: `sqlite:${join(directory, 'campaigns.sqlite')}`, replicaUrl: undefined },
    dataDir: join(directory, 'data'),
    now: Date.now,
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
  await services.caching.cache.ready()
  if (data !== undefined) {
    await writeDataSet(services.database, { contacts: 100, messages: 500, seed: 1, now: Date.now(), ...data })
  }
  const people = Object.fromEntries(
    await Promise.all(
      ROLES.map(async role => {
        const email = `${role}@example.org`
        await createUser(services, OWNER, { email, name: `The ${role}`, role, password: PASSWORD, locale: 'en' })
        return [role, { email, password: PASSWORD }] as const
      }),
    ),
  ) as Site['people']
  const app = await buildApp(services, { mostLag: 0 })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const simulator = worker ? await startSimulation(services, { mode: 'on', address: url }) : undefined
  const working = worker ? createWorker(services) : undefined
  working?.start()
  return {
    url,
    app,
    services,
    people,
    async close() {
      await working?.close()
      await simulator?.close()
      await app.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
