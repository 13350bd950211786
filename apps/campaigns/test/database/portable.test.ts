import Sqlite from 'better-sqlite3'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Database, openDatabase } from '../../server/database/open.ts'
import {
  dayNumber,
  forUpdate,
  insertIfAbsent,
  isMissingReference,
  isTransient,
  isUniqueViolation,
  skipLocked,
  upsert,
} from '../../server/database/portable.ts'
import type { Tables } from '../../server/database/schema.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'

const DAY = 86_400_000

async function open(engine: (typeof ENGINES)[number]): Promise<Database> {
  const database = await openDatabase({ url: await freshDatabase(engine), pool: { size: 2, overflow: 2 } })
  onTestFinished(() => database.close())
  return database
}

const category = (id: string, fields: Partial<Tables['categories']> = {}): Tables['categories'] => ({
  id,
  name: `category ${id}`,
  color: '#000000',
  description: '',
  created_at: 1,
  updated_at: 1,
  ...fields,
})

const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

/** The error of a write that has to fail. */
const failure = (write: Promise<unknown>): Promise<unknown> =>
  write.then(
    () => expect.unreachable('it was accepted'),
    (error: unknown) => error,
  )

/** Opens once `count` have come. */
function gate(count: number): () => Promise<void> {
  let open: () => void = () => undefined
  const promise = new Promise<void>(resolve => {
    open = resolve
  })
  let missing = count
  return () => {
    if (--missing === 0) open()
    return promise
  }
}

/** Two transactions that each lock a row and then want the other's; the one that loses is run again. */
async function crossing(database: Database): Promise<{ errors: unknown[]; order: string[] }> {
  const { writer: db } = database
  await db
    .insertInto('categories')
    .values([category('a'), category('b')])
    .execute()
  const both = gate(2)
  const winner = gate(2)
  const errors: unknown[] = []
  const order: string[] = []
  const one = async (first: string, second: string): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await db.transaction().execute(async trx => {
          const add = (id: string) =>
            trx
              .updateTable('categories')
              .set({ description: sql`concat(description, cast(${first} as char(1)))` })
              .where('id', '=', id)
              .execute()
          await add(first)
          if (attempt === 1) await both()
          await add(second)
        })
      } catch (error) {
        errors.push(error)
        if (attempt === 2 || !isTransient(error)) throw error
        // At once, it could take the row that the other is only about to be given, and the two would meet again.
        await winner()
      }
    }
  }
  const finish = async (first: string, second: string): Promise<void> => {
    await one(first, second)
    order.push(first)
    void winner()
  }
  await Promise.all([finish('a', 'b'), finish('b', 'a')])
  return { errors, order }
}

describe.each(ENGINES)('on %s', engine => {
  test('numbers, bytes and any text come back as they went', async () => {
    const { writer: db, reader } = await open(engine)
    const texts = ['É', 'a', 'B', 'z', 'é', '😀', `it's "quoted" \\' ; -- \\`, '%_', '']
    await db
      .insertInto('categories')
      .values(texts.map((name, index) => category(`c${index}`, { name, created_at: 1_700_000_000_000 + index })))
      .execute()
    const rows = await reader.selectFrom('categories').select(['name', 'created_at']).orderBy('name').execute()
    const bytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(rows.map(row => row.name)).toEqual(bytes)
    expect(await reader.selectFrom('categories').select('id').where('name', '=', 'É').execute()).toHaveLength(1)
    const totals = await reader
      .selectFrom('categories')
      .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number>('created_at').as('sum')])
      .executeTakeFirstOrThrow()
    expect(totals).toEqual({ count: 9, sum: 15_300_000_000_036 })
    // An update counts the rows it found, changed or not.
    const same = await db
      .updateTable('categories')
      .set({ color: '#000000' })
      .where('id', 'in', ['c0', 'c1', 'x'])
      .executeTakeFirst()
    expect(same.numUpdatedRows).toBe(2n)
  })

  test('a day is the same number of days since 1970', async () => {
    const { writer: db } = await open(engine)
    const times = [0, DAY - 1, DAY, 20_000 * DAY + 5, 20_000 * DAY + DAY - 1]
    await db
      .insertInto('categories')
      .values(times.map((created_at, index) => category(`c${index}`, { created_at })))
      .execute()
    const day = dayNumber(engine, 'created_at')
    const rows = await db
      .selectFrom('categories')
      .select(({ fn }) => [day.as('day'), fn.countAll<number>().as('count')])
      .groupBy(day)
      .orderBy(day)
      .execute()
    expect(rows).toEqual([
      { day: 0, count: 2 },
      { day: 1, count: 1 },
      { day: 20_000, count: 2 },
    ])
  })

  test('rows are inserted if absent, counted exactly, and once when several try at once', async () => {
    const { writer: db } = await open(engine)
    expect(await insertIfAbsent(db, engine, 'categories', [])).toBe(0)
    expect(await insertIfAbsent(db, engine, 'categories', [category('a')])).toBe(1)
    expect(await insertIfAbsent(db, engine, 'categories', [category('a', { name: 'other' })])).toBe(0)
    // Another unique index than the primary key, and a duplicate within the rows.
    const rows = [category('b', { name: 'category a' }), category('c'), category('c', { name: 'again' }), category('d')]
    expect(await insertIfAbsent(db, engine, 'categories', rows)).toBe(2)
    const names = await db.selectFrom('categories').select('name').orderBy('id').execute()
    expect(names.map(row => row.name)).toEqual(['category a', 'category c', 'category d'])
    // More than one statement carries.
    const many = range(6000).map(index => category(`m${index}`))
    const half = range(3000).map(index => category(`m${index * 2}`))
    expect(await db.transaction().execute(trx => insertIfAbsent(trx, engine, 'categories', half))).toBe(3000)
    expect(await db.transaction().execute(trx => insertIfAbsent(trx, engine, 'categories', many))).toBe(3000)
    const racers = await Promise.all(
      range(4).map(() =>
        insertIfAbsent(
          db,
          engine,
          'categories',
          range(50).map(index => category(`r${index}`)),
        ),
      ),
    )
    expect(racers.reduce((sum, count) => sum + count, 0)).toBe(50)
    // A transaction goes on after it.
    await db.transaction().execute(async trx => {
      await insertIfAbsent(trx, engine, 'categories', [category('a')])
      await insertIfAbsent(trx, engine, 'categories', [category('z')])
    })
    expect(await db.selectFrom('categories').select('id').where('id', '=', 'z').execute()).toHaveLength(1)
  })

  test('a row that breaks something else than uniqueness is no absent row but an error', async () => {
    const { writer: db } = await open(engine)
    const stray = { category_id: 'nowhere', contact_id: 'nobody', created_at: 1 }
    const error = await failure(insertIfAbsent(db, engine, 'contact_categories', [stray]))
    expect(isUniqueViolation(error)).toBe(false)
    expect(isTransient(error)).toBe(false)
    const long = category('long', { name: 'x'.repeat(81) })
    if (engine !== 'sqlite') await failure(insertIfAbsent(db, engine, 'categories', [long]))
    expect(await db.selectFrom('categories').select('id').execute()).toEqual([])
  })

  test('an upsert inserts, then changes the columns it names and no other', async () => {
    const { writer: db } = await open(engine)
    const put = (row: Tables['categories']): Promise<void> =>
      upsert(db, engine, 'categories', row, ['id'], ['description', 'updated_at'])
    await put(category('a', { description: 'first' }))
    await put(category('a', { description: 'second', color: '#ffffff', updated_at: 2 }))
    const rows = await db.selectFrom('categories').selectAll().execute()
    expect(rows).toEqual([{ ...category('a'), description: 'second', updated_at: 2 }])
    await Promise.all(range(8).map(index => put(category('b', { updated_at: index }))))
    expect(await db.selectFrom('categories').select('id').execute()).toHaveLength(2)
  })

  test('rows locked for an update are changed by one after the other', async () => {
    const { writer: db } = await open(engine)
    await db.insertInto('categories').values(category('a')).execute()
    const add = (): Promise<void> =>
      db.transaction().execute(async trx => {
        const query = trx.selectFrom('categories').select('updated_at').where('id', '=', 'a')
        const { updated_at } = await query.$call(forUpdate(engine)).executeTakeFirstOrThrow()
        await trx
          .updateTable('categories')
          .set({ updated_at: updated_at + 1 })
          .where('id', '=', 'a')
          .execute()
      })
    await Promise.all(range(12).map(add))
    const row = await db.selectFrom('categories').select('updated_at').executeTakeFirstOrThrow()
    expect(row.updated_at).toBe(13)
  })

  test('a broken unique index is recognised, and by its column, whatever the values say', async () => {
    const { writer: db } = await open(engine)
    const trap = `x)=(id) for key 'color'`
    await db
      .insertInto('categories')
      .values([category('a', { name: trap }), category('b')])
      .execute()
    const insert = (row: Tables['categories']) => failure(db.insertInto('categories').values(row).execute())
    const name = await insert(category('c', { name: trap }))
    const facts = ['name', 'id', 'color', 'nam'].map(column => isUniqueViolation(name, column))
    expect([isUniqueViolation(name), ...facts]).toEqual([true, true, false, false, false])
    const id = await insert(category('a', { name: 'c' }))
    expect([isUniqueViolation(id), isUniqueViolation(id, 'name')]).toEqual([true, false])
    const update = await failure(db.updateTable('categories').set({ name: trap }).where('id', '=', 'b').execute())
    expect([isUniqueViolation(update, 'name'), isTransient(update)]).toEqual([true, false])
    const missing = await failure(sql`select * from nowhere`.execute(db))
    expect([isUniqueViolation(missing), isTransient(missing)]).toEqual([false, false])
    for (const error of [new Error('x'), {}, 'text', null, undefined]) {
      expect([isUniqueViolation(error), isTransient(error), isMissingReference(error)]).toEqual([false, false, false])
    }
  })

  test('a row that refers to none is told from every other that is refused', async () => {
    const { writer: db } = await open(engine)
    const contact = { id: 'ada', name: 'Ada', name_key: 'ada', search_text: 'ada', created_at: 1, updated_at: 1 }
    await db.insertInto('contacts').values(contact).execute()
    await db.insertInto('categories').values(category('a')).execute()
    const join = (category_id: string, contact_id: string) =>
      db.insertInto('contact_categories').values({ category_id, contact_id, created_at: 1 }).execute()
    await join('a', 'ada')
    const [gone, nobody, again] = [
      await failure(join('gone', 'ada')),
      await failure(join('a', 'bob')),
      await failure(join('a', 'ada')),
    ]
    expect([gone, nobody, again].map(isMissingReference)).toEqual([true, true, false])
    expect([gone, nobody, again].map(error => isUniqueViolation(error))).toEqual([false, false, true])
    const moved = await failure(db.updateTable('contact_categories').set({ category_id: 'gone' }).execute())
    expect([isMissingReference(moved), isTransient(moved)]).toEqual([true, false])
    const member = { category_id: 'gone', contact_id: 'ada', created_at: 1 }
    const absent = await failure(insertIfAbsent(db, engine, 'contact_categories', [member]))
    expect(isMissingReference(absent)).toBe(true)
    const unnamed = await failure(
      db
        .insertInto('contacts')
        .values({ ...contact, id: 'b', name: null as never })
        .execute(),
    )
    expect(isMissingReference(unnamed)).toBe(false)
  })
})

describe.each(['postgres', 'mysql'] as const)('on the server %s', engine => {
  test('rows that another transaction has locked can be left out', async () => {
    const { writer: db } = await open(engine)
    await db
      .insertInto('categories')
      .values(range(4).map(index => category(`c${index}`)))
      .execute()
    const locked = gate(2)
    const release = gate(2)
    const holder = db.transaction().execute(async trx => {
      // All columns: read from an index alone, MySQL would lock the rows that it passes as well.
      await trx.selectFrom('categories').selectAll().where('id', 'in', ['c0', 'c2']).$call(forUpdate(engine)).execute()
      await locked()
      await release()
    })
    await locked()
    const free = await db
      .transaction()
      .execute(trx => trx.selectFrom('categories').select('id').orderBy('id').$call(skipLocked(engine)).execute())
    expect(free.map(row => row.id)).toEqual(['c1', 'c3'])
    await release()
    await holder
  })

  test('a deadlock undoes one of the two, which says that it can be run again', async () => {
    const database = await open(engine)
    const { errors, order } = await crossing(database)
    expect(errors).toHaveLength(1)
    expect(errors.every(isTransient)).toBe(true)
    const rows = await database.writer.selectFrom('categories').select('description').execute()
    expect(rows.map(row => row.description)).toEqual([order.join(''), order.join('')])
  })
})

test('on postgres a serialization failure can be run again', async () => {
  const { writer: db } = await open('postgres')
  await db.insertInto('categories').values(category('a')).execute()
  const read = gate(2)
  const add = () =>
    db
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async trx => {
        const { updated_at } = await trx.selectFrom('categories').select('updated_at').executeTakeFirstOrThrow()
        await read()
        await trx
          .updateTable('categories')
          .set({ updated_at: updated_at + 1 })
          .execute()
      })
  const ends = await Promise.allSettled([add(), add()])
  const reasons = ends.flatMap(end => (end.status === 'rejected' ? [end.reason as unknown] : []))
  expect(reasons.map(isTransient)).toEqual([true])
})

test('on sqlite a file that another process writes to, and a snapshot that is too old, can be tried again', async () => {
  const { writer: db, sqlitePath = '' } = await open('sqlite')
  await db.insertInto('categories').values(category('a')).execute()
  const files = range(2).map(() => new Sqlite(sqlitePath, { timeout: 0 }))
  onTestFinished(() => files.forEach(file => file.close()))
  const [one, two] = files as [Sqlite.Database, Sqlite.Database]
  const change = 'update categories set updated_at = updated_at + 1'
  const errorOf = async (run: () => unknown): Promise<unknown> => failure((async () => run())())
  one.exec('begin immediate')
  expect(isTransient(await errorOf(() => two.exec('begin immediate')))).toBe(true)
  one.exec('rollback; begin')
  one.prepare('select * from categories').all()
  two.exec(change)
  const error = await errorOf(() => one.exec(change))
  expect((error as { code: string }).code).toBe('SQLITE_BUSY_SNAPSHOT')
  expect(isTransient(error)).toBe(true)
  one.exec('rollback')
})
