import { describe, expect, it, vi } from 'vitest'
import { createSimulator } from '../../simulator/simulator.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { startSender } from './sender-process.ts'
import { expectExact, setStage, tally } from './stage.ts'

const PATIENCE = { timeout: 50_000, interval: 100 }

// Four processes begin, and two cores may be busy with others.
describe.each(ENGINES)('sending processes on %s', { timeout: 120_000 }, engine => {
  it('send each recipient of a campaign once, also when one of them is killed in the middle of a batch', async () => {
    const simulator = await createSimulator({
      // Long enough for a kill to hit a batch under way.
      rules: [
        { times: 150, outcome: {} },
        { times: 40, outcome: { answerAfter: 1500 } },
      ],
      otherwise: () => ({}),
    })
    const [url, directory] = [await freshDatabase(engine), freshDirectory()]
    const stage = await setStage({ engine, url, directory, contacts: 400, at: simulator.account })
    try {
      const ids = [await stage.started({ rate_per_minute: 60_000 }), await stage.started({ rate_per_minute: 60_000 })]
      const setup = { url, directory, backend: 'filesystem' } as const
      const senders = await Promise.all([1, 2, 3, 4].map(() => startSender(setup)))
      await vi.waitFor(() => expect(simulator.state().accepted).toBeGreaterThan(155), PATIENCE)
      await senders[0]?.kill()
      await senders[1]?.kill()
      // Every lease ends, also those of the living: the campaigns are taken over at once, in the middle of whatever.
      const { writer } = stage.services.database
      await writer.updateTable('jobs').set({ locked_until: 1 }).where('status', '=', 'running').execute()
      await vi.waitFor(async () => {
        for (const id of ids) expect(await openRows(stage, id)).toBe(0)
      }, PATIENCE)
      for (const id of ids) {
        const messages = await stage.messages(id)
        const sent = tally(simulator.sent().map(({ callbackData }) => callbackData?.split('.')[0] ?? ''))
        expect(messages).toHaveLength(400)
        expect(Math.max(...messages.map(message => sent[message.id] ?? 0))).toBe(1)
        // Not stored by who was killed: sent or not, they are not sent by anybody else.
        for (const message of messages) {
          if (message.status === 'accepted') expect(sent[message.id]).toBe(1)
          else expect(message.status).toBe('sending')
        }
        await expectExact(stage.services, id)
      }
      // Their claims end, and then nobody knows.
      await writer.updateTable('messages').set({ next_attempt_at: 1 }).where('status', '=', 'sending').execute()
      await vi.waitFor(async () => {
        const left = await writer.selectFrom('messages').select('id').where('status', '=', 'sending').execute()
        expect(left).toEqual([])
      }, PATIENCE)
      for (const id of ids) {
        await expectExact(stage.services, id)
        const failed = (await stage.messages(id)).filter(message => message.status === 'failed')
        expect(failed.every(message => message.error_class === 'unknown')).toBe(true)
      }
      expect(new Set(simulator.sent().map(({ callbackData }) => callbackData)).size).toBe(simulator.sent().length)
    } finally {
      await simulator.close()
    }
  })
})

async function openRows(stage: Awaited<ReturnType<typeof setStage>>, id: string): Promise<number> {
  const { database, now } = stage.services
  const campaign = await database.writer
    .selectFrom('campaigns')
    .select('planned_at')
    .where('id', '=', id)
    .executeTakeFirst()
  if (campaign?.planned_at === null) return 1
  const rows = await database.writer
    .selectFrom('messages')
    .select(['status', 'next_attempt_at'])
    .where('campaign_id', '=', id)
    .where('status', 'in', ['queued', 'sending'])
    .execute()
  // A claim that nobody works on any more stays for two minutes; one that is worked on is a second old.
  return rows.filter(row => row.status === 'queued' || (row.next_attempt_at ?? 0) > now() + 115_000).length
}
