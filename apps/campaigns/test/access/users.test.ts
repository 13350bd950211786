import { describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/access/actor.ts'
import { createFirstAdmin, deleteUser, updateUser } from '../../server/access/users.ts'
import { queriesOf } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { openSite } from './site.ts'
import { addPerson, comeIn, createVisitor, PASSWORD } from './visitor.ts'

const USERS = '/api/v1/users'
const FRESH = { email: 'Ada@Example.org', name: ' Ada ', password: 'a staple of its own', role: 'agent' }

describe('users', () => {
  test('are added, found, changed and removed by administrators, and each of that is in the history without a secret', async () => {
    const { app, services } = await openSite()
    const admin = await comeIn(app, services, 'admin')
    const added = await admin.post(USERS, FRESH)
    expect(added.statusCode).toBe(201)
    const user = added.json()
    expect(added.headers['location']).toBe(`${USERS}/${user.id}`)
    expect(user).toMatchObject({ email: 'ada@example.org', name: 'Ada', role: 'agent', status: 'active', locale: 'en' })
    expect(Object.keys(user)).not.toContain('password_hash')
    const taken = await admin.post(USERS, { ...FRESH, email: 'ADA@example.org' })
    expect([taken.statusCode, taken.json().errors[0].field]).toEqual([409, 'body.email'])
    for (const password of ['b@example.org', 'password1234', 'aaaabbbbaaaabbbb', 'Ada2026-2026']) {
      const weak = await admin.post(USERS, { ...FRESH, email: 'b@example.org', name: 'Ada 2026', password })
      expect([password, weak.statusCode]).toEqual([password, 400])
      expect(weak.body).not.toContain(password)
    }
    expect((await admin.patch(`${USERS}/${user.id}`, { role: 'manager', locale: 'fr' })).json()).toMatchObject({
      role: 'manager',
    })
    expect((await admin.patch(`${USERS}/${user.id}`, { password: 'another staple of its own' })).statusCode).toBe(200)
    expect((await createVisitor(app).login('ada@example.org', 'another staple of its own')).statusCode).toBe(200)
    expect((await admin.delete(`${USERS}/${user.id}`)).statusCode).toBe(204)
    expect((await admin.get(`${USERS}/${user.id}`)).statusCode).toBe(404)
    expect((await createVisitor(app).login('ada@example.org', 'another staple of its own')).statusCode).toBe(401)
    const history = await admin.get(`/api/v1/admin/history?entity=user&entity_id=${user.id}`)
    expect(history.json().items.map((item: { action: string }) => item.action)).toEqual([
      'delete',
      'login',
      'update',
      'update',
      'create',
    ])
    const [, , password, role] = history.json().items
    expect(role).toMatchObject({
      before: { role: 'agent', locale: 'en' },
      after: { role: 'manager', locale: 'fr' },
      admin: { id: admin.id },
    })
    expect(password).toMatchObject({ before: { password_hash: '(hidden)' }, after: { password_hash: '(hidden)' } })
    expect(history.body).not.toContain('argon2')
  })

  test('are listed page by page, filtered, with one query a page', async () => {
    const { app, services } = await openSite()
    const admin = await comeIn(app, services, 'admin')
    for (let n = 0; n < 7; n++) await addPerson(services, n % 2 === 0 ? 'agent' : 'manager')
    const seen: string[] = []
    await admin.get('/api/v1/auth/me')
    let cursor = ''
    do {
      const statements = await queriesOf(services.database, async () => {
        const page = (await admin.get(`${USERS}?limit=3${cursor}`)).json()
        seen.push(...page.items.map((item: { id: string }) => item.id))
        cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
      })
      expect(statements).toHaveLength(1)
    } while (cursor !== '')
    expect(new Set(seen).size).toBe(8)
    const roles = (await admin.get(`${USERS}?role=manager&status=active`)).json().items
    expect(roles).toHaveLength(3)
    const [{ email }] = roles
    expect(
      (await admin.get(`${USERS}?email=${encodeURIComponent(email.slice(0, -3).toUpperCase())}`)).json().items,
    ).toHaveLength(1)
    expect((await admin.get(`${USERS}?email=%25`)).json().items).toEqual([])
  })

  test('do not raise themselves or anybody above their own role', async () => {
    const { app, services } = await openSite()
    const manager = await comeIn(app, services, 'manager')
    expect((await manager.patch(`${USERS}/${manager.id}`, { role: 'admin' })).statusCode).toBe(403)
    const actor = { ...SYSTEM, kind: 'user', userId: manager.id, role: 'manager' } as const
    await expect(updateUser(services, actor, manager.id, { role: 'admin' })).rejects.toMatchObject({ status: 403 })
  })
})

describe.each(ENGINES)('on %s', engine => {
  test('the last active administrator stays, however many try at once to take each other away', async () => {
    const { services, sibling } = await openSite({ engine, shared: true })
    const other = (await sibling()).services
    for (let round = 0; round < 4; round++) {
      const admins = await Promise.all([1, 2, 3].map(() => addPerson(services, 'admin')))
      const away = [
        (id: string) => updateUser(services, SYSTEM, id, { role: 'agent' }),
        (id: string) => updateUser(other, SYSTEM, id, { status: 'disabled' }),
        (id: string) => deleteUser(other, SYSTEM, id),
      ]
      const outcomes = await Promise.allSettled(admins.map(async ({ id }, n) => await away[(n + round) % 3]?.(id)))
      const refused = outcomes.filter(one => one.status === 'rejected')
      expect(refused.map(({ reason }) => (reason as { status?: number }).status ?? reason)).toEqual([409])
      const left = await services.database.writer
        .selectFrom('users')
        .select('id')
        .where('role', '=', 'admin')
        .where('status', '=', 'active')
        .execute()
      expect(left).toHaveLength(1)
      await services.database.writer.deleteFrom('users').execute()
    }
  })

  test('of many first starts one makes the first administrator, and none does where there is somebody', async () => {
    const { app, services, sibling } = await openSite({ engine, shared: true })
    const other = (await sibling()).services
    const starts = [services, other, services, other].map(one => createFirstAdmin(one, { email: 'Admin@example.org' }))
    const made = (await Promise.all(starts)).filter(one => one !== undefined)
    expect(made).toHaveLength(1)
    expect((await createVisitor(app).login('admin@example.org', made[0]?.password ?? '')).statusCode).toBe(200)
    expect(await createFirstAdmin(services, { email: 'second@example.org', password: PASSWORD })).toBeUndefined()
  })
})
