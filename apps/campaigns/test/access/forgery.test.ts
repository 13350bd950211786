import { describe, expect, test } from 'vitest'
import { openSite } from './site.ts'
import { comeIn, createVisitor, PASSWORD } from './visitor.ts'

const ME = '/api/v1/auth/me'

describe('a request that changes something in a session', () => {
  test('needs the token of that session: none, a wrong one and one of another session are refused', async () => {
    const { app, services } = await openSite()
    const visitor = await comeIn(app, services, 'agent')
    const other = await comeIn(app, services, 'agent')
    const own = visitor.token
    for (const token of [undefined, '', 'x', `${own}x`, own?.slice(0, -1), other.token]) {
      visitor.token = token
      const answer = await visitor.patch(ME, { name: 'Forged' })
      expect(answer.statusCode).toBe(403)
      expect(answer.json().detail).toContain('x-csrf-token')
    }
    const inBody = await visitor.patch(ME, { name: 'Forged', _csrf: own })
    expect(inBody.statusCode).toBe(403)
    visitor.token = own
    expect((await visitor.patch(ME, { name: 'My own' })).statusCode).toBe(200)
    // Each look gives another spelling of it, and all of them hold.
    visitor.token = (await visitor.get(ME)).json().csrf_token
    expect(visitor.token).not.toBe(own)
    expect((await visitor.patch(ME, { name: 'My own again' })).statusCode).toBe(200)
  })

  test('is refused from a page of another site, also with the token, and so is a login', async () => {
    const { app, services } = await openSite({ publicUrl: 'http://campaigns.example.org' })
    const visitor = await comeIn(app, services, 'agent')
    const sent: readonly (readonly [Record<string, string>, number])[] = [
      [{ 'sec-fetch-site': 'cross-site' }, 403],
      [{ 'sec-fetch-site': 'same-site' }, 403],
      [{ origin: 'https://evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: 'http://localhost:80.evil.example' }, 403],
      [{ 'sec-fetch-site': 'same-origin', origin: 'http://localhost:80' }, 200],
      [{ 'sec-fetch-site': 'none' }, 200],
      [{ origin: 'http://localhost:80', host: 'localhost' }, 200],
      [{ origin: 'http://campaigns.example.org' }, 200],
      [{}, 200],
    ]
    for (const [headers, status] of sent) {
      const change = await visitor.send({ method: 'PATCH', url: ME, payload: { locale: 'fr' }, headers })
      expect([headers, change.statusCode]).toEqual([headers, status])
      const login = { email: visitor.email, password: PASSWORD }
      const stranger = createVisitor(app)
      const answer = await stranger.send({ method: 'POST', url: '/api/v1/auth/login', payload: login, headers })
      expect([headers, answer.statusCode]).toEqual([headers, status])
      expect(stranger.cookie === undefined).toBe(status === 403)
    }
  })

  test('cannot be a form, whose media types nobody reads', async () => {
    const { app, services } = await openSite()
    const visitor = await comeIn(app, services, 'agent')
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']) {
      const headers = { 'content-type': type }
      const answer = await visitor.send({ method: 'PATCH', url: ME, payload: '{"name":"x"}', headers })
      expect(answer.statusCode).toBe(415)
    }
  })
})

describe('a body', () => {
  test('cannot set what is not its to set, anywhere', async () => {
    const { app, services } = await openSite()
    const admin = await comeIn(app, services, 'admin')
    const agent = await comeIn(app, services, 'agent')
    const fields = { role: 'admin', status: 'active', password_hash: 'x', session_epoch: 99, id: 'x', last_login_at: 1 }
    for (const [name, value] of Object.entries(fields)) {
      const answer = await agent.patch(ME, { name: 'Me', [name]: value })
      expect(answer.statusCode).toBe(400)
      expect(answer.json().errors[0].field).toBe(`body.${name}`)
    }
    const fresh = { email: 'new@example.org', name: 'New', password: 'a staple of its own', role: 'agent' }
    for (const name of ['password_hash', 'session_epoch', 'id', 'created_at', 'status', '__proto__x', 'constructor']) {
      expect((await admin.post('/api/v1/users', { ...fresh, [name]: 'x' })).statusCode).toBe(400)
      expect((await admin.patch(`/api/v1/users/${agent.id}`, { [name]: 'x' })).statusCode).toBe(400)
      expect(
        (await admin.post('/api/v1/api-keys', { name: 'k', scopes: ['users:read'], [name]: 'x' })).statusCode,
      ).toBe(400)
    }
    const row = await services.database.writer
      .selectFrom('users')
      .selectAll()
      .where('id', '=', agent.id)
      .executeTakeFirst()
    expect(row).toMatchObject({ role: 'agent', session_epoch: 1, name: 'Some agent' })
  })

  test('of the wrong shape is refused without the password being repeated', async () => {
    const { app } = await openSite()
    const url = '/api/v1/auth/login'
    const secret = 'hunter2hunter2'
    for (const payload of [
      { email: 1, password: secret },
      { email: 'a', password: [secret] },
      [secret],
      { password: { secret } },
    ]) {
      const answer = await app.inject({ method: 'POST', url, payload })
      expect(answer.statusCode).toBe(400)
      expect(answer.body).not.toContain(secret)
    }
  })
})
