import { describe, expect, test, vi } from 'vitest'
import { PERMISSIONS } from '../../server/access/permissions.ts'
import { hashToken, randomToken } from '../../server/secrets.ts'
import { phoneOf, queriesOf, startApp, type TestApp } from '../support/app.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

const URL = '/api/v1/search'

const titles = async (app: Pick<TestApp, 'get'>, query: string): Promise<string[]> => {
  const { items } = (await app.get(`${URL}?q=${encodeURIComponent(query)}`)).json()
  return items.map((item: { kind: string; title: string }) => `${item.kind} ${item.title}`).sort()
}

/** What the search says with no cache in between. */
const plain = async ({ services }: TestApp, query: string): Promise<string[]> => {
  const hits = await services.search.find(query, { kinds: ['contact', 'content', 'campaign'], limit: 10 })
  return hits.map(hit => `${hit.kind} ${hit.title}`).sort()
}

describe.each(ENGINES)('search over HTTP on %s', engine => {
  test('finds what was written, from the cache too, after each write and in another process', async () => {
    const url = await freshDatabase(engine)
    const directory = freshDirectory()
    const one = await startApp({ url, directory })
    const other = await startApp({ url, directory })
    const check = async (query: string, expected: string[]): Promise<void> => {
      expect(await titles(other, query)).toEqual(expected)
      expect((await other.get(`${URL}?q=${encodeURIComponent(query)}`)).headers['x-cache']).toBe('HIT')
      expect(await plain(other, query)).toEqual(expected)
      expect(await titles(one, query)).toEqual(expected)
    }
    // The other process hears of a write with the next message in the directory.
    const expectFound = (query: string, expected: string[]): Promise<void> =>
      vi.waitFor(() => check(query, expected), 5000)
    await expectFound('zoé', [])
    const contact = (
      await one.post('/api/v1/contacts', { name: 'Zoë Brown', phone: phoneOf(7), email: 'z.b@mail.example' })
    ).json()
    await expectFound('zoé', ['contact Zoë Brown'])
    await expectFound(phoneOf(7), ['contact Zoë Brown'])
    await expectFound('z.b@mail', ['contact Zoë Brown'])
    const page = (await one.post('/api/v1/content', { title: 'About Zoe', body: 'Brown bread' })).json()
    await expectFound('zoe brown', ['contact Zoë Brown', 'content About Zoe'])
    await one.patch(`/api/v1/contacts/${contact.id}`, { name: 'Ann' })
    await expectFound('zoe brown', ['content About Zoe'])
    await expectFound('ann', ['contact Ann'])
    await one.patch(`/api/v1/content/${page.id}`, { version: 1, title: 'Ann again', body: '' })
    await expectFound('ann', ['contact Ann', 'content Ann again'])
    await one.delete(`/api/v1/contacts/${contact.id}`)
    await one.delete(`/api/v1/content/${page.id}`)
    await expectFound('ann', [])
  })

  test('takes a constant number of queries, and none when it is asked again in other words', async () => {
    const app = await startApp({ engine, data: { contacts: 200, messages: 0 } })
    const { database } = app.services
    const ask = (query: string) => () => app.get(`${URL}?q=${encodeURIComponent(query)}`)
    await app.get(`${URL}?q=nothing`)
    const some = (await database.writer.selectFrom('contacts').select('name').limit(1).executeTakeFirstOrThrow()).name
    const statements = await queriesOf(database, ask(some.slice(0, 3)))
    expect(statements.length).toBeLessThanOrEqual(6)
    expect(await queriesOf(database, ask(` ${some.slice(0, 3).toUpperCase()}! `))).toHaveLength(0)
    expect(await queriesOf(database, ask('"*"'))).toHaveLength(0)
  })
})

describe('search over HTTP', () => {
  test('shows each caller what they may read, of the kinds they ask for', async () => {
    const admin = await startApp()
    await admin.post('/api/v1/contacts', { name: 'Zoë', phone: phoneOf(1) })
    await admin.post('/api/v1/content', { title: 'Zoë' })
    expect(await titles(await admin.as('agent'), 'zoe')).toEqual(['contact Zoë', 'content Zoë'])
    const only = (await admin.get(`${URL}?q=zoe&kinds=content,campaign`)).json().items
    expect(only).toMatchObject([{ kind: 'content', title: 'Zoë', detail: 'zoe', status: 'draft' }])

    // A key for less than its owner may do, after the owner's answer was kept.
    const key = `pk_${randomToken()}`
    const scopes = PERMISSIONS.filter(permission => permission === 'search:read' || permission === 'content:read')
    const fields = {
      name: 'narrow',
      prefix: 'pk_',
      created_at: 1,
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    }
    await admin.services.database.writer
      .insertInto('api_keys')
      .values({ id: 'narrow', user_id: admin.userId, hash: hashToken(key), scopes: JSON.stringify(scopes), ...fields })
      .execute()
    const get = (url: string) => admin.app.inject({ url, headers: { authorization: `Bearer ${key}` } })
    expect(await titles({ get }, 'zoe')).toEqual(['content Zoë'])
    expect((await get(`${URL}?q=zoe&kinds=contact`)).statusCode).toBe(403)
    expect((await admin.app.inject({ url: `${URL}?q=zoe` })).statusCode).toBe(401)
  })

  test('refuses kinds that there are none of, and queries of no length or of more than 1,000 characters', async () => {
    const { get } = await startApp()
    for (const [query, field] of [
      ['q=x&kinds=users', 'query.kinds'],
      ['q=x&kinds=', 'query.kinds'],
      ['q=', 'query.q'],
      ['kinds=contact', 'query.q'],
      [`q=${'x'.repeat(1001)}`, 'query.q'],
      ['q=x&limit=51', 'query.limit'],
    ]) {
      const answer = await get(`${URL}?${query}`)
      expect([answer.statusCode, answer.json().errors[0].field]).toEqual([400, field])
    }
    const long = encodeURIComponent('"é🎉'.repeat(250))
    expect((await get(`${URL}?q=${long}`)).json()).toEqual({ items: [] })
  })

  test('has no index to write anew where the database keeps it', async () => {
    const { post, as } = await startApp()
    expect((await post(`${URL}/reindex`)).statusCode).toBe(409)
    expect((await (await as('agent')).post(`${URL}/reindex`)).statusCode).toBe(403)
  })
})
