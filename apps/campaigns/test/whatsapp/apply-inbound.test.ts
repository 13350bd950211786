import { describe, expect, it } from 'vitest'
import type { Services } from '../../server/services.ts'
import type { Notice } from '../../simulator/envelope.ts'
import { NOON } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { makeScene } from './webhook-scene.ts'
import {
  expectExact,
  hiddenPersonOf,
  HOUR,
  inboxOf,
  phoneOf,
  type Plan,
  reply,
  status,
  wamidOf,
} from './webhook-world.ts'

const contextId = (campaignId: string, index = 1, step = 1) => ({ contextId: wamidOf(campaignId, index, step) })
const jobsOf = async ({ database }: Services) =>
  (await database.writer.selectFrom('jobs').select(['name', 'dedupe_key']).execute()).map(job => job.dedupe_key)

describe.each(ENGINES)('an answer on %s', engine => {
  it('opens the window, releases Message 2 once and asks for the run that sends it', async () => {
    const { services, clock, tell, plant: start, contact, one, two } = await makeScene(engine)
    const campaign = await start()
    clock.now = NOON + HOUR
    // Both answers in one envelope, before any status of what they answer.
    await tell(reply(1, NOON + HOUR, contextId(campaign)), reply(1, NOON + HOUR + 2000))
    expect(await one(campaign, 1)).toMatchObject({ status: 'sent', sent_at: NOON + HOUR, interacted_at: NOON + HOUR })
    await tell(status('sent', wamidOf(campaign, 1), 1, NOON), status('read', wamidOf(campaign, 1), 1, NOON + 1000))
    expect(await one(campaign, 1)).toMatchObject({
      status: 'read',
      sent_at: NOON,
      interacted_at: NOON + HOUR,
      billable: 1,
    })
    expect(await two(campaign)).toMatchObject([
      {
        status: 'queued',
        type: 'text',
        body: `Thank you, Person ${phoneOf(1)}`,
        next_attempt_at: NOON + HOUR,
        account_id: expect.any(String),
      },
    ])
    expect(JSON.parse((await two(campaign))[0]?.params ?? '')).toEqual({
      type: 'text',
      body: `Thank you, Person ${phoneOf(1)}`,
    })
    expect(await jobsOf(services)).toEqual([expect.stringContaining(`campaign.run:${campaign}`)])
    // What is written after it came counts as written when it came.
    expect(await contact(1)).toMatchObject({ last_inbound_at: NOON + HOUR, window_expires_at: NOON + 25 * HOUR })
    const received = await services.database.writer
      .selectFrom('messages')
      .selectAll()
      .where('direction', '=', 'in')
      .execute()
    expect(received.map(row => [row.status, row.body, row.context_wamid])).toContainEqual([
      'received',
      'Yes please',
      wamidOf(campaign, 1),
    ])
    expect(received).toHaveLength(2)
    expect(await expectExact(services, campaign)).toMatchObject({
      sent: 1,
      read: 1,
      interacted: 1,
      open_count: 1,
      status: 'running',
    })
  })

  it('from people whose number is hidden is found by what they answer, and by their id from then on', async () => {
    const { services, tell, plant: start, contact } = await makeScene(engine)
    const campaign = await start()
    await tell(reply(1, NOON, { person: hiddenPersonOf(1), ...contextId(campaign) }))
    expect(await contact(1)).toMatchObject({ bsuid: hiddenPersonOf(1).userId, last_inbound_at: NOON })
    await tell(reply(1, NOON, { person: hiddenPersonOf(1) }), reply(2, NOON, { person: hiddenPersonOf(2) }))
    const contacts = await services.database.writer.selectFrom('contacts').selectAll().orderBy('id').execute()
    expect(contacts.map(row => [row.phone_e164, row.bsuid])).toEqual([
      [phoneOf(1), hiddenPersonOf(1).userId],
      [null, hiddenPersonOf(2).userId],
    ])
    expect(await expectExact(services, campaign)).toMatchObject({ interacted: 1 })
  })
})

describe('what counts as an answer', () => {
  it('is the message that is named, else the newest that was sent before; no reaction, no deletion, no other message', async () => {
    const { clock, tell, plant: start, one, two } = await makeScene()
    const sent = (at: number): Partial<Plan> => ({ message: () => ({ status: 'sent', status_rank: 2, sent_at: at }) })
    const older = await start(sent(NOON - 2 * HOUR))
    const newer = await start(sent(NOON - HOUR))
    clock.now = NOON
    await tell(
      reply(1, NOON, { content: { type: 'reaction', emoji: 'x', messageId: wamidOf(newer, 1) } }),
      reply(1, NOON, { content: { type: 'unsupported' } }),
      // Written before either was sent.
      reply(1, NOON - 3 * HOUR),
      reply(1, NOON, { contextId: 'wamid.of.somebody.else' }),
    )
    for (const campaign of [older, newer]) expect(await one(campaign, 1)).toMatchObject({ interacted_at: null })
    await tell(reply(1, NOON, { content: { type: 'button', text: 'Yes', payload: 'YES' }, ...contextId(older) }))
    expect(await one(older, 1)).toMatchObject({ interacted_at: NOON })
    expect(await one(newer, 1)).toMatchObject({ interacted_at: null })
    await tell(reply(1, NOON, { content: { type: 'image', caption: 'Look' } }))
    expect(await one(newer, 1)).toMatchObject({ interacted_at: NOON })
    expect([await two(older), await two(newer)].map(list => list.length)).toEqual([1, 1])
    // An answer to Message 2, and one more to Message 1.
    await tell(reply(1, NOON, contextId(newer)), reply(1, NOON, contextId(newer, 1, 2)), reply(1, NOON))
    expect(await two(newer)).toHaveLength(1)
  })

  it('is believed for a message whose sender has not stored its id yet', async () => {
    const { services, tell, plant: start, one } = await makeScene()
    const campaign = await start({
      message: () => ({ status: 'sending', status_rank: 0, wamid: null, accepted_at: null }),
    })
    await tell(reply(1, NOON, { contextId: 'wamid.not.stored.yet' }))
    expect(await one(campaign, 1)).toMatchObject({ status: 'sent', interacted_at: NOON, wamid: null })
    const { id, attempts } = await one(campaign, 1)
    await tell(status('delivered', 'wamid.not.stored.yet', 1, NOON, { callbackData: `${id}.${attempts}` }))
    expect(await one(campaign, 1)).toMatchObject({ status: 'delivered', wamid: 'wamid.not.stored.yet' })
    await expectExact(services, campaign)
  })

  it('after the wait was given up: in time by its own clock, late, or late and accepted', async () => {
    const { services, clock, tell, plant: start, one, two } = await makeScene()
    const given: Partial<Plan> = {
      message: () => ({
        status: 'no_interaction',
        status_rank: 3,
        sent_at: NOON - 30 * HOUR,
        accepted_at: NOON - 30 * HOUR,
      }),
      campaign: { status: 'completed', completed_at: NOON },
    }
    const inTime = await start(given)
    const late = await start(given)
    const accepted = await start({ ...given, campaign: { ...given.campaign, accept_late: 1 } })
    clock.now = NOON
    await tell(
      reply(1, NOON - 7 * HOUR, contextId(inTime)),
      reply(1, NOON, contextId(late)),
      reply(1, NOON, contextId(late)),
      reply(1, NOON, contextId(accepted)),
    )
    expect(await one(inTime, 1)).toMatchObject({
      status: 'delivered',
      interacted_at: NOON - 7 * HOUR,
      late_interaction_at: null,
    })
    expect(await one(late, 1)).toMatchObject({
      status: 'no_interaction',
      interacted_at: null,
      late_interaction_at: NOON,
    })
    expect(await one(accepted, 1)).toMatchObject({
      status: 'delivered',
      interacted_at: NOON,
      late_interaction_at: NOON,
    })
    expect([await two(inTime), await two(late), await two(accepted)].map(list => list.length)).toEqual([1, 0, 1])
    // The campaigns go on for the messages that are due now.
    expect(await expectExact(services, inTime)).toMatchObject({ status: 'running', completed_at: null, open_count: 1 })
    expect(await expectExact(services, late)).toMatchObject({ status: 'completed', late_count: 1 })
    expect(await expectExact(services, accepted)).toMatchObject({ status: 'running', no_interaction_count: 0 })
  })

  it('does not send to whoever is gone, has left, or cannot be written to', async () => {
    const { services, clock, account, tell, plant: start, one, two } = await makeScene()
    const stopped = await start({ from: 1 })
    const closed = await start({ from: 2, message: () => ({ sent_at: NOON - HOUR, status: 'sent', status_rank: 2 }) })
    const fallback = await start({ from: 3, campaign: { fallback_template_id: 't1' } })
    const cancelled = await start({ from: 4, campaign: { status: 'cancelled' } })
    const paused = await start({ from: 5, campaign: { status: 'paused' } })
    const deleted = await start({ from: 6 })
    const { database } = services
    const components = JSON.stringify([{ type: 'BODY', text: 'Still there?' }])
    const template = {
      id: 't1',
      account_id: account.id,
      name: 'again',
      language: 'en',
      category: 'UTILITY',
      status: 'APPROVED',
    }
    await database.writer
      .insertInto('templates')
      .values({ ...template, components, synced_at: NOON })
      .execute()
    await database.writer.deleteFrom('contacts').where('phone_e164', '=', phoneOf(6)).execute()
    clock.now = NOON + 30 * HOUR
    await tell(
      reply(1, NOON + 30 * HOUR, { content: { type: 'text', body: '  STOP! ' }, ...contextId(stopped) }),
      // In our hands a day after they were written: the windows they opened are closed.
      reply(2, NOON, contextId(closed, 2)),
      reply(3, NOON, contextId(fallback, 3)),
      ...[4, 5, 6].map((index, place) =>
        reply(index, NOON + 30 * HOUR, contextId([cancelled, paused, deleted][place] ?? '', index)),
      ),
    )
    expect(await two(stopped)).toMatchObject([{ status: 'skipped', error_detail: 'opted_out' }])
    expect(await two(closed)).toMatchObject([{ status: 'skipped', error_detail: 'window_closed' }])
    expect(await two(fallback)).toMatchObject([{ status: 'queued', type: 'template', body: 'Still there?' }])
    expect(await two(cancelled)).toMatchObject([{ status: 'skipped', error_detail: 'cancelled' }])
    expect(await two(paused)).toMatchObject([{ status: 'queued' }])
    expect(await two(deleted)).toEqual([])
    expect(await one(stopped, 1)).toMatchObject({ interacted_at: NOON + 30 * HOUR })
    expect(await expectExact(services, stopped)).toMatchObject({ status: 'completed', message2_failed: 1 })
    for (const id of [closed, fallback, cancelled, paused, deleted]) await expectExact(services, id)
    expect(await jobsOf(services)).toHaveLength(1)
  })
})

describe('what people say about messages', () => {
  it('the later word counts, folded and alone', async () => {
    const { services, clock, tell, plant: start, contact } = await makeScene()
    await start()
    const say = (body: string, at: number): Notice => reply(1, at, { content: { type: 'text', body } })
    clock.now = NOON + HOUR
    await tell(say('please do not stop', NOON))
    expect((await contact(1)).opt_out_at).toBeNull()
    await tell(say('ARRÊT', NOON + 60_000))
    expect((await contact(1)).opt_out_at).toBe(NOON + 60_000)
    await tell(say('start', NOON + 30_000))
    expect((await contact(1)).opt_out_at).toBe(NOON + 60_000)
    await tell(say('Start.', NOON + 120_000))
    expect(await contact(1)).toMatchObject({ opt_out_at: null, opt_in_at: NOON + 120_000 })
    await tell(say('stop', NOON + 90_000))
    expect((await contact(1)).opt_out_at).toBeNull()
    const history = await services.database.writer
      .selectFrom('admin_history')
      .select('action')
      .where('action', 'like', 'opt%')
      .execute()
    expect(history.map(row => row.action)).toEqual(['opt_out', 'opt_in'])
  })

  it('the window never shrinks, and a reaction opens none', async () => {
    const { clock, tell, plant: start, contact } = await makeScene()
    await start()
    clock.now = NOON + 3 * HOUR
    await tell(reply(1, NOON, { content: { type: 'reaction', emoji: 'x', messageId: 'wamid.x' } }))
    expect((await contact(1)).window_expires_at).toBeNull()
    await tell(reply(1, NOON + 2 * HOUR), reply(1, NOON + HOUR))
    await tell(reply(1, NOON))
    expect(await contact(1)).toMatchObject({ last_inbound_at: NOON + 2 * HOUR, window_expires_at: NOON + 26 * HOUR })
  })

  it('a new number and a new id belong to the same person', async () => {
    const { services, tell, tellRaw, plant: start } = await makeScene()
    await start()
    await tell(reply(1, NOON))
    const contacts = () => services.database.writer.selectFrom('contacts').selectAll().execute()
    const [before] = await contacts()
    const system = (id: string, type: string, more: object) => ({
      field: 'messages',
      value: {
        metadata: { phone_number_id: '100000000000001' },
        messages: [
          {
            id,
            timestamp: String(NOON / 1000),
            type: 'system',
            ...more,
            system: { type, body: 'changed', ...systemOf(more) },
          },
        ],
      },
    })
    const systemOf = (more: object): object => ('system' in more ? (more.system as object) : {})
    const change = {
      from: before?.wa_id,
      system: { wa_id: '33699999999', user_id: 'FR.222', previous_user_id: before?.bsuid },
    }
    await tellRaw(system('wamid.s1', 'user_changed_number', change))
    expect(await contacts()).toMatchObject([
      { id: before?.id, phone_e164: '+33699999999', wa_id: '33699999999', bsuid: 'FR.222' },
    ])
    await tellRaw(
      system('wamid.s2', 'user_changed_user_id', { system: { user_id: 'FR.333', previous_user_id: 'FR.222' } }),
    )
    expect(await contacts()).toMatchObject([{ id: before?.id, phone_e164: '+33699999999', bsuid: 'FR.333' }])
    // About somebody we have never heard of: nobody is made of it.
    await tellRaw(system('wamid.s3', 'user_changed_user_id', { system: { user_id: 'FR.5', previous_user_id: 'FR.4' } }))
    expect(await contacts()).toHaveLength(1)
    expect((await inboxOf(services)).at(-1)).toMatchObject({
      processed_at: NOON,
      error: expect.stringContaining('about'),
    })
  })
})
