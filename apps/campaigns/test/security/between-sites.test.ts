import { randomToken } from '../../server/secrets.ts'
import { expect, test } from 'vitest'
import { openSite } from '../access/site.ts'
import { comeIn, createVisitor, PASSWORD } from '../access/visitor.ts'
import { operationsOf } from './described-api.ts'

const ME = '/api/v1/auth/me'

test('a session of one database is nobody on another with the same secret, and a cookie that was touched is nobody', async () => {
  const secret = randomToken()
  const [here, there] = [await openSite({ secret }), await openSite({ secret })]
  const visitor = await comeIn(here.app, here.services, 'admin')
  const cookie = visitor.cookie ?? ''
  const asked = (site: typeof here, sent: string) => site.app.inject({ url: ME, headers: { cookie: sent } })
  expect((await asked(here, cookie)).statusCode).toBe(200)
  // The same person, even: what is shared is the secret, not who is logged in.
  const { id, email } = visitor
  const row = await here.services.database.writer
    .selectFrom('users')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  await there.services.database.writer.insertInto('users').values(row).execute()
  expect((await asked(there, cookie)).statusCode).toBe(401)
  expect((await createVisitor(there.app).login(email, PASSWORD)).statusCode).toBe(200)

  const [name, value = ''] = cookie.split('=')
  const flipped = value.replace(/.$/, last => (last === 'A' ? 'B' : 'A'))
  const unsigned = decodeURIComponent(value).split('.')[0] ?? ''
  for (const touched of [
    flipped,
    unsigned,
    `${unsigned}.`,
    value.toUpperCase(),
    '',
    '..',
    '%00',
    'x'.repeat(4000),
    '__proto__',
    '../../etc/passwd',
  ]) {
    const answer = await asked(here, `${name}=${touched}`)
    expect([touched.slice(0, 20), answer.statusCode]).toEqual([touched.slice(0, 20), 401])
  }
})

test('an ended session is ended in another process at once, and its token opens nothing', async () => {
  const here = await openSite({ shared: true })
  const there = await here.sibling()
  const visitor = await comeIn(here.app, here.services, 'manager')
  const { cookie = '', token = '' } = visitor
  const headers = { cookie, 'x-csrf-token': token }
  expect((await there.app.inject({ url: ME, headers })).statusCode).toBe(200)
  expect((await visitor.post('/api/v1/auth/logout')).statusCode).toBe(204)
  expect((await there.app.inject({ url: ME, headers })).statusCode).toBe(401)
  const write = { method: 'PATCH', url: ME, headers, payload: { name: 'Ghost' } } as const
  expect((await there.app.inject(write)).statusCode).toBe(401)
})

test('cookies go by https only where the site is on https, and never to scripts', async () => {
  const site = await openSite({ publicUrl: 'https://team.example.org', trustProxy: true })
  const plain = await openSite()
  const flagsOf = async ({ app, services }: typeof site, headers: Record<string, string>) => {
    const visitor = createVisitor(app)
    const { email } = await comeIn(app, services, 'agent').catch(() => ({ email: '' }))
    const payload = { email, password: PASSWORD }
    const answer = await visitor.send({ method: 'POST', url: '/api/v1/auth/login', payload, headers })
    return { status: answer.statusCode, set: String(answer.headers['set-cookie'] ?? '') }
  }
  const secure = await flagsOf(site, { 'x-forwarded-proto': 'https' })
  expect(secure.status).toBe(200)
  expect(secure.set).toMatch(/^__Host-session=.*; Path=\/; .*HttpOnly; Secure; SameSite=Lax/)
  expect(secure.set).not.toContain('Domain')
  expect(await flagsOf(site, { 'x-forwarded-proto': 'http' })).toEqual({ status: 403, set: '' })
  const open = await flagsOf(plain, { 'x-forwarded-proto': 'https' })
  expect(open.set).toMatch(/^session=.*HttpOnly; SameSite=Lax/)
  expect(open.set).not.toContain('Secure')
})

const PUBLIC = /^\/(?:p|media|docs|healthz|readyz|openapi|webhooks|page|words|favicon)|\/pages\//

test('no answer to somebody is kept for anybody else, by caches or by ours', async () => {
  const { app, services } = await openSite()
  const admin = await comeIn(app, services, 'admin')
  const agent = await comeIn(app, services, 'agent')
  const reads = (await operationsOf(app)).filter(({ method, path }) => method === 'GET' && !path.includes('events'))
  const wrong: string[] = []
  for (const { path } of reads) {
    const url = path.replaceAll(/\{\w+\}/g, 'none')
    for (const [who, send] of [
      ['admin', admin.send],
      ['agent', agent.send],
      ['nobody', app.inject.bind(app)],
    ] as const) {
      const { statusCode, headers } = await send({ url })
      const control = String(headers['cache-control'])
      if (statusCode === 200 && !PUBLIC.test(path) && !/no-store|private/.test(control))
        wrong.push(`${path} to ${who}: ${control}`)
      if (who === 'nobody' && !PUBLIC.test(path) && statusCode !== 401 && statusCode !== 404)
        wrong.push(`${path} to nobody: ${statusCode}`)
      if (headers['x-content-type-options'] !== 'nosniff')
        wrong.push(`${path}: ${String(headers['x-content-type-options'])}`)
      if (headers['content-security-policy'] === undefined) wrong.push(`${path}: no policy`)
    }
  }
  expect(wrong).toEqual([])
})

test('what the operator alone may see or start asks for it, and what is public tells nothing of people', async () => {
  const { app, services } = await openSite()
  const agent = await comeIn(app, services, 'agent')
  const manager = await comeIn(app, services, 'manager')
  const tick = (headers: Record<string, string>) =>
    app.inject({ method: 'POST', url: '/internal/tick?seconds=1', headers })
  for (const headers of [
    {},
    { authorization: 'Bearer x' },
    { cookie: manager.cookie ?? '' },
    { authorization: 'Bearer ' },
  ]) {
    expect((await tick(headers)).statusCode).toBe(401)
  }
  expect((await app.inject({ method: 'POST', url: '/internal/tick?seconds=x' })).statusCode).toBe(401)
  expect((await agent.get('/metrics')).statusCode).toBe(403)
  const metrics = await manager.get('/metrics')
  expect(metrics.statusCode).toBe(200)
  for (const secret of [agent.id, agent.email, manager.id, services.database.location])
    expect(metrics.body).not.toContain(secret)
  expect((await app.inject({ url: '/events' })).statusCode).toBe(401)
  for (const url of ['/openapi.json', '/docs/', '/docs/json', '/healthz', '/readyz']) {
    const { statusCode, body } = await app.inject({ url })
    expect([url, statusCode]).toEqual([url, 200])
    for (const text of [services.database.location, services.secrets.tickToken, agent.email])
      expect(body).not.toContain(text)
  }
  // Names that make no address, and paths that mean to leave, are the caller's mistake or nothing at all.
  for (const host of ['a b', '[', 'x:y:z', '%zz', '../..']) {
    const answer = await manager.send({ url: '/api/cache/health', headers: { host } })
    expect([host, answer.statusCode]).toEqual([host, 200])
  }
  expect((await manager.get('/api/cache/..%2f..%2fusers')).statusCode).toBe(404)
})
