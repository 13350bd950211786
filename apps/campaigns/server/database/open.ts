import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, type LogEvent } from 'kysely'
import { migrate } from './migrations.ts'
import { workerLink } from './reader.ts'
import type { Tables } from './schema.ts'
import { localLink, sqliteDialect } from './sqlite.ts'

/** Every query sent to the database, on either side; `begin` and `commit` are not queries. */
export interface QueryCounter {
  readonly count: number
  /** Tells each query's SQL from now on; returns what ends that. */
  watch(listener: (sql: string) => void): () => void
}

export interface Database {
  /** The one connection that writes, in this thread. Also right for lookups of single rows by key. */
  readonly writer: Kysely<Tables>
  /** Read-only connections in worker threads, for whatever may visit many rows. */
  readonly reader: Kysely<Tables>
  readonly queries: QueryCounter
  readonly path: string
  /** Random, made with the database: two databases never share cache entries, whatever directory or Redis they use. */
  readonly id: string
  readonly cursorSecret: Buffer
  close(): Promise<void>
}

/** One that is busy with a dashboard still leaves one for everybody else. */
const READERS = 2

function createCounter(): QueryCounter & { log(event: LogEvent): void } {
  const listeners = new Set<(sql: string) => void>()
  let count = 0
  return {
    get count() {
      return count
    },
    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    log({ query }) {
      count++
      for (const listener of listeners) listener(query.sql)
    },
  }
}

/** Opens the file, making it and its directory if need be, and brings its tables up to date. */
export async function openDatabase(path: string): Promise<Database> {
  mkdirSync(dirname(path), { recursive: true })
  const queries = createCounter()
  const log = (event: LogEvent): void => queries.log(event)
  const writer = new Kysely<Tables>({
    dialect: sqliteDialect({ open: () => localLink(path), size: 1, begin: 'begin immediate' }),
    log,
  })
  const reader = new Kysely<Tables>({
    dialect: sqliteDialect({ open: () => workerLink(path), size: READERS, begin: 'begin' }),
    log,
  })
  try {
    await migrate(writer)
    const settings = await writer.selectFrom('settings').select(['key', 'value']).execute()
    const setting = (key: string): string => {
      const value = settings.find(row => row.key === key)?.value
      if (value === undefined) throw new Error(`the database has lost its setting "${key}"; restore it from a backup`)
      return value
    }
    return {
      writer,
      reader,
      queries,
      path,
      id: setting('database_id'),
      cursorSecret: Buffer.from(setting('cursor_secret'), 'hex'),
      async close() {
        await reader.destroy()
        await writer.destroy()
      },
    }
  } catch (error) {
    await writer.destroy()
    throw error
  }
}
