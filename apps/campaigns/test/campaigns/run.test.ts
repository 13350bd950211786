import { describe, expect, it, vi } from 'vitest'
import { createCloudApi } from '../../server/whatsapp/cloud-api.ts'
import { classify } from '../../server/whatsapp/errors.ts'
import type { Outgoing, Sent } from '../../server/whatsapp/port.ts'
import { ACCOUNT } from '../../simulator/account.ts'
import { createSimulator } from '../../simulator/simulator.ts'
import { phoneOf } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { reply, signed } from '../whatsapp/webhook-world.ts'
import { expectExact, setStage, tally } from './stage.ts'

const HOUR = 3_600_000
const PATIENCE = { timeout: 20_000, interval: 200 }

const phoneIn = ({ to }: Outgoing): string => ('phone' in to ? to.phone : to.userId)

function refusal(code: number, errorClass: Extract<Sent, { outcome: 'refused' }>['errorClass']): Sent {
  return { outcome: 'refused', code, errorClass, detail: `refused with ${code}` }
}

describe.each(ENGINES)('a campaign on %s', engine => {
  it('reaches everybody it may, once, and its counters are those of its messages at every step', async () => {
    const stage = await setStage({
      engine,
      contacts: 30,
      change: index => ({
        ...(index === 0 ? { opt_out_at: 1 } : {}),
        ...(index === 1 ? { opt_in_at: null } : {}),
        ...(index === 2 ? { phone_e164: null } : {}),
        ...(index === 3 ? { phone_e164: null, bsuid: 'FR.123456' } : {}),
        ...(index === 4 ? { name: '' } : {}),
      }),
    })
    const id = await stage.started()
    await expectExact(stage.services, id)
    await stage.work()
    const campaign = await expectExact(stage.services, id)
    expect(campaign).toMatchObject({ status: 'running', total: 30, skipped: 4, queued: 0, open_count: 26 })
    const messages = await stage.messages(id)
    expect(tally(messages.map(message => `${message.status} ${message.error_detail}`))).toEqual({
      'accepted null': 26,
      'skipped opted_out': 1,
      'skipped no_opt_in': 1,
      'skipped no_identifier': 1,
      'skipped no_parameters': 1,
    })
    expect(new Set(stage.fake.sent.map(phoneIn)).size).toBe(26)
    expect(stage.fake.sent).toHaveLength(26)
    expect(stage.fake.sent.map(phoneIn)).toContain('FR.123456')
    expect(stage.fake.sent[0]?.content).toMatchObject({
      type: 'template',
      name: 'spring_offer',
      language: 'fr',
      components: [
        {
          type: 'body',
          parameters: [
            { type: 'text', text: 'Ada' },
            { type: 'text', text: '31 août' },
          ],
        },
      ],
    })
  })

  it('plays both messages through the simulator: replies, failures and duplicates end in exact numbers', async () => {
    let time = Date.UTC(2026, 10, 2, 12)
    const simulator = await createSimulator({
      now: () => time,
      rules: [
        {
          match: { step: 1, endsWith: '0' },
          outcome: { deliver: true, read: true, reply: { button: '' }, duplicate: 2 },
        },
        { match: { step: 1, endsWith: '1' }, outcome: { read: true, reply: { text: 'Oui' }, reorder: true } },
        { match: { step: 1, endsWith: '2' }, outcome: { fail: { code: 131026, at: 'webhook' } } },
        { match: { step: 1, endsWith: '3' }, outcome: { fail: { code: 131030, at: 'answer' } } },
        { match: { step: 1, endsWith: '4' }, outcome: { dropAnswer: true, deliver: true } },
      ],
    })
    const options = { engine, contacts: 20, now: () => time, whatsapp: createCloudApi({}), at: simulator.account }
    const stage = await setStage(options)
    try {
      const address = await stage.app.listen({ port: 0, host: '127.0.0.1' })
      simulator.deliverTo(`${address}/webhooks/whatsapp`)
      const id = await stage.started()
      await stage.work()
      // The answers that were cut off: they may have been sent, and are not sent again.
      const doubtful = (await stage.messages(id)).filter(message => message.error_class === 'unknown')
      expect(doubtful).toHaveLength(2)
      await expectExact(stage.services, id)
      for (let round = 0; round < 3; round++) {
        time += 5000
        await simulator.settle()
        await stage.work()
        await expectExact(stage.services, id)
      }
      const campaign = await expectExact(stage.services, id)
      expect(campaign).toMatchObject({
        total: 20,
        sent: 16,
        interacted: 4,
        message2_sent: 4,
        failed_count: 4,
        status: 'running',
      })
      const messages = await stage.messages(id)
      expect(tally(messages.map(message => `${message.step} ${message.status}`))).toEqual({
        '1 failed': 4,
        '1 read': 14,
        '1 delivered': 2,
        '2 read': 4,
      })
      expect(
        simulator
          .sent()
          .filter(({ type }) => type === 'text')
          .map(({ body }) => body),
      ).toEqual(Array.from({ length: 4 }, () => 'Merci Ada !'))
      expect(simulator.sent()).toHaveLength(16 + 2 + 4)
    } finally {
      await simulator.close()
    }
  })

  it('does with each refusal what its class asks for', async () => {
    let time = Date.UTC(2026, 10, 2, 12)
    const stage = await setStage({ engine, contacts: 6, now: () => time })
    const answers = new Map<string, Sent>([
      [phoneOf(0), refusal(131026, 'recipient')],
      [phoneOf(1), refusal(131050, 'opt_out')],
      [phoneOf(2), refusal(131000, 'transient')],
      [phoneOf(3), { outcome: 'unknown', detail: 'cut off' }],
      [phoneOf(4), refusal(131049, 'policy')],
    ])
    const accept = stage.fake.answer
    stage.fake.answer = message => answers.get(phoneIn(message)) ?? accept(message)
    const id = await stage.started()
    for (let attempt = 1; attempt <= 6; attempt++) {
      await stage.work()
      await expectExact(stage.services, id)
      time += HOUR
    }
    const to = tally(stage.fake.sent.map(phoneIn))
    expect(to).toEqual({
      [phoneOf(0)]: 1,
      [phoneOf(1)]: 1,
      [phoneOf(2)]: 5,
      [phoneOf(3)]: 1,
      [phoneOf(4)]: 1,
      [phoneOf(5)]: 1,
    })
    const names = stage.fake.sent.map(({ messageId }) => messageId)
    expect(new Set(names).size).toBe(names.length)
    const failed = (await stage.messages(id)).filter(message => message.status === 'failed')
    expect(failed.map(message => String(message.error_class)).sort()).toEqual([
      'opt_out',
      'policy',
      'recipient',
      'transient',
      'unknown',
    ])
    const contact = await stage.services.database.writer
      .selectFrom('contacts')
      .select('opt_out_at')
      .where('phone_e164', '=', phoneOf(1))
      .executeTakeFirstOrThrow()
    expect(contact.opt_out_at).not.toBeNull()
    const stats = (await stage.get(`/api/v1/campaigns/${id}/stats`)).json<Record<string, unknown>>()
    expect(stats).toMatchObject({ total: 6, failed: 5, awaiting: 1, queued: 0, cost: { billable: 0 } })
    expect(stats['failures']).toContainEqual({
      step: 1,
      error_class: 'recipient',
      error_code: 131026,
      meaning: 'The message cannot be delivered to this number.',
      count: 1,
    })
  })

  it('has failed for certain with a code that nobody knows: an answer does not bring it back', async () => {
    const now = Date.UTC(2026, 10, 2, 12)
    const stage = await setStage({ engine, contacts: 1, now: () => now })
    stage.fake.answer = () => refusal(999_999, classify(999_999))
    const id = await stage.started()
    await stage.work()
    const failed = await stage.messages(id)
    expect(failed).toMatchObject([{ status: 'failed', error_code: 999_999, error_class: 'other' }])
    const { body, signature } = signed({ ...ACCOUNT, id: stage.accountId, appSecret: 'secret' }, [reply(0, now)])
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature }
    const told = await stage.app.inject({ method: 'POST', url: '/webhooks/whatsapp', headers, payload: body })
    expect(told.statusCode).toBe(200)
    await stage.work()
    expect(await stage.messages(id)).toEqual(failed)
    expect(await expectExact(stage.services, id)).toMatchObject({ failed_count: 1, interacted: 0 })
    const heard = stage.services.database.writer.selectFrom('messages').select('body').where('direction', '=', 'in')
    expect(await heard.execute()).toEqual([{ body: 'Yes please' }])
  })

  it('is stopped by what no message can pass, says why, and goes on when that has been changed', async () => {
    const stage = await setStage({ engine, contacts: 4 })
    const accept = stage.fake.answer
    stage.fake.answer = () => refusal(190, 'token')
    const id = await stage.started({ rate_per_minute: 60 })
    await stage.work()
    expect(await expectExact(stage.services, id)).toMatchObject({
      status: 'failed',
      reason: 'token 190: refused with 190',
      failed_count: 1,
      queued: 3,
    })
    stage.fake.answer = () => refusal(131048, 'throttled')
    await stage.order(id, 'resume')
    // The rate is counted on the real clock: there is room for the next one in a second.
    await vi.waitFor(async () => {
      await stage.work()
      expect(await expectExact(stage.services, id)).toMatchObject({ status: 'paused', queued: 3, failed_count: 1 })
    }, PATIENCE)
    stage.fake.answer = accept
    await stage.order(id, 'retry-failed', { error_class: 'token' })
    expect(await expectExact(stage.services, id)).toMatchObject({ status: 'paused', queued: 4, failed_count: 0 })
  })

  it('sends Message 2 in an open window only, else the fallback, and nothing to who has opted out meanwhile', async () => {
    let time = Date.UTC(2026, 10, 2, 12)
    const stage = await setStage({ engine, contacts: 3, now: () => time })
    const { database, newId } = stage.services
    const id = await stage.started({
      fallback_template_id: stage.templates.get('reminder fr'),
      fallback_params: { '1': { field: 'name' } },
    })
    await stage.work()
    await stage.order(id, 'pause')
    const params = JSON.stringify({ type: 'text', body: 'Merci' })
    for (const [index, contact_id] of stage.contactIds.entries()) {
      const row = {
        id: newId(),
        direction: 'out',
        campaign_id: id,
        contact_id,
        step: 2,
        account_id: stage.accountId,
      } as const
      const times = { queued_at: time, next_attempt_at: time, created_at: time }
      await database.writer
        .insertInto('messages')
        .values({
          ...row,
          ...times,
          type: 'text',
          status: 'queued',
          status_rank: 0,
          params,
          body: 'Merci',
          attempts: 0,
        })
        .execute()
      await database.writer
        .updateTable('contacts')
        .set({ window_expires_at: time + (index === 0 ? 2 : 1) * HOUR, ...(index === 2 ? { opt_out_at: time } : {}) })
        .where('id', '=', contact_id)
        .execute()
    }
    await database.writer.updateTable('campaigns').set({ open_count: 6 }).where('id', '=', id).execute()
    time += HOUR - 30_000
    await stage.order(id, 'resume')
    await stage.work()
    await expectExact(stage.services, id)
    const seconds = (await stage.messages(id)).filter(message => message.step === 2)
    expect(seconds.map(({ status, type, error_detail }) => [status, type, error_detail])).toEqual([
      ['accepted', 'text', null],
      ['accepted', 'template', null],
      ['skipped', 'text', 'opted_out'],
    ])
    expect(
      stage.fake.sent
        .slice(3)
        .map(({ content }) => content.type)
        .sort(),
    ).toEqual(['template', 'text'])
  })
})
