import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { phoneOf, startApp, type TestApp } from './support/app.ts'

interface Item {
  readonly id: string
}

async function walk(
  { get }: TestApp,
  url: string,
  between: () => Promise<unknown> = async () => {},
): Promise<string[]> {
  const ids: string[] = []
  const joined = url.includes('?') ? `${url}&` : `${url}?`
  let cursor: string | null = ''
  while (cursor !== null) {
    const answer = await get(cursor === '' ? url : `${joined}cursor=${cursor}`)
    expect(answer.statusCode).toBe(200)
    const page: { items: Item[]; next_cursor: string | null } = answer.json()
    ids.push(...page.items.map(item => item.id))
    cursor = page.next_cursor
    if (cursor !== null) await between()
  }
  return ids
}

describe('walking all pages', () => {
  test('gives each row once, for every list, filter and page size', async () => {
    const app = await startApp({ data: { contacts: 60, messages: 150 } })
    const { items } = (await app.get('/api/v1/categories')).json()
    const all = async (table: 'contacts' | 'messages'): Promise<string[]> =>
      (await app.services.database.writer.selectFrom(table).select('id').execute()).map(row => row.id)
    const inCategory = await app.services.database.writer
      .selectFrom('contact_categories')
      .select('contact_id')
      .where('category_id', '=', items[0].id)
      .execute()
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['/api/v1/contacts', await all('contacts')],
      ['/api/v1/messages', await all('messages')],
      [`/api/v1/contacts?category=${items[0].id}`, inCategory.map(row => row.contact_id)],
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...cases), fc.integer({ min: 1, max: 70 }), async ([url, expected], limit) => {
        const ids = await walk(app, `${url}${url.includes('?') ? '&' : '?'}limit=${limit}`)
        expect([...ids].sort()).toEqual([...expected].sort())
      }),
      { numRuns: 25 },
    )
  })

  test('gives each row that was there once, also while rows are inserted and deleted', async () => {
    // All rows in very few milliseconds, so that the order within one is put to the test.
    let time = Date.UTC(2026, 0, 1)
    let made = 0
    const app = await startApp({ now: () => Math.floor(time) })
    const add = async (): Promise<string> => {
      time += 0.2
      const name = ['Ana', 'Bo', 'Ana Maria'][made % 3] ?? ''
      return (await app.post('/api/v1/contacts', { name, phone: phoneOf(made++) })).json().id
    }
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom('/api/v1/contacts?', '/api/v1/contacts?q=a&'),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
        async (limit, url, plan) => {
          for (let index = 0; index < 12; index++) await add()
          const before = await walk(app, `${url}limit=200`)
          const gone = new Set<string>()
          let step = 0
          const ids = await walk(app, `${url}limit=${limit}`, async () => {
            const inserts = plan[step % plan.length] ?? true
            const victim = before[(step * 5) % before.length]
            step++
            if (inserts || victim === undefined || gone.has(victim)) return await add()
            gone.add(victim)
            return await app.send({ method: 'DELETE', url: `/api/v1/contacts/${victim}` })
          })
          expect(new Set(ids).size).toBe(ids.length)
          const seen = new Set(ids)
          expect(before.filter(id => !seen.has(id) && !gone.has(id))).toEqual([])
          await app.services.database.writer.deleteFrom('contacts').execute()
        },
      ),
      { numRuns: 15 },
    )
  })

  test('works with a cursor only on the list and filters it came from, and only when untouched', async () => {
    const app = await startApp({ data: { contacts: 20, messages: 40 } })
    const { next_cursor: cursor } = (await app.get('/api/v1/contacts?limit=5')).json()
    expect((await app.get(`/api/v1/contacts?limit=7&cursor=${cursor}`)).statusCode).toBe(200)
    expect((await app.get(`/api/v1/contacts?q=a&cursor=${cursor}`)).statusCode).toBe(400)
    expect((await app.get(`/api/v1/messages?cursor=${cursor}`)).statusCode).toBe(400)
    const bytes = Buffer.from(cursor, 'base64url')
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length * 8 - 1 }), async bit => {
        const changed = Buffer.from(bytes)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const answer = await app.get(`/api/v1/contacts?cursor=${changed.toString('base64url')}`)
        expect(answer.statusCode).toBe(400)
      }),
      { numRuns: 40 },
    )
  })
})
