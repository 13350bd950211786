import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { onTestFinished } from 'vitest'
import { buildApp } from '../../server/app.ts'
import { type Caching, openCaching } from '../../server/caching.ts'
import { type Database, openDatabase } from '../../server/database/open.ts'
import { type DataSet, writeDataSet } from '../../server/generator/write.ts'

export interface TestApp {
  readonly app: FastifyInstance
  readonly database: Database
  readonly caching: Caching
  readonly warnings: string[]
  send(request: InjectOptions): Promise<LightMyRequestResponse>
  get(url: string): Promise<LightMyRequestResponse>
  post(url: string, payload: object): Promise<LightMyRequestResponse>
  importCsv(text: string): Promise<LightMyRequestResponse>
}

export interface TestAppOptions {
  readonly directory?: string
  /** The database's file in the directory. */
  readonly file?: string
  readonly cache?: boolean
  readonly now?: () => number
  readonly data?: Partial<DataSet>
}

/** A directory of this test alone, gone when it ends. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'campaigns-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export const NOON: number = Date.UTC(2026, 5, 15, 12)

/** The whole server on real files: a database and a cache directory, both in `directory`. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { directory = freshDirectory(), file = 'campaigns.sqlite', cache = true, now = Date.now, data } = options
  const database = await openDatabase(join(directory, file))
  if (data !== undefined) {
    writeDataSet(database.path, { contacts: 100, messages: 500, seed: 1, now: now(), ...data })
  }
  const warnings: string[] = []
  const caching = openCaching({
    databaseId: database.id,
    dir: join(directory, 'cache'),
    backend: 'filesystem',
    enabled: cache,
    detectBudget: '10s',
    logger: { warn: line => void warnings.push(line), info: () => undefined },
  })
  await caching.ready()
  const app = await buildApp({ database, caching, now })
  onTestFinished(async () => {
    await app.close()
    await caching.close()
    await database.close()
  })
  return {
    app,
    database,
    caching,
    warnings,
    send: request => app.inject(request),
    get: url => app.inject({ url }),
    post: (url, payload) => app.inject({ method: 'POST', url, payload }),
    importCsv: text =>
      app.inject({
        method: 'POST',
        url: '/api/v1/contacts/import',
        headers: { 'content-type': 'text/csv' },
        payload: text,
      }),
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
