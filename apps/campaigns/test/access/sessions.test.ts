import { describe, expect, test, vi } from 'vitest'
import { createPasswords } from '../../server/access/passwords.ts'
import { openSite } from './site.ts'
import { addPerson, comeIn, createVisitor, PASSWORD } from './visitor.ts'

const ME = '/api/v1/auth/me'

describe('a session', () => {
  test('begins with the right password, tells who one is, and ends for good at the logout', async () => {
    const { app, services } = await openSite()
    const person = await addPerson(services, 'manager')
    const visitor = createVisitor(app)
    expect((await visitor.get(ME)).statusCode).toBe(401)
    const answer = await visitor.login(person.email.toUpperCase(), PASSWORD)
    expect(answer.statusCode).toBe(200)
    const [cookie] = answer.cookies
    expect(cookie).toMatchObject({ name: 'session', httpOnly: true, sameSite: 'Lax', path: '/' })
    expect(cookie?.secure).toBeUndefined()
    const me = (await visitor.get(ME)).json()
    expect(me).toMatchObject({ user: { id: person.id, email: person.email, role: 'manager' } })
    expect(me.permissions).toContain('campaigns:run')
    expect(me.permissions).not.toContain('users:write')
    expect(JSON.stringify(me)).not.toMatch(/hash|epoch/)
    const replayed = visitor.cookie
    expect((await visitor.post('/api/v1/auth/logout')).statusCode).toBe(204)
    expect(visitor.cookie).toBeUndefined()
    visitor.cookie = replayed
    expect((await visitor.get(ME)).statusCode).toBe(401)
  })

  test('gets a new id at login, so that a planted one is worth nothing, and so does the login of somebody else', async () => {
    const { app, services } = await openSite()
    const victim = await comeIn(app, services, 'agent')
    const planted = victim.cookie
    const attacker = createVisitor(app)
    attacker.cookie = planted
    expect((await victim.login(victim.email, PASSWORD)).statusCode).toBe(200)
    expect(victim.cookie).not.toBe(planted)
    expect((await attacker.get(ME)).statusCode).toBe(401)
    const forged = createVisitor(app)
    forged.cookie = 'session=chosen-by-the-attacker'
    await forged.login(victim.email, PASSWORD)
    expect(forged.cookie).not.toContain('chosen-by-the-attacker')
    expect((await forged.get(ME)).statusCode).toBe(200)
  })

  test('has a cookie of the host alone over https, and is not given over http then', async () => {
    const { app, services } = await openSite({ publicUrl: 'https://campaigns.example.org', trustProxy: true })
    const { email } = await addPerson(services, 'agent')
    const login = { method: 'POST', url: '/api/v1/auth/login', payload: { email, password: PASSWORD } } as const
    expect((await app.inject(login)).statusCode).toBe(403)
    const answer = await app.inject({ ...login, headers: { 'x-forwarded-proto': 'https' } })
    expect(answer.statusCode).toBe(200)
    expect(answer.cookies[0]).toMatchObject({ name: '__Host-session', secure: true, httpOnly: true, path: '/' })
    expect(answer.cookies[0]?.domain).toBeUndefined()
  })

  test('dies at once in every process when its user is disabled, given another role or another password, or removed', async () => {
    const one = await openSite({ shared: true })
    const { app } = await one.sibling()
    const admin = await comeIn(one.app, one.services, 'admin')
    const changes: readonly ((id: string) => Promise<{ statusCode: number }>)[] = [
      id => admin.patch(`/api/v1/users/${id}`, { status: 'disabled' }),
      id => admin.patch(`/api/v1/users/${id}`, { role: 'manager' }),
      id => admin.patch(`/api/v1/users/${id}`, { password: 'another staple, no horse' }),
      id => admin.delete(`/api/v1/users/${id}`),
    ]
    for (const change of changes) {
      const person = await comeIn(one.app, one.services, 'agent')
      const elsewhere = createVisitor(app)
      elsewhere.cookie = person.cookie
      expect((await elsewhere.get(ME)).statusCode).toBe(200)
      expect((await change(person.id)).statusCode).toBeLessThan(300)
      expect((await elsewhere.get(ME)).statusCode).toBe(401)
      expect((await person.get(ME)).statusCode).toBe(401)
    }
    const named = await comeIn(one.app, one.services, 'agent')
    await admin.patch(`/api/v1/users/${named.id}`, { name: 'Another Name', locale: 'fr' })
    const elsewhere = createVisitor(app)
    elsewhere.cookie = named.cookie
    expect((await elsewhere.get(ME)).json()).toMatchObject({ user: { name: 'Another Name', locale: 'fr' } })
  })

  test('is kept by a client on a real socket, which names its place by its own address', async () => {
    const { app, services } = await openSite({ rates: { login: { limit: 1, window: 900_000 } } })
    const { email } = await addPerson(services, 'agent')
    const site = await app.listen({ port: 0, host: '127.0.0.1' })
    const login = (password: string): Promise<Response> =>
      fetch(`${site}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9', origin: site },
        body: JSON.stringify({ email, password }),
      })
    const entered = await login(PASSWORD)
    expect(entered.status).toBe(200)
    const [cookie = ''] = entered.headers.getSetCookie()
    const me = await fetch(`${site}${ME}`, { headers: { cookie: cookie.split(';')[0] ?? '' } })
    expect(await me.json()).toMatchObject({ user: { email } })
    expect([(await login('a wrong one of mine')).status, (await login(PASSWORD)).status]).toEqual([401, 429])
  })

  test('is not read from a cookie whose signature is another', async () => {
    const { app, services } = await openSite()
    const visitor = await comeIn(app, services, 'agent')
    visitor.cookie = `${visitor.cookie?.slice(0, -6)}AAAAAA`
    expect((await visitor.get(ME)).statusCode).toBe(401)
  })
})

describe('a change of one’s own password', () => {
  test('needs the present one, ends all other sessions and goes on in this one', async () => {
    const { app, services } = await openSite()
    const visitor = await comeIn(app, services, 'agent')
    const elsewhere = createVisitor(app)
    await elsewhere.login(visitor.email, PASSWORD)
    const change = (current_password: string, new_password: string) =>
      visitor.post('/api/v1/auth/password', { current_password, new_password })
    const wrong = await change('not the present one', 'a new staple, no horse')
    expect(wrong.statusCode).toBe(400)
    expect(wrong.json().errors[0].field).toBe('body.current_password')
    for (const weak of ['short', 'passwordpassword', 'aaaaaaaaaaaaaaa', visitor.email, 'x'.repeat(201)]) {
      const answer = await change(PASSWORD, weak)
      expect(answer.statusCode).toBe(400)
      expect(answer.body).not.toContain(weak)
    }
    const answer = await change(PASSWORD, 'a new staple, no horse')
    expect(answer.statusCode).toBe(200)
    expect((await visitor.get(ME)).statusCode).toBe(200)
    expect((await elsewhere.get(ME)).statusCode).toBe(401)
    expect((await visitor.patch(ME, { name: 'With the old token' })).statusCode).toBe(403)
    visitor.token = answer.json().csrf_token
    expect((await visitor.patch(ME, { name: 'With the new token' })).statusCode).toBe(200)
    expect((await createVisitor(app).login(visitor.email, PASSWORD)).statusCode).toBe(401)
    expect((await createVisitor(app).login(visitor.email, 'a new staple, no horse')).statusCode).toBe(200)
  })

  test('is stored at the cost of today when the old hash was made at another', async () => {
    const { app, services } = await openSite()
    const person = await addPerson(services, 'agent')
    const hashOf = async (): Promise<string> => {
      const row = services.database.writer.selectFrom('users').select('password_hash').where('id', '=', person.id)
      return (await row.executeTakeFirstOrThrow()).password_hash
    }
    const cheaper = await createPasswords({ memoryCost: 32, timeCost: 1 }).hash(PASSWORD)
    await services.database.writer
      .updateTable('users')
      .set({ password_hash: cheaper })
      .where('id', '=', person.id)
      .execute()
    expect((await createVisitor(app).login(person.email, PASSWORD)).statusCode).toBe(200)
    expect(await hashOf()).not.toBe(cheaper)
    expect(services.passwords.isOutdated(await hashOf())).toBe(false)
    expect((await createVisitor(app).login(person.email, PASSWORD)).statusCode).toBe(200)
  })

  test('checks a password also for an address nobody has', async () => {
    const { app, services } = await openSite()
    const person = await addPerson(services, 'agent')
    const pretend = vi.spyOn(services.passwords, 'pretend')
    const known = await createVisitor(app).login(person.email, 'not this one')
    expect(pretend).toHaveBeenCalledTimes(0)
    const unknown = await createVisitor(app).login('nobody@example.org', 'not this one')
    expect(pretend).toHaveBeenCalledTimes(1)
    expect([known.statusCode, unknown.statusCode]).toEqual([401, 401])
    expect(unknown.json().detail).toBe(known.json().detail)
  })
})
