import { describe, expect, it } from 'vitest'
import { inboxDrain, storeWebhook } from '../../server/whatsapp/inbox.ts'
import type { Notice } from '../../simulator/envelope.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { NOON, startServices } from '../support/app.ts'
import { startSite } from '../support/site-process.ts'
import {
  drainInbox,
  expectExact,
  HOUR,
  inboxOf,
  makeAccount,
  messagesOf,
  phoneOf,
  plant,
  recordingLog,
  reply,
  signed,
  status,
  wamidOf,
} from './webhook-world.ts'

const NEVER = new AbortController().signal

/** The same numbers in the same order for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x80000000
  }
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map(item => ({ item, by: random() }))
    .sort((a, b) => a.by - b.by)
    .map(({ item }) => item)
}

/** All that can be told of one recipient, by their number: silence, failure, or an answer with or without a context. */
function storyOf(campaign: string, index: number): Notice[] {
  const wamid = wamidOf(campaign, index)
  const told = (['sent', 'delivered', 'read'] as const)
    .slice(0, 1 + (index % 3))
    .map((name, at) => status(name, wamid, index, NOON + at * 1000))
  if (index % 7 === 0) told.push(status('failed', wamid, index, NOON + 4000, { code: 131026 }))
  if (index % 2 === 0) told.push(reply(index, NOON + 5000, { contextId: wamid }))
  if (index % 4 === 0) told.push(reply(index, NOON + 6000))
  if (index % 10 === 0) told.push(reply(index, NOON + 7000, { content: { type: 'text', body: 'STOP' } }))
  return told
}

describe.each(ENGINES)('the inbox on %s', engine => {
  it('is applied by three drains at once, in any order and repeated, as if it were told once and in order', async () => {
    const url = await freshDatabase(engine)
    const now = (): number => NOON + HOUR
    const { log, lines } = recordingLog('warn', 'error')
    const processes = await Promise.all([0, 1, 2].map(() => startServices({ engine, url, now, log })))
    const [services] = processes
    if (services === undefined) throw new Error('no process')
    const account = await makeAccount(services)
    const signers = [{ id: account.id, phone_number_id: account.phoneNumberId, waba_id: account.wabaId }]
    const people = 60
    const campaigns = [
      (await plant(services, { account, people, from: 1 })).campaign.id,
      // The same people: answers without a context are for the newer of the two.
      (await plant(services, { account, people: people / 2, from: 1, campaign: { message2_kind: 'none' } })).campaign
        .id,
    ]
    const random = randomOf(11)
    const stories = campaigns.flatMap((id, which) =>
      Array.from({ length: which === 0 ? people : people / 2 }, (_, at) => storyOf(id, at + 1)),
    )
    const told = shuffled([...stories.flat(), ...stories.flat()], random)
    const envelopes: Notice[][] = []
    while (told.length > 0) envelopes.push(told.splice(0, 1 + Math.floor(random() * 12)))
    let sending = true
    const draining = processes.map(async process => {
      while (sending) await inboxDrain.run(process, NEVER)
      await drainInbox(process)
    })
    const senders = processes.map(async (process, lane) => {
      for (const notices of envelopes.filter((_, index) => index % 3 === lane)) {
        await storeWebhook(process, signers, signed(account, notices).body)
      }
    })
    await Promise.all(senders)
    sending = false
    await Promise.all(draining)
    await drainInbox(services)
    const rows = await inboxOf(services)
    expect(rows).toHaveLength(stories.flat().length)
    expect(rows.filter(row => row.processed_at === null || row.error !== null)).toEqual([])
    // Nothing had to be tried again one by one.
    expect(lines.filter(line => 'err' in line.fields)).toEqual([])
    const [first = '', second = ''] = campaigns
    const messages = await messagesOf(services, first)
    for (const row of messages.filter(message => message.step === 1)) {
      const index = Number(row.wamid?.split('.').at(-2))
      const failed = index % 7 === 0 && index % 3 !== 2
      if (index % 7 !== 0) expect(row.status).toBe(['sent', 'delivered', 'read'][index % 3])
      // A failure is no news of what was read; of both, the first that came decides.
      if (failed) expect(row.status).toBe('failed')
      expect([row.sent_at, row.read_at]).toEqual([NOON, index % 3 === 2 ? NOON + 2000 : null])
      if (index % 2 === 0 && index % 7 !== 0) expect(row.interacted_at).not.toBeNull()
    }
    const twos = messages.filter(message => message.step === 2)
    expect(new Set(twos.map(row => row.contact_id)).size).toBe(twos.length)
    expect(twos.length).toBe(messages.filter(row => row.step === 1 && row.interacted_at !== null).length)
    expect(await expectExact(services, first)).toMatchObject({ total: people, sent: people })
    await expectExact(services, second)
    const contacts = await services.database.writer
      .selectFrom('contacts')
      .select(['phone_e164', 'opt_out_at'])
      .execute()
    expect(contacts).toHaveLength(people)
    expect(new Set(contacts.filter(row => row.opt_out_at !== null).map(row => row.phone_e164))).toEqual(
      new Set([10, 20, 30, 40, 50, 60].map(phoneOf)),
    )
  })

  it('goes past an event that cannot be applied, which waits and says why', async () => {
    const clock = { now: NOON }
    const services = await startServices({ engine, now: () => clock.now })
    const account = await makeAccount(services)
    const signers = [{ id: account.id, phone_number_id: account.phoneNumberId, waba_id: account.wabaId }]
    const { campaign } = await plant(services, { account, people: 3, from: 1 })
    const wamids = [1, 2, 3].map(index => wamidOf(campaign.id, index))
    await storeWebhook(
      services,
      signers,
      signed(
        account,
        wamids.map((wamid, at) => status('sent', wamid, at + 1, NOON)),
      ).body,
    )
    const [, poison] = await inboxOf(services)
    await services.database.writer
      .updateTable('webhook_inbox')
      .set({ payload: '{"status":' })
      .where('id', '=', poison?.id ?? '')
      .execute()
    await drainInbox(services)
    const rows = await inboxOf(services)
    expect(rows.map(row => [row.processed_at, row.attempts])).toEqual([
      [NOON, 0],
      [null, 1],
      [NOON, 0],
    ])
    expect(rows[1]).toMatchObject({ error: expect.stringContaining('JSON'), next_attempt_at: NOON + 1000 })
    expect(await expectExact(services, campaign.id)).toMatchObject({ sent: 2 })
    expect(await services.metrics.text()).toContain('campaigns_webhook_events_total{kind="webhook",outcome="failed"} 1')
    clock.now = NOON + 2000
    await drainInbox(services)
    expect((await inboxOf(services))[1]).toMatchObject({ attempts: 2, processed_at: null })
    await services.database.writer
      .updateTable('webhook_inbox')
      .set({ payload: poison?.payload ?? '' })
      .where('id', '=', poison?.id ?? '')
      .execute()
    clock.now = NOON + HOUR
    await drainInbox(services)
    expect((await inboxOf(services))[1]).toMatchObject({ processed_at: NOON + HOUR, error: null })
    expect(await expectExact(services, campaign.id)).toMatchObject({ sent: 3 })
  })
})

describe('a process that is killed', () => {
  it('keeps what it had answered for, and another applies it', async () => {
    const url = await freshDatabase('sqlite')
    const directory = freshDirectory()
    const site = await startSite({ url, directory, backend: 'filesystem', now: NOON })
    const services = await startServices({ url, directory, now: () => NOON })
    const account = await makeAccount(services)
    const { campaign } = await plant(services, { account, people: 2, from: 1 })
    const { body, signature } = signed(account, [status('sent', wamidOf(campaign.id, 1), 1, NOON), reply(2, NOON)])
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature }
    const answer = await fetch(`${site.address}/webhooks/whatsapp`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    await site.kill()
    expect([answer.status, await answer.text()]).toEqual([200, 'stored'])
    expect((await inboxOf(services)).map(row => row.processed_at)).toEqual([null, null])
    await drainInbox(services)
    expect(await expectExact(services, campaign.id)).toMatchObject({ sent: 2, interacted: 1 })
    expect((await messagesOf(services, campaign.id)).filter(row => row.step === 2)).toHaveLength(1)
  })
})
