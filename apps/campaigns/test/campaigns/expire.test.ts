import { describe, expect, it } from 'vitest'
import { campaignsExpire } from '../../server/campaigns/expire.ts'
import type { JobOutcome } from '../../server/jobs/contract.ts'
import type { Services } from '../../server/services.ts'
import { inboxDrain, storeWebhook } from '../../server/whatsapp/inbox.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { NOON, startServices } from '../support/app.ts'
import {
  drainInbox,
  expectExact,
  HOUR,
  makeAccount,
  messagesOf,
  plant,
  recordingLog,
  type Plan,
  reply,
  signed,
  wamidOf,
} from '../whatsapp/webhook-world.ts'

interface Run {
  readonly outcome: Promise<JobOutcome>
  /** What was saved, the last of it last. */
  readonly saved: object[]
}

/** The task as a worker runs it; `abortAfter` so many saved batches it is told to stop. */
function run(services: Services, progress?: unknown, abortAfter = Number.POSITIVE_INFINITY): Run {
  const saved: object[] = []
  const abort = new AbortController()
  const save = (_work: unknown, next: object): Promise<void> => {
    saved.push(next)
    if (saved.length >= abortAfter) abort.abort()
    return Promise.resolve()
  }
  const context = {
    id: 'job',
    payload: {},
    attempt: 1,
    createdBy: null,
    progress,
    signal: abort.signal,
    services,
    save,
  }
  return { outcome: campaignsExpire.run(context), saved }
}

const sentAt = (at: number): Partial<Plan> => ({
  message: index => ({ status: index % 2 === 0 ? 'sent' : 'read', status_rank: index % 2 === 0 ? 2 : 4, sent_at: at }),
})

describe.each(ENGINES)('the 24-hour task on %s', engine => {
  it('run twice at once and raced by answers counts each recipient once', async () => {
    const url = await freshDatabase(engine)
    const { log, lines } = recordingLog('info', 'warn', 'error')
    const now = (): number => NOON + 25 * HOUR
    const [one, two, inbox] = await Promise.all([0, 1, 2].map(() => startServices({ engine, url, now, log })))
    if (one === undefined || two === undefined || inbox === undefined) throw new Error('no process')
    const account = await makeAccount(one)
    const signers = [{ id: account.id, phone_number_id: account.phoneNumberId, waba_id: account.wabaId }]
    const people = 1100
    const campaigns = [
      (await plant(one, { account, people, from: 1, ...sentAt(NOON) })).campaign.id,
      (await plant(one, { account, people: 300, from: 2001, ...sentAt(NOON), campaign: { message2_kind: 'none' } }))
        .campaign.id,
    ]
    const [first = '', second = ''] = campaigns
    // Half of the answers were written in time, half an hour too late, and all come now.
    const answers = Array.from({ length: 120 }, (_, at) => {
      const written = at % 2 === 0 ? NOON + 20 * HOUR : NOON + 25 * HOUR
      return reply(at * 9 + 1, written, { contextId: wamidOf(first, at * 9 + 1) })
    })
    for (let start = 0; start < answers.length; start += 40) {
      await storeWebhook(inbox, signers, signed(account, answers.slice(start, start + 40)).body)
    }
    const runs = [run(one), run(two)]
    await Promise.all([...runs.map(each => each.outcome), drainInbox(inbox)])
    const results = await Promise.all(runs.map(each => each.outcome))
    const expired = results.reduce(
      (sum, result) => sum + Number('result' in result && (result.result as { expired: number }).expired),
      0,
    )
    const rows = (await messagesOf(one, first)).filter(row => row.step === 1)
    const answered = rows.filter(row => row.interacted_at !== null)
    // In time is in time, whoever was first; too late counts only where the task had not been yet.
    for (let at = 0; at < 120; at += 2) {
      expect(rows.find(row => row.wamid === wamidOf(first, at * 9 + 1))?.interacted_at).toBe(NOON + 20 * HOUR)
    }
    expect(rows.filter(row => row.status === 'no_interaction')).toHaveLength(people - answered.length)
    expect(rows.filter(row => row.interacted_at === null && row.late_interaction_at !== null)).toHaveLength(
      120 - answered.length,
    )
    const campaign = await expectExact(one, first)
    expect(campaign).toMatchObject({ interacted: answered.length, no_interaction_count: people - answered.length })
    expect(campaign).toMatchObject({
      failed_count: people - answered.length,
      open_count: answered.length,
      status: 'running',
    })
    expect(await expectExact(one, second)).toMatchObject({ no_interaction_count: 300, status: 'completed' })
    // Each was given up once, also those whose answer came after that.
    const given = lines.filter(line => line.text === 'no interaction in time').map(line => line.fields['message'])
    expect(given).toHaveLength(expired)
    expect(new Set(given).size).toBe(given.length)
    // Nothing had to be tried again one by one.
    expect(lines.filter(line => 'err' in line.fields)).toEqual([])
    expect(expired).toBeGreaterThanOrEqual(people - answered.length + 300)
    expect(await run(one).outcome).toEqual({ result: { expired: 0, completed: 0 } })
    expect(await inboxDrain.run(inbox, new AbortController().signal)).toBe(0)
  })

  it('keeps to the hours of each campaign, counts from the sending, and goes on where it stopped', async () => {
    const clock = { now: NOON + 24 * HOUR - 1 }
    const services = await startServices({ engine, now: () => clock.now })
    const account = await makeAccount(services)
    const ids = [
      (await plant(services, { account, people: 1100, from: 1, ...sentAt(NOON) })).campaign.id,
      (await plant(services, { account, people: 2, from: 1, ...sentAt(NOON), campaign: { interaction_timeout_h: 48 } }))
        .campaign.id,
      (await plant(services, { account, people: 2, from: 1, ...sentAt(NOON), campaign: { status: 'paused' } })).campaign
        .id,
      // Accepted, and never heard of again: nobody waits for it for ever.
      (await plant(services, { account, people: 2, from: 1 })).campaign.id,
      (await plant(services, { account, people: 0 })).campaign.id,
    ]
    const [many = '', slow = '', paused = '', accepted = '', empty = ''] = ids
    expect(await run(services).outcome).toEqual({ result: { expired: 0, completed: 1 } })
    expect(await expectExact(services, many)).toMatchObject({ no_interaction_count: 0 })
    expect(
      await services.database.writer
        .selectFrom('campaigns')
        .select('status')
        .where('id', '=', empty)
        .executeTakeFirst(),
    ).toEqual({
      status: 'completed',
    })
    clock.now = NOON + 24 * HOUR
    const stopped = run(services, undefined, 2)
    expect(await stopped.outcome).toEqual({ againAt: clock.now })
    expect(stopped.saved.map(progress => (progress as { expired: number }).expired)).toEqual([500, 1000])
    expect(await expectExact(services, many)).toMatchObject({
      no_interaction_count: 1000,
      status: 'running',
      open_count: 100,
    })
    const resumed = run(services, stopped.saved.at(-1))
    expect(await resumed.outcome).toEqual({ result: { expired: 1102, completed: 0 } })
    expect(await expectExact(services, many)).toMatchObject({
      no_interaction_count: 1100,
      status: 'completed',
      completed_at: clock.now,
    })
    expect(await expectExact(services, paused)).toMatchObject({ no_interaction_count: 2, status: 'paused' })
    expect(await expectExact(services, accepted)).toMatchObject({ no_interaction_count: 0, open_count: 2 })
    expect(await expectExact(services, slow)).toMatchObject({ no_interaction_count: 0, open_count: 2 })
    clock.now = NOON + 48 * HOUR
    expect(await run(services).outcome).toEqual({ result: { expired: 4, completed: 0 } })
    expect(await expectExact(services, accepted)).toMatchObject({ no_interaction_count: 2, status: 'completed' })
  })
})
