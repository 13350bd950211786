import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { importContacts } from '../server/contacts/import.ts'
import { createCursors } from '../server/cursor.ts'
import { createIdSource } from '../server/ids.ts'
import { phoneOf, queriesOf, startApp } from './support/app.ts'

const HEADER = 'name,phone,email,categories\n'

describe('importing contacts', () => {
  test('creates contacts and the categories they name', async () => {
    const { get, post, importCsv } = await startApp()
    await post('/api/v1/categories', { name: 'Press' })
    const answer = await importCsv(`${HEADER}Ada,+33612345678,ada@example.org,Press;New one\nBob,+33 6 12 34 56 79,,\n`)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({
      records: 2,
      created: 2,
      duplicates: 0,
      rejected: 0,
      categories_created: 1,
      errors: [],
    })
    expect((await get('/api/v1/categories')).json().items).toMatchObject([
      { name: 'New one', contact_count: 1 },
      { name: 'Press', contact_count: 1 },
    ])
    expect((await get('/api/v1/contacts?q=bob')).json().items).toMatchObject([{ phone: '+33612345679', email: null }])
  })

  test('tells wrong lines by number, and takes the others', async () => {
    const { importCsv } = await startApp()
    const lines = [
      'Ada,+33600000001,,',
      ',+33600000002,,',
      '',
      '"Quoted\nname",+33600000003,,',
      'Bob,0600000004,,',
      'Eve,+33600000005,nobody,',
      'Eve,+33600000006,,,,extra',
      'Zoe,+33600000007',
    ]
    const answer = (await importCsv(HEADER + lines.join('\r\n'))).json()
    expect(answer).toMatchObject({ records: 7, created: 3, duplicates: 0, rejected: 4 })
    expect(answer.errors.map(({ line, field }: { line: number; field: string }) => [line, field])).toEqual([
      [3, 'name'],
      [7, 'phone'],
      [8, 'email'],
      [9, 'record'],
    ])
    expect(answer.errors[1].received).toBe('"0600000004"')
  })

  test('counts phones that are known already, in the file or before it, and changes nothing for them', async () => {
    const { get, post, importCsv } = await startApp()
    await post('/api/v1/contacts', { name: 'First', phone: phoneOf(1) })
    const body = `${HEADER}Second,${phoneOf(1)},,Press\nThird,${phoneOf(2)},,\nFourth,${phoneOf(2)},,Press\n`
    expect((await importCsv(body)).json()).toMatchObject({ records: 3, created: 1, duplicates: 2 })
    expect((await importCsv(body)).json()).toMatchObject({ records: 3, created: 0, duplicates: 3 })
    const names = (await get('/api/v1/contacts')).json().items.map((contact: { name: string }) => contact.name)
    expect(names.sort()).toEqual(['First', 'Third'])
    expect((await get('/api/v1/categories')).json().items).toEqual([])
  })

  test('understands a byte order mark and quotes', async () => {
    const { get, importCsv } = await startApp()
    const answer = await importCsv(`\ufeff${HEADER}"Lovelace, ""Ada""",+33612345678,,"A;B"\n`)
    expect(answer.json()).toMatchObject({ created: 1, categories_created: 2 })
    expect((await get('/api/v1/contacts')).json().items[0].name).toBe('Lovelace, "Ada"')
  })

  test.each([
    ['an empty file', ''],
    ['a file without its header', 'Ada,+33612345678,,\n'],
  ])('refuses %s', async (_what, body) => {
    const { get, importCsv } = await startApp()
    const answer = await importCsv(body)
    expect(answer.statusCode).toBe(422)
    expect(answer.json().errors[0]).toMatchObject({
      field: 'line 1',
      expected: 'the header line name,phone,email,categories',
    })
    expect((await get('/api/v1/contacts')).json().items).toEqual([])
  })

  test('takes a file with a header alone as no contacts', async () => {
    const { importCsv } = await startApp()
    expect((await importCsv(HEADER)).json()).toMatchObject({ records: 0, created: 0, errors: [] })
  })

  test('keeps what stood before a quote that is never closed, says where it is, and shows it in the numbers', async () => {
    const { get, importCsv } = await startApp()
    await get('/api/v1/dashboard')
    const answer = await importCsv(`${HEADER}Ada,+33612345678,,\n"Bob,+33612345679,,\n${'x\n'.repeat(20_000)}`)
    expect(answer.statusCode).toBe(422)
    expect(answer.json()).toMatchObject({ report: { created: 1 }, errors: [{ line: 3, field: 'record' }] })
    expect((await get('/api/v1/dashboard')).json().contacts.total).toBe(1)
  })

  test('answers a wrong header over a real connection, though the rest of the file is still on its way', async () => {
    const { app } = await startApp()
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const body = `wrong\n${'Ada,+33612345678,,\n'.repeat(200_000)}`
    const headers = { 'content-type': 'text/csv' }
    const answer = await fetch(`${address}/api/v1/contacts/import`, { method: 'POST', headers, body })
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ errors: [{ field: 'line 1' }] })
  })

  test('reads 50,000 lines without holding them, and lets others work meanwhile', async () => {
    const { database, caching, get } = await startApp()
    const services = {
      database,
      caching,
      cursors: createCursors(database.cursorSecret),
      newId: createIdSource(Date.now),
      now: Date.now,
    }
    let made = 0
    let written = 0
    let furthestAhead = 0
    function* lines(): Generator<Buffer> {
      yield Buffer.from(HEADER)
      for (let line = 0; line < 50_000; line++) {
        made++
        furthestAhead = Math.max(furthestAhead, made - written)
        yield Buffer.from(`Person ${line},${phoneOf(line)},person.${line}@example.org,Group ${line % 5}\n`)
      }
    }
    const stop = database.queries.watch(sql => {
      if (sql.startsWith('insert into "contacts"')) written += 500
    })
    const importing = importContacts(services, Readable.from(lines(), { objectMode: true, highWaterMark: 16 }))
    let answersMeanwhile = 0
    let done = false
    const others = (async () => {
      while (!done) {
        expect((await get('/api/v1/contacts?limit=1')).statusCode).toBe(200)
        if (written < 50_000) answersMeanwhile++
      }
    })()
    const report = await importing
    done = true
    await others
    stop()
    expect(report).toMatchObject({ records: 50_000, created: 50_000, categories_created: 5, errors: [] })
    // What is made ahead of what is written: the batch in hand and the buffers of three streams, never the file.
    expect(furthestAhead).toBeLessThan(2500)
    expect(answersMeanwhile).toBeGreaterThan(10)
    const { items } = (await get('/api/v1/categories')).json()
    expect(items.map((category: { contact_count: number }) => category.contact_count)).toEqual(Array(5).fill(10_000))
  })

  test('writes a batch in few statements', async () => {
    const { database, importCsv } = await startApp()
    const lines = Array.from({ length: 500 }, (_, line) => `Person ${line},${phoneOf(line)},,A;B\n`)
    const statements = await queriesOf(database, () => importCsv(HEADER + lines.join('')))
    expect(statements.length).toBeLessThanOrEqual(5)
  })
})
