import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { stringify } from 'csv-stringify/sync'
import { writeFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { readHead } from '../../server/contacts/csv-head.ts'
import { type CsvRecord, readRecords } from '../../server/contacts/csv-reader.ts'
import { createWorker } from '../../server/jobs/worker.ts'
import { phoneOf, startApp } from '../support/app.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { startSite } from '../support/site-process.ts'
import { importState, sendCsv } from './run-import.ts'

const LINES = 6000
const LEASE_MS = 30_000

describe.each(ENGINES)('an import on %s', engine => {
  test('whose process is killed in the middle goes on where it was, and creates nothing twice', async () => {
    const directory = freshDirectory()
    const url = await freshDatabase(engine)
    const clock = { now: Date.UTC(2026, 5, 15, 12) }
    const app = await startApp({ engine, url, directory, now: () => clock.now })
    const { writer } = app.services.database
    const lines = Array.from({ length: LINES }, (_, line) =>
      line % 10 === 0 ? `"Wrong\n${line}",none,,` : `Person ${line},${phoneOf(line)},,Group ${line % 7};All`,
    )
    const sent = await sendCsv(app, `name,phone,email,categories\n${lines.join('\n')}`)
    const { id } = sent.json()

    const site = await startSite({ url, directory, backend: 'filesystem', now: clock.now })
    const ended = site.settle().catch(() => undefined)
    await vi.waitFor(async () => expect((await importState(app, id)).created).toBeGreaterThan(500), {
      timeout: 30_000,
      interval: 5,
    })
    await site.kill()
    await ended
    const left = await importState(app, id)
    const stored = await writer.selectFrom('contacts').select('id').execute()
    expect(left.status).toBe('running')
    expect(stored).toHaveLength(left.created)
    expect(left.created).toBeLessThan(LINES)

    clock.now += LEASE_MS + 60_000
    const worker = createWorker(app.services)
    await worker.runUntilIdle()
    await worker.close()
    expect(await importState(app, id)).toMatchObject({
      status: 'done',
      records: LINES,
      created: LINES * 0.9,
      duplicates: 0,
      rejected: LINES * 0.1,
      categories_created: 8,
    })
    const faults = await writer.selectFrom('import_errors').select('line').orderBy('line').execute()
    expect(faults.map(row => row.line)).toEqual(Array.from({ length: LINES * 0.1 }, (_, at) => 2 + at * 11))
    const { items } = (await app.get('/api/v1/categories')).json()
    const sum = items.reduce((total: number, item: { contact_count: number }) => total + item.contact_count, 0)
    expect(sum).toBe(LINES * 0.9 * 2)
    expect((await app.get('/api/v1/messages/stats')).json().contacts).toBe(LINES * 0.9)
    expect(existsSync(join(directory, 'data', 'uploads', `${id}.csv`))).toBe(false)
  })

  test('beside others of the same people makes each contact and each category once', async () => {
    const app = await startApp({ engine })
    const file = (from: number): string => {
      const lines = Array.from(
        { length: 1500 },
        (_, line) => `Person,${phoneOf((from + line * 7) % 2000)},,Group ${line % 9}`,
      )
      return `name,phone,email,categories\n${lines.join('\n')}`
    }
    const ids: string[] = []
    for (const from of [0, 500, 900]) ids.push((await sendCsv(app, file(from))).json().id)
    const workers = [createWorker(app.services), createWorker(app.services), createWorker(app.services)]
    await Promise.all(workers.map(worker => worker.runUntilIdle()))
    await Promise.all(workers.map(worker => worker.close()))
    const states = await Promise.all(ids.map(id => importState(app, id)))
    expect(states.map(state => state.status)).toEqual(['done', 'done', 'done'])
    const { writer } = app.services.database
    const rows = await writer.selectFrom('contacts').select('phone_e164').execute()
    expect(new Set(rows.map(row => row.phone_e164)).size).toBe(rows.length)
    expect(states.reduce((sum, state) => sum + state.created, 0)).toBe(rows.length)
    expect(states.reduce((sum, state) => sum + state.categories_created, 0)).toBe(9)
    const { items } = (await app.get('/api/v1/categories')).json()
    const counted = items.reduce((total: number, item: { contact_count: number }) => total + item.contact_count, 0)
    expect(counted).toBe(rows.length)
  })
})

async function recordsOf(path: string, from: Parameters<typeof readRecords>[1]): Promise<CsvRecord[]> {
  const records: CsvRecord[] = []
  for await (const item of readRecords(path, from)) {
    if ('reason' in item) throw new Error(item.reason)
    records.push(...item)
  }
  return records
}

test('reading on from behind any record gives the rest of the file, whatever the texts, quotes and line ends', async () => {
  const path = join(freshDirectory(), 'file.csv')
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom('a\nb', 'é;"', '\r\n', ',', "'='"),
  )
  // A record of one empty field is a blank line, which a file cannot tell from no record at its end.
  const row = fc.tuple(fc.constant('x'), text, text)
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.constantFrom<',' | ';'>(',', ';'),
      fc.boolean(),
      async (rows, record_delimiter, delimiter, bom) => {
        const options = { record_delimiter, delimiter, quoted: true }
        const csv = stringify([['name', 'phone', 'attr:x'], ...rows], options)
        writeFileSync(path, (bom ? '\ufeff' : '') + csv)
        const head = readHead(Buffer.from((bom ? '\ufeff' : '') + csv))
        expect(head).toMatchObject({ delimiter, line: 2 })
        const all = await recordsOf(path, head)
        expect(all.map(record => record.fields)).toEqual(rows)
        for (const [at, record] of all.entries()) {
          const rest = await recordsOf(path, { ...head, start: record.end, line: record.nextLine })
          expect(rest).toEqual(all.slice(at + 1))
        }
      },
    ),
    { numRuns: 40 },
  )
})
