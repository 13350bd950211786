import { describe, expect, it } from 'vitest'
import { NOON } from '../support/app.ts'
import { makeScene } from './webhook-scene.ts'
import { drainInbox, expectExact, HOUR, inboxOf, status, wamidOf } from './webhook-world.ts'

describe('news of messages', () => {
  it('stores prices and reasons, opts out whom WhatsApp says, and halts what cannot go on', async () => {
    const { services, tell, plant: start, contact, one } = await makeScene()
    const first = await start({ people: 3, from: 1 })
    const second = await start({ people: 2, from: 4 })
    await tell(
      status('sent', wamidOf(first, 1), 1, NOON),
      status('failed', wamidOf(first, 1), 1, NOON, { code: 131050 }),
      status('failed', wamidOf(first, 2), 2, NOON, { code: 999_999 }),
      status('failed', wamidOf(second, 4), 4, NOON, { code: 131042 }),
      status('sent', wamidOf(first, 2), 2, NOON),
    )
    expect(await one(first, 1)).toMatchObject({
      status: 'failed',
      error_code: 131050,
      error_class: 'opt_out',
      error_detail: expect.stringContaining('said by the test'),
      pricing_category: 'marketing',
      pricing_type: 'regular',
      billable: 1,
    })
    expect((await contact(1)).opt_out_at).toBe(NOON)
    // A code that nobody knows is a failure all the same, not a guess that later news corrects.
    expect(await one(first, 2)).toMatchObject({ status: 'failed', error_class: 'other', sent_at: NOON })
    expect(await expectExact(services, first)).toMatchObject({ status: 'running', failed_count: 2, open_count: 1 })
    expect(await expectExact(services, second)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('131042'),
    })
  })

  it('corrects a message whose sender died, and is not taken for news of a later attempt', async () => {
    const { services, clock, tell, plant: start, one } = await makeScene()
    const lost = {
      status: 'failed',
      error_class: 'unknown',
      failed_at: NOON,
      status_rank: 0,
      wamid: null,
      accepted_at: null,
    } as const
    const campaign = await start({ people: 3, from: 1, message: () => ({ ...lost, attempts: 2 }) })
    const [a, b, c] = [await one(campaign, 1), await one(campaign, 2), await one(campaign, 3)]
    await services.database.writer
      .updateTable('messages')
      .set({ status: 'queued', error_class: null })
      .where('id', '=', c.id)
      .execute()
    await tell(
      status('delivered', 'wamid.a', 1, NOON, { callbackData: `${a.id}.2` }),
      status('sent', 'wamid.b', 2, NOON, { callbackData: `${b.id}.1` }),
      status('sent', 'wamid.c', 3, NOON, { callbackData: `${c.id}.2` }),
    )
    expect(await one(campaign, 1)).toMatchObject({
      status: 'delivered',
      wamid: 'wamid.a',
      error_class: null,
      failed_at: null,
    })
    expect(await one(campaign, 2)).toMatchObject({ status: 'failed', wamid: null })
    expect(await one(campaign, 3)).toMatchObject({ status: 'queued', wamid: null })
    // That it arrived after all spares the person a second one.
    await tell(status('delivered', 'wamid.c', 3, NOON, { callbackData: `${c.id}.2` }))
    expect(await one(campaign, 3)).toMatchObject({ status: 'delivered', wamid: 'wamid.c' })
    expect((await inboxOf(services)).map(row => row.error)).toEqual([
      null,
      expect.stringContaining('again'),
      expect.stringContaining('again'),
      null,
    ])
    // Nobody knows it: it waits for a commit that may be late, and is kept when none comes.
    await tell(status('read', 'wamid.unknown', 9, NOON))
    expect((await inboxOf(services)).at(-1)).toMatchObject({
      processed_at: null,
      attempts: 1,
      next_attempt_at: NOON + 1000,
    })
    clock.now = NOON + 60_000
    await drainInbox(services)
    expect((await inboxOf(services)).at(-1)).toMatchObject({ processed_at: null, attempts: 2 })
    clock.now = NOON + 600_000
    await drainInbox(services)
    expect((await inboxOf(services)).at(-1)).toMatchObject({
      processed_at: NOON + 600_000,
      error: expect.stringContaining('not known'),
    })
    clock.now = NOON + 700_000
    await tell(status('read', 'wamid.late', 9, NOON))
    await services.database.writer.updateTable('messages').set({ wamid: 'wamid.late' }).where('id', '=', b.id).execute()
    clock.now = NOON + 710_000
    await drainInbox(services)
    expect(await one(campaign, 2)).toMatchObject({ read_at: NOON })
  })

  it('changes templates, unless a later synchronisation knew better', async () => {
    const { services, account, clock, tell, tellRaw } = await makeScene()
    const row = {
      id: 't1',
      account_id: account.id,
      name: 'hello',
      language: 'fr',
      category: 'MARKETING',
      status: 'APPROVED',
      components: '[]',
    }
    await services.database.writer
      .insertInto('templates')
      .values({ ...row, synced_at: NOON - HOUR })
      .execute()
    const find = () => services.database.writer.selectFrom('templates').selectAll().executeTakeFirstOrThrow()
    await tell({ kind: 'template', id: '1', name: 'hello', language: 'fr', event: 'PAUSED', at: NOON })
    expect(await find()).toMatchObject({ status: 'PAUSED' })
    const value = {
      message_template_name: 'hello',
      message_template_language: 'fr',
      previous_quality_score: 'GREEN',
      new_quality_score: 'RED',
    }
    await tellRaw({ field: 'message_template_quality_update', value })
    await tellRaw({ field: 'message_template_status_update', value: { ...value, event: 'FLAGGED' } })
    expect(await find()).toMatchObject({ status: 'PAUSED', quality: 'RED' })
    await services.database.writer
      .updateTable('templates')
      .set({ synced_at: NOON + 2 * HOUR, status: 'APPROVED' })
      .execute()
    clock.now = NOON + HOUR
    await tellRaw({ field: 'message_template_status_update', value: { ...value, event: 'DISABLED' } })
    expect(await find()).toMatchObject({ status: 'APPROVED' })
  })
})
