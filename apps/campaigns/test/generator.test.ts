import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openDatabase } from '../server/database/open.ts'
import { openFile } from '../server/database/file.ts'
import { type DataSet, digest, NotEmpty, writeDataSet } from '../server/generator/write.ts'
import { freshDirectory, NOON } from './support/app.ts'

async function generate(set: Partial<DataSet>, directory: string = freshDirectory()): Promise<string> {
  const database = await openDatabase(join(directory, 'data.sqlite'))
  await database.close()
  writeDataSet(database.path, { contacts: 200, messages: 2000, seed: 1, now: NOON, ...set })
  return database.path
}

type Row = Readonly<Record<string, string | number | null>>

function query(path: string, sql: string): Row[] {
  const file = openFile(path, 'read')
  try {
    return file.prepare(sql).all() as Row[]
  } finally {
    file.close()
  }
}

describe('the generator', () => {
  test('makes the same rows from the same seed, and others from another', async () => {
    const first = digest(await generate({}))
    expect(digest(await generate({}))).toBe(first)
    expect(digest(await generate({ seed: 2 }))).not.toBe(first)
    expect(digest(await generate({ now: NOON + 1 }))).not.toBe(first)
  })

  test('makes as many rows as asked for, whatever the proportion', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 120 }), fc.nat({ max: 2000 }), fc.nat(), async (contacts, messages, seed) => {
        const path = await generate({ contacts, messages, seed })
        expect(query(path, 'select count(*) as n from contacts')[0]?.['n']).toBe(contacts)
        expect(query(path, 'select count(*) as n from messages')[0]?.['n']).toBe(contacts === 0 ? 0 : messages)
        expect(query(path, 'pragma foreign_key_check')).toEqual([])
      }),
      { numRuns: 12 },
    )
  })

  test('gives each campaign the counters of its own messages', async () => {
    const path = await generate({ contacts: 500, messages: 8000 })
    const counted = query(
      path,
      `select campaign_id as id, sum(step = 1) as total, sum(step = 1 and sent_at is not null) as sent,
         sum(step = 1 and delivered_at is not null) as delivered, sum(step = 1 and read_at is not null) as read,
         sum(step = 1 and interacted_at is not null) as interacted,
         sum(step = 2 and sent_at is not null) as message2_sent,
         sum(step = 1 and status in ('failed', 'no_interaction')) as failed_count,
         sum(step = 1 and status = 'no_interaction') as no_interaction_count
       from messages where campaign_id is not null group by campaign_id order by 1`,
    )
    const columns = Object.keys(counted[0] ?? {}).join(', ')
    expect(query(path, `select ${columns} from campaigns where total > 0 order by id`)).toEqual(counted)
    expect(counted.length).toBeGreaterThan(50)
  })

  test('makes times in an order that can be, and none after now', async () => {
    const path = await generate({ contacts: 500, messages: 8000 })
    const wrong = query(
      path,
      `select * from messages where sent_at < created_at or delivered_at < sent_at or read_at < delivered_at
         or interacted_at < read_at or max(created_at, ifnull(sent_at, 0), ifnull(delivered_at, 0),
         ifnull(read_at, 0), ifnull(interacted_at, 0), ifnull(failed_at, 0)) > ${NOON}`,
    )
    expect(wrong).toEqual([])
  })

  test('keeps every index, and refuses a database with rows unless told to replace them', async () => {
    const directory = freshDirectory()
    const path = await generate({}, directory)
    const indexes = "select name from sqlite_master where type = 'index' and sql is not null order by 1"
    expect(query(path, indexes)).toHaveLength(10)
    const set = { contacts: 5, messages: 5, seed: 1, now: NOON }
    const before = digest(path)
    expect(() => writeDataSet(path, set)).toThrow(NotEmpty)
    expect(digest(path)).toBe(before)
    writeDataSet(path, set, { replace: true })
    expect(query(path, 'select count(*) as n from contacts')[0]?.['n']).toBe(5)
    expect(query(path, indexes)).toHaveLength(10)
  })
})
