import { CompiledQuery, sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { listApiKeys } from '../../server/access/api-keys.ts'
import type { Database } from '../../server/database/open.ts'
import type { Tables } from '../../server/database/schema.ts'
import { DRAINS, HANDLERS } from '../../server/handlers.ts'
import { NOON, startApp, type TestApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { findSamples, readsOf } from '../support/reads.ts'

interface Statement {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

async function statementsOf(database: Database, run: () => Promise<unknown>): Promise<readonly Statement[]> {
  const statements = new Map<string, Statement>()
  const stop = database.queries.watch((text, parameters) => void statements.set(text, { sql: text, parameters }))
  try {
    await run()
  } finally {
    stop()
  }
  return [...statements.values()]
}

/** Those that grow: the others hold some dozens of rows, whatever becomes of an installation. */
const LARGE = [
  ...['contacts', 'contact_categories', 'messages', 'campaigns', 'content', 'content_revisions', 'media', 'users'],
  ...['api_keys', 'admin_history', 'jobs', 'emails', 'webhook_inbox', 'cache_outbox', 'import_errors'],
] as const

type Row = Readonly<Record<string, unknown>>

/** The large tables that the plan reads from one end to the other without an index. */
const SCANS: Readonly<Record<Database['engine'], (rows: readonly Row[], text: string) => string[]>> = {
  sqlite: (rows, text) =>
    rows
      .map(row => String(row['detail']))
      .filter(line => line.startsWith('SCAN ') && !/USING|VIRTUAL TABLE|CONSTANT ROW/.test(line))
      .map(line => line.replace(/^SCAN (\S+).*$/, '$1'))
      .map(name => new RegExp(`"(\\w+)" as "${name}"`).exec(text)?.[1] ?? name),
  postgres: rows => rows.flatMap(row => /Seq Scan on (\w+)/.exec(String(row['QUERY PLAN']))?.[1] ?? []),
  mysql: (rows, text) =>
    rows
      .filter(row => row['table'] !== null && row['key'] === null && row['type'] === 'ALL')
      .map(row => String(row['table']))
      .map(name => new RegExp(`\`(\\w+)\` as \`${name}\``).exec(text)?.[1] ?? name),
}

const EXPLAIN = { sqlite: 'explain query plan', postgres: 'explain', mysql: 'explain' } as const

/** A page that is put in order after all of its rows were read: of the engines SQLite says so most plainly. */
const isSorted = (rows: readonly Row[], text: string): boolean =>
  /\blimit \?$/.test(text) && rows.some(row => row['detail'] === 'USE TEMP B-TREE FOR ORDER BY')

/** What the statement scans; nothing of what it would change is changed. */
async function scansOf({ engine, writer }: Database, statement: Statement): Promise<string[]> {
  if (!/^\s*(?:select|update|delete|with)\b/i.test(statement.sql)) return []
  return await writer.transaction().execute(async trx => {
    // Whatever the size of the tables, a scan is then only what no index can spare.
    if (engine === 'postgres') await sql`set local enable_seqscan = off`.execute(trx)
    const query = CompiledQuery.raw(`${EXPLAIN[engine]} ${statement.sql}`, [...statement.parameters])
    const { rows } = await trx.executeQuery<Row>(query)
    const scans = SCANS[engine](rows, statement.sql).filter(table => (LARGE as readonly string[]).includes(table))
    return isSorted(rows, statement.sql) ? [...scans, 'and sorts'] : scans
  })
}

/**
 * Sorted by what they are: the best of all hits come first, and of one person, campaign or status there are few enough. An
 * index for each combination of filters would cost every write more than these save.
 */
const SORTED = ['search', 'keys of a person', 'jobs of a status', 'messages of all three']

async function explain(database: Database, name: string, statements: readonly Statement[]): Promise<string[]> {
  const found: string[] = []
  for (const statement of statements) {
    const scans = await scansOf(database, statement)
    const text = statement.sql.replace(/(?:(?:\?|\$\d+), ){9,}/g, '…, ')
    if (scans.length > 0 && !SORTED.includes(name)) found.push(`${name} scans ${scans.join(', ')}: ${text}`)
  }
  return found
}

/** So many rows that no planner takes a scan for the cheaper way. */
async function fill({ database }: TestApp['services']): Promise<void> {
  const { writer: db, engine } = database
  const copies = 1500
  const copy = async (table: keyof Tables, changes: (index: number) => object): Promise<void> => {
    const [row] = await sql<object>`select * from ${sql.table(table)} limit 1`.execute(db).then(({ rows }) => rows)
    const rows = Array.from({ length: copies }, (_, index) => ({ ...row, ...changes(index) }))
    for (let start = 0; start < rows.length; start += 250)
      await db
        .insertInto(table)
        .values(rows.slice(start, start + 250))
        .execute()
  }
  // Most of them are too young to be cleaned up: deleting nearly all of a table may well scan it.
  const at = (index: number): number => NOON + index - (index % 20 === 0 ? 100 : 1) * 86_400_000
  await copy('jobs', index => ({
    id: `j${index}`,
    created_at: at(index),
    name: `name${index % 9}`,
    run_at: at(index),
    finished_at: at(index),
  }))
  await copy('admin_history', index => ({ id: `h${index}`, timestamp: at(index), admin_id: `a${index % 20}` }))
  await copy('content', index => ({ id: `c${index}`, slug: `c${index}`, created_at: at(index) }))
  await copy('campaigns', index => ({ id: `c${index}`, created_at: at(index), status: 'draft' }))
  await copy('users', index => ({
    ...{ id: `u${index}`, email: `u${index}@example.org`, name: 'user', password_hash: 'none', role: 'agent' },
    ...{ status: 'active', locale: 'en', session_epoch: 1, created_at: at(index), updated_at: at(index) },
  }))
  const { id: user_id } = await db.selectFrom('users').select('id').limit(1).executeTakeFirstOrThrow()
  await copy('api_keys', index => ({
    ...{ id: `k${index}`, user_id, name: 'key', prefix: 'pk', hash: `k${index}`, scopes: '[]', created_at: at(index) },
  }))
  await copy('webhook_inbox', index => ({
    ...{
      id: `i${index}`,
      account_id: 'a',
      kind: 'status',
      dedupe_key: `i${index}`,
      payload: '{}',
      received_at: at(index),
    },
    ...{ processed_at: at(index), attempts: 1, next_attempt_at: at(index) },
  }))
  await copy('media', index => ({
    ...{ id: `m${index}`, path: `m${index}`, name: 'picture', alt: '', mime: 'image/webp', variants: '[]', size: 1 },
    ...{ sha256: `m${index}`, created_at: at(index) },
  }))
  await copy('emails', index => ({
    ...{ id: `e${index}`, recipient: 'e@example.org', subject: '', body: '', status: 'sent', attempts: 1 },
    ...{ next_attempt_at: at(index), created_at: at(index) },
  }))
  const tables = sql.join(LARGE.map(table => sql.table(table)))
  if (engine === 'sqlite') await sql`analyze`.execute(db)
  else await (engine === 'postgres' ? sql`analyze ${tables}` : sql`analyze table ${tables}`).execute(db)
}

describe.each(ENGINES)('plans on %s', engine => {
  test('of every list and page use an index', async () => {
    const app = await startApp({ engine, data: { contacts: 1000, messages: 6000 }, cache: false, now: () => NOON })
    const { database } = app.services
    await fill(app.services)
    const found: string[] = []
    for (const { name, path, limit, whole = false } of readsOf(await findSamples(app.services, app.userId))) {
      const statements = await statementsOf(database, async () => {
        const first = await app.get(limit === undefined ? path : `${path}&limit=3`)
        expect({ path, status: first.statusCode }).toEqual({ path, status: 200 })
        const { next_cursor } = first.json()
        if (typeof next_cursor === 'string') await app.get(`${path}&limit=3&cursor=${encodeURIComponent(next_cursor)}`)
      })
      expect(statements.length).toBeGreaterThan(0)
      if (!whole) found.push(...(await explain(database, name, statements)))
    }
    // No key may ask for these.
    const keys = await statementsOf(database, async () => {
      const { cursors } = app.services
      const { next_cursor } = await listApiKeys(database.reader, cursors, { limit: 1 })
      expect(next_cursor).not.toBeNull()
      await listApiKeys(database.reader, cursors, { limit: 1, cursor: next_cursor ?? '' })
    })
    found.push(...(await explain(database, 'keys', keys)))
    const own = await statementsOf(database, () =>
      listApiKeys(database.reader, app.services.cursors, { limit: 1, userId: app.userId }),
    )
    found.push(...(await explain(database, 'keys of a person', own)))
    expect(found).toEqual([])
  })

  test('of the work behind them use an index', async () => {
    let time = NOON
    const { services } = await startApp({
      engine,
      data: { contacts: 1000, messages: 6000 },
      cache: false,
      now: () => time,
    })
    const { database } = services
    await fill(services)
    // The waits of the running campaigns are over.
    time = NOON + 30 * 3_600_000
    const { signal } = new AbortController()
    const found: string[] = []
    for (const drain of DRAINS) {
      const statements = await statementsOf(database, () => drain.run(services, signal))
      expect(statements.length).toBeGreaterThan(0)
      found.push(...(await explain(database, `drain ${drain.name}`, statements)))
    }
    const running = await database.writer
      .selectFrom('campaigns')
      .select('id')
      .where('status', '=', 'paused')
      .where('queued', '>', 0)
      .executeTakeFirstOrThrow()
    await database.writer.updateTable('campaigns').set({ status: 'running' }).where('id', '=', running.id).execute()
    await database.writer.updateTable('wa_accounts').set({ status: 'active' }).execute()
    for (const name of ['campaigns.expire', 'campaigns.start-due', 'maintenance']) {
      const handler = HANDLERS.find(one => one.name === name)
      const statements = await statementsOf(database, async () => {
        const save = async (): Promise<void> => undefined
        const context = { id: 'none', payload: handler?.parse({}), attempt: 1, createdBy: null, progress: undefined }
        await handler?.run({ ...context, signal, services, save })
      })
      expect(statements.length).toBeGreaterThan(0)
      found.push(...(await explain(database, `job ${name}`, statements)))
    }
    expect(found).toEqual([])
  })
})
