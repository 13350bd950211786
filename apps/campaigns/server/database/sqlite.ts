import { setTimeout } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { createRunner, openFile } from './file.ts'

/**
 * Kysely over SQLite connections that may live in this thread or in another. A link is one connection; the pool lends
 * each to one borrower at a time, opens more up to its size only when all are lent, and replaces one that died.
 */
export interface Link {
  run(sql: string, parameters: readonly unknown[]): Promise<QueryResult<unknown>>
  alive(): boolean
  close(): Promise<void>
}

export interface LinkPool {
  readonly open: () => Link
  readonly size: number
  /** `begin immediate` for writers: a transaction that reads first and writes later would else fail instead of wait. */
  readonly begin: 'begin' | 'begin immediate'
}

const BUSY_PATIENCE_MS = 10_000

/**
 * The writing connection, in this thread. SQLite's own busy_timeout would hold the event loop while another process
 * writes, so it is off here and the wait is between tries.
 */
export function localLink(path: string): Link {
  const file = openFile(path, 'write')
  file.pragma('busy_timeout = 0')
  const run = createRunner(file)
  return {
    async run(sql, parameters) {
      const until = performance.now() + BUSY_PATIENCE_MS
      for (let pause = 1; ; pause = Math.min(pause * 2, 20)) {
        try {
          return run(sql, parameters)
        } catch (error) {
          const { code } = error as { code?: string }
          if (code !== 'SQLITE_BUSY' || performance.now() >= until) throw error
        }
        await setTimeout(pause)
      }
    },
    alive: () => file.open,
    close: async () => void file.close(),
  }
}

interface Borrowed extends DatabaseConnection {
  readonly link: Link
}

function createConnection(link: Link): Borrowed {
  return {
    link,
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      return (await link.run(query.sql, query.parameters)) as QueryResult<R>
    },
    // oxlint-disable-next-line require-yield -- the interface asks for a generator; nothing here streams
    async *streamQuery(): AsyncGenerator<never> {
      throw new Error('streaming is not supported: page with keysets instead')
    },
  }
}

function createDriver(pool: LinkPool): Driver {
  const all = new Set<Borrowed>()
  const idle: Borrowed[] = []
  const waiting: ((connection: Borrowed) => void)[] = []
  const make = (): Borrowed => {
    const connection = createConnection(pool.open())
    all.add(connection)
    return connection
  }
  const lent = (connection: DatabaseConnection): Borrowed => connection as Borrowed
  return {
    async init() {},
    async acquireConnection() {
      for (let free = idle.pop(); free !== undefined; free = idle.pop()) {
        if (free.link.alive()) return free
        // A reader thread may die while nobody uses it.
        all.delete(free)
      }
      if (all.size < pool.size) return make()
      return await new Promise<Borrowed>(resolve => waiting.push(resolve))
    },
    async releaseConnection(connection) {
      let back = lent(connection)
      if (!back.link.alive()) {
        all.delete(back)
        if (waiting.length === 0) return
        back = make()
      }
      const next = waiting.shift()
      if (next === undefined) idle.push(back)
      else next(back)
    },
    // Straight to the link and not through executeQuery: begin and commit are no queries, and are not counted as such.
    beginTransaction: async connection => void (await lent(connection).link.run(pool.begin, [])),
    commitTransaction: async connection => void (await lent(connection).link.run('commit', [])),
    rollbackTransaction: async connection => void (await lent(connection).link.run('rollback', [])),
    async destroy() {
      await Promise.all([...all].map(connection => connection.link.close()))
    },
  }
}

/** SQLite can undo a change of tables, which Kysely does not assume: all migrations then run as one, or not at all. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

export function sqliteDialect(pool: LinkPool): Dialect {
  return {
    createAdapter: () => new TransactionalAdapter(),
    createDriver: () => createDriver(pool),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}
