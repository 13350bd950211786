import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runImport, sendCsv } from './contacts/run-import.ts'
import { phoneOf, queriesOf, startApp, type TestApp } from './support/app.ts'

const HEADER = 'name,phone,email,categories\n'

const contacts = async (app: TestApp): Promise<{ name: string; phone: string; attributes: object }[]> =>
  (await app.get('/api/v1/contacts?sort=name&limit=200')).json().items

const categories = async (app: TestApp): Promise<Record<string, number>> => {
  const { items } = (await app.get('/api/v1/categories')).json()
  return Object.fromEntries(
    items.map((item: { name: string; contact_count: number }) => [item.name, item.contact_count]),
  )
}

describe('importing contacts', () => {
  test('creates contacts and the categories they name, in any order of columns, and leaves no file behind', async () => {
    const app = await startApp()
    await app.post('/api/v1/categories', { name: 'Press' })
    expect(await categories(app)).toEqual({ Press: 0 })
    const file = [
      '\ufeffPhone;attr:City;Name;opt_in;categories;email',
      '+33612345678;Lyon;Ada;yes;"Press;New one";Ada@example.org',
      '\'+33 6 12 34 56 79;;"Lovelace, ""Bob""";no;;',
    ].join('\r\n')
    expect(await runImport(app, file)).toMatchObject({
      records: 2,
      created: 2,
      duplicates: 0,
      rejected: 0,
      categories_created: 1,
      errors: [],
    })
    expect(await categories(app)).toEqual({ 'New one': 1, Press: 1 })
    expect(await contacts(app)).toMatchObject([
      { name: 'Ada', email: 'ada@example.org', attributes: { City: 'Lyon' }, opt_in_at: expect.any(Number) },
      { name: 'Lovelace, "Bob"', phone: '+33612345679', email: null, attributes: {}, opt_in_at: null },
    ])
    expect(readdirSync(join(app.directory, 'data', 'uploads'))).toEqual([])
  })

  test('tells wrong lines by number, takes the others, and gives the errors as a file that is no formula', async () => {
    const app = await startApp()
    const lines = [
      'Ada,+33600000001,,',
      ',+33600000002,,',
      '',
      '"Quoted\nname",+33600000003,,',
      'Bob,=0600000004,,',
      'Eve,+33600000005,nobody,',
      'Eve,+33600000006,,,,extra',
      'Zoe,+33600000007',
      `${'x'.repeat(121)},+33600000008,,`,
      `Many,+33600000009,,${Array.from({ length: 21 }, (_, n) => n).join(';')}`,
      'N\0L,+33600000010,,',
    ]
    const state = await runImport(app, HEADER + lines.join('\r\n'))
    expect(state).toMatchObject({ records: 10, created: 3, rejected: 7 })
    expect(state.errors.map(({ line, field }) => [line, field])).toEqual([
      [3, 'name'],
      [7, 'phone'],
      [8, 'email'],
      [9, 'record'],
      [11, 'name'],
      [12, 'categories'],
      [13, 'record'],
    ])
    expect(state.errors[1]?.received).toBe('"=0600000004"')
    const csv = await app.get(`/api/v1/contacts/import/${state.id}/errors.csv`)
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8')
    expect(csv.body.split('\r\n')).toHaveLength(9)
    expect((await (await app.as('agent')).get(`/api/v1/contacts/import/${state.id}`)).statusCode).toBe(403)
  })

  test('leaves known contacts alone, or changes what the file has a text for, as it was asked', async () => {
    const app = await startApp()
    await app.post('/api/v1/contacts', { name: 'First', phone: phoneOf(1), email: 'first@example.org' })
    const body = `name,phone,email,categories,attr:city\nSecond,${phoneOf(1)},,Press,\nThird,${phoneOf(2)},,,\nFourth,${phoneOf(2)},,Press,Lyon\n`
    expect(await runImport(app, body)).toMatchObject({ records: 3, created: 1, duplicates: 2 })
    expect(await runImport(app, body)).toMatchObject({ records: 3, created: 0, duplicates: 3, categories_created: 0 })
    expect((await contacts(app)).map(({ name }) => name)).toEqual(['First', 'Third'])
    expect(await categories(app)).toEqual({})
    const [{ id } = { id: '' }] = (await app.get('/api/v1/contacts?q=third')).json().items
    await app.post(`/api/v1/contacts/${id}/opt-out`)
    const updated = await runImport(
      app,
      body.replaceAll('attr:city', 'attr:city,opt_in').replaceAll('Lyon', 'Lyon,yes'),
      'update',
    )
    expect(updated).toMatchObject({ records: 3, created: 0, updated: 2, duplicates: 1, categories_created: 1 })
    expect(await contacts(app)).toMatchObject([
      { name: 'Fourth', attributes: { city: 'Lyon' }, opt_out_at: expect.any(Number), opt_in_at: null },
      { name: 'Second', email: 'first@example.org' },
    ])
    expect(await categories(app)).toEqual({ Press: 2 })
    expect(await runImport(app, body, 'update')).toMatchObject({ updated: 0, duplicates: 3 })
  })

  test('refuses at once what cannot be read, says why, and keeps nothing of it', async () => {
    const app = await startApp()
    const files: readonly (readonly [string | Buffer, string])[] = [
      ['', '""'],
      ['Ada,+33612345678,,\n', '"Ada"'],
      ['name,phone,age\n', '"age"'],
      ['name,phone,Name\n', '"name"'],
      ['name,phone,attr:__proto__\n', '"attr:__proto__"'],
      [Buffer.from('\ufeffname,phone\n', 'utf16le'), '"UTF-16"'],
      [Buffer.from('name,phone\n', 'utf16le'), '"UTF-16"'],
      [Buffer.from('name,phone,attr:\xe9\n', 'latin1'), '"attr:\ufffd"'],
      [`"name,phone\n${'x'.repeat(100_000)}`, '"\\"name,phone\\n'],
    ]
    for (const [body, received] of files) {
      const answer = await sendCsv(app, body)
      const [fault] = answer.json().errors
      const seen = [answer.statusCode, fault.field, fault.received.slice(0, received.length)]
      expect(seen).toEqual([422, 'line 1', received])
    }
    expect(readdirSync(join(app.directory, 'data', 'uploads'))).toEqual([])
    expect(await app.services.database.writer.selectFrom('jobs').selectAll().execute()).toEqual([])
  })

  test('takes a header alone as no contacts, lines of Latin-1 as wrong, and any kind of line end', async () => {
    const app = await startApp()
    expect(await runImport(app, HEADER)).toMatchObject({ records: 0, created: 0, errors: [] })
    const latin = Buffer.from(`${HEADER}\xc9lodie,+33600000001,,\rBob,+33600000002,,\r`, 'latin1')
    const state = await runImport(app, latin)
    expect(state).toMatchObject({ created: 1, rejected: 1 })
    expect(state.errors).toMatchObject([{ line: 2, expected: 'text in UTF-8' }])
  })

  test('keeps what stood before a quote that is never closed, says where it is, and shows it in the numbers', async () => {
    const app = await startApp()
    await app.get('/api/v1/dashboard')
    const state = await runImport(app, `${HEADER}Ada,+33612345678,,\n"Bob,+33612345679,,\n${'x\n'.repeat(50_000)}`)
    expect(state).toMatchObject({ created: 1, rejected: 1, stopped_at_line: 3, errors: [{ line: 3, field: 'record' }] })
    expect((await app.get('/api/v1/dashboard')).json().contacts.total).toBe(1)
  })

  test('answers a wrong header over a real connection, though the rest of the file is still on its way', async () => {
    const { app, key } = await startApp()
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const body = `wrong\n${'Ada,+33612345678,,\n'.repeat(200_000)}`
    const headers = { 'content-type': 'text/csv', authorization: `Bearer ${key}` }
    const answer = await fetch(`${address}/api/v1/contacts/import`, { method: 'POST', headers, body })
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ errors: [{ field: 'line 1' }] })
  })

  test('reads 100,000 lines in batches of few statements, keeps no more than 10,000 errors, and counts exactly', async () => {
    const app = await startApp()
    const lines = Array.from({ length: 100_000 }, (_, line) =>
      line % 5 === 0 ? `Person ${line},${phoneOf(line)},,Group ${line % 3};All\n` : `Person ${line},none,,\n`,
    )
    let state: Awaited<ReturnType<typeof runImport>> | undefined
    const statements = await queriesOf(app.services.database, async () => {
      state = await runImport(app, HEADER + lines.join(''))
    })
    expect(state).toMatchObject({ records: 100_000, created: 20_000, rejected: 80_000, categories_created: 4 })
    expect(state?.errors).toHaveLength(100)
    const csv = await app.get(`/api/v1/contacts/import/${state?.id}/errors.csv`)
    const kept = csv.body.split('\r\n').length - 2
    expect(kept).toBeLessThanOrEqual(10_000)
    expect(kept).toBeGreaterThan(8000)
    const counts = await categories(app)
    expect(counts['All']).toBe(20_000)
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(40_000)
    // 20,000 contacts and 80,000 faults: 50 stretches of 2,000 records.
    expect(statements.length).toBeLessThan(60 * 14)
  })
})
