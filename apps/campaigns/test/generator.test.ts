import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Database, openDatabase } from '../server/database/open.ts'
import type { Tables } from '../server/database/schema.ts'
import { digest } from '../server/generator/digest.ts'
import { type DataSet, NotEmpty, writeDataSet } from '../server/generator/write.ts'
import { COUNTERS, NO_COUNTS, recountMessages } from '../server/messages/counters.ts'
import { NOON, startServices } from './support/app.ts'
import { ENGINES, freshDatabase } from './support/engines.ts'

const SET: DataSet = { contacts: 200, messages: 2000, seed: 1, now: NOON }
const DAY = 86_400_000

async function open(engine: (typeof ENGINES)[number]): Promise<Database> {
  const database = await openDatabase({ url: await freshDatabase(engine) })
  onTestFinished(() => database.close())
  return database
}

async function countOf(db: Kysely<Tables>, table: keyof Tables): Promise<number> {
  const { count } = await db.selectFrom(table).select(sql<number>`count(*)`.as('count')).executeTakeFirstOrThrow()
  return count
}

describe.each(ENGINES)('the generator on %s', engine => {
  test('gives each campaign the counters of its own messages, and leaves nothing overdue', async () => {
    const database = await open(engine)
    const { rows } = await writeDataSet(database, { ...SET, contacts: 500, messages: 8000 })
    const db = database.reader
    expect(await countOf(db, 'contacts')).toBe(500)
    expect(await countOf(db, 'messages')).toBe(8000)
    expect(rows).toBeGreaterThan(8500)
    const counted = await recountMessages(db)
    const campaigns = await db.selectFrom('campaigns').selectAll().execute()
    for (const campaign of campaigns) {
      const shown = Object.fromEntries(COUNTERS.map(name => [name, campaign[name]]))
      expect(shown).toEqual(counted.get(campaign.id) ?? NO_COUNTS)
      const { status, open_count, completed_at } = campaign
      // A running campaign with nobody open would be completed by the first worker; a completed one has nobody.
      expect(['completed', 'cancelled'].includes(status) ? open_count === 0 : true).toBe(true)
      expect(status === 'running' ? open_count > 0 : true).toBe(true)
      expect(completed_at !== null).toBe(status === 'completed')
    }
    const states = new Set(campaigns.map(campaign => campaign.status))
    expect([...states].sort()).toEqual(['cancelled', 'completed', 'draft', 'paused', 'running', 'scheduled'])
    const running = campaigns.filter(({ status }) => status === 'running').map(({ id }) => id)
    const waiting = await db.selectFrom('messages').select('campaign_id').where('status', '=', 'queued').execute()
    expect(waiting.length).toBeGreaterThan(0)
    expect(waiting.filter(row => running.includes(row.campaign_id ?? ''))).toEqual([])
    const overdue = await db
      .selectFrom('messages')
      .select('id')
      .where('step', '=', 1)
      .where('status', 'in', ['accepted', 'sent', 'delivered', 'read'])
      .where('interacted_at', 'is', null)
      .where('sent_at', '<=', NOON - DAY)
      .execute()
    expect(overdue).toEqual([])
  })

  test('is the same as on SQLite, and a second one is refused unless it is to replace the first', async () => {
    const database = await open(engine)
    await writeDataSet(database, SET)
    const first = await digest(database.reader)
    const other = await open('sqlite')
    await writeDataSet(other, { ...SET, seed: 2 })
    expect(await digest(other.reader)).not.toBe(first)
    await expect(writeDataSet(database, { ...SET, contacts: 5 })).rejects.toThrow(NotEmpty)
    expect(await digest(database.reader)).toBe(first)
    await writeDataSet(other, SET, { replace: true })
    expect(await digest(other.reader)).toBe(first)
    await writeDataSet(database, { ...SET, contacts: 5, messages: 5 }, { replace: true })
    expect(await countOf(database.reader, 'contacts')).toBe(5)
    expect(await countOf(database.reader, 'messages')).toBe(5)
  })

  test('of two that start together on an empty database one writes', async () => {
    const one = await open(engine)
    // On SQLite a process has one connection that writes; two processes have two.
    const two = one.sqlitePath === undefined ? one : await openDatabase({ url: one.sqlitePath })
    if (two !== one) onTestFinished(() => two.close())
    const written = await Promise.allSettled([writeDataSet(one, SET), writeDataSet(two, SET)])
    expect(written.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const [refused] = written.filter(result => result.status === 'rejected')
    expect(refused?.reason).toBeInstanceOf(NotEmpty)
    expect(await countOf(one.reader, 'messages')).toBe(SET.messages)
  })
})

describe('the rows', () => {
  test('are as many as asked for, whatever the proportion', async () => {
    const database = await open('sqlite')
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 120 }), fc.nat({ max: 2000 }), fc.nat(), async (contacts, messages, seed) => {
        await writeDataSet(database, { contacts, messages, seed, now: NOON }, { replace: true })
        expect(await countOf(database.writer, 'contacts')).toBe(contacts)
        expect(await countOf(database.writer, 'messages')).toBe(contacts === 0 ? 0 : messages)
        expect((await sql`pragma foreign_key_check`.execute(database.writer)).rows).toEqual([])
      }),
      { numRuns: 12 },
    )
  })

  test('have times in an order that can be, none after now, and none before their contact', async () => {
    const { database } = await startServices({ data: { contacts: 500, messages: 8000 }, now: () => NOON })
    const wrong = await sql`
      select m.id from messages m join contacts c on c.id = m.contact_id
      where m.accepted_at < m.created_at or m.sent_at < m.accepted_at or m.delivered_at < m.sent_at
        or m.read_at < m.delivered_at or m.interacted_at < m.read_at or m.late_interaction_at < m.sent_at + ${DAY}
        or m.created_at < c.created_at or m.created_at > c.opt_out_at
        or max(m.created_at, ifnull(m.sent_at, 0), ifnull(m.delivered_at, 0), ifnull(m.read_at, 0),
          ifnull(m.interacted_at, 0), ifnull(m.late_interaction_at, 0), ifnull(m.failed_at, 0)) > ${NOON}`.execute(
      database.writer,
    )
    expect(wrong.rows).toEqual([])
    const windows = await sql`
      select c.id from contacts c where c.last_inbound_at is not
        (select max(created_at) from messages where contact_id = c.id and direction = 'in')
        or c.window_expires_at is not c.last_inbound_at + ${DAY}`.execute(database.writer)
    expect(windows.rows).toEqual([])
  })

  test('of a campaign belong together: who answered has answered, and was sent Message 2', async () => {
    const { database } = await startServices({ data: { contacts: 500, messages: 8000 }, now: () => NOON })
    const { rows } = await sql<{ kind: string; answered: number; replies: number; second: number }>`
      select p.message2_kind as kind, count(*) as answered, count(s.id) as second,
        sum(exists (select 1 from messages r where r.contact_id = m.contact_id and r.direction = 'in'
          and r.created_at = m.interacted_at)) as replies
      from messages m join campaigns p on p.id = m.campaign_id
        left join messages s on s.campaign_id = m.campaign_id and s.contact_id = m.contact_id and s.step = 2
      where m.step = 1 and m.interacted_at is not null group by p.message2_kind order by 1`.execute(database.writer)
    expect(rows.map(row => row.kind)).toEqual(['interactive', 'none', 'template', 'text'])
    for (const { kind, answered, replies, second } of rows) {
      expect(answered).toBeGreaterThan(20)
      expect({ replies, second }).toEqual({ replies: answered, second: kind === 'none' ? 0 : answered })
    }
    const alone = await sql<{ id: string }>`
      select id from messages s where step = 2 and not exists (select 1 from messages m
        where m.campaign_id = s.campaign_id and m.contact_id = s.contact_id and m.step = 1
          and m.interacted_at = s.created_at)`.execute(database.writer)
    expect(alone.rows).toEqual([])
  })

  test('leave SQLite every index it had', async () => {
    const database = await open('sqlite')
    const indexes = sql<{ name: string }>`select name from sqlite_master where type = 'index' order by name`
    const before = await indexes.execute(database.writer)
    await writeDataSet(database, SET)
    expect((await indexes.execute(database.writer)).rows).toEqual(before.rows)
    expect(before.rows.length).toBeGreaterThan(40)
  })
})
