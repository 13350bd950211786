import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { createPasswords } from '../../server/access/passwords.ts'
import { type AppOptions, buildApp } from '../../server/app.ts'
import { type ComposeOptions, type Composition, compose } from '../../server/compose.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { freshDatabase } from '../support/engines.ts'

/** One process of the application, with everything that tests of access turn. */
export interface Site {
  readonly app: FastifyInstance
  readonly services: Composition
  /** Another process on the same database, files and backends. */
  sibling(): Promise<Site>
}

export type SiteOptions = Partial<ComposeOptions> &
  Pick<AppOptions, 'trustProxy'> & {
    readonly engine?: 'sqlite' | 'postgres' | 'mysql'
    readonly directory?: string
    readonly url?: string
    /** Backends that other processes share: for whoever has a `sibling`. In memory, and so much faster, unless said. */
    readonly shared?: boolean
  }

const QUIET = { warn: () => undefined, info: () => undefined }

export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const { engine = 'sqlite', trustProxy = false, directory = freshDirectory(), shared = false, ...own } = options
  const url = options.url ?? (await freshDatabase(engine))
  const backend = shared ? 'filesystem' : 'memory'
  const services = await compose({
    database: { url },
    dataDir: join(directory, 'data'),
    cache: { dir: join(directory, 'cache'), backend, detectBudget: '10s', logger: QUIET },
    state: { backend, detectBudget: '10s' },
    // At full cost hashing would be most of what the tests do.
    passwords: createPasswords({ memoryCost: 64, timeCost: 1 }),
    ...own,
  })
  const app = await buildApp(services, { trustProxy, mostLag: 0 })
  onTestFinished(async () => {
    await app.close()
    await services.close()
  })
  await Promise.all([services.sessions.ready(), services.limits.ready(), services.caching.cache.ready()])
  return { app, services, sibling: () => openSite({ ...options, url, directory }) }
}
