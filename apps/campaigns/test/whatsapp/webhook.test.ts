import { describe, expect, it } from 'vitest'
import { inboxDrain } from '../../server/whatsapp/inbox.ts'
import { accountFor } from '../../server/whatsapp/accounts.ts'
import { ACCOUNT } from '../../simulator/account.ts'
import { sign } from '../../simulator/envelope.ts'
import { ENGINES } from '../support/engines.ts'
import { NOON, startApp, type TestApp } from '../support/app.ts'
import {
  campaignOf,
  drainInbox,
  HOUR,
  inboxOf,
  makeAccount,
  plant,
  recordingLog,
  reply,
  type Signed,
  signed,
  status,
  type TestAccount,
  wamidOf,
} from './webhook-world.ts'

const URL = '/webhooks/whatsapp'

async function post(app: TestApp, { body, signature }: Signed, url = URL): Promise<number> {
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature }
  return (await app.app.inject({ method: 'POST', url, headers, payload: body })).statusCode
}

const raw = (account: TestAccount, text: string | Buffer): Signed => {
  const body = Buffer.from(text)
  return { body, signature: sign(body, account.appSecret) }
}

describe('the webhook address', () => {
  it('answers the challenge of whoever knows a verify token, and nobody else', async () => {
    const app = await startApp()
    const { phoneNumberId } = await makeAccount(app.services)
    const ask = (token: string, challenge = '1158201444', url = URL) =>
      app.app.inject({ url, query: { 'hub.mode': 'subscribe', 'hub.verify_token': token, 'hub.challenge': challenge } })
    const right = await ask('verify-token-1')
    expect([right.statusCode, right.body, right.headers['content-type']]).toEqual([
      200,
      '1158201444',
      expect.stringMatching(/^text\/plain/),
    ])
    expect((await ask('verify-token-1', '1', `${URL}/${phoneNumberId}`)).statusCode).toBe(200)
    expect((await ask('verify-token-1', '1', `${URL}/999`)).statusCode).toBe(403)
    expect((await ask('verify-token-2')).statusCode).toBe(403)
    expect((await ask('verify-token-1', '<script>')).statusCode).toBe(400)
    expect((await app.app.inject({ url: URL })).statusCode).toBe(400)
  })

  it('takes only bodies that were signed byte for byte', async () => {
    const app = await startApp()
    const account = await makeAccount(app.services)
    const { body, signature } = signed(account, [reply(1, NOON, { content: { type: 'text', body: 'Été 🌻 déjà' } })])
    const unsigned = await app.app.inject({ method: 'POST', url: URL, payload: body })
    expect(unsigned.statusCode).toBe(401)
    for (const text of ['sha1=abc', 'sha256=', `sha256=${'g'.repeat(64)}`])
      expect(await post(app, { body, signature: text })).toBe(401)
    expect(await post(app, { body, signature: sign(body, 'another secret') })).toBe(403)
    const rewritten = Buffer.from(JSON.stringify(JSON.parse(body.toString())))
    expect(await post(app, { body: rewritten, signature })).toBe(403)
    expect(await inboxOf(app.services)).toEqual([])
    expect(await post(app, { body, signature })).toBe(200)
    expect(await inboxOf(app.services)).toMatchObject([{ kind: 'message', account_id: account.id, processed_at: null }])
    const metrics = await app.services.metrics.text()
    expect(metrics).toContain('campaigns_webhook_events_total{kind="webhook",outcome="refused"} 2')
  })

  it('answers before the work is done, which then is done once however often it was told', async () => {
    const app = await startApp({ now: () => NOON + HOUR })
    const { services } = app
    const account = await makeAccount(services)
    const { campaign } = await plant(services, { account, people: 2, from: 1 })
    const wamid = wamidOf(campaign.id, 1)
    let woken = 0
    services.jobs.listen(() => void woken++)
    const told = signed(account, [status('sent', wamid, 1, NOON), status('delivered', wamid, 1, NOON)])
    expect(await post(app, told)).toBe(200)
    expect(woken).toBe(1)
    expect((await inboxOf(services)).map(row => row.processed_at)).toEqual([null, null])
    expect(await campaignOf(services, campaign.id)).toMatchObject({ sent: 0, delivered: 0 })
    // Again, in another order and in other envelopes, before and after the work.
    const again = signed(account, [status('delivered', wamid, 1, NOON), status('sent', wamid, 1, NOON)], 'entries')
    expect(await Promise.all([post(app, told), post(app, again), post(app, told)])).toEqual([200, 200, 200])
    await drainInbox(services)
    expect(await post(app, again)).toBe(200)
    await drainInbox(services)
    expect(await inboxOf(services)).toHaveLength(2)
    expect(await campaignOf(services, campaign.id)).toMatchObject({ sent: 1, delivered: 1 })
    const metrics = await services.metrics.text()
    expect(metrics).toContain('campaigns_webhook_events_total{kind="status",outcome="repeated"} 8')
  })

  it('keeps signed bodies that are no envelope, and tells nobody to send them again', async () => {
    const app = await startApp()
    const { services } = app
    const account = await makeAccount(services)
    const odd = [
      '{"entry":[',
      '',
      'null',
      '{"a":"\\u0000\\ud800"}',
      `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    ]
    for (const text of [...odd, ...odd]) expect(await post(app, raw(account, text))).toBe(200)
    const rows = await inboxOf(services)
    expect(rows.map(row => [row.kind, row.processed_at === null])).toEqual(odd.map(() => ['other', false]))
    expect(JSON.parse(rows[0]?.payload ?? '')).toEqual({ raw: '{"entry":[', bytes: 10 })
    expect(await inboxDrain.run(services, new AbortController().signal)).toBe(0)
  })

  it('believes a secret only about its own numbers', async () => {
    const app = await startApp()
    const { services } = app
    const [one, two] = [await makeAccount(services, 1), await makeAccount(services, 2)]
    const { campaign } = await plant(services, { account: two, people: 1, from: 1 })
    const wamid = wamidOf(campaign.id, 1)
    // Signed by one, about the number of the other: right signature, nothing to say.
    expect(await post(app, signed({ ...two, appSecret: one.appSecret }, [status('read', wamid, 1, NOON)]))).toBe(200)
    expect(await inboxOf(services)).toEqual([])
    // About its own number, with a message of the other.
    expect(await post(app, signed(one, [status('read', wamid, 1, NOON)]))).toBe(200)
    await drainInbox(services)
    expect(await inboxOf(services)).toMatchObject([
      { account_id: one.id, error: expect.stringContaining('another account') },
    ])
    expect(await campaignOf(services, campaign.id)).toMatchObject({ read: 0 })
    // Addresses of one number take no other, whoever signs.
    expect(await post(app, signed(one, [reply(1, NOON)]), `${URL}/${two.phoneNumberId}`)).toBe(403)
    expect(await post(app, signed(two, [status('read', wamid, 1, NOON)]), `${URL}/${two.phoneNumberId}`)).toBe(200)
    await drainInbox(services)
    expect(await campaignOf(services, campaign.id)).toMatchObject({ read: 1 })
    // A number that nobody has configured, of an app that is known.
    expect(await post(app, signed({ ...one, phoneNumberId: '777' }, [reply(1, NOON)]))).toBe(200)
    expect(await inboxOf(services)).toHaveLength(2)
  })

  it('is not troubled by the account of the sample, which has no secret before the simulator has run', async () => {
    const { log, lines } = recordingLog('warn', 'error')
    const app = await startApp({ data: {}, log })
    const sample = await app.services.database.writer.selectFrom('wa_accounts').selectAll().executeTakeFirstOrThrow()
    expect(sample).toMatchObject({ phone_number_id: ACCOUNT.phoneNumberId, app_secret_enc: '' })
    const account = await makeAccount(app.services, 2)
    expect(await post(app, signed(account, [reply(1, NOON)]))).toBe(200)
    // An empty secret signs nothing either.
    const empty = { ...account, ...ACCOUNT, appSecret: '' }
    expect(await post(app, signed(empty, [reply(1, NOON)]), `${URL}/${ACCOUNT.phoneNumberId}`)).toBe(403)
    expect(lines).toEqual([])
    expect(await inboxOf(app.services)).toMatchObject([{ account_id: account.id }])
  })

  it('hears two numbers of one app in one envelope, and a number that was stopped', async () => {
    const app = await startApp()
    const { services } = app
    const one = await makeAccount(services, 1, 'the-secret-of-both')
    const two = await makeAccount(services, 2, 'the-secret-of-both')
    expect((await app.patch(`/api/v1/whatsapp/accounts/${two.id}`, { status: 'stopped' })).statusCode).toBe(200)
    const parts = [one, two].map((account, index) => {
      const envelope = JSON.parse(signed(account, [reply(index, NOON)]).body.toString()) as { entry: unknown[] }
      return envelope.entry
    })
    const body = raw(one, JSON.stringify({ object: 'whatsapp_business_account', entry: parts.flat() }))
    expect(await post(app, body)).toBe(200)
    expect((await inboxOf(services)).map(row => row.account_id)).toEqual([one.id, two.id])
  })
})

describe.each(ENGINES)('a webhook of three megabytes on %s', engine => {
  it('is taken whole, and a larger one is refused', async () => {
    const app = await startApp({ engine })
    const account = await makeAccount(app.services)
    const notices = Array.from({ length: 6000 }, (_, index) =>
      status('sent', `wamid.${'x'.repeat(60)}.${index}`, index, NOON),
    )
    const large = signed(account, notices)
    const pad = (length: number): Signed =>
      raw(account, `${large.body.toString().slice(0, -1)}${' '.repeat(length - large.body.length)}}`)
    expect(large.body.length).toBeGreaterThan(2_000_000)
    expect(await post(app, pad(3 * 1024 * 1024))).toBe(200)
    expect(await post(app, large)).toBe(200)
    expect(await inboxOf(app.services)).toHaveLength(6000)
    expect(await post(app, pad(5 * 1024 * 1024))).toBe(413)
  })
})

describe('accounts', () => {
  const NEW = {
    name: 'Main',
    phone_number_id: '123',
    waba_id: '456',
    display_phone: '+33 6 12 34 56 78',
    token: 'EAAtoken-of-the-account',
    app_secret: '0123456789abcdef',
    verify_token: 'a-verify-token',
  }
  const ACCOUNTS = '/api/v1/whatsapp/accounts'

  it('take secrets and never give them back', async () => {
    const app = await startApp()
    const created = await app.post(ACCOUNTS, NEW)
    expect(created.statusCode).toBe(201)
    const { id } = created.json<{ id: string }>()
    const changed = await app.patch(`${ACCOUNTS}/${id}`, { name: 'Renamed', token: 'EAAanother-token-of-it' })
    expect(changed.json()).toMatchObject({ name: 'Renamed', base_url: 'https://graph.facebook.com' })
    const list = await app.get(ACCOUNTS)
    expect(list.json()).toMatchObject({ items: [{ id, name: 'Renamed' }] })
    const history = await app.services.database.writer.selectFrom('admin_history').selectAll().execute()
    const rows = await app.services.database.writer.selectFrom('wa_accounts').selectAll().execute()
    const shown = [created.body, changed.body, list.body, JSON.stringify(history), JSON.stringify(rows)].join('\n')
    for (const secret of ['EAAtoken', 'EAAanother', NEW.app_secret, NEW.verify_token])
      expect(shown).not.toContain(secret)
    expect(list.body).not.toMatch(/token|secret/)
    expect(history.filter(row => row.entity === 'account').map(row => row.action)).toEqual(['create', 'update'])
    expect(await accountFor(app.services, id)).toEqual({
      phoneNumberId: '123',
      wabaId: '456',
      token: 'EAAanother-token-of-it',
      graphVersion: 'v23.0',
      baseUrl: 'https://graph.facebook.com',
    })
    await app.patch(`${ACCOUNTS}/${id}`, { status: 'stopped' })
    await expect(accountFor(app.services, id)).rejects.toThrow('stopped')
    await expect(accountFor(app.services, 'none')).rejects.toThrow('no account')
    expect((await app.patch(`${ACCOUNTS}/none`, { name: 'x' })).statusCode).toBe(404)
    const manager = await app.as('manager')
    const agent = await app.as('agent')
    expect((await manager.get(ACCOUNTS)).statusCode).toBe(200)
    expect((await manager.post(ACCOUNTS, { ...NEW, phone_number_id: '9' })).statusCode).toBe(403)
    expect((await agent.get(ACCOUNTS)).statusCode).toBe(403)
  })

  it('send their token nowhere but where it was meant to go', async () => {
    const app = await startApp()
    const add = (fields: object) => app.post(ACCOUNTS, { ...NEW, ...fields })
    const inside = [
      'http://graph.facebook.com',
      'https://127.0.0.1',
      'https://169.254.169.254',
      'https://[::1]',
      'https://localhost',
    ]
    const odd = [
      'https://db.internal',
      'https://host',
      'https://a.local',
      'https://me@graph.facebook.com',
      'https://graph.facebook.com/x',
    ]
    const more = [
      'https://graph.facebook.com:8443',
      'https://2130706433',
      'https://0x7f.1',
      'file:///etc/passwd',
      'https://x.example.',
      'no',
    ]
    for (const base_url of [...inside, ...odd, ...more]) {
      const answer = await add({ base_url })
      expect([base_url, answer.statusCode]).toEqual([base_url, 400])
      expect(answer.json()).toMatchObject({ errors: [{ field: 'body.base_url' }] })
    }
    expect((await add({ provider: 'simulator', base_url: 'https://graph.facebook.com' })).statusCode).toBe(400)
    const local = await add({ provider: 'simulator', base_url: 'http://127.0.0.1:4010' })
    expect(local.statusCode).toBe(201)
    expect((await add({})).statusCode).toBe(409)
    const { id } = (await add({ phone_number_id: '124' })).json<{ id: string }>()
    const moved = { base_url: 'https://waba.example.com' }
    const refused = await app.patch(`${ACCOUNTS}/${id}`, moved)
    expect(refused.json()).toMatchObject({ status: 400, errors: [{ field: 'body.token' }] })
    expect((await app.patch(`${ACCOUNTS}/${id}`, { ...moved, token: 'EAAfor-the-new-one' })).statusCode).toBe(200)
    for (const wrong of [
      { phone_number_id: 'x' },
      { token: 'with space in it' },
      { graph_version: '23' },
      { id: 'mine' },
    ])
      expect((await add({ phone_number_id: '125', ...wrong })).statusCode).toBe(400)
  })

  it('are kept by the cache without their secrets, and changed there at once', async () => {
    const app = await startApp()
    const { id } = (await app.post(ACCOUNTS, NEW)).json<{ id: string }>()
    const answers = [await app.get(ACCOUNTS), await app.get(ACCOUNTS)]
    await app.patch(`${ACCOUNTS}/${id}`, { mps_limit: 250 })
    answers.push(await app.get(ACCOUNTS))
    expect(answers.map(answer => answer.headers['x-cache'])).toEqual(['MISS', 'HIT', 'MISS'])
    expect(answers.map(answer => answer.json<{ items: { mps_limit: number }[] }>().items[0]?.mps_limit)).toEqual([
      80, 80, 250,
    ])
  })
})
