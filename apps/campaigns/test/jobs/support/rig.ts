import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Composition, compose } from '../../../server/compose.ts'
import type { Tables } from '../../../server/database/schema.ts'
import type { Engine } from '../../../server/database/url.ts'
import type { Drain, JobHandler, NewJob } from '../../../server/jobs/contract.ts'
import { createJobs } from '../../../server/jobs/queue.ts'
import type { Tick } from '../../../server/jobs/ticks.ts'
import { createWorkLoop, type Worker } from '../../../server/jobs/work-loop.ts'
import type { Services } from '../../../server/services.ts'
import { write } from '../../../server/work.ts'
import { freshDatabase } from '../../support/engines.ts'
import { freshDirectory } from '../../support/fresh-directory.ts'

export interface Rig {
  readonly services: Services
  /** Milliseconds since 1970; moved by the test. */
  readonly clock: { now: number }
  worker(more?: { drains?: readonly Drain[]; ticks?: readonly Tick[]; concurrency?: Record<string, number> }): Worker
  add(job: NewJob): Promise<string | undefined>
  job(id: string | undefined): Promise<Tables['jobs']>
  jobs(): Promise<Tables['jobs'][]>
}

export interface RigOptions {
  /** SQLite unless said. */
  readonly engine?: Engine
  /** A database made before; one of its own unless said. */
  readonly url?: string
  readonly directory?: string
  /** Nothing is shared through the cache unless said. */
  readonly backend?: 'redis' | 'filesystem' | 'memory'
  readonly redisUrl?: string
  readonly cache?: boolean
}

const NOON = Date.UTC(2026, 5, 15, 12)

/** Closed with the test. */
export async function openServices(now: () => number, options: RigOptions = {}): Promise<Composition> {
  const { backend = 'memory', redisUrl, directory = freshDirectory() } = options
  const url = options.url ?? (await freshDatabase(options.engine ?? 'sqlite'))
  const store = { backend, detectBudget: '20s' as const, ...(redisUrl === undefined ? {} : { redisUrl }) }
  const logger = { warn: () => undefined, info: () => undefined }
  const services = await compose({
    database: { url },
    dataDir: directory,
    now,
    state: { backend: 'memory' },
    cache: { ...store, dir: join(directory, 'cache'), enabled: options.cache ?? true, logger },
  })
  onTestFinished(() => services.close())
  await services.caching.cache.ready()
  return services
}

/** The services of a process with these handlers, by a clock that the test moves. Workers are closed with the test. */
export async function startRig(handlers: readonly JobHandler<unknown>[], options: RigOptions = {}): Promise<Rig> {
  const clock = { now: NOON }
  const composed = await openServices(() => clock.now, options)
  const services: Services = { ...composed, jobs: createJobs({ newId: composed.newId, handlers }) }
  const { writer } = services.database
  return {
    services,
    clock,
    worker(more = {}) {
      const worker = createWorkLoop(services, { handlers, drains: [], ticks: [], ...more })
      onTestFinished(() => worker.close({ within: 0 }))
      return worker
    },
    add: job => write(services, work => services.jobs.add(work, job)),
    job: id => writer.selectFrom('jobs').selectAll().where('id', '=', String(id)).executeTakeFirstOrThrow(),
    jobs: () => writer.selectFrom('jobs').selectAll().orderBy('id').execute(),
  }
}
