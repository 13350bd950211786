import { describe, expect, test } from 'vitest'
import { phoneOf, queriesOf, startApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'

describe.each(ENGINES)('the contacts of a category on %s', engine => {
  test('are put in and taken out by many at once, counted exactly, and survive a deletion under way', async () => {
    const app = await startApp({ engine })
    const { database } = app.services
    const add = async (name: string): Promise<string> => (await app.post('/api/v1/categories', { name })).json().id
    const [press, doomed] = [await add('Press'), await add('Doomed')]
    const contact_ids: string[] = []
    for (let index = 0; index < 12; index++) {
      const payload = { name: `Person ${index}`, phone: phoneOf(index) }
      contact_ids.push((await app.post('/api/v1/contacts', payload)).json().id)
    }
    const url = (id: string): string => `/api/v1/categories/${id}/contacts`
    await app.get('/api/v1/categories')
    const answers = await Promise.all([
      app.put(url(press), { contact_ids }),
      app.put(url(press), { contact_ids: contact_ids.toReversed() }),
      app.delete(url(press), { contact_ids: contact_ids.slice(0, 3) }),
      app.put(url(doomed), { contact_ids }),
      app.delete(`/api/v1/categories/${doomed}`),
      app.delete(`/api/v1/contacts/${contact_ids[5]}`),
      app.post('/api/v1/contacts', { name: 'New', phone: phoneOf(99), category_ids: [press, doomed] }),
    ])
    expect(answers.filter(answer => answer.statusCode >= 500).map(answer => answer.body)).toEqual([])
    const rows = await database.writer.selectFrom('contact_categories').selectAll().execute()
    expect(rows.every(row => row.category_id === press)).toBe(true)
    for (const _ of [1, 2]) {
      const { items } = (await app.get('/api/v1/categories')).json()
      expect(items).toMatchObject([{ id: press, contact_count: rows.length }])
      expect((await app.get(`/api/v1/categories/${press}`)).json().contact_count).toBe(rows.length)
    }
    expect((await app.put(url(doomed), { contact_ids })).statusCode).toBe(404)
    expect((await app.put(url(press), { contact_ids: [] })).statusCode).toBe(400)
    const many = Array.from({ length: 1001 }, (_, index) => `id-${index}`)
    expect((await app.put(url(press), { contact_ids: many })).statusCode).toBe(400)
    expect((await app.put(url(press), { contact_ids: many.slice(1) })).json()).toMatchObject({ changed: 0 })
  })

  test('are counted for all categories in one query, and in none when that is cached', async () => {
    const app = await startApp({ engine, data: { contacts: 60, messages: 0 } })
    await app.get('/api/v1/contacts?limit=1')
    expect(await queriesOf(app.services.database, () => app.get('/api/v1/categories'))).toHaveLength(1)
    expect(await queriesOf(app.services.database, () => app.get('/categories'))).toHaveLength(0)
    const list = await queriesOf(app.services.database, () => app.get('/api/v1/contacts?limit=50'))
    expect(list).toHaveLength(2)
  })
})
