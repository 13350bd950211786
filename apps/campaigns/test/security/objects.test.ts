import { expect, test } from 'vitest'
import { PERMISSIONS, type Permission } from '../../server/access/permissions.ts'
import { openSite } from '../access/site.ts'
import { comeIn, type Visitor } from '../access/visitor.ts'
import { picture, upload } from '../media/support/upload.ts'

const HOUR = 3_600_000
const CSV = { 'content-type': 'text/csv' }

async function keyOf(visitor: Visitor, scopes: readonly Permission[]): Promise<string> {
  return (await visitor.post('/api/v1/api-keys', { name: scopes.join(' ').slice(0, 80), scopes })).json<{
    key: string
  }>().key
}

test('what belongs to one person is not opened, changed or even told to another of the same role', async () => {
  const { app, services } = await openSite()
  const admin = await comeIn(app, services, 'admin')
  const one = await comeIn(app, services, 'manager')
  const other = await comeIn(app, services, 'manager')
  const agent = await comeIn(app, services, 'agent')
  const stranger = await comeIn(app, services, 'agent')

  const made = (await one.post('/api/v1/api-keys', { name: 'mine', scopes: ['contacts:read'] })).json<{ id: string }>()
  for (const visitor of [other, agent]) {
    expect((await visitor.delete(`/api/v1/api-keys/${made.id}`)).statusCode).toBe(404)
    expect((await visitor.get(`/api/v1/api-keys?user=${one.id}`)).json()).toMatchObject({ items: [] })
  }
  // Of an export the contents are for whoever asked, even where others see that it was made.
  const job = (await one.post('/api/v1/contacts/export')).json<{ id: string }>()
  expect((await other.get(`/api/v1/contacts/export/${job.id}/file`)).statusCode).toBe(404)
  expect((await admin.get(`/api/v1/contacts/export/${job.id}/file`)).statusCode).toBe(404)
  expect((await one.get(`/api/v1/contacts/export/${job.id}/file`)).statusCode).toBe(409)
  const sent = await one.send({
    method: 'POST',
    url: '/api/v1/contacts/import',
    headers: CSV,
    payload: 'name,phone\nAda,0',
  })
  const importId = sent.json<{ id: string }>().id
  for (const url of [`jobs/${importId}`, `jobs/${job.id}`])
    expect((await agent.get(`/api/v1/${url}`)).statusCode).toBe(404)
  for (const name of ['cancel', 'retry'])
    expect((await agent.post(`/api/v1/jobs/${job.id}/${name}`)).statusCode).toBe(404)
  expect((await agent.get('/api/v1/jobs')).json()).toMatchObject({ items: [] })
  for (const part of ['', '/errors.csv']) {
    expect((await agent.get(`/api/v1/contacts/import/${importId}${part}`)).statusCode).toBe(403)
  }
  // An export is no import, whatever is asked for under its id.
  expect((await one.get(`/api/v1/contacts/import/${job.id}`)).statusCode).toBe(404)

  const page = (await agent.post('/api/v1/content', { title: 'Mine', body: 'One.' })).json<{
    id: string
    version: number
  }>()
  const url = `/api/v1/content/${page.id}`
  const refused = [
    await stranger.patch(url, { version: 1, title: 'Taken' }),
    await stranger.delete(url),
    await stranger.post(`${url}/restore/1`, { version: 1 }),
    await stranger.post(`${url}/publish`),
    await agent.post(`${url}/publish`),
  ]
  expect(refused.map(({ statusCode }) => statusCode)).toEqual([403, 403, 403, 403, 403])
  expect((await other.post(`${url}/publish`)).statusCode).toBe(200)
  // Published, it is no longer the author's alone.
  expect((await agent.patch(url, { version: 1, title: 'Changed' })).statusCode).toBe(403)
  expect((await agent.delete(url)).statusCode).toBe(403)

  const shot = (await upload(agent, await picture(8, 8), { alt: 'Mine' })).json<{ id: string }>()
  expect((await stranger.patch(`/api/v1/media/${shot.id}`, { alt: 'Taken' })).statusCode).toBe(403)
  expect((await stranger.delete(`/api/v1/media/${shot.id}?force=true`)).statusCode).toBe(403)
  expect((await agent.patch(`/api/v1/media/${shot.id}`, { alt: 'Still mine' })).statusCode).toBe(200)
  expect((await agent.get('/api/v1/admin/history')).statusCode).toBe(403)
  expect((await one.patch(`/api/v1/users/${one.id}`, { role: 'admin' })).statusCode).toBe(403)
})

/** A read of each family, and what it asks for. */
const FAMILIES: readonly (readonly [Permission, string])[] = [
  ['contacts:read', 'contacts'],
  ['categories:read', 'categories'],
  ['messages:read', 'messages'],
  ['campaigns:read', 'campaigns'],
  ['templates:read', 'templates'],
  ['accounts:read', 'whatsapp/accounts'],
  ['content:read', 'content'],
  ['media:read', 'media'],
  ['users:read', 'users'],
  ['settings:read', 'settings'],
  ['history:read', 'admin/history'],
  ['dashboard:read', 'dashboard'],
  ['contacts:export', 'contacts/export'],
  ['cache:view', 'cache/health'],
]

test('a key has its scopes only, in every family and through the cache, and what its owner lost it loses', async () => {
  const { app, services } = await openSite()
  const admin = await comeIn(app, services, 'admin')
  const owner = await comeIn(app, services, 'manager')
  const boss = await comeIn(app, services, 'admin')
  await admin.post('/api/v1/contacts', { name: 'Findable Ada', phone: '+33612345678' })
  await admin.post('/api/v1/campaigns', { name: 'Findable campaign' })
  const whole = await keyOf(boss, PERMISSIONS)
  const as = (key: string, url: string) =>
    app.inject({ url: `/api/v1/${url}`, headers: { authorization: `Bearer ${key}` } })
  const wrong: string[] = []
  for (const [scope, url] of FAMILIES) {
    // Whoever may is served first, so that there is something to be given by mistake.
    if ((await as(whole, url)).statusCode !== 200) wrong.push(`${url}: not for all scopes`)
    const narrow = await keyOf(boss, [scope])
    for (const [needed, other] of FAMILIES) {
      const { statusCode } = await as(narrow, other)
      if (statusCode !== (needed === scope ? 200 : 403)) wrong.push(`${other} with ${scope}: ${statusCode}`)
    }
  }
  expect(wrong).toEqual([])

  const finder = await keyOf(boss, ['search:read', 'campaigns:read'])
  expect((await as(whole, 'search?q=findable')).json<{ items: unknown[] }>().items).toHaveLength(2)
  expect((await as(finder, 'search?q=findable')).json()).toMatchObject({ items: [{ kind: 'campaign' }] })
  expect((await as(finder, 'search?q=findable&kinds=contact')).statusCode).toBe(403)

  const key = await keyOf(owner, ['history:read', 'contacts:read', 'jobs:read'])
  expect((await as(key, 'admin/history')).statusCode).toBe(200)
  await admin.patch(`/api/v1/users/${owner.id}`, { role: 'agent' })
  expect((await as(key, 'admin/history')).statusCode).toBe(403)
  expect((await as(key, 'contacts')).statusCode).toBe(200)
  // An agent's list of jobs is of their own, whatever the scopes of the key say.
  expect((await as(key, 'jobs')).json()).toMatchObject({ items: [] })
  await admin.delete(`/api/v1/users/${owner.id}`)
  expect((await as(key, 'contacts')).statusCode).toBe(401)
})

interface Listed {
  readonly next_cursor: string | null
}

test('a cursor opens the list it was made for, and no other list, filter, owner or site', async () => {
  const { app, services } = await openSite()
  const elsewhere = await openSite()
  const admin = await comeIn(app, services, 'admin')
  const one = await comeIn(app, services, 'agent')
  for (const name of ['A', 'B', 'C']) {
    await admin.post('/api/v1/contacts', { name, phone: `+3361234567${name.charCodeAt(0) - 60}` })
    await admin.post('/api/v1/content', { title: name })
    await one.post('/api/v1/api-keys', { name, scopes: ['contacts:read'], expires_at: Date.now() + HOUR })
  }
  const cursorOf = async (visitor: Visitor, url: string): Promise<string> => {
    const cursor = (await visitor.get(`/api/v1/${url}`)).json<Listed>().next_cursor
    expect([url, typeof cursor]).toEqual([url, 'string'])
    return cursor ?? ''
  }
  const contacts = await cursorOf(admin, 'contacts?limit=1')
  const pages = await cursorOf(admin, 'content?limit=1')
  const keys = await cursorOf(one, 'api-keys?limit=1')
  const statusOf = async (visitor: Visitor, url: string): Promise<number> =>
    (await visitor.get(`/api/v1/${url}`)).statusCode
  expect(await statusOf(admin, `contacts?limit=1&cursor=${contacts}`)).toBe(200)
  const forged = [
    [admin, `users?cursor=${contacts}`],
    [admin, `contacts?cursor=${pages}`],
    [admin, `contacts?opted_out=true&cursor=${contacts}`],
    [admin, `contacts?sort=name&cursor=${contacts}`],
    [admin, `contacts?cursor=${contacts.slice(0, -4)}`],
    [admin, `contacts?cursor=${contacts.slice(0, 20)}AAAA${contacts.slice(24)}`],
    [admin, `contacts?cursor=`],
    [admin, `contacts?cursor=%F0%9F%98%80`],
    [admin, `api-keys?cursor=${keys}`],
    [await comeIn(app, services, 'agent'), `api-keys?cursor=${keys}`],
    [await comeIn(elsewhere.app, elsewhere.services, 'admin'), `contacts?limit=1&cursor=${contacts}`],
  ] as const
  const taken: string[] = []
  for (const [visitor, url] of forged) {
    const status = await statusOf(visitor, url)
    if (status !== 400) taken.push(`${url}: ${status}`)
  }
  expect(taken).toEqual([])
})

test('signs that mean something to SQL mean nothing in what is searched for', async () => {
  const { app, services } = await openSite()
  const admin = await comeIn(app, services, 'admin')
  const names = ['100% sure', '100 sure', 'under_score', 'underXscore', 'back\\slash', "O'Brien"]
  for (const [index, name] of names.entries())
    await admin.post('/api/v1/contacts', { name, phone: `+3361234568${index}` })
  const found = async (q: string): Promise<string[]> => {
    const { items } = (await admin.get(`/api/v1/contacts?q=${encodeURIComponent(q)}`)).json<{
      items: { name: string }[]
    }>()
    return items.map(({ name }) => name)
  }
  expect(await found('100%')).toEqual(['100% sure'])
  expect(await found('under_')).toEqual(['under_score'])
  expect(await found('back\\')).toEqual(['back\\slash'])
  expect(await found("o'")).toEqual(["O'Brien"])
  for (const q of ['%', '_', '%%', '\\', "' or ''='", '[a-z]', '.*', '@', '%@%'])
    expect([q, await found(q)]).toEqual([q, []])
  const users = async (email: string): Promise<number> =>
    (await admin.get(`/api/v1/users?email=${encodeURIComponent(email)}`)).json<{ items: unknown[] }>().items.length
  expect(await users('admin.')).toBe(1)
  for (const email of ['%', '_dmin', 'admin%', "'"]) expect([email, await users(email)]).toEqual([email, 0])
})
