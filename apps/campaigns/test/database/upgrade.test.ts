import { type Kysely, sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { openDatabase } from '../../server/database/open.ts'
import type { Tables } from '../../server/database/schema.ts'
import { searchTextOf } from '../../server/contacts/search-text.ts'
import { COUNTERS, NO_COUNTS, recountMessages } from '../../server/messages/counters.ts'
import { queriesOf, startApp } from '../support/app.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { introspect } from '../support/introspect.ts'
import { oldDatabase, readOldDatabase } from '../support/old-version.ts'

const OLD = readOldDatabase()
const NOW = Date.UTC(2026, 5, 15, 12)

const sorted = (rows: readonly object[]): string[] => rows.map(row => JSON.stringify(Object.entries(row))).sort()

/** Every row of 0.1 with every value it had. */
async function expectNothingLost(db: Kysely<Tables>): Promise<void> {
  for (const [table, { columns, rows }] of OLD.tables) {
    if (table.startsWith('kysely')) continue
    const names = sql.join(columns.map(name => sql.ref(name)))
    const found = await sql<object>`select ${names} from ${sql.table(table)}`.execute(db)
    const expected = rows.map(row => Object.fromEntries(columns.map((name, at) => [name, row[at]])))
    expect(sorted(found.rows)).toEqual(sorted(expected))
  }
}

describe.each(ENGINES)('a database of version 0.1 on %s', engine => {
  test('is brought up to date with nothing lost, and served', async () => {
    const url = await oldDatabase(engine, OLD)
    const { services, get, send } = await startApp({ url, engine, now: () => NOW })
    const { writer: db } = services.database
    await expectNothingLost(db)

    const counted = await recountMessages(db)
    const campaigns = await db.selectFrom('campaigns').selectAll().execute()
    for (const campaign of campaigns) {
      const shown = Object.fromEntries(COUNTERS.map(name => [name, campaign[name]]))
      expect(shown).toEqual(counted.get(campaign.id) ?? NO_COUNTS)
      expect(campaign).toMatchObject({ message2_kind: 'none', accept_late: 0, version: 1, interaction_timeout_h: 24 })
      // Who is not planned is never completed.
      expect(campaign.planned_at).toBe(campaign.started_at)
    }
    expect(counted.size).toBeGreaterThan(50)

    const contacts = await db.selectFrom('contacts').selectAll().execute()
    for (const contact of contacts) expect(contact.search_text).toBe(searchTextOf(contact))

    const dashboard = (await get('/api/v1/dashboard')).json()
    expect(dashboard.contacts.total).toBe(contacts.length)
    const [first] = contacts
    const found = (await get(`/api/v1/contacts/${first?.id}`)).json()
    expect(found).toMatchObject({ name: first?.name, phone: first?.phone_e164 })
    const word = first?.phone_e164?.slice(1) ?? ''
    expect(JSON.stringify((await get(`/api/v1/search?q=${word}`)).json())).toContain(first?.id)
    const url1 = `/api/v1/contacts/${first?.id}`
    expect((await send({ method: 'PATCH', url: url1, payload: { name: 'Somebody else' } })).statusCode).toBe(200)
  })

  test('has the tables that a new one has', async () => {
    const old = await openDatabase({ url: await oldDatabase(engine, OLD) })
    const fresh = await openDatabase({ url: await freshDatabase(engine) })
    const tables = [await introspect(old.writer, engine), await introspect(fresh.writer, engine)]
    const again = await queriesOf(old, async () => expect((await recountMessages(old.writer)).size).toBeGreaterThan(50))
    await Promise.all([old.close(), fresh.close()])
    expect(tables[0]).toEqual(tables[1])
    expect(again).toHaveLength(1)
  })
})
