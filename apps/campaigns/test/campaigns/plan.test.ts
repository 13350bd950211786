import { describe, expect, it } from 'vitest'
import { campaignPlan } from '../../server/campaigns/plan.ts'
import type { JobContext } from '../../server/jobs/contract.ts'
import { ENGINES } from '../support/engines.ts'
import { addContacts, expectExact, setStage, type Stage } from './stage.ts'

type Payload = Parameters<typeof campaignPlan.run>[0]['payload']

/** A run of the planning job outside the queue, which the test can end where it wants. */
function planning(stage: Stage, id: string, save: JobContext<Payload>['save'], signal = new AbortController().signal) {
  const { services } = stage
  const context = { id: 'job', payload: { campaign_id: id }, attempt: 1, createdBy: null, progress: undefined, signal }
  return campaignPlan.run({ ...context, services, save })
}

describe.each(ENGINES)('planning on %s', engine => {
  it('goes on where it was killed, and takes each contact once, whatever becomes of contacts and categories', async () => {
    const stage = await setStage({ engine, contacts: 1200 })
    const { database } = stage.services
    const id = await stage.started()
    const part = (await database.writer.selectFrom('contacts').select('id').orderBy('id').limit(500).execute()).map(
      row => row.id,
    )

    // Killed in the middle of a part: nothing of it is there.
    await expect(planning(stage, id, () => Promise.reject(new Error('killed')))).rejects.toThrow('killed')
    expect(await expectExact(stage.services, id)).toMatchObject({ total: 0, plan_cursor: null })
    // Killed between two parts.
    const ends = new AbortController()
    await planning(stage, id, () => Promise.resolve(ends.abort()), ends.signal)
    expect(await expectExact(stage.services, id)).toMatchObject({
      total: 500,
      plan_cursor: part.at(-1),
      planned_at: null,
    })

    // Planned ones go, and leave the category; ones to come go, too.
    await stage.post('/api/v1/contacts/bulk', { ids: part.slice(0, 3), action: 'delete' })
    const others = await database.writer.selectFrom('contacts').select('id').orderBy('id', 'desc').limit(5).execute()
    for (const contact_id of [...part.slice(3, 6), ...others.map(row => row.id)]) {
      await database.writer.deleteFrom('contact_categories').where('contact_id', '=', contact_id).execute()
    }
    await stage.work()
    const campaign = await expectExact(stage.services, id)
    expect(campaign).toMatchObject({ total: 1195, status: 'running' })
    const messages = await stage.messages(id)
    const contacts = messages.map(message => message.contact_id).filter(contact => contact !== null)
    expect(new Set(contacts).size).toBe(contacts.length)
    expect(stage.fake.sent).toHaveLength(1195 - messages.filter(message => message.status === 'skipped').length)
    expect(messages.filter(message => message.error_detail === 'contact_deleted')).toHaveLength(3)
  })

  it('plans one audience when it runs twice at once, while contacts are deleted, and takes who is in two categories once', async () => {
    const stage = await setStage({ engine, contacts: 700 })
    const { database } = stage.services
    const second = await addContacts(stage.services, 300, index => ({
      phone_e164: `+3370${String(index).padStart(7, '0')}`,
    }))
    const both = stage.contactIds
      .slice(0, 200)
      .map(contact_id => ({ category_id: second.categoryId, contact_id, created_at: 1 }))
    await database.writer.insertInto('contact_categories').values(both).execute()
    const id = await stage.started({ category_ids: [stage.categoryId, second.categoryId] })
    const save = (): Promise<void> => Promise.resolve()
    const deletions = stage.contactIds.slice(0, 40).map(contact => stage.delete(`/api/v1/contacts/${contact}`))
    await Promise.all([planning(stage, id, save), planning(stage, id, save), ...deletions])
    const campaign = await expectExact(stage.services, id)
    expect(campaign['planned_at']).not.toBeNull()
    expect(campaign['total']).toBeGreaterThanOrEqual(960)
    expect(campaign['total']).toBeLessThanOrEqual(1000)
    const planned = (await stage.messages(id)).map(message => message.contact_id).filter(contact => contact !== null)
    expect(new Set(planned).size).toBe(planned.length)
    expect(planned).toHaveLength(960)
  })

  it('completes a campaign that reaches nobody, and plans no more of one that was cancelled', async () => {
    const stage = await setStage({ engine, contacts: 3, change: () => ({ opt_out_at: 1 }) })
    const nobody = await stage.started()
    await stage.work()
    expect(await expectExact(stage.services, nobody)).toMatchObject({ status: 'completed', total: 3, skipped: 3 })
    const cancelled = await stage.started()
    await stage.order(cancelled, 'cancel')
    await stage.work()
    expect(await expectExact(stage.services, cancelled)).toMatchObject({ status: 'cancelled', total: 0 })
  })
})
