import { parse } from 'csv-parse/sync'
import { describe, expect, test } from 'vitest'
import { createWorker } from '../../server/jobs/worker.ts'
import { guardFormula, unguardFormula } from '../../server/contacts/csv-text.ts'
import { phoneOf, startApp, type TestApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { runImport } from './run-import.ts'

const HOSTILE = ['=HYPERLINK("http://evil")', '+1', '-2', '@SUM(A1)', "'=x", 'a "quoted", name', 'two\nlines', 'Élodie']

type Row = Readonly<Record<string, string>>

function rowsOf(body: string): Row[] {
  return parse(body, { bom: true, columns: true })
}

async function addHostile(app: TestApp): Promise<void> {
  const { id } = (await app.post('/api/v1/categories', { name: '=Press' })).json()
  for (const [index, name] of HOSTILE.entries()) {
    const attributes = index % 2 === 0 ? { note: `${name}!` } : {}
    const payload = { name, phone: phoneOf(index), attributes, category_ids: [id] }
    expect((await app.post('/api/v1/contacts', payload)).statusCode).toBe(201)
  }
}

describe.each(ENGINES)('exporting contacts on %s', engine => {
  test('gives a file that no spreadsheet runs, and that an import reads back as it was', async () => {
    const app = await startApp({ engine })
    await addHostile(app)
    const { id } = (await app.get('/api/v1/contacts?q=a%20%22')).json().items[0]
    await app.post(`/api/v1/contacts/${id}/opt-in`)
    const answer = await app.get('/api/v1/contacts/export')
    expect(answer.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': expect.stringMatching(/^attachment; filename="contacts-\d{4}-\d\d-\d\d\.csv"$/),
    })
    expect(answer.body.startsWith('\ufeffid,name,phone,')).toBe(true)
    const rows = rowsOf(answer.body)
    expect(rows).toHaveLength(HOSTILE.length)
    for (const row of rows) {
      expect(row['phone']).toMatch(/^\+\d+$/)
      expect(row['categories']).toBe("'=Press")
      for (const [column, text] of Object.entries(row)) if (column !== 'phone') expect(text).not.toMatch(/^[=+\-@\t\r]/)
    }
    const before = (await app.get('/api/v1/contacts?sort=name')).json().items
    for (const { id: gone } of before) await app.delete(`/api/v1/contacts/${gone}`)
    expect(await runImport(app, answer.body)).toMatchObject({
      created: HOSTILE.length,
      rejected: 0,
      categories_created: 0,
    })
    const after = (await app.get('/api/v1/contacts?sort=name')).json().items
    const kept = ({ name, phone, attributes, categories }: Record<string, unknown>) => ({
      name,
      phone,
      attributes,
      categories,
    })
    expect(after.map(kept)).toEqual(before.map(kept))
    expect(after.find((item: { name: string }) => item.name === 'a "quoted", name').opt_in_at).toEqual(
      expect.any(Number),
    )
  })

  test('as a job gives the same file, to whoever asked for it and when it is finished', async () => {
    const app = await startApp({ engine, data: { contacts: 2300, messages: 0 } })
    const manager = await app.as('manager')
    const asked = await manager.post('/api/v1/contacts/export?opted_out=false')
    expect(asked.statusCode).toBe(202)
    const { id } = asked.json()
    const url = `/api/v1/contacts/export/${id}`
    expect((await manager.get(`${url}/file`)).statusCode).toBe(409)
    const worker = createWorker(app.services)
    await worker.runUntilIdle()
    await worker.close()
    const done = (await manager.get(url)).json()
    const query = app.services.database.writer.selectFrom('contacts').select('id').where('opt_out_at', 'is', null)
    const wanted = (await query.execute()).length
    expect(wanted).toBeGreaterThan(2000)
    expect(done).toMatchObject({ status: 'done', rows: wanted, file: `${url}/file` })
    const file = await manager.get(`${url}/file`)
    expect(file.headers['content-length']).toBe(String(done.bytes))
    expect(file.body).toBe((await manager.get('/api/v1/contacts/export?opted_out=false')).body)
    expect(rowsOf(file.body)).toHaveLength(wanted)
    expect((await app.get(`${url}/file`)).statusCode).toBe(404)
    expect((await (await app.as('manager')).get(`${url}/file`)).statusCode).toBe(404)
    expect((await (await app.as('agent')).get(url)).statusCode).toBe(403)
  })
})

test.each([...HOSTILE, "''=x", '\tx', '\rx', '', "'", "'a"])('%j is guarded so that it can be read back', text => {
  expect(guardFormula(text)).not.toMatch(/^[=+\-@\t\r\n]/)
  expect(unguardFormula(guardFormula(text))).toBe(text)
})
