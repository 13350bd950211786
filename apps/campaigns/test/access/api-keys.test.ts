import { expect, test, vi } from 'vitest'
import { NOON } from '../support/app.ts'
import { openSite } from './site.ts'
import { comeIn } from './visitor.ts'

const KEYS = '/api/v1/api-keys'
const ME = '/api/v1/auth/me'
const HOUR = 3_600_000

test('an API key does what its scopes and its owner may both do, until it ends, is revoked, or its owner goes', async () => {
  let now = NOON
  const { app, services, sibling } = await openSite({ now: () => now, shared: true })
  const elsewhere = (await sibling()).app
  const admin = await comeIn(app, services, 'admin')
  const manager = await comeIn(app, services, 'manager')
  const made = await manager.post(KEYS, { name: ' robot ', scopes: ['history:read'], expires_at: NOON + HOUR })
  expect(made.statusCode).toBe(201)
  const { id, key } = made.json()
  expect(key).toMatch(/^pk_[\w-]{43}$/)
  const as = (text: string, url: string, where = app) =>
    where.inject({ url, headers: { authorization: `Bearer ${text}` } })
  expect((await as(key, '/api/v1/admin/history')).statusCode).toBe(200)
  expect((await as(key, '/api/v1/admin/history', elsewhere)).statusCode).toBe(200)
  expect((await as(key, '/api/v1/users')).statusCode).toBe(403)
  expect((await as(key, KEYS)).statusCode).toBe(403)
  expect((await as(key, ME)).json()).toMatchObject({
    user: { id: manager.id },
    permissions: ['history:read'],
    csrf_token: null,
  })
  for (const bad of [`${key}x`, key.slice(0, -1), 'pk_', '', key.toUpperCase()]) {
    expect((await as(bad, ME)).statusCode).toBe(401)
  }
  // A key is no session: it needs no token, and a broken key is not made good by a session.
  const both = { authorization: 'Bearer nothing', cookie: manager.cookie ?? '' }
  expect((await app.inject({ url: ME, headers: both })).statusCode).toBe(401)

  expect((await admin.patch(`/api/v1/users/${manager.id}`, { role: 'agent' })).statusCode).toBe(200)
  expect((await as(key, '/api/v1/admin/history', elsewhere)).statusCode).toBe(403)
  await admin.patch(`/api/v1/users/${manager.id}`, { role: 'manager' })
  // What is taken is gone when the answer is out; what is given comes with the next message of the bus.
  await vi.waitFor(async () => expect((await as(key, '/api/v1/admin/history', elsewhere)).statusCode).toBe(200))
  await admin.patch(`/api/v1/users/${manager.id}`, { status: 'disabled' })
  expect((await as(key, ME, elsewhere)).statusCode).toBe(401)
  await admin.patch(`/api/v1/users/${manager.id}`, { status: 'active' })
  await vi.waitFor(async () => expect((await as(key, ME, elsewhere)).statusCode).toBe(200))
  now = NOON + HOUR
  expect((await as(key, ME, elsewhere)).statusCode).toBe(401)
  now = NOON
  expect((await admin.delete(`${KEYS}/${id}`)).statusCode).toBe(204)
  expect((await as(key, ME, elsewhere)).statusCode).toBe(401)
  expect((await admin.delete(`${KEYS}/${id}`)).statusCode).toBe(404)
})

test('keys are shown once, listed without what opens anything, and belong to their owner', async () => {
  const { app, services } = await openSite()
  const admin = await comeIn(app, services, 'admin')
  const one = await comeIn(app, services, 'agent')
  const other = await comeIn(app, services, 'agent')
  const { id, key } = (await one.post(KEYS, { name: 'mine', scopes: ['contacts:read'] })).json()
  const beyond = await one.post(KEYS, { name: 'more', scopes: ['contacts:read', 'users:write'] })
  expect([beyond.statusCode, beyond.json().errors[0].field]).toEqual([400, 'body.scopes'])
  for (const body of [
    { name: 'x', scopes: ['all'] },
    { name: 'x', scopes: [] },
    { name: 'x', scopes: ['contacts:read'], expires_at: 1 },
  ]) {
    expect((await one.post(KEYS, body)).statusCode).toBe(400)
  }
  const mine = await one.get(KEYS)
  expect(mine.json().items).toMatchObject([
    { id, name: 'mine', scopes: ['contacts:read'], owner: { id: one.id }, revoked_at: null },
  ])
  expect(mine.body).not.toContain(key)
  expect((await other.get(KEYS)).json().items).toEqual([])
  expect((await other.get(`${KEYS}?user=${one.id}`)).json().items).toEqual([])
  expect((await other.delete(`${KEYS}/${id}`)).statusCode).toBe(404)
  expect((await admin.get(`${KEYS}?user=${one.id}`)).json().items).toHaveLength(1)
  const stored = await services.database.writer.selectFrom('api_keys').selectAll().execute()
  expect(JSON.stringify(stored)).not.toContain(key)
  const history = await admin.get('/api/v1/admin/history?entity=api_key')
  expect(history.json().items).toMatchObject([{ action: 'create', entity_id: id, after: { name: 'mine' } }])
  expect(history.body).not.toContain(key)
  expect((await one.delete(`${KEYS}/${id}`)).statusCode).toBe(204)
})

test('the last use of a key is noted at most once a minute', async () => {
  let now = NOON
  const { app, services } = await openSite({ now: () => now })
  const one = await comeIn(app, services, 'agent')
  const { id, key } = (await one.post(KEYS, { name: 'mine', scopes: ['contacts:read'] })).json()
  const use = () => app.inject({ url: ME, headers: { authorization: `Bearer ${key}` } })
  const noted = async () =>
    (
      await services.database.writer
        .selectFrom('api_keys')
        .select('last_used_at')
        .where('id', '=', id)
        .executeTakeFirst()
    )?.last_used_at
  await use()
  await vi.waitFor(async () => expect(await noted()).toBe(NOON))
  now = NOON + 59_000
  await use()
  now = NOON + 60_000
  await use()
  await vi.waitFor(async () => expect(await noted()).toBe(NOON + 60_000))
})
