import { describe, expect, onTestFinished, test } from 'vitest'
import { openFile } from '../../server/database/file.ts'
import { phoneOf, queriesOf, startApp, type TestApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'

interface Shown {
  readonly id: string
  readonly name: string
  readonly updated_at: number
}

async function addCategory(app: TestApp, name: string): Promise<string> {
  return (await app.post('/api/v1/categories', { name })).json().id
}

async function addContact(app: TestApp, index: number, more: object = {}): Promise<Shown> {
  const answer = await app.post('/api/v1/contacts', { name: `Person ${index}`, phone: phoneOf(index), ...more })
  expect(answer.json()).toMatchObject({ phone: expect.any(String) })
  return answer.json()
}

/** What the cache gives for categories, equal to the rows, both times it is asked. */
async function expectCounts(app: TestApp, expected: Readonly<Record<string, number>>): Promise<void> {
  for (const _ of [1, 2]) {
    const { items } = (await app.get('/api/v1/categories')).json()
    const counts = items.map((item: { name: string; contact_count: number }) => [item.name, item.contact_count])
    expect(Object.fromEntries(counts)).toEqual(expected)
    for (const { id, name } of items) {
      expect((await app.get(`/api/v1/categories/${id}`)).json().contact_count).toBe(expected[name])
    }
  }
}

const names = (answer: { json(): { items: readonly Shown[] } }): string[] => answer.json().items.map(({ name }) => name)

describe.each(ENGINES)('contacts on %s', engine => {
  test('keep attributes, consent and membership, with who changed what from what', async () => {
    const app = await startApp({ engine })
    const press = await addCategory(app, 'Press')
    const attributes = { city: 'Lyon', 'shoe size': '44' }
    const { id, updated_at } = await addContact(app, 1, { email: 'Ada@Example.org', attributes, category_ids: [press] })
    const url = `/api/v1/contacts/${id}`
    expect((await app.get(url)).json()).toMatchObject({ attributes, email: 'ada@example.org', opt_in_at: null })

    const out = (await app.post(`${url}/opt-out`)).json()
    expect(out.opt_out_at).toEqual(expect.any(Number))
    expect((await app.post(`${url}/opt-out`)).json().opt_out_at).toBe(out.opt_out_at)
    expect((await app.post(`${url}/opt-in`)).json()).toMatchObject({ opt_out_at: null, opt_in_at: expect.any(Number) })

    const late = await app.patch(url, { name: 'Late', updated_at })
    expect(late.statusCode).toBe(409)
    expect(late.json().errors[0].field).toBe('body.updated_at')
    const { updated_at: seen } = (await app.get(url)).json()
    expect((await app.patch(url, { name: 'Éva', attributes: {}, updated_at: seen })).json()).toMatchObject({
      name: 'Éva',
      attributes: {},
    })
    const row = await app.services.database.writer.selectFrom('contacts').selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({ search_text: 'eva ada@example.org 33600000001', name_key: 'eva' })

    const history = await app.services.database.writer
      .selectFrom('admin_history')
      .select(['action', 'before', 'after', 'admin_id'])
      .where('entity', '=', 'contact')
      .orderBy('id')
      .execute()
    expect(history.map(change => change.action)).toEqual(['create', 'opt_out', 'opt_in', 'update'])
    expect(history.every(change => change.admin_id === app.userId)).toBe(true)
    expect(JSON.parse(history[3]?.before ?? '')).toMatchObject({
      name: 'Person 1',
      attributes: JSON.stringify(attributes),
    })
    expect(JSON.parse(history[3]?.after ?? '')).toMatchObject({ name: 'Éva', attributes: null })
  })

  test('refuse a taken phone or user id whoever comes first, and nothing is stored of the others', async () => {
    const app = await startApp({ engine })
    const press = await addCategory(app, 'Press')
    const racing = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        app.post('/api/v1/contacts', { name: `Racer ${index}`, phone: '+33612345678', category_ids: [press] }),
      ),
    )
    expect(racing.map(answer => answer.statusCode).sort((a, b) => a - b)).toEqual([201, 409, 409, 409, 409, 409])
    await expectCounts(app, { Press: 1 })
    expect((await app.post('/api/v1/contacts', { name: 'Hidden', bsuid: 'FR.1' })).statusCode).toBe(201)
    const twice = await app.post('/api/v1/contacts', { name: 'Hidden', bsuid: 'FR.1' })
    expect([twice.statusCode, twice.json().errors[0].field]).toEqual([409, 'body.bsuid'])
    const hidden = (await app.get('/api/v1/contacts?q=hidden')).json().items[0]
    const moved = await app.patch(`/api/v1/contacts/${hidden.id}`, { phone: '+33612345678' })
    expect([moved.statusCode, moved.json().errors[0].field]).toEqual([409, 'body.phone'])
    const { id } = racing.find(answer => answer.statusCode === 201)?.json() ?? {}
    const bare = await app.patch(`/api/v1/contacts/${id}`, { phone: null })
    expect([bare.statusCode, bare.json().errors[0].received]).toEqual([400, 'null'])
  })

  test('are found by the beginning of a name, a number as people type it, or an address, and filtered', async () => {
    const app = await startApp({ engine })
    const press = await addCategory(app, 'Press')
    await app.services.database.writer
      .insertInto('settings')
      .values({ key: 'default_country', value: '"FR"', updated_by: null, updated_at: 1 })
      .execute()
    await addContact(app, 1, { name: 'Zoé', email: 'zoe@example.org' })
    const { id } = await addContact(app, 2, { name: 'Émile', phone: '06 12 34 56 78', category_ids: [press] })
    await addContact(app, 3, { name: 'emma', email: 'zoltan@example.org' })
    expect((await app.get(`/api/v1/contacts/${id}`)).json().phone).toBe('+33612345678')
    expect(names(await app.get('/api/v1/contacts'))).toEqual(['emma', 'Émile', 'Zoé'])
    expect(names(await app.get('/api/v1/contacts?sort=name'))).toEqual(['Émile', 'emma', 'Zoé'])
    expect(names(await app.get('/api/v1/contacts?q=EM'))).toEqual(['Émile', 'emma'])
    for (const q of ['06 12', '+33612', '0033612', '33612', '0612345678']) {
      expect([q, ...names(await app.get(`/api/v1/contacts?q=${encodeURIComponent(q)}`))]).toEqual([q, 'Émile'])
    }
    expect(names(await app.get('/api/v1/contacts?q=ZOL%40'))).toEqual([])
    expect(names(await app.get('/api/v1/contacts?q=zoe%40EX'))).toEqual(['Zoé'])
    expect(names(await app.get(`/api/v1/contacts?category=${press}`))).toEqual(['Émile'])
    await app.post(`/api/v1/contacts/${id}/opt-out`)
    expect(names(await app.get('/api/v1/contacts?opted_out=true'))).toEqual(['Émile'])
    expect(names(await app.get('/api/v1/contacts?opted_out=false&sort=name'))).toEqual(['emma', 'Zoé'])
    await app.services.database.writer
      .updateTable('contacts')
      .set({ window_expires_at: Date.now() + 60_000 })
      .where('id', '=', id)
      .execute()
    expect(names(await app.get('/api/v1/contacts?has_window=true'))).toEqual(['Émile'])
    expect(names(await app.get('/api/v1/contacts?has_window=false'))).toEqual(['emma', 'Zoé'])
    expect(names(await app.get(`/api/v1/contacts?created_from=${Date.now() + 1000}`))).toEqual([])
    expect((await app.get('/api/v1/contacts?q=a&sort=name')).statusCode).toBe(400)
    for (const hostile of ['q=%00', 'category=%00', 'cursor=%00']) {
      expect([hostile, (await app.get(`/api/v1/contacts?${hostile}`)).statusCode]).toEqual([hostile, 400])
    }
  })

  test('are changed 500 at a time by ids or by a filter, each told apart, with exact counts after each', async () => {
    const app = await startApp({ engine })
    const [press, vip] = [await addCategory(app, 'Press'), await addCategory(app, 'VIP')]
    const ids: string[] = []
    for (let index = 0; index < 4; index++) ids.push((await addContact(app, index)).id)
    const [first = '', second = ''] = ids
    await expectCounts(app, { Press: 0, VIP: 0 })
    const bulk = async (payload: object) => {
      const answer = await app.post('/api/v1/contacts/bulk', payload)
      expect(answer.json()).toMatchObject({ results: expect.any(Array) })
      return answer.json()
    }
    await app.put(`/api/v1/categories/${press}/contacts`, { contact_ids: [first] })
    const added = await bulk({ action: 'add_categories', ids: [first, second, 'nobody'], category_ids: [press] })
    expect(added).toEqual({
      results: [
        { id: first, result: 'unchanged' },
        { id: second, result: 'changed' },
        { id: 'nobody', result: 'not_found' },
      ],
      changed: 1,
      next_cursor: null,
    })
    await expectCounts(app, { Press: 2, VIP: 0 })
    expect((await bulk({ action: 'add_categories', filter: {}, category_ids: [vip, press] })).changed).toBe(4)
    await expectCounts(app, { Press: 4, VIP: 4 })
    const removed = await app.delete(`/api/v1/categories/${vip}/contacts`, { contact_ids: [first, 'nobody'] })
    expect(removed.json()).toEqual({ changed: 1, unknown: ['nobody'], contact_count: 3 })
    expect(
      (await bulk({ action: 'remove_categories', filter: { category: vip }, category_ids: [press] })).changed,
    ).toBe(3)
    await expectCounts(app, { Press: 1, VIP: 3 })
    expect((await bulk({ action: 'opt_out', ids })).changed).toBe(4)
    expect((await bulk({ action: 'opt_in', filter: { opted_out: 'true', q: 'person 1' } })).changed).toBe(1)
    expect(names(await app.get('/api/v1/contacts?opted_out=false'))).toEqual(['Person 1'])
    expect((await bulk({ action: 'delete', filter: { opted_out: 'true' } })).changed).toBe(3)
    await expectCounts(app, { Press: 0, VIP: 1 })
    expect((await app.get('/api/v1/messages/stats')).json().contacts).toBe(1)
    for (const wrong of [
      { action: 'delete' },
      { action: 'delete', ids, filter: {} },
      { action: 'add_categories', ids },
      { action: 'add_categories', ids, category_ids: ['nowhere'] },
      { action: 'opt_in', ids, category_ids: [press] },
    ]) {
      const { statusCode } = await app.post('/api/v1/contacts/bulk', wrong)
      expect({ ...wrong, statusCode }).toEqual({ ...wrong, statusCode: 400 })
    }
  })

  test('show messages, answers and consent in one walk of pages, with a constant number of queries', async () => {
    let time = Date.UTC(2026, 5, 15)
    const app = await startApp({ engine, now: () => (time += 10) })
    const { database, newId } = app.services
    const { id } = await addContact(app, 1)
    const url = `/api/v1/contacts/${id}`
    for (let index = 0; index < 5; index++) {
      const created_at = (time += 10)
      const values = { id: newId(), contact_id: id, direction: index % 2 === 0 ? 'out' : 'in', body: `Text ${index}` }
      const state = { type: 'text', status: index % 2 === 0 ? 'sent' : 'received', status_rank: 2, attempts: 0 }
      await database.writer
        .insertInto('messages')
        .values({ ...values, ...state, created_at } as never)
        .execute()
      if (index === 2) await app.post(`${url}/opt-out`)
    }
    const kinds: string[] = []
    for (let cursor = ''; ; ) {
      const page = (await app.get(`${url}/activity?limit=2${cursor}`)).json()
      kinds.push(...page.items.map((item: { kind: string }) => item.kind))
      if (page.next_cursor === null) break
      cursor = `&cursor=${page.next_cursor}`
    }
    const messages = ['message_out', 'message_in', 'opt_out', 'message_out', 'message_in', 'message_out']
    expect(kinds).toEqual([...messages, 'create'])
    const { items } = (await app.get(`${url}/messages?limit=2`)).json()
    expect(items.map((item: { body: string }) => item.body)).toEqual(['Text 4', 'Text 3'])
    expect(await queriesOf(database, () => app.get(`${url}/messages`))).toHaveLength(2)
    expect(await queriesOf(database, () => app.get(`${url}/activity`))).toHaveLength(3)
    expect((await app.get('/api/v1/contacts/nobody/activity')).statusCode).toBe(404)
  })
})

test('each list walks along an index and sorts nothing, whatever is searched, filtered and sorted', async () => {
  const app = await startApp({ data: { contacts: 300, messages: 300 } })
  const [{ id }] = (await app.get('/api/v1/contacts?limit=1')).json().items
  const [{ id: category }] = (await app.get('/api/v1/categories')).json().items
  const searches = [
    '',
    'sort=name',
    'q=a',
    'q=%2B336',
    'q=a%40',
    `category=${category}`,
    `category=${category}&sort=name`,
  ]
  const filters = ['opted_out=true', 'has_window=true', 'has_window=false', 'created_from=1&created_to=9']
  const lists = [...searches, ...filters].map(query => `/api/v1/contacts?${query}`)
  const urls = [...lists, `/api/v1/contacts/${id}/messages`, `/api/v1/contacts/${id}/activity`]
  const file = openFile(app.services.database.sqlitePath ?? '', 'read')
  onTestFinished(() => void file.close())
  const planOf = (sql: string): string[] => {
    const nothing = Array.from({ length: sql.split('?').length - 1 }, () => null)
    const statement = file.prepare<unknown[], { detail: string }>(`explain query plan ${sql}`)
    return statement.all(...nothing).map(row => row.detail)
  }
  for (const url of urls) {
    const statements = await queriesOf(app.services.database, () => app.get(url))
    expect(statements.length).toBeGreaterThan(0)
    const scans = statements.flatMap(planOf).filter(detail => /^SCAN (?!.* USING )/.test(detail))
    // The categories of a page are few, and sorted by their name.
    const walks = statements.filter(sql => !sql.includes('inner join "categories"'))
    const sorts = walks.flatMap(planOf).filter(detail => detail.includes('TEMP B-TREE'))
    expect([url, ...scans, ...sorts]).toEqual([url])
  }
})

test('what a person may do with contacts goes by their role', async () => {
  const app = await startApp()
  const { id } = await addContact(app, 1)
  const agent = await app.as('agent')
  const manager = await app.as('manager')
  expect((await agent.get(`/api/v1/contacts/${id}`)).statusCode).toBe(200)
  expect((await agent.patch(`/api/v1/contacts/${id}`, { name: 'Ada' })).statusCode).toBe(200)
  for (const [method, url] of [
    ['POST', '/api/v1/contacts/bulk'],
    ['POST', '/api/v1/contacts/import'],
    ['GET', '/api/v1/contacts/export'],
    ['POST', '/api/v1/contacts/export'],
    ['POST', '/api/v1/categories'],
  ] as const) {
    const { statusCode } = await agent.send({ method, url, ...(method === 'POST' && { payload: {} }) })
    expect([url, statusCode]).toEqual([url, 403])
  }
  expect((await manager.get('/api/v1/contacts/export')).statusCode).toBe(200)
  expect((await app.app.inject({ url: '/api/v1/contacts' })).statusCode).toBe(401)
})
