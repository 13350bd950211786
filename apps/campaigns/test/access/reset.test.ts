import { Writable } from 'node:stream'
import { describe, expect, test, vi } from 'vitest'
import { createLog } from '../../server/log.ts'
import { mailDrain } from '../../server/mail/outbox.ts'
import type { Letter } from '../../server/mail/mailer.ts'
import { hashToken } from '../../server/secrets.ts'
import type { Services } from '../../server/services.ts'
import { NOON } from '../support/app.ts'
import { openSite, type Site } from './site.ts'
import { addPerson, comeIn, createVisitor, PASSWORD } from './visitor.ts'

const FORGOT = '/api/v1/auth/password/forgot'
const RESET = '/api/v1/auth/password/reset'
const CHOSEN = 'a staple that nobody knows'

/** The mail that waits, as it would be sent. */
async function waiting({ database, secrets }: Services): Promise<Letter[]> {
  const rows = await database.writer
    .selectFrom('emails')
    .selectAll()
    .where('status', '=', 'queued')
    .orderBy('id')
    .execute()
  return rows.map(({ recipient, subject, body }) => ({ to: recipient, subject, body: secrets.decrypt(body) }))
}

async function tokenFor({ app, services }: Site, email: string): Promise<string> {
  const before = (await waiting(services)).length
  expect((await app.inject({ method: 'POST', url: FORGOT, payload: { email } })).statusCode).toBe(202)
  await vi.waitFor(async () => expect(await waiting(services)).toHaveLength(before + 1))
  const letter = (await waiting(services)).at(-1)
  return /#token=([\w-]+)/.exec(letter?.body ?? '')?.[1] ?? ''
}

const reset = ({ app }: Site, token: string, password = CHOSEN) =>
  app.inject({ method: 'POST', url: RESET, payload: { token, password } })

describe('a lost password', () => {
  test('is replaced by a link that works once, and all sessions end', async () => {
    const site = await openSite({ publicUrl: 'http://campaigns.example.org/' })
    const { app, services } = site
    const visitor = await comeIn(app, services, 'agent')
    const token = await tokenFor(site, visitor.email.toUpperCase())
    const [letter] = await waiting(services)
    expect(letter).toMatchObject({ to: visitor.email, subject: 'Your new password' })
    expect(letter?.body).toContain(`http://campaigns.example.org/app/reset#token=${token}`)
    const tables = [
      await services.database.writer.selectFrom('password_resets').selectAll().execute(),
      await services.database.writer.selectFrom('emails').selectAll().execute(),
      await services.database.writer.selectFrom('admin_history').selectAll().execute(),
    ]
    expect(JSON.stringify(tables)).not.toContain(token)
    expect(JSON.stringify(tables)).toContain(hashToken(token))
    const weak = await reset(site, token, 'password1234')
    expect([weak.statusCode, weak.json().errors[0].field]).toEqual([400, 'body.password'])
    expect((await reset(site, token)).statusCode).toBe(204)
    expect((await visitor.get('/api/v1/auth/me')).statusCode).toBe(401)
    expect((await createVisitor(app).login(visitor.email, PASSWORD)).statusCode).toBe(401)
    expect((await createVisitor(app).login(visitor.email, CHOSEN)).statusCode).toBe(200)
    const again = await reset(site, token, 'yet another staple')
    expect([again.statusCode, again.json().errors[0].field]).toEqual([400, 'body.token'])
    expect(again.body).not.toContain(token)
    expect((await waiting(services)).map(({ subject }) => subject)).toEqual([
      'Your new password',
      'Your password was changed',
    ])
  })

  test('of those who use one link at once only one gets in, guesses of others or not, and an older link is worth nothing then', async () => {
    const site = await openSite({ rates: { account: { limit: 2, window: 900_000 } } })
    const { email } = await addPerson(site.services, 'agent')
    for (const status of [401, 401, 429]) {
      expect((await createVisitor(site.app).login(email, 'a guess of somebody')).statusCode).toBe(status)
    }
    const older = await tokenFor(site, email)
    const token = await tokenFor(site, email)
    const chosen = ['first staple of them', 'second staple of them', 'third staple of them']
    const answers = await Promise.all(chosen.map(password => reset(site, token, password)))
    expect(answers.map(({ statusCode }) => statusCode).sort((a, b) => a - b)).toEqual([204, 400, 400])
    const winner = chosen[answers.findIndex(({ statusCode }) => statusCode === 204)] ?? ''
    expect((await createVisitor(site.app).login(email, winner)).statusCode).toBe(200)
    expect((await reset(site, older)).statusCode).toBe(400)
  })

  test('cannot be replaced after an hour, by a guess, for who is disabled, or after the password was changed', async () => {
    let now = NOON
    const site = await openSite({ now: () => now })
    const { app, services } = site
    const admin = await comeIn(app, services, 'admin')
    const visitor = await comeIn(app, services, 'agent')
    const late = await tokenFor(site, visitor.email)
    now += 3_600_000
    expect((await reset(site, late)).statusCode).toBe(400)
    const token = await tokenFor(site, visitor.email)
    for (const guess of [token.slice(0, -1), `${token}A`, hashToken(token), '%', "' or 1=1 --"]) {
      expect((await reset(site, guess)).statusCode).toBe(400)
    }
    await admin.patch(`/api/v1/users/${visitor.id}`, { status: 'disabled' })
    expect((await reset(site, token)).statusCode).toBe(400)
    await admin.patch(`/api/v1/users/${visitor.id}`, { status: 'active' })
    const back = createVisitor(app)
    await back.login(visitor.email, PASSWORD)
    const body = { current_password: PASSWORD, new_password: 'a new one with a staple' }
    expect((await back.post('/api/v1/auth/password', body)).statusCode).toBe(200)
    expect((await reset(site, token)).statusCode).toBe(400)
  })

  test('is answered the same for an address nobody has, which gets no mail, and not too often', async () => {
    const site = await openSite({ rates: { forgot: { limit: 2, window: 900_000 } } })
    const { app, services } = site
    const { email } = await addPerson(services, 'agent')
    await tokenFor(site, email)
    const answers = []
    for (const to of ['nobody@example.org', 'nobody@example.org', 'Nobody@Example.org ', email, email]) {
      answers.push((await app.inject({ method: 'POST', url: FORGOT, payload: { email: to } })).statusCode)
    }
    expect(answers).toEqual([202, 202, 429, 202, 429])
    await vi.waitFor(async () => expect(await waiting(services)).toHaveLength(2))
    expect((await waiting(services)).map(({ to }) => to)).toEqual([email, email])
  })
})

test('no password, token or key is in a log, in the history, or in a table after the mail has gone', async () => {
  const lines: string[] = []
  const destination = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) })
  const site = await openSite({ log: createLog('trace', destination) })
  const { app, services } = site
  const visitor = await comeIn(app, services, 'admin')
  const { key } = (await visitor.post('/api/v1/api-keys', { name: 'k', scopes: ['users:read'] })).json()
  await app.inject({ url: '/api/v1/users', headers: { authorization: `Bearer ${key}` } })
  await app.inject({ url: '/api/v1/users', headers: { authorization: `Bearer ${key}x` } })
  await createVisitor(app).login(visitor.email, 'a wrong staple of mine')
  const token = await tokenFor(site, visitor.email)
  await reset(site, token)
  while ((await mailDrain.run(services, new AbortController().signal)) > 0);
  await services.database.writer.schema.dropTable('password_resets').execute()
  expect((await reset(site, token)).statusCode).toBe(500)
  const tables = ['users', 'api_keys', 'admin_history', 'emails', 'jobs'] as const
  const rows = await Promise.all(tables.map(table => services.database.writer.selectFrom(table).selectAll().execute()))
  const everything = `${lines.join('')}${JSON.stringify(rows)}`
  const cookie = visitor.cookie?.split('=')[1]?.split('.')[0] ?? ''
  expect(lines.join('')).not.toBe('')
  for (const secret of [PASSWORD, CHOSEN, 'a wrong staple of mine', key, token, cookie, visitor.token ?? '']) {
    expect(secret.length).toBeGreaterThan(8)
    expect(everything).not.toContain(secret)
  }
})
