import { join } from 'node:path'
import { Kysely, type RawBuilder, sql } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Database, openDatabase } from '../../server/database/open.ts'
import { isTransient } from '../../server/database/portable.ts'
import { type Link, localLink, sqliteDialect } from '../../server/database/sqlite.ts'
import type { PoolLimits } from '../../server/database/url.ts'
import { freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

type ServerEngine = 'postgres' | 'mysql'

const SELF: Readonly<Record<ServerEngine, RawBuilder<{ id: number }>>> = {
  postgres: sql<{ id: number }>`select pg_backend_pid() as id`,
  mysql: sql<{ id: number }>`select connection_id() as id`,
}

async function open(url: string, pool: Partial<PoolLimits>): Promise<Database> {
  const database = await openDatabase({ url, pool })
  onTestFinished(() => database.close())
  return database
}

async function connectionId({ writer }: Pick<Database, 'writer'>, engine: ServerEngine): Promise<number> {
  const { rows } = await SELF[engine].execute(writer)
  return Number(rows[0]?.id)
}

/** Ends a connection from the server's side. */
async function kill(by: Database, engine: ServerEngine, id: number): Promise<void> {
  const end = engine === 'postgres' ? sql`select pg_terminate_backend(${sql.lit(id)})` : sql`kill ${sql.lit(id)}`
  await end.execute(by.writer)
}

async function isConnected(by: Database, engine: ServerEngine, id: number): Promise<boolean> {
  const list = {
    postgres: sql`select 1 from pg_stat_activity where pid = ${sql.lit(id)}`,
    mysql: sql`select 1 from information_schema.processlist where id = ${sql.lit(id)}`,
  }
  const { rows } = await list[engine].execute(by.writer)
  return rows.length > 0
}

const insertCategory = ({ writer }: Pick<Database, 'writer'>, id: string) =>
  writer
    .insertInto('categories')
    .values({ id, name: id, color: '#000000', description: '', created_at: 1, updated_at: 1 })
    .execute()

describe.each(['postgres', 'mysql'] as const)('a pool on %s', engine => {
  test('holds no more connections than its size and overflow, and makes the others wait', async () => {
    const database = await open(await freshDatabase(engine), { size: 2, overflow: 1 })
    const ids = new Set<number>()
    const nap = engine === 'postgres' ? sql`select pg_sleep(0.05)` : sql`select sleep(0.05)`
    const visit = () =>
      database.writer.transaction().execute(async trx => {
        ids.add(await connectionId({ writer: trx }, engine))
        await nap.execute(trx)
      })
    await Promise.all(Array.from({ length: 9 }, visit))
    expect(ids.size).toBe(3)
  })

  test('replaces a connection that is too old, and keeps one that is not', async () => {
    const url = await freshDatabase(engine)
    const kept = await open(url, { size: 1, overflow: 0 })
    const first = await connectionId(kept, engine)
    const short = await open(url, { size: 1, overflow: 0, recycle: 50 })
    const old = await connectionId(short, engine)
    await vi.waitFor(async () => expect(await connectionId(short, engine)).not.toBe(old))
    expect(await connectionId(kept, engine)).toBe(first)
  })

  test('survives that the server ends an idle connection', async () => {
    const url = await freshDatabase(engine)
    const database = await open(url, { size: 1, overflow: 0 })
    const admin = await open(url, { size: 1, overflow: 0 })
    const lost = await connectionId(database, engine)
    await kill(admin, engine, lost)
    const found = await vi.waitFor(() => connectionId(database, engine))
    expect(found).not.toBe(lost)
  })

  test('tells a transaction whose connection was ended between two statements, and keeps nothing of it', async () => {
    const url = await freshDatabase(engine)
    const database = await open(url, { size: 1, overflow: 0 })
    const admin = await open(url, { size: 1, overflow: 0 })
    const error = await database.writer
      .transaction()
      .execute(async trx => {
        await insertCategory({ writer: trx }, 'lost')
        const id = await connectionId({ writer: trx }, engine)
        await kill(admin, engine, id)
        // The loss arrives while no statement waits for an answer.
        await vi.waitFor(async () => expect(await isConnected(admin, engine, id)).toBe(false))
        await insertCategory({ writer: trx }, 'later')
      })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(Error)
    expect(isTransient(error)).toBe(false)
    await insertCategory(database, 'kept')
    const rows = await database.reader.selectFrom('categories').select('id').execute()
    expect(rows).toEqual([{ id: 'kept' }])
  })

  test('counts queries, and neither begin nor commit', async () => {
    const database = await open(await freshDatabase(engine), { size: 1, overflow: 0 })
    const seen: string[] = []
    const before = database.queries.count
    const stop = database.queries.watch(text => seen.push(text))
    await database.writer.transaction().execute(trx => insertCategory({ writer: trx }, 'a'))
    stop()
    await connectionId(database, engine)
    expect(seen).toHaveLength(1)
    expect(database.queries.count).toBe(before + 2)
  })

  test('gives each copy of the template an identity of its own', async () => {
    const ids: string[] = []
    for (let turn = 0; turn < 2; turn++) ids.push((await open(await freshDatabase(engine), { size: 1 })).id)
    expect(new Set(ids).size).toBe(2)
  })
})

test('a SQLite connection that died while nobody used it is replaced before anybody does', async () => {
  const path = join(freshDirectory(), 'file.sqlite')
  const links: Link[] = []
  const dialect = sqliteDialect({
    open: () => {
      const link = localLink(path)
      links.push(link)
      return link
    },
    size: 1,
    begin: 'begin immediate',
  })
  const db = new Kysely<Record<never, never>>({ dialect })
  onTestFinished(() => db.destroy())
  const ask = () => sql<{ one: number }>`select 1 as one`.execute(db)
  await ask()
  await ask()
  expect(links).toHaveLength(1)
  await links[0]?.close()
  expect((await ask()).rows).toEqual([{ one: 1 }])
  expect(links).toHaveLength(2)
})
