import { createHmac } from 'node:crypto'
import { normalizeWebhook } from '@kapso/whatsapp-cloud-api/server'
import { expect, it, vi } from 'vitest'
import { outcomeByNumber } from '../../simulator/rules.ts'
import { type Item, NOON, offer, startBench, startTarget, verified } from './simulator-target.ts'

const PHONE = '+33600000001'
const SECOND = 1000

function told(items: readonly Item[]): unknown[] {
  return items.map(item => item['status'] ?? item['type'])
}

it('signs the exact bytes, which are not what writing the JSON again gives', async () => {
  const { simulator, target } = await startBench()
  const { appSecret } = simulator.account
  const body = 'Ça m’intéresse 👍🏽 à 100 % // « déjà »'
  simulator.inbound({ phone: PHONE, name: 'Zoë 🌻', content: { type: 'text', body } })
  await simulator.settle()
  const [webhook] = target.webhooks
  if (webhook === undefined) throw new Error('no webhook came')
  expect(target.messages()[0]).toMatchObject({ text: { body } })
  expect(verified(webhook, appSecret)).toBe(true)
  const byHand = (bytes: Buffer | string): string =>
    `sha256=${createHmac('sha256', appSecret).update(bytes).digest('hex')}`
  expect(webhook.signature).toBe(byHand(webhook.bytes))
  expect(byHand(JSON.stringify(webhook.envelope))).not.toBe(webhook.signature)
  expect(verified(webhook, 'another secret')).toBe(false)
  const changed = Buffer.from(webhook.bytes)
  changed[changed.length - 3] = (changed[changed.length - 3] ?? 0) ^ 1
  expect(verified({ ...webhook, bytes: changed }, appSecret)).toBe(false)
})

it('tells the life of a message in order, with the times at which things happened', async () => {
  const { simulator, target, post } = await startBench({
    timings: { sent: SECOND, delivered: 3 * SECOND, read: 60 * SECOND },
  })
  const { wamid } = await post(offer(PHONE, { biz_opaque_callback_data: 'm-7' }))
  await simulator.settle()
  expect(target.webhooks).toEqual([])
  simulator.clock.advance(10 * SECOND)
  await simulator.settle()
  expect(told(target.statuses())).toEqual(['sent', 'delivered'])
  simulator.clock.advance(3_600_000)
  await simulator.settle()
  const at = (seconds: number): string => String(NOON / 1000 + seconds)
  const common = { id: wamid, recipient_id: '33600000001', biz_opaque_callback_data: 'm-7' }
  const pricing = { billable: true, pricing_model: 'PMP', category: 'marketing', type: 'regular' }
  const conversation = { id: expect.any(String) as string, origin: { type: 'marketing' } }
  expect(target.statuses()).toMatchObject([
    { ...common, status: 'sent', timestamp: at(1), pricing, conversation: { expiration_timestamp: at(86_401) } },
    { ...common, status: 'delivered', timestamp: at(3), pricing, conversation },
    { ...common, status: 'read', timestamp: at(60) },
  ])
  const [first] = target.webhooks
  expect(first?.envelope).toMatchObject({
    object: 'whatsapp_business_account',
    entry: [
      { id: simulator.account.wabaId, changes: [{ field: 'messages', value: { messaging_product: 'whatsapp' } }] },
    ],
  })
  const normalized = normalizeWebhook(first?.envelope)
  expect(normalized).toMatchObject({
    phoneNumberId: simulator.account.phoneNumberId,
    displayPhoneNumber: '33612345678',
  })
  expect(normalized.statuses[0]).toMatchObject({ id: wamid, recipientId: '33600000001' })
})

it('does what the rules say: silence, reorder, duplicate, delay, failure, read at once', async () => {
  const all = { deliver: true, read: true }
  const { simulator, target, post } = await startBench({
    timings: { sent: SECOND, delivered: 2 * SECOND, read: 3 * SECOND },
    rules: [
      { match: { endsWith: '1' }, outcome: { ...all, silence: true } },
      { match: { endsWith: '2' }, outcome: { ...all, reorder: true } },
      { match: { endsWith: '3' }, outcome: { ...all, duplicate: 2, reply: { text: 'Oui', after: 5 * SECOND } } },
      { match: { endsWith: '4' }, outcome: { ...all, delay: 3_600_000 } },
      { match: { endsWith: '5' }, outcome: { ...all, fail: { code: 131049, at: 'webhook' } } },
      { match: { endsWith: '6' }, outcome: { read: true } },
      { match: { endsWith: '7' }, outcome: { fail: { code: 131030, at: 'answer' } } },
    ],
  })
  const wamids: string[] = []
  for (let last = 1; last <= 7; last++) wamids.push((await post(offer(`+3360000000${last}`))).wamid)
  simulator.clock.advance(60 * SECOND)
  await simulator.settle()
  const ofPhone = (last: number): Item[] => target.statuses().filter(({ id }) => id === wamids[last - 1])
  expect(told(ofPhone(1))).toEqual([])
  expect(told(ofPhone(2))).toEqual(['read', 'delivered', 'sent'])
  expect(ofPhone(2).map(({ timestamp }) => Number(timestamp) - NOON / 1000)).toEqual([3, 2, 1])
  expect(told(ofPhone(3))).toEqual(['sent', 'delivered', 'read'].flatMap(status => [status, status, status]))
  const replies = target.messages()
  expect(replies).toHaveLength(3)
  expect(new Set(replies.map(({ id }) => id)).size).toBe(1)
  expect(replies[0]).toMatchObject({ from: '33600000003', context: { id: wamids[2], from: '33612345678' } })
  expect(told(ofPhone(4))).toEqual([])
  expect(ofPhone(5)).toMatchObject([{ status: 'failed', errors: [{ code: 131049, error_data: {} }] }])
  expect(told(ofPhone(6))).toEqual(['sent', 'read'])
  expect(wamids[6]).toBe('')
  simulator.clock.advance(3_600_000)
  await simulator.settle()
  expect(told(ofPhone(4))).toEqual(['sent', 'delivered', 'read'])
  expect(simulator.state()).toMatchObject({ pending: 0, retried: 0, lost: 0, accepted: 6, refused: 1 })
})

it('answers with the button of the template, and with a button of the message that follows', async () => {
  const { simulator, target, post } = await startBench({
    rules: [
      { match: { step: 1, template: 'spring_offer' }, outcome: { reply: { button: 'Ça m’intéresse' } } },
      { match: { step: 2 }, outcome: { reply: { button: 'b' } } },
    ],
  })
  const first = await post(offer(PHONE))
  await simulator.settle()
  const buttons = ['a', 'b'].map(id => ({ type: 'reply', reply: { id, title: `Choix ${id}` } }))
  const interactive = { type: 'button', body: { text: 'Suite ?' }, action: { buttons } }
  const second = await post({ messaging_product: 'whatsapp', to: PHONE, type: 'interactive', interactive })
  await simulator.settle()
  expect(target.messages()).toMatchObject([
    { type: 'button', button: { text: 'Ça m’intéresse', payload: 'YES:1' }, context: { id: first.wamid } },
    {
      type: 'interactive',
      interactive: { type: 'button_reply', button_reply: { id: 'b', title: 'Choix b' } },
      context: { id: second.wamid },
    },
  ])
})

it('knows people without a phone by their user id alone', async () => {
  const { simulator, target, post } = await startBench({
    rules: [{ outcome: { deliver: true, hidePhone: true, reply: { text: 'Oui' } } }],
  })
  const answer = await post(offer(PHONE))
  await simulator.settle()
  const [{ user_id: userId }] = answer.body['contacts'] as [{ user_id: string }]
  expect(JSON.stringify(target.webhooks.map(({ envelope }) => envelope))).not.toContain('33600000001')
  expect(target.messages()[0]).toMatchObject({ from_user_id: userId, type: 'text' })
  expect(target.messages()[0]).not.toHaveProperty('from')
  const normalized = target.webhooks.map(({ envelope }) => normalizeWebhook(envelope))
  expect(normalized.flatMap(({ statuses }) => statuses.map(({ recipientUserId }) => recipientUserId))).toEqual([
    userId,
    userId,
  ])
  const contacts = normalized.flatMap(({ contacts }) => contacts)
  expect(contacts.every(contact => contact.userId === userId && contact.waId === undefined)).toBe(true)
  // The same person, heard of by id: the window that the reply opened is theirs.
  simulator.script([])
  const free = { messaging_product: 'whatsapp', recipient: userId, type: 'text', text: { body: 'Merci' } }
  const { wamid } = await post(free)
  await simulator.settle()
  expect(told(target.statuses().filter(({ id }) => id === wamid))).toEqual(['sent', 'delivered', 'read'])
})

it('puts several items into one envelope in each way that Meta does, and loses and mixes none', async () => {
  const { simulator, target, post } = await startBench({ batching: { share: 0.9, most: 6 } })
  const wamids: string[] = []
  for (let index = 10; index < 50; index++) wamids.push((await post(offer(`+336000000${index}`))).wamid)
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Bonjour' } })
  await simulator.settle()
  const envelopes = target.webhooks.map(({ envelope }) => envelope)
  expect(envelopes.length).toBeLessThan(80)
  expect(envelopes.some(({ entry }) => entry.length > 1)).toBe(true)
  expect(envelopes.some(({ entry }) => entry.some(({ changes }) => changes.length > 1))).toBe(true)
  const values = envelopes.flatMap(({ entry }) => entry.flatMap(({ changes }) => changes.map(({ value }) => value)))
  expect(values.some(({ statuses = [] }) => statuses.length > 1)).toBe(true)
  expect(target.webhooks.every(webhook => verified(webhook, simulator.account.appSecret))).toBe(true)
  for (const wamid of wamids) {
    expect(told(target.statuses().filter(({ id }) => id === wamid))).toEqual(['sent', 'delivered', 'read'])
  }
  expect(target.messages()).toHaveLength(1)
})

it('comes again, later and later, until it is acknowledged', async () => {
  const { simulator, target } = await startBench()
  const answers = [500, 302, 204, 200]
  target.answer = () => answers.shift() ?? 200
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Bonjour' } })
  await simulator.settle()
  expect(simulator.state()).toMatchObject({ pending: 1, retried: 1, acknowledged: 0 })
  await simulator.settle()
  expect(target.webhooks).toHaveLength(1)
  for (const wait of [2, 4, 8]) {
    simulator.clock.advance(wait * SECOND - 1)
    await simulator.settle()
    const before = target.webhooks.length
    simulator.clock.advance(1)
    await simulator.settle()
    expect(target.webhooks).toHaveLength(before + 1)
  }
  expect(simulator.state()).toMatchObject({ pending: 0, retried: 3, acknowledged: 1, lost: 0 })
  expect(new Set(target.webhooks.map(({ signature }) => signature)).size).toBe(1)
})

it('does not wait for ever for a target that hangs', async () => {
  const { simulator, target } = await startBench({ webhookTimeout: 100 })
  let release = (): void => undefined
  target.held = new Promise<void>(resolve => {
    release = resolve
  })
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Bonjour' } })
  await simulator.settle()
  expect(simulator.state()).toMatchObject({ retried: 1, acknowledged: 0, pending: 1 })
  release()
})

it('gives up after seven days without an answer', async () => {
  const { simulator } = await startBench({ target: 'http://127.0.0.1:1/hook' })
  simulator.inbound({ phone: PHONE, content: { type: 'text', body: 'Bonjour' } })
  for (let hour = 0; hour < 24 * 7 + 2; hour++) {
    await simulator.settle()
    simulator.clock.advance(3_600_000)
  }
  expect(simulator.state()).toMatchObject({ pending: 0, acknowledged: 0, lost: 1 })
})

it('holds what it has to tell until there is somewhere to tell it, then tells it by its own timer', async () => {
  const target = await startTarget()
  const { simulator, post } = await startBench({ now: Date.now, timer: true, target: 'http://127.0.0.1:1/' })
  const fresh = await startTarget('another token')
  simulator.deliverTo(fresh.url)
  expect(await simulator.verifyTarget()).toBe(false)
  simulator.deliverTo(target.url)
  expect(await simulator.verifyTarget()).toBe(true)
  const { wamid } = await post(offer(PHONE))
  await vi.waitFor(() => expect(told(target.statuses())).toEqual(['sent', 'delivered', 'read']))
  expect(target.statuses().every(({ id }) => id === wamid)).toBe(true)
  simulator.inbound({ userId: 'BR.ENT.abc123', content: { type: 'unsupported' } })
  await vi.waitFor(() => expect(target.messages()).toMatchObject([{ errors: [{ code: 131051 }] }]))
})

it('gives the same run for the same seed, with the documented shares of the mix', async () => {
  const run = async (): Promise<{ bytes: string[]; counts: Record<string, unknown> }> => {
    const options = { otherwise: outcomeByNumber, batching: { share: 0.5, most: 4 } }
    const { simulator, target, post } = await startBench(options)
    for (let index = 100; index < 200; index++) await post(offer(`+33600000${index}`))
    simulator.clock.advance(31 * 3_600_000)
    await simulator.settle()
    const counts: Record<string, number> = {}
    const seen = new Set<string>()
    for (const item of target.items()) {
      const [what] = told([item])
      if (seen.has(`${item.id} ${String(what)}`)) continue
      seen.add(`${item.id} ${String(what)}`)
      counts[String(what)] = (counts[String(what)] ?? 0) + 1
    }
    return { bytes: target.webhooks.map(({ bytes }) => bytes.toString()), counts: { ...counts, ...simulator.state() } }
  }
  const [first, second] = [await run(), await run()]
  expect(first.bytes).toEqual(second.bytes)
  expect(first.counts).toMatchObject({
    accepted: 99,
    refused: 1,
    sent: 91,
    delivered: 85,
    read: 80,
    failed: 6,
    button: 22,
    text: 11,
    pending: 0,
  })
})
