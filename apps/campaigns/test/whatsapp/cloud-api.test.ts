import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createCloudApi } from '../../server/whatsapp/cloud-api.ts'
import { CloudApiRefusal } from '../../server/whatsapp/errors.ts'
import type { Outgoing, OutgoingContent, WhatsAppAccount } from '../../server/whatsapp/port.ts'
import type { Outcome } from '../../simulator/rules.ts'
import { startBench } from './simulator-target.ts'

const PHONE = '+33600000001'
const OFFER: OutgoingContent = {
  type: 'template',
  name: 'spring_offer',
  language: 'fr',
  components: [
    { type: 'body', parameters: ['Zoë 🌻', '30 juin'].map(text => ({ type: 'text', text })) },
    { type: 'button', sub_type: 'quick_reply', index: '1', parameters: [{ type: 'payload', payload: 'NO:1' }] },
  ],
}

function message(content: OutgoingContent = OFFER, to: Outgoing['to'] = { phone: PHONE }): Outgoing {
  return { messageId: 'm-1', to, content }
}

/** A server that answers as told; its address. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An address where nobody listens: fetch refuses the low ports of its own accord, without trying. */
async function closedAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

const SECRET = 'EAAsecret0123456789'

function accountAt(baseUrl: string, more: Partial<WhatsAppAccount> = {}): WhatsAppAccount {
  return { phoneNumberId: '1', wabaId: '2', token: SECRET, graphVersion: 'v23.0', baseUrl, ...more }
}

it('sends each kind of content to a phone or a user id, with our id in the callback data', async () => {
  const { simulator, target } = await startBench()
  const bodies: unknown[] = []
  const api = createCloudApi({
    fetch: async (input, init) => {
      if (input instanceof Request) bodies.push(await input.clone().json())
      return fetch(input, init)
    },
  })
  const { account } = simulator
  const template = await api.send(account, message())
  expect(template).toMatchObject({ outcome: 'accepted', waId: '33600000001' })
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Oui' } })
  await simulator.settle()
  const userId = 'userId' in template ? template.userId : ''
  const text = await api.send(account, message({ type: 'text', body: 'Merci 👍' }, { userId }))
  expect(text).toEqual({ outcome: 'accepted', wamid: expect.stringMatching(/^wamid\./) as string, userId })
  const buttons = [{ id: 'a', title: 'Oui' }]
  expect((await api.send(account, message({ type: 'interactive', body: 'Suite ?', buttons }))).outcome).toBe('accepted')
  await simulator.settle()
  const common = { messaging_product: 'whatsapp', recipient_type: 'individual', biz_opaque_callback_data: 'm-1' }
  const components = OFFER.type === 'template' ? OFFER.components : []
  const reply = { type: 'reply', reply: { id: 'a', title: 'Oui' } }
  expect(bodies).toEqual([
    {
      ...common,
      to: PHONE,
      type: 'template',
      template: { name: 'spring_offer', language: { code: 'fr' }, components },
    },
    { ...common, recipient: userId, type: 'text', text: { body: 'Merci 👍' } },
    {
      ...common,
      to: PHONE,
      type: 'interactive',
      interactive: { type: 'button', body: { text: 'Suite ?' }, action: { buttons: [reply] } },
    },
  ])
  expect(target.statuses()).toHaveLength(9)
  expect(target.statuses().every(status => status['biz_opaque_callback_data'] === 'm-1')).toBe(true)
})

it.each<[string, Outcome, object]>([
  ['fails at once', { fail: { code: 131030, at: 'answer' } }, { code: 131030, errorClass: 'recipient' }],
  ['stopped marketing', { fail: { code: 131050, at: 'answer' } }, { code: 131050, errorClass: 'opt_out' }],
  ['is in trouble', { fail: { code: 131000, at: 'answer' } }, { code: 131000, errorClass: 'transient' }],
  ['is throttled', { throttle: { retryAfter: 7 } }, { code: 130429, errorClass: 'throttled', retryAfter: 7000 }],
  ['has had too many', { throttle: { code: 131056, status: 400 } }, { code: 131056, errorClass: 'throttled' }],
])('says that a message was refused when the other side %s, and why', async (_what, outcome, expected) => {
  const { simulator } = await startBench({ rules: [{ outcome }] })
  const sent = await createCloudApi().send(simulator.account, message())
  expect(sent).toEqual({ outcome: 'refused', detail: expect.stringContaining('(#') as string, ...expected })
  expect(simulator.sent()).toEqual([])
})

it('says that it does not know whenever the message may have left', async () => {
  const outcomes: readonly Outcome[] = [
    { dropAnswer: true },
    { badAnswer: 'html' },
    { badAnswer: 'truncated' },
    { answerAfter: 5000 },
  ]
  const { simulator } = await startBench({ rules: outcomes.map(outcome => ({ times: 1, outcome })) })
  const api = createCloudApi({ timeout: 400 })
  for (const index of outcomes.keys()) {
    const sent = await api.send(simulator.account, message())
    expect(sent).toEqual({ outcome: 'unknown', detail: expect.any(String) as string })
    // The point of it: each of these did go out, and once.
    expect(simulator.sent()).toHaveLength(index + 1)
  }
})

const html = (status: number, text = '<h1>Sorry</h1>'): RequestListener => {
  return (_request, response) => void response.writeHead(status, { 'content-type': 'text/html' }).end(text)
}
const json = (body: unknown, status = 200): RequestListener => {
  const headers = { 'content-type': 'application/json' }
  return (_request, response) => void response.writeHead(status, headers).end(JSON.stringify(body))
}

it.each<[string, RequestListener, object]>([
  ['a gateway error', html(502), { outcome: 'unknown' }],
  ['a gateway that gave up', html(408), { outcome: 'unknown' }],
  ['a page in place of JSON', html(200), { outcome: 'unknown' }],
  ['JSON without an id', json({ messages: [] }), { outcome: 'unknown' }],
  ['null', json(null), { outcome: 'unknown' }],
  ['an error without a code', json({ error: { message: 'x' } }, 500), { outcome: 'unknown' }],
  ['a refusal in HTML', html(403), { outcome: 'refused', code: 403, errorClass: 'token' }],
  ['too many requests in HTML', html(429), { outcome: 'refused', code: 429, errorClass: 'throttled' }],
  ['an error of Meta with a status of 500', json({ error: { code: 2 } }, 503), { outcome: 'refused', code: 2 }],
])('reads %s for what it is', async (_what, listener, expected) => {
  const sent = await createCloudApi().send(accountAt(await serve(listener)), message())
  expect(sent).toMatchObject(expected)
  expect(JSON.stringify(sent)).not.toContain('Sorry')
})

it('does not follow a redirect with the message or the token', async () => {
  const seen: unknown[] = []
  const elsewhere = await serve((request, response) => {
    seen.push(request.headers)
    response.end('{}')
  })
  const redirect: RequestListener = (_request, response) => void response.writeHead(307, { location: elsewhere }).end()
  const account = accountAt(await serve(redirect))
  expect(await createCloudApi().send(account, message())).toMatchObject({ outcome: 'refused', code: 307 })
  await expect(createCloudApi().templates(account)).rejects.toThrow(CloudApiRefusal)
  expect(seen).toEqual([])
})

it('knows that nothing left when nobody listens, or the caller had stopped, or the content cannot be sent', async () => {
  const api = createCloudApi()
  const closed = accountAt(await closedAddress())
  expect(await api.send(closed, message())).toMatchObject({
    outcome: 'refused',
    code: 503,
    errorClass: 'transient',
    detail: expect.stringContaining('ECONNREFUSED') as string,
  })
  const calls = vi.fn<RequestListener>((_request, response) => void response.end('{}'))
  const account = accountAt(await serve(calls))
  expect(await api.send(account, message(), AbortSignal.abort())).toMatchObject({ outcome: 'refused', code: 503 })
  const buttons = [{ id: 'a', title: 'x'.repeat(21) }]
  const invalid = { outcome: 'refused', code: 100, errorClass: 'parameter' }
  expect(await api.send(account, message({ type: 'text', body: '' }))).toMatchObject(invalid)
  expect(await api.send(account, message({ type: 'interactive', body: 'x', buttons }))).toMatchObject(invalid)
  expect(await api.send(accountAt(account.baseUrl, { token: 'a\nb' }), message())).toMatchObject(invalid)
  expect(await api.send(accountAt('not an address'), message())).toMatchObject(invalid)
  expect(calls).not.toHaveBeenCalled()
})

it('does not know either when the caller stops while the answer is on its way', async () => {
  const stop = new AbortController()
  const account = accountAt(await serve(() => stop.abort()))
  expect(await createCloudApi().send(account, message(), stop.signal)).toMatchObject({ outcome: 'unknown' })
})

it('keeps the token out of everything it says', async () => {
  const quoting = json({ error: { code: 190, message: `Malformed access token ${SECRET}, EAAother0123456789` } }, 401)
  const urls = [await serve(quoting), await closedAddress(), await serve(html(500, SECRET))]
  const said: string[] = []
  for (const account of [...urls.map(url => accountAt(url)), accountAt(urls[0] ?? '', { token: `${SECRET}\n` })]) {
    const api = createCloudApi()
    said.push(inspect(await api.send(account, message()), { depth: 9 }))
    const refusal: unknown = await api.templates(account).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(CloudApiRefusal)
    said.push(inspect(refusal, { depth: 9 }))
  }
  expect(said.join('\n')).toContain('Malformed access token [token], [token]')
  expect(said.join('\n')).not.toMatch(/EAA/)
})

it('lists the templates of all pages as they are', async () => {
  const { simulator } = await startBench()
  const pages: string[] = []
  const api = createCloudApi({
    // The page size of the client is larger than the list: the server is asked for smaller ones.
    fetch: async input => {
      const url = new URL(input instanceof Request ? input.url : String(input))
      url.searchParams.set('limit', '3')
      pages.push(url.search)
      return fetch(new Request(url, input instanceof Request ? input : undefined))
    },
  })
  const templates = await api.templates(simulator.account)
  expect(pages).toHaveLength(3)
  expect(templates.map(({ name }) => name)).toHaveLength(8)
  expect(templates[0]).toEqual({
    name: 'spring_offer',
    language: 'fr',
    category: 'MARKETING',
    status: 'APPROVED',
    quality: 'GREEN',
    components: expect.arrayContaining([expect.objectContaining({ type: 'BUTTONS' })]) as unknown[],
  })
  const wrong = { ...simulator.account, token: 'wrong' }
  await expect(api.templates(wrong)).rejects.toMatchObject({ code: 190, errorClass: 'token' })
})

it('follows the pages of the account to its own origin only, without a token in the address, and not for ever', async () => {
  const seen: { url: string; authorization: string | undefined }[] = []
  const elsewhere = await serve((request, response) => {
    seen.push({ url: String(request.url), authorization: request.headers.authorization })
    response.end('{}')
  })
  const leading = accountAt(await serve(json({ data: [], paging: { next: `${elsewhere}/v23.0/2?x=1` } })))
  await expect(createCloudApi().templates(leading)).rejects.toThrow('another address')
  expect(seen).toEqual([])
  const asked: string[] = []
  const base = await serve((request, response) => {
    asked.push(String(request.url))
    json({ data: [{ name: 'a' }], paging: { next: `${base}/v23.0/2?after=x&access_token=${SECRET}` } })(
      request,
      response,
    )
  })
  await expect(createCloudApi().templates(accountAt(base))).rejects.toThrow('does not end')
  expect(asked.length).toBeLessThanOrEqual(200)
  expect(asked.join(' ')).not.toContain(SECRET)
  const broken = accountAt(await serve((_request, response) => void response.end('{"data": [')))
  await expect(createCloudApi().templates(broken)).rejects.toMatchObject({ errorClass: 'transient' })
})
