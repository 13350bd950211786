import { expect, it } from 'vitest'
import { base, offer, startBench, textTo } from './simulator-target.ts'

const PHONE = '+33600000001'

it('accepts a template, a text, buttons and media as the Cloud API does', async () => {
  const { simulator, post, target } = await startBench()
  const template = await post(offer(PHONE, { biz_opaque_callback_data: 'm-1' }))
  expect(template.status).toBe(200)
  expect(template.body).toMatchObject({
    messaging_product: 'whatsapp',
    contacts: [{ input: PHONE, wa_id: '33600000001', user_id: expect.stringMatching(/^FR\.\d+$/) as string }],
    messages: [{ id: expect.stringMatching(/^wamid\./) as string, message_status: 'accepted' }],
  })
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Oui' } })
  await simulator.settle()
  const reply = { type: 'reply', reply: { id: 'a', title: 'Oui' } }
  const interactive = { type: 'button', body: { text: 'On continue ?' }, action: { buttons: [reply] } }
  const others = [
    textTo('33600000001'),
    { ...base, to: PHONE, type: 'interactive', interactive },
    { ...base, to: PHONE, type: 'image', image: { id: '1' } },
    { ...base, to: PHONE, type: 'document', document: { link: 'https://example.org/a.pdf' } },
    { ...base, to: PHONE, type: 'reaction', reaction: { message_id: 'wamid.x', emoji: '👍' } },
    { ...base, to: PHONE, type: 'location', location: { latitude: 1, longitude: 2 } },
    { ...base, to: PHONE, type: 'contacts', contacts: [{ name: { formatted_name: 'A' } }] },
  ]
  for (const body of others) expect((await post(body)).body).toHaveProperty('messages')
  await simulator.settle()
  expect(target.statuses().filter(({ status }) => status === 'failed')).toEqual([])
  expect(simulator.sent().map(({ type }) => type)).toEqual([
    'template',
    'text',
    'interactive',
    'media',
    'media',
    'reaction',
    'location',
    'contacts',
  ])
  expect(simulator.sent()[0]).toMatchObject({ template: 'spring_offer', callbackData: 'm-1', wamid: template.wamid })
  expect(simulator.state()).toMatchObject({ accepted: 8, refused: 0, pending: 0 })
})

const button = (id: string, title = 'Oui'): object => ({ type: 'reply', reply: { id, title } })
const buttons = (list: readonly object[], text = 'Suite ?'): object => ({
  ...base,
  to: PHONE,
  type: 'interactive',
  interactive: { type: 'button', body: { text }, action: { buttons: list } },
})
const template = (
  name: string,
  language = 'fr',
  parameters: readonly object[] = [{ type: 'text', text: 'x' }],
): object => ({
  ...base,
  to: PHONE,
  type: 'template',
  template: { name, language: { code: language }, components: [{ type: 'body', parameters }] },
})

it.each([
  ['no product', { to: PHONE, type: 'text', text: { body: 'a' } }, 100],
  ['no recipient', { ...base, type: 'text', text: { body: 'a' } }, 100],
  ['a phone that is none', textTo('hello'), 131009],
  ['a user id that is none', { ...base, recipient: 'FR', type: 'text', text: { body: 'a' } }, 131009],
  ['an unknown type', { ...base, to: PHONE, type: 'hologram' }, 100],
  ['no text', { ...base, to: PHONE, type: 'text', text: {} }, 131008],
  ['a text too long', textTo(PHONE, 'x'.repeat(4097)), 131009],
  ['no buttons', buttons([]), 131009],
  ['four buttons', buttons(['a', 'b', 'c', 'd'].map(id => button(id))), 131009],
  ['buttons of one id', buttons([button('a'), button('a')]), 131009],
  ['a title too long', buttons([button('a', 'x'.repeat(21))]), 131009],
  ['a body too long for buttons', buttons([button('a')], 'x'.repeat(1025)), 131009],
  ['media without a source', { ...base, to: PHONE, type: 'image', image: {} }, 131008],
  ['callback data too long', { ...offer(PHONE), biz_opaque_callback_data: 'é'.repeat(257) }, 131009],
  ['an unknown template', template('nothing'), 132001],
  ['a language it has not', template('reminder', 'de'), 132001],
  ['a template not approved yet', template('autumn_news'), 132001],
  ['a paused template', template('winter_sale'), 132015],
  ['a disabled template', template('old_offer'), 132016],
  ['too few parameters', template('spring_offer'), 132000],
  ['a message to itself', textTo('33612345678'), 131021],
  ['JSON cut short', '{"messaging_product":', 100],
])('refuses %s in the form of Meta, and forgets it', async (_what, body, code) => {
  const { simulator, post } = await startBench()
  const answer = await post(body)
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.body).toMatchObject({
    error: {
      code,
      type: 'OAuthException',
      message: expect.stringContaining(`(#${code})`) as string,
      fbtrace_id: expect.any(String) as string,
    },
  })
  expect(simulator.sent()).toEqual([])
  expect(simulator.state().pending).toBe(0)
})

it('asks for the token, the version and the id of the number', async () => {
  const { simulator, post } = await startBench()
  const wrong: readonly Record<string, string>[] = [{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic x' }]
  for (const headers of wrong) {
    const answer = await post(offer(PHONE), headers)
    expect([answer.status, answer.code]).toEqual([401, 190])
  }
  const { token, phoneNumberId } = simulator.account
  for (const path of ['v23.0/999/messages', `latest/${phoneNumberId}/messages`]) {
    const response = await fetch(`${simulator.url}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(offer(PHONE)),
    })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 100 } })
  }
})

it('lets `to` win over `recipient`, and never tells the phone of a user id', async () => {
  const { simulator, post, target } = await startBench()
  const both = await post({ ...offer(PHONE), recipient: 'FR.123' })
  expect(both.body).toMatchObject({ contacts: [{ input: PHONE, wa_id: '33600000001' }] })
  const id = await post(offer('FR.13491208655302741918'))
  expect(id.body).toMatchObject({ contacts: [{ user_id: 'FR.13491208655302741918' }] })
  await simulator.settle()
  const ofId = target.statuses().filter(item => item.id === id.wamid)
  expect(ofId).toHaveLength(3)
  for (const status of ofId) {
    expect(status).toMatchObject({ recipient_user_id: 'FR.13491208655302741918' })
    expect(status).not.toHaveProperty('recipient_id')
  }
})

it('throttles by rule and by pace, and says how long', async () => {
  const { simulator, post } = await startBench({
    perSecond: 2,
    rules: [{ match: { phone: PHONE }, times: 1, outcome: { throttle: { retryAfter: 7 } } }],
  })
  const first = await post(offer(PHONE))
  expect([first.status, first.code, first.headers.get('retry-after')]).toEqual([429, 130429, '7'])
  expect((await post(offer(PHONE))).status).toBe(200)
  expect((await post(offer('+33600000002'))).status).toBe(200)
  expect((await post(offer('+33600000003'))).code).toBe(130429)
  simulator.clock.advance(1000)
  expect((await post(offer('+33600000003'))).status).toBe(200)
})

it('keeps the 24-hour window: a free message outside it fails later, with 131047', async () => {
  const { simulator, post, target } = await startBench()
  const closed = await post(textTo(PHONE))
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Bonjour' } })
  await simulator.settle()
  const open = await post(textTo(PHONE))
  simulator.clock.advance(24 * 3_600_000)
  const late = await post(textTo(PHONE))
  await simulator.settle()
  const of = (wamid: string): unknown[] =>
    target.statuses().flatMap(item => (item.id === wamid ? [item['status']] : []))
  expect(of(closed.wamid)).toEqual(['failed'])
  expect(of(open.wamid)).toEqual(['sent', 'delivered', 'read'])
  expect(of(late.wamid)).toEqual(['failed'])
  expect(target.statuses().find(item => item.id === late.wamid)?.['errors']).toMatchObject([{ code: 131047 }])
})

it('gives the templates in pages that link to each other', async () => {
  const { simulator } = await startBench()
  const { wabaId, token } = simulator.account
  const headers = { authorization: `Bearer ${token}` }
  const names: string[] = []
  let next: string | undefined = `${simulator.url}/v23.0/${wabaId}/message_templates?limit=3`
  let pages = 0
  while (next !== undefined) {
    const response: Response = await fetch(next, { headers })
    const page = (await response.json()) as { data: { name: string }[]; paging: { next?: string } }
    names.push(...page.data.map(({ name }) => name))
    next = page.paging.next
    pages++
  }
  expect(pages).toBe(3)
  expect(names).toHaveLength(8)
  const paused = await fetch(`${simulator.url}/v23.0/${wabaId}/message_templates?status=PAUSED`, { headers })
  expect(await paused.json()).toMatchObject({ data: [{ name: 'winter_sale', quality_score: { score: 'RED' } }] })
  const bad = await fetch(`${simulator.url}/v23.0/${wabaId}/message_templates?limit=0`, { headers })
  expect(bad.status).toBe(400)
  expect((await fetch(`${simulator.url}/v23.0/${wabaId}/message_templates`)).status).toBe(401)
})

it('is steered over HTTP from this machine only, and refuses a misspelt rule', async () => {
  const { simulator, post, target } = await startBench()
  const call = (method: 'GET' | 'PUT' | 'POST', path: string, payload?: object) =>
    simulator.app.inject({ method, url: `/simulator/${path}`, ...(payload !== undefined && { payload }) })
  const rules = [{ match: { endsWith: '01' }, outcome: { fail: { code: 131026, at: 'webhook' } } }]
  expect((await call('PUT', 'script', { rules })).json()).toEqual({ rules })
  const misspelt = await call('PUT', 'script', { rules: [{ outcome: { drop_answer: true } }] })
  expect(misspelt.statusCode).toBe(400)
  expect(simulator.rules()).toEqual(rules)
  await post(offer(PHONE))
  await post(offer('+33600000002'))
  const sent = (await call('GET', 'sent?phone=%2B33600000001')).json<{ sent: { person: { phone: string } }[] }>()
  expect(sent.sent.map(({ person }) => person.phone)).toEqual(['33600000001'])
  const content = { type: 'text', body: 'Salut 👋' }
  expect((await call('POST', 'inbound', { phone: PHONE, content })).json()).toHaveProperty('wamid')
  expect((await call('POST', 'inbound', { content })).statusCode).toBe(400)
  const change = { name: 'reminder', language: 'fr', status: 'PAUSED' }
  expect((await call('PUT', 'templates', change)).json()).toEqual({ changed: true })
  expect((await call('PUT', 'templates', { ...change, name: 'nothing' })).statusCode).toBe(404)
  expect((await call('POST', 'settle')).json()).toMatchObject({ pending: 0, accepted: 2 })
  expect(target.items()).toHaveLength(1 + 3 + 1)
  const fields = target.webhooks.flatMap(({ envelope }) => envelope.entry.flatMap(({ changes }) => changes))
  expect(fields.find(({ field }) => field === 'message_template_status_update')?.value).toMatchObject({
    event: 'PAUSED',
    message_template_name: 'reminder',
  })
  const before = simulator.clock.now()
  await call('POST', 'clock', { advance: 5000 })
  expect(simulator.clock.now()).toBe(before + 5000)
  expect((await call('PUT', 'target', { url: target.url })).json()).toEqual({ verified: true })
  const rebound = await simulator.app.inject({ url: '/simulator/state', headers: { host: 'evil.example' } })
  const remote = await simulator.app.inject({ url: '/simulator/state', remoteAddress: '192.0.2.1' })
  expect([rebound.statusCode, remote.statusCode]).toEqual([403, 403])
})
