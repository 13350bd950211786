import { describe, expect, it, vi } from 'vitest'
import { actionsOf } from '../../server/campaigns/lifecycle.ts'
import { CAMPAIGN_STATUSES, type CampaignStatus } from '../../server/database/schema.ts'
import { write } from '../../server/work.ts'
import { ENGINES } from '../support/engines.ts'
import { expectExact, setStage, tally } from './stage.ts'

/** Who may go where, written down a second time and by hand. */
const POSSIBLE: Readonly<Record<CampaignStatus, readonly string[]>> = {
  draft: ['edit', 'schedule', 'start', 'delete'],
  scheduled: ['edit', 'schedule', 'start', 'cancel'],
  running: ['pause', 'cancel', 'retry-failed'],
  paused: ['resume', 'cancel', 'retry-failed'],
  completed: ['retry-failed', 'delete'],
  cancelled: ['delete'],
  failed: ['resume', 'cancel', 'retry-failed', 'delete'],
}
const COMMANDS = ['schedule', 'start', 'pause', 'resume', 'cancel', 'retry-failed'] as const

const PATIENCE = { timeout: 30_000, interval: 200 }

describe('the states of a campaign', () => {
  it('allows just what the table says in each state, and refuses the rest with the state and what is possible', async () => {
    const stage = await setStage({ contacts: 1 })
    const { writer } = stage.services.database
    const id = await stage.draft()
    for (const status of CAMPAIGN_STATUSES) {
      expect(actionsOf(status)).toEqual(POSSIBLE[status])
      for (const command of COMMANDS.filter(name => !POSSIBLE[status].includes(name))) {
        await writer.updateTable('campaigns').set({ status }).where('id', '=', id).execute()
        const body = command === 'schedule' ? { scheduled_at: Date.now() + 60_000 } : undefined
        const response = await stage.post(`/api/v1/campaigns/${id}/${command}`, body)
        expect([status, command, response.statusCode]).toEqual([status, command, 409])
        expect(response.json()).toMatchObject({ state: status, possible: POSSIBLE[status] })
        expect((await stage.get(`/api/v1/campaigns/${id}`)).json()).toMatchObject({ status, actions: POSSIBLE[status] })
      }
      if (POSSIBLE[status].includes('delete')) continue
      expect((await stage.delete(`/api/v1/campaigns/${id}`)).statusCode).toBe(409)
    }
    expect((await stage.post('/api/v1/campaigns/none/pause')).statusCode).toBe(404)
  })

  it('names everything that is missing before it starts, and starts nothing', async () => {
    const stage = await setStage({ contacts: 1 })
    const id = await stage.draft({
      category_ids: [],
      message1_params: { '1': { field: 'shoe_size' } },
      message2_kind: 'interactive',
      message2_body: null,
    })
    const response = await stage.post(`/api/v1/campaigns/${id}/start`)
    expect(response.statusCode).toBe(409)
    const { errors } = response.json<{ errors: { field: string }[] }>()
    expect(errors.map(({ field }) => field)).toEqual([
      'category_ids',
      'message1_params.2',
      'message1_params.1.field',
      'message2_body',
      'message2_buttons',
    ])
    const paused = await stage.draft({ message1_template_id: stage.templates.get('winter_sale fr') })
    expect((await stage.post(`/api/v1/campaigns/${paused}/start`)).body).toContain('an approved template')
    expect(await stage.messages(id)).toEqual([])
  })

  it('lets one of two editors save, and tells the other', async () => {
    const stage = await setStage({ contacts: 1 })
    const id = await stage.draft()
    const save = (name: string) => stage.patch(`/api/v1/campaigns/${id}`, { version: 1, name })
    const responses = await Promise.all([save('One'), save('Two')])
    expect(responses.map(response => response.statusCode).toSorted((a, b) => a - b)).toEqual([200, 409])
    expect((await stage.get(`/api/v1/campaigns/${id}`)).json()).toMatchObject({ version: 2 })
    const mass = await stage.patch(`/api/v1/campaigns/${id}`, { version: 2, status: 'running', total: 9 })
    expect(mass.statusCode).toBe(400)
    const history = await stage.services.database.writer.selectFrom('admin_history').select('action').execute()
    expect(tally(history.map(row => row.action))).toMatchObject({ 'campaign.create': 1, 'campaign.update': 1 })
  })
})

describe.each(ENGINES)('commands that race on %s', engine => {
  it('lets one of pause, cancel and start win where they exclude each other', async () => {
    const stage = await setStage({ engine, contacts: 5 })
    const id = await stage.draft()
    const starts = await Promise.all([1, 2, 3].map(() => stage.post(`/api/v1/campaigns/${id}/start`)))
    expect(starts.map(response => response.statusCode).toSorted((a, b) => a - b)).toEqual([200, 409, 409])
    const pauses = await Promise.all([1, 2].map(() => stage.post(`/api/v1/campaigns/${id}/pause`)))
    expect(pauses.map(response => response.statusCode).toSorted((a, b) => a - b)).toEqual([200, 409])
    await stage.work()
    // The audience was frozen meanwhile; nobody was written to.
    expect(await expectExact(stage.services, id)).toMatchObject({ status: 'paused', total: 5, queued: 5 })
    expect(stage.fake.sent).toEqual([])
    const ends = await Promise.all(['resume', 'cancel'].map(name => stage.post(`/api/v1/campaigns/${id}/${name}`)))
    expect(ends[1]?.statusCode).toBe(200)
    await stage.work()
    const campaign = await expectExact(stage.services, id)
    expect(campaign).toMatchObject({ status: 'cancelled', queued: 0, skipped: 5 - stage.fake.sent.length })
  })

  it('pauses and cancels within a batch, and skips whoever is still queued', async () => {
    const stage = await setStage({ engine, contacts: 12 })
    // One a second.
    const id = await stage.started({ rate_per_minute: 60 })
    const accept = stage.fake.answer
    stage.fake.answer = async message => {
      if (stage.fake.sent.length === 2) await stage.order(id, 'cancel')
      return accept(message)
    }
    await vi.waitFor(async () => {
      await stage.work()
      expect(await expectExact(stage.services, id)).toMatchObject({ status: 'cancelled', queued: 0, skipped: 10 })
    }, PATIENCE)
    const statuses = tally((await stage.messages(id)).map(message => message.status))
    expect(statuses).toEqual({ accepted: 2, skipped: 10 })
  })

  it('completes, sends again what failed, and then completes again', async () => {
    const stage = await setStage({ engine, contacts: 4 })
    const accept = stage.fake.answer
    stage.fake.answer = () => ({ outcome: 'refused', code: 131026, errorClass: 'recipient', detail: 'no' })
    const id = await stage.started()
    await stage.work()
    expect(await expectExact(stage.services, id)).toMatchObject({ status: 'completed', failed_count: 4, open_count: 0 })
    expect((await stage.post(`/api/v1/campaigns/${id}/retry-failed`, { error_class: 'token' })).statusCode).toBe(409)
    const retries = await Promise.all([1, 2].map(() => stage.post(`/api/v1/campaigns/${id}/retry-failed`)))
    expect(retries.map(response => response.statusCode).toSorted((a, b) => a - b)).toEqual([200, 409])
    stage.fake.answer = message =>
      message.messageId.endsWith('.2') ? accept(message) : { outcome: 'unknown', detail: '' }
    await stage.work()
    expect(await expectExact(stage.services, id)).toMatchObject({ status: 'running', failed_count: 0, open_count: 4 })
    expect(stage.fake.sent).toHaveLength(8)
  })

  it('starts a scheduled campaign at its time, once, and says why one cannot start', async () => {
    let time = Date.UTC(2026, 10, 2, 12)
    const stage = await setStage({ engine, contacts: 2, now: () => time })
    const [good, bad] = [
      await stage.draft(),
      await stage.draft({ message1_template_id: stage.templates.get('reminder fr') }),
    ]
    const at = { scheduled_at: time + 60_000 }
    await stage.order(good, 'schedule', at)
    await stage.order(bad, 'schedule', at)
    expect((await stage.post(`/api/v1/campaigns/${good}/schedule`, { scheduled_at: time })).statusCode).toBe(400)
    const { database, jobs } = stage.services
    await database.writer.updateTable('templates').set({ status: 'PAUSED' }).where('name', '=', 'reminder').execute()
    const tick = (): Promise<unknown> =>
      write(stage.services, work => jobs.add(work, { name: 'campaigns.start-due', payload: {} }))
    await tick()
    await stage.work()
    expect(stage.fake.sent).toEqual([])
    time += 60_000
    await Promise.all([tick(), tick()])
    await stage.work()
    expect(stage.fake.sent).toHaveLength(2)
    expect(await expectExact(stage.services, good)).toMatchObject({ status: 'running', started_at: time })
    const failed = await expectExact(stage.services, bad)
    expect(failed).toMatchObject({ status: 'failed', total: 0 })
    expect(failed['reason']).toContain('PAUSED')
  })
})
