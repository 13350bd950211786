import { join } from 'node:path'
import type { FastifyBaseLogger, FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { onTestFinished } from 'vitest'
import { createPasswords } from '../../server/access/passwords.ts'
import { PERMISSIONS } from '../../server/access/permissions.ts'
import { buildApp } from '../../server/app.ts'
import { type Composition, compose } from '../../server/compose.ts'
import type { Database } from '../../server/database/open.ts'
import type { Role } from '../../server/database/schema.ts'
import type { Engine } from '../../server/database/url.ts'
import { type DataSet, writeDataSet } from '../../server/generator/write.ts'
import { freshDirectory } from './fresh-directory.ts'
import { randomToken, hashToken } from '../../server/secrets.ts'
import type { WhatsApp } from '../../server/whatsapp/port.ts'
import { freshDatabase } from './engines.ts'

/** Requests on behalf of one person, by an API key of theirs with every scope. */
export interface Caller {
  readonly userId: string
  readonly key: string
  send(request: InjectOptions): Promise<LightMyRequestResponse>
  get(url: string): Promise<LightMyRequestResponse>
  post(url: string, payload?: object): Promise<LightMyRequestResponse>
  put(url: string, payload?: object): Promise<LightMyRequestResponse>
  patch(url: string, payload: object): Promise<LightMyRequestResponse>
  delete(url: string, payload?: object): Promise<LightMyRequestResponse>
}

/** The whole server, called as an administrator. */
export interface TestApp extends Caller {
  readonly app: FastifyInstance
  readonly services: Composition
  readonly directory: string
  /** What the cache complained about. */
  readonly warnings: string[]
  /** A new person of that role. */
  as(role: Role): Promise<Caller>
}

export interface TestAppOptions {
  /** SQLite unless said. */
  readonly engine?: Engine
  /** A database made before, as `freshDatabase` gives it; one of its own unless said. */
  readonly url?: string
  /** Read by lists that are not cached. */
  readonly replicaUrl?: string
  /** For uploads, media, the cache: one of its own unless said. */
  readonly directory?: string
  readonly cache?: boolean
  readonly backend?: 'redis' | 'filesystem' | 'memory'
  readonly now?: () => number
  readonly data?: Partial<DataSet>
  readonly whatsapp?: WhatsApp
  readonly log?: FastifyBaseLogger
}

export const NOON: number = Date.UTC(2026, 5, 15, 12)

/** Hashing at full cost would be most of what the tests do. */
const CHEAP = { memoryCost: 64, timeCost: 1 }

/** The services of one process on real files: uploads and cache in `directory`, a database of its own. */
export async function startServices(options: TestAppOptions = {}): Promise<Composition & { warnings: string[] }> {
  const { engine = 'sqlite', directory = freshDirectory(), cache = true, now = Date.now } = options
  const url = options.url ?? (await freshDatabase(engine))
  const warnings: string[] = []
  const services = await compose({
    database: { url, replicaUrl: options.replicaUrl },
    dataDir: join(directory, 'data'),
    now,
    passwords: createPasswords(CHEAP),
    state: { backend: options.backend ?? 'memory', detectBudget: '10s' },
    ...(options.whatsapp === undefined ? {} : { whatsapp: options.whatsapp }),
    ...(options.log === undefined ? {} : { log: options.log }),
    cache: {
      dir: join(directory, 'cache'),
      backend: options.backend ?? 'filesystem',
      enabled: cache,
      detectBudget: '10s',
      logger: { warn: line => void warnings.push(line), info: () => undefined },
    },
  })
  onTestFinished(() => services.close())
  await services.caching.cache.ready()
  if (options.data !== undefined) {
    await writeDataSet(services.database, { contacts: 100, messages: 500, seed: 1, now: now(), ...options.data })
  }
  return Object.assign(services, { warnings })
}

export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const directory = options.directory ?? freshDirectory()
  const services = await startServices({ ...options, directory })
  // A machine that runs all tests at once lags: that is for the test of it to see.
  const app = await buildApp(services, { mostLag: 0 })
  onTestFinished(() => app.close())
  const admin = await makeCaller(app, services, 'admin')
  const as = (role: Role): Promise<Caller> => makeCaller(app, services, role)
  return { ...admin, app, services, directory, warnings: services.warnings, as }
}

/** A person with a role and a key, made without the API that tests are about. */
async function makeCaller(app: FastifyInstance, services: Composition, role: Role): Promise<Caller> {
  const { database, newId, now } = services
  const userId = newId()
  const key = `pk_${randomToken()}`
  const times = { created_at: now(), updated_at: now() }
  await database.writer
    .insertInto('users')
    .values({
      id: userId,
      email: `${role}.${userId}@example.org`,
      name: `The ${role}`,
      password_hash: 'none',
      role,
      status: 'active',
      locale: 'en',
      session_epoch: 1,
      ...times,
    })
    .execute()
  await database.writer
    .insertInto('api_keys')
    .values({
      id: newId(),
      user_id: userId,
      name: 'test',
      prefix: key.slice(0, 8),
      hash: hashToken(key),
      scopes: JSON.stringify(PERMISSIONS),
      created_at: now(),
    })
    .execute()
  const send = (request: InjectOptions): Promise<LightMyRequestResponse> =>
    app.inject({ ...request, headers: { authorization: `Bearer ${key}`, ...request.headers } })
  const withBody = (method: 'POST' | 'PUT' | 'PATCH' | 'DELETE') => (url: string, payload?: object) =>
    send({ method, url, ...(payload === undefined ? {} : { payload }) })
  return {
    userId,
    key,
    send,
    get: url => send({ url }),
    post: withBody('POST'),
    put: withBody('PUT'),
    patch: withBody('PATCH'),
    delete: withBody('DELETE'),
  }
}

/** A phone number of its own for each index. */
export function phoneOf(index: number): string {
  return `+336${String(index).padStart(8, '0')}`
}

/** The statements sent to the database while `run` runs. */
export async function queriesOf(database: Database, run: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = []
  const stop = database.queries.watch(sql => statements.push(sql))
  try {
    await run()
  } finally {
    stop()
  }
  return statements
}
