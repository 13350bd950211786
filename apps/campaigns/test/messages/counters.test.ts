import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MESSAGE_STATUSES } from '../../server/database/schema.ts'
import { type Counter, COUNTERS, contributionOf, recountMessages } from '../../server/messages/counters.ts'
import { ENGINES } from '../support/engines.ts'
import { startServices } from '../support/app.ts'
import { makeAccount, messageRow, plant } from '../whatsapp/webhook-world.ts'

const time = fc.option(fc.integer({ min: 1, max: 1e12 }), { nil: null })
const anyMessage = fc.record({
  step: fc.constantFrom(1, 2, null),
  status: fc.constantFrom(...MESSAGE_STATUSES),
  sent_at: time,
  delivered_at: time,
  read_at: time,
  interacted_at: time,
  late_interaction_at: time,
})

describe.each(ENGINES)('counters on %s', engine => {
  it('are the sums of what each message adds, counted by the database or one by one', async () => {
    const services = await startServices({ engine })
    const account = await makeAccount(services)
    const shapes = fc.sample(anyMessage, { numRuns: 800, seed: 7 })
    const campaigns = [0, 1].map(async () => (await plant(services, { account, people: 0 })).campaign.id)
    const ids = await Promise.all(campaigns)
    const rows = shapes.map((shape, index) =>
      messageRow({ ...shape, id: services.newId(), campaign_id: ids[index % 2] ?? '', created_at: 1 }),
    )
    await services.database.writer.insertInto('messages').values(rows).execute()
    const counted = await recountMessages(services.database.reader)
    for (const id of ids) {
      const sums = new Map<Counter, number>(COUNTERS.map(name => [name, 0]))
      for (const row of rows.filter(message => message.campaign_id === id)) {
        for (const name of COUNTERS) sums.set(name, (sums.get(name) ?? 0) + contributionOf(row)[name])
      }
      expect({ ...counted.get(id) }).toEqual(Object.fromEntries(sums))
    }
  })
})
