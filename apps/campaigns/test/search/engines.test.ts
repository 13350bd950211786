import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { migrate } from '../../server/database/migrate.ts'
import { type Database, openDatabase } from '../../server/database/open.ts'
import type { CampaignTable } from '../../server/database/schema.ts'
import { foldName } from '../../server/phone.ts'
import type { SearchKind } from '../../server/search/port.ts'
import { databaseSearch } from '../../server/search/ranked.ts'
import { pageText } from '../../server/search/words.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'

type Engine = (typeof ENGINES)[number]

async function open(engine: Engine): Promise<Database> {
  const database = await openDatabase({ url: await freshDatabase(engine), pool: { size: 2, overflow: 2 } })
  onTestFinished(() => database.close())
  return database
}

async function addContact({ writer }: Database, id: string, name: string, email: string | null = null): Promise<void> {
  const name_key = foldName(name)
  const search_text = email === null ? name_key : `${name_key} ${email}`
  const times = { created_at: 1, updated_at: 1 }
  await writer
    .insertInto('contacts')
    .values({ id, name, name_key, email, search_text, ...times })
    .execute()
}

async function addPage({ writer }: Database, id: string, title: string, body: string): Promise<void> {
  const search_text = pageText(title, body)
  const fields = { slug: id, status: 'draft' as const, version: 1, created_at: 1, updated_at: 1 }
  await writer
    .insertInto('content')
    .values({ id, title, body, search_text, ...fields })
    .execute()
}

async function addCampaign({ writer }: Database, id: string, name: string): Promise<void> {
  // The other columns have defaults.
  const row = { id, name, status: 'draft', created_at: 1, updated_at: 1 } as CampaignTable
  await writer.insertInto('campaigns').values(row).execute()
}

async function addCorpus(database: Database): Promise<void> {
  await addContact(database, 'c1', 'Élodie Petit', 'elodie.petit@example.org')
  await addContact(database, 'c2', 'Jo An', 'the@who.example')
  await addContact(database, 'c3', 'Анна Каренина')
  await addContact(database, 'c4', 'Zoë O’Brien-Łuk', 'zoe+list@mail.example')
  await addContact(database, 'c5', '山田太郎')
  await addContact(database, 'c6', "🎉party Jean d'Arc")
  await addPage(
    database,
    'p1',
    'Summer offers',
    'Everything about the beach. “Ice cream” for all – 50% off, from 12/06 on.',
  )
  await addPage(
    database,
    'p2',
    'The beach',
    'Summer, sand and a very long list of things to bring along when it rains.',
  )
  await addCampaign(database, 'k1', 'Rentrée À l’école')
  await addCampaign(database, 'k2', 'Summer 2026')
}

type Ask = (query: string, kind: SearchKind) => Promise<readonly string[]>

const asker = (database: Database): Ask => {
  const search = databaseSearch(database)
  return async (query, kind) => [...(await search.match(query, kind, 20))].sort()
}

/** Whether the index says the same as the rows. Only SQLite can be asked; the others have one place for both. */
async function checkIndex({ engine, writer }: Database): Promise<void> {
  if (engine !== 'sqlite') return
  for (const table of ['contacts', 'content', 'campaigns']) {
    const index = sql.table(`search_${table}_index`)
    await sql`insert into ${index} (${index}, rank) values ('integrity-check', 1)`.execute(writer)
  }
}

describe.each(ENGINES)('search on %s', engine => {
  test('finds rows by all their words, the last by its beginning, without case and accents', async () => {
    const database = await open(engine)
    await addCorpus(database)
    const ask = asker(database)
    expect({
      accent: await ask('ELODIÉ', 'contact'),
      prefix: await ask('pet', 'contact'),
      order: await ask('petit élo', 'contact'),
      notPrefix: await ask('pet elodie', 'contact'),
      short: await ask('jo', 'contact'),
      shortest: await ask('a', 'contact'),
      stopWords: await ask('the who', 'contact'),
      address: await ask('zoe+list@mail.example', 'contact'),
      curly: await ask("o'brien", 'contact'),
      stroke: await ask('łuk', 'contact'),
      cyrillic: await ask('КАРЕНИНА анн', 'contact'),
      han: await ask('山田', 'contact'),
      emoji: await ask('party 🎉', 'contact'),
      both: await ask('summer beach', 'content'),
      number: await ask('50', 'content'),
      nothing: await ask('winter', 'content'),
      campaign: await ask('rentree ecole', 'campaign'),
      year: await ask('summer 20', 'campaign'),
    }).toEqual({
      accent: ['c1'],
      prefix: ['c1'],
      order: ['c1'],
      notPrefix: [],
      short: ['c2'],
      shortest: ['c2', 'c6'],
      stopWords: ['c2'],
      address: ['c4'],
      curly: ['c4'],
      stroke: ['c4'],
      cyrillic: ['c3'],
      han: ['c5'],
      emoji: ['c6'],
      both: ['p1', 'p2'],
      number: ['p1'],
      nothing: [],
      campaign: ['k1'],
      year: ['k2'],
    })
    const ranked = databaseSearch(database)
    expect(await ranked.match('beach', 'content', 1)).toEqual(['p2'])
    expect(await ranked.match('summer', 'content', 1)).toEqual(['p1'])
    // One or two letters say nothing: the newest are given.
    expect(await ranked.match('su', 'content', 1)).toEqual(['p2'])
    const hits = await ranked.find('summer', { kinds: ['campaign', 'content', 'contact'], limit: 1 })
    expect(hits).toEqual([
      { kind: 'campaign', id: 'k2', title: 'Summer 2026', detail: null, status: 'draft' },
      { kind: 'content', id: 'p1', title: 'Summer offers', detail: 'p1', status: 'draft' },
    ])
  })

  test('takes any text for a query', async () => {
    const database = await open(engine)
    await addCorpus(database)
    const ask = asker(database)
    const hostile = [
      ...[
        '"',
        "'",
        '*',
        '+',
        '-',
        '@',
        '%',
        '\\',
        '\\\\"',
        '()',
        '((((',
        '"elodie',
        "elodie'",
        'elodie"*',
        '\u0000',
        '\ud800',
      ],
      ...[
        'NOT',
        'AND',
        'OR elodie',
        'NEAR(elodie petit, 2)',
        'words : elodie',
        '{words}: x',
        '^elodie',
        ':*',
        '& | !',
        '<->',
      ],
      ...[
        "'; drop table contacts; --",
        "') or 1=1 --",
        '+elodie -petit >x <y ~z',
        '@distance',
        '🎉🎊',
        'a\u0301',
        '%00',
      ],
      ...['x'.repeat(1000), 'é'.repeat(1000), 'a '.repeat(500), '"'.repeat(1000), '🎉'.repeat(500), '山'.repeat(1000)],
    ]
    for (const query of hostile) for (const kind of ['contact', 'content', 'campaign'] as const) await ask(query, kind)
    expect(await ask('"elodie" *', 'contact')).toEqual(['c1'])
    expect(await ask('🎉🎊', 'contact')).toEqual([])
    const long = `${'z'.repeat(59)}\u{10400}${'y'.repeat(40)}`
    await addPage(database, 'p9', long, '')
    expect(await ask(long, 'content')).toEqual(['p9'])
  })

  test('knows of each change with its commit, and of none that was undone', async () => {
    const database = await open(engine)
    await addCorpus(database)
    const ask = asker(database)
    const { writer } = database
    const rename = { name: 'Paul', name_key: 'paul', search_text: 'paul' }
    await writer.updateTable('contacts').set(rename).where('id', '=', 'c1').execute()
    await writer.updateTable('contacts').set({ updated_at: 2 }).where('id', '=', 'c2').execute()
    await writer.updateTable('campaigns').set({ name: 'Winter' }).where('id', '=', 'k2').execute()
    await writer.deleteFrom('content').where('id', '=', 'p1').execute()
    const undone = writer.transaction().execute(async trx => {
      await trx.updateTable('contacts').set({ search_text: 'ghost' }).where('id', '=', 'c2').execute()
      await trx.deleteFrom('contacts').where('id', '=', 'c3').execute()
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    expect(await ask('elodie', 'contact')).toEqual([])
    expect(await ask('paul', 'contact')).toEqual(['c1'])
    expect(await ask('ghost', 'contact')).toEqual([])
    expect(await ask('jo', 'contact')).toEqual(['c2'])
    expect(await ask('анна', 'contact')).toEqual(['c3'])
    expect(await ask('summer', 'campaign')).toEqual([])
    expect(await ask('winter', 'campaign')).toEqual(['k2'])
    expect(await ask('summer', 'content')).toEqual(['p2'])
    await checkIndex(database)
    if (engine === 'sqlite') await sql`vacuum`.execute(writer)
    expect(await ask('paul', 'contact')).toEqual(['c1'])
    await checkIndex(database)
  })

  test('is taken away and made again by its migration, for the rows that are there', async () => {
    const database = await open(engine)
    const { writer } = database
    await migrate(writer, database.engine, '0005_content')
    await addCorpus(database)
    expect(await migrate(writer, database.engine)).toContain('0006_search')
    const ask = asker(database)
    expect(await ask('elodie', 'contact')).toEqual(['c1'])
    expect(await ask('beach', 'content')).toEqual(['p1', 'p2'])
    expect(await ask('ecole', 'campaign')).toEqual(['k1'])
    await writer.deleteFrom('contacts').where('id', '=', 'c1').execute()
    expect(await ask('elodie', 'contact')).toEqual([])
    await checkIndex(database)
  })
})
