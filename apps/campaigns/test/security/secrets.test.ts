import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { LightMyRequestResponse } from 'fastify'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createWorker } from '../../server/jobs/worker.ts'
import { createLog } from '../../server/log.ts'
import { createCloudApi } from '../../server/whatsapp/cloud-api.ts'
import { openSite } from '../access/site.ts'
import { addPerson, comeIn, createVisitor, PASSWORD } from '../access/visitor.ts'
import { ENGINES } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

function recorder(): { readonly log: ReturnType<typeof createLog>; text(): string } {
  let text = ''
  const destination = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  return { log: createLog('trace', destination), text: () => text }
}

const ACCOUNT = {
  name: 'Meta',
  phone_number_id: '100000000000001',
  waba_id: '200000000000001',
  display_phone: '33612345678',
  token: 'EAA-the-token-of-the-account-7f3a',
  app_secret: 'the-secret-of-the-app-91c2',
  verify_token: 'the-verify-token-55e0',
}

/** The link in the mail that lies in the outbox. */
function mailedToken(directory: string): string {
  const outbox = join(directory, 'data', 'outbox')
  const mails = readdirSync(outbox).map(name => readFileSync(join(outbox, name), 'utf8').replaceAll(/=\r\n/g, ''))
  const token = mails.map(mail => /#token(?:=3D|=)([\w-]+)/.exec(mail)?.[1]).find(found => found !== undefined)
  expect(token).toBeDefined()
  return token ?? ''
}

describe.each(ENGINES)('on %s', engine => {
  test('no secret is in a log, an answer, the history, a job or the metrics, whatever goes wrong', async () => {
    const { log, text } = recorder()
    const directory = freshDirectory()
    const whatsapp = createCloudApi({ fetch: () => Promise.reject(new Error(`refused ${ACCOUNT.token}`)) })
    const { app, services } = await openSite({ engine, directory, log, whatsapp })
    const answers: LightMyRequestResponse[] = []
    const admin = await comeIn(app, services, 'admin')
    const visitor = createVisitor(app)
    const keep = async (answer: Promise<LightMyRequestResponse>): Promise<LightMyRequestResponse> => {
      answers.push(await answer)
      return await answer
    }
    const created = 'a first long pass-phrase, 1'
    const changed = 'a second long pass-phrase, 2'
    const wrong = 'a wrong long pass-phrase, 3'
    const user = { email: 'reader@example.org', name: 'Reader', role: 'agent', password: created }
    await keep(admin.post('/api/v1/users', user))
    await keep(admin.post('/api/v1/users', user))
    await keep(admin.post('/api/v1/users', { ...user, password: [created] }))
    await keep(admin.post('/api/v1/users', { ...user, passwords: created }))
    await keep(admin.post('/api/v1/users', { ...user, password: `${created}\0` }))
    await keep(visitor.post('/api/v1/auth/login', { email: user.email, password: wrong }))
    await keep(visitor.post('/api/v1/auth/login', { email: user.email, Password: wrong }))
    await keep(visitor.post('/api/v1/auth/password/forgot', { email: user.email }))
    const worker = createWorker(services)
    await expect
      .poll(async () => (await services.database.writer.selectFrom('emails').select('id').execute()).length)
      .toBe(1)
    await worker.runUntilIdle()
    const reset = mailedToken(directory)
    await keep(visitor.post('/api/v1/auth/password/reset', { token: reset, password: 'short' }))
    await keep(visitor.post('/api/v1/auth/password/reset', { token: reset, password: changed }))
    await keep(visitor.post('/api/v1/auth/password/reset', { token: reset, password: changed }))

    const { key } = (await admin.post('/api/v1/api-keys', { name: 'robot', scopes: ['contacts:read'] })).json<{
      key: string
    }>()
    const bearer = { authorization: `Bearer ${key}` }
    await keep(app.inject({ url: '/api/v1/contacts', headers: bearer }))
    await keep(app.inject({ url: '/api/v1/users', headers: bearer }))
    await keep(app.inject({ url: '/api/v1/users', headers: { authorization: `Bearer ${key}x` } }))
    await keep(admin.get('/api/v1/api-keys'))

    const account = await keep(admin.post('/api/v1/whatsapp/accounts', ACCOUNT))
    await keep(admin.post('/api/v1/whatsapp/accounts', ACCOUNT))
    for (const name of ['token', 'app_secret', 'verify_token'] as const) {
      await keep(admin.post('/api/v1/whatsapp/accounts', { ...ACCOUNT, [name]: `${ACCOUNT[name]} with a space` }))
      await keep(admin.post('/api/v1/whatsapp/accounts', { ...ACCOUNT, [`${name}s`]: ACCOUNT[name] }))
      await keep(admin.post('/api/v1/whatsapp/accounts', { ...ACCOUNT, [name]: [ACCOUNT[name]] }))
    }
    await keep(
      admin.patch(`/api/v1/whatsapp/accounts/${account.json<{ id: string }>().id}`, {
        token: ACCOUNT.token,
        name: 'New',
      }),
    )
    await keep(admin.get('/api/v1/whatsapp/accounts'))
    const hub = new URLSearchParams({
      'hub.mode': 'subscribe',
      'hub.verify_token': ACCOUNT.verify_token,
      'hub.challenge': '<',
    })
    await keep(app.inject({ url: `/webhooks/whatsapp?${hub.toString()}` }))
    const signed = { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }
    await keep(app.inject({ method: 'POST', url: '/webhooks/whatsapp', headers: signed, payload: '{}' }))
    await keep(admin.post('/api/v1/templates/sync'))
    await worker.runUntilIdle()
    for (const url of ['jobs', 'admin/history?limit=200', 'settings', 'users']) await keep(admin.get(`/api/v1/${url}`))
    for (const url of ['/metrics', '/openapi.json', '/readyz']) await keep(admin.get(url))

    // A row that the database refuses: drivers tell all of it with the error.
    const hash = (await services.database.writer.selectFrom('users').select('password_hash').execute()).map(
      row => row.password_hash,
    )
    const people = services.database.writer.schema.alterTable('users')
    if (engine === 'sqlite') await people.dropColumn('updated_at').execute()
    else await people.addCheckConstraint('refused', sql`name <> 'Refused'`).execute()
    await keep(admin.post('/api/v1/users', { ...user, name: 'Refused', email: 'second@example.org' }))
    expect(answers.at(-1)?.statusCode).toBe(500)
    await worker.close()
    await services.caching.settle()

    const said = [
      text(),
      ...answers.map(({ body, headers }) => `${body}\n${JSON.stringify({ ...headers, 'set-cookie': '' })}`),
    ]
    const secrets = { created, changed, wrong, PASSWORD, reset, key, ...ACCOUNT, session: services.secrets.sessionKey }
    const { name: _name, phone_number_id: _number, waba_id: _waba, display_phone: _phone, ...hidden } = secrets
    for (const [name, secret] of Object.entries(hidden)) {
      const where = said
        .filter(line => line.includes(secret))
        .map(line => line.slice(Math.max(0, line.indexOf(secret) - 200), line.indexOf(secret)))
      expect({ name, where }).toEqual({ name, where: [] })
    }
    for (const secret of [
      ...hash,
      '$argon2id$',
      services.secrets.tickToken,
      admin.cookie?.split('=')[1] ?? '?',
      admin.token ?? '?',
    ]) {
      const own = said.filter(line => line.includes(secret) && !line.includes('"csrf_token"'))
      expect(own.map(line => line.slice(Math.max(0, line.indexOf(secret) - 300), line.indexOf(secret) + 20))).toEqual(
        [],
      )
    }
    expect(text()).toContain('request failed')
    expect(text().length).toBeGreaterThan(1000)
  })
})

test('the token of an account goes to its own address only: no redirect is followed, and no address of our network is taken', async () => {
  const seen: { readonly url: string | undefined; readonly auth: string | undefined }[] = []
  const elsewhere = createServer((request, response) => {
    seen.push({ url: request.url, auth: request.headers.authorization })
    response.end('{}')
  })
  await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve))
  const target = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  const front = createServer((_request, response) => {
    response.writeHead(307, { location: `${target}/taken` }).end()
  })
  await new Promise<void>(resolve => front.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    elsewhere.close()
    front.close()
  })
  const baseUrl = `http://127.0.0.1:${(front.address() as AddressInfo).port}`
  const account = { phoneNumberId: '1', wabaId: '2', token: ACCOUNT.token, graphVersion: 'v23.0', baseUrl }
  const cloud = createCloudApi()
  const sent = await cloud.send(account, {
    to: { phone: '33612345678' },
    content: { type: 'text', body: 'x' },
    messageId: 'm.1',
  })
  expect(sent).toMatchObject({ outcome: 'refused' })
  await expect(cloud.templates(account)).rejects.toThrow()
  expect(seen).toEqual([])

  const { app, services } = await openSite()
  const admin = await comeIn(app, services, 'admin')
  await addPerson(services, 'agent')
  const inner = [
    'http://graph.facebook.com',
    target,
    'https://127.0.0.1',
    'https://[::1]',
    'https://2130706433',
    'https://0x7f.1',
  ]
  const more = [
    'https://localhost',
    'https://10.0.0.1',
    'https://169.254.169.254',
    'https://metadata.internal',
    'https://x.local',
  ]
  const odd = [
    'https://graph.facebook.com:22',
    'https://u:p@graph.facebook.com',
    'https://graph.facebook.com/x?y',
    'file:///etc',
    'gopher://x.com',
  ]
  for (const base_url of [...inner, ...more, ...odd, 'https://graph.facebook.com.', 'https://graph.facebook.com#@x']) {
    const answer = await admin.post('/api/v1/whatsapp/accounts', { ...ACCOUNT, base_url })
    expect([base_url, answer.statusCode]).toEqual([base_url, 400])
  }
  const body = { title: 'Pictures', body: `![a](${target}/picture.png)` }
  const page = (await admin.post('/api/v1/content', body)).json<{ id: string; slug: string }>()
  await admin.post(`/api/v1/content/${page.id}/publish`)
  expect((await app.inject({ url: `/p/${page.slug}` })).statusCode).toBe(200)
  expect(seen).toEqual([])
})
