import { describe, expect, test } from 'vitest'
import { phoneOf, queriesOf, startApp } from './support/app.ts'

const ADA = { name: 'Ada Lovelace', phone: '+33612345678', email: 'ada@example.org' }

describe('contacts', () => {
  test('are created, read, changed and deleted', async () => {
    const { send, get, post, patch } = await startApp()
    const category = (await post('/api/v1/categories', { name: 'Press' })).json()
    const created = await post('/api/v1/contacts', { ...ADA, category_ids: [category.id] })
    expect(created.statusCode).toBe(201)
    const { id } = created.json()
    expect(created.headers.location).toBe(`/api/v1/contacts/${id}`)
    expect((await get(`/api/v1/contacts/${id}`)).json()).toMatchObject({
      ...ADA,
      categories: [{ id: category.id, name: 'Press' }],
    })

    const change = { name: 'Ada King', email: null, category_ids: [] }
    const changed = await patch(`/api/v1/contacts/${id}`, change)
    expect(changed.json()).toMatchObject({ name: 'Ada King', email: null, phone: ADA.phone, categories: [] })

    expect((await send({ method: 'DELETE', url: `/api/v1/contacts/${id}` })).statusCode).toBe(204)
    expect((await get(`/api/v1/contacts/${id}`)).statusCode).toBe(404)
    expect((await send({ method: 'DELETE', url: `/api/v1/contacts/${id}` })).statusCode).toBe(404)
    expect((await send({ method: 'PATCH', url: `/api/v1/contacts/${id}`, payload: { name: 'x' } })).statusCode).toBe(
      404,
    )
  })

  test('take phone numbers as people type them, and store them in one form', async () => {
    const { post } = await startApp()
    const created = await post('/api/v1/contacts', { ...ADA, phone: ' +33 (6) 12-34.56 78 ' })
    expect(created.json().phone).toBe('+33612345678')
  })

  test('refuse a phone number another contact has, and leave both as they were', async () => {
    const { send, get, post } = await startApp()
    await post('/api/v1/contacts', ADA)
    const again = await post('/api/v1/contacts', { name: 'Somebody else', phone: ADA.phone })
    expect(again.statusCode).toBe(409)
    expect(again.json().errors).toEqual([
      { field: 'body.phone', expected: 'a phone number that no other contact has', received: '"+33612345678"' },
    ])
    const other = (await post('/api/v1/contacts', { name: 'Other', phone: phoneOf(1) })).json()
    const move = { method: 'PATCH', url: `/api/v1/contacts/${other.id}`, payload: { phone: ADA.phone } } as const
    expect((await send(move)).statusCode).toBe(409)
    expect((await get('/api/v1/contacts')).json().items).toHaveLength(2)
  })

  test('refuse categories that do not exist, and then store nothing', async () => {
    const { get, post } = await startApp()
    const refused = await post('/api/v1/contacts', { ...ADA, category_ids: ['nowhere'] })
    expect(refused.statusCode).toBe(400)
    expect(refused.json().errors[0]).toMatchObject({ field: 'body.category_ids', received: '["nowhere"]' })
    expect((await get('/api/v1/contacts')).json().items).toEqual([])
  })

  test('are found by the beginning of their name, whatever its case and accents', async () => {
    const { get, post } = await startApp()
    const names = ['Élodie Petit', 'elodie Martin', 'Eloi Roy', 'Zoé', 'ELO']
    for (const [index, name] of names.entries()) await post('/api/v1/contacts', { name, phone: phoneOf(index) })
    const found = (await get('/api/v1/contacts?q=%C3%89lo')).json().items
    expect(found.map((contact: { name: string }) => contact.name)).toEqual([
      'ELO',
      'elodie Martin',
      'Élodie Petit',
      'Eloi Roy',
    ])
    expect((await get('/api/v1/contacts?q=%25')).json().items).toEqual([])
  })

  test('are listed by category', async () => {
    const { get, post } = await startApp()
    const { id } = (await post('/api/v1/categories', { name: 'Press' })).json()
    await post('/api/v1/contacts', { name: 'In', phone: phoneOf(1), category_ids: [id, id] })
    await post('/api/v1/contacts', { name: 'Out', phone: phoneOf(2) })
    const { items } = (await get(`/api/v1/contacts?category=${id}`)).json()
    expect(items.map((contact: { name: string }) => contact.name)).toEqual(['In'])
  })

  test('are listed with their categories in two queries, however many there are', async () => {
    const { services, get } = await startApp({ data: { contacts: 100 } })
    await get('/api/v1/contacts?limit=1')
    const statements = await queriesOf(services.database, () => get('/api/v1/contacts?limit=100'))
    expect(statements).toHaveLength(2)
  })

  test('leave their messages behind, counted as before, when they are deleted', async () => {
    const { services, send, get } = await startApp({ data: { contacts: 10, messages: 200 } })
    const { database } = services
    const before = (await get('/api/v1/messages/stats')).json()
    const { contact_id } = await database.writer.selectFrom('messages').select('contact_id').executeTakeFirstOrThrow()
    await send({ method: 'DELETE', url: `/api/v1/contacts/${contact_id}` })
    expect((await get('/api/v1/messages/stats')).json()).toEqual({ ...before, contacts: before.contacts - 1 })
    expect((await get(`/api/v1/messages?contact=${contact_id}`)).json().items).toEqual([])
  })
})

describe('categories', () => {
  test('are created, read, changed and deleted, and their contacts stay', async () => {
    const { send, get, post } = await startApp()
    const { id } = (await post('/api/v1/categories', { name: ' Press ', color: '#112233' })).json()
    await post('/api/v1/contacts', { ...ADA, category_ids: [id] })
    expect((await get(`/api/v1/categories/${id}`)).json()).toMatchObject({ name: 'Press', contact_count: 1 })
    const url = `/api/v1/categories/${id}`
    expect((await send({ method: 'PATCH', url, payload: { name: 'Media' } })).json()).toMatchObject({
      name: 'Media',
      color: '#112233',
      contact_count: 1,
    })
    expect((await get('/categories')).json().items).toMatchObject([{ id, name: 'Media', contact_count: 1 }])
    expect((await send({ method: 'DELETE', url })).statusCode).toBe(204)
    expect((await get(url)).statusCode).toBe(404)
    expect((await get('/api/v1/contacts')).json().items).toMatchObject([{ name: ADA.name, categories: [] }])
  })

  test('refuse a name that is taken', async () => {
    const { send, post } = await startApp()
    await post('/api/v1/categories', { name: 'Press' })
    const other = (await post('/api/v1/categories', { name: 'Media' })).json()
    expect((await post('/api/v1/categories', { name: 'Press' })).statusCode).toBe(409)
    const rename = { method: 'PATCH', url: `/api/v1/categories/${other.id}`, payload: { name: 'Press' } } as const
    expect((await send(rename)).json().errors[0].field).toBe('body.name')
  })

  test('are counted in one query, however many there are, and in none when cached', async () => {
    const { services, get } = await startApp({ data: {} })
    const { database } = services
    await get('/api/v1/contacts?limit=1')
    expect(await queriesOf(database, () => get('/api/v1/categories'))).toHaveLength(1)
    expect(await queriesOf(database, () => get('/categories'))).toHaveLength(0)
  })
})
