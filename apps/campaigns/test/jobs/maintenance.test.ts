import { describe, expect, test } from 'vitest'
import { maintenance } from '../../server/jobs/maintenance.ts'
import type { Services } from '../../server/services.ts'
import { write } from '../../server/work.ts'
import { ENGINES } from '../support/engines.ts'
import { handler } from './support/handlers.ts'
import { startRig } from './support/rig.ts'

const DAY = 86_400_000
const handlers = [maintenance, handler('other', async () => ({ result: {} }))]

/** One row of each kind at each age in days; ended as long ago. */
async function fill({ database, newId, now }: Services, ages: readonly number[]): Promise<void> {
  const { writer } = database
  const user = newId()
  const person = { name: 'Ada', password_hash: 'none', role: 'admin', status: 'active', locale: 'en' } as const
  const times = { created_at: 1, updated_at: 1 }
  await writer
    .insertInto('users')
    .values({ id: user, email: 'ada@example.org', session_epoch: 1, ...person, ...times })
    .execute()
  for (const age of ages) {
    const at = now() - age * DAY
    const id = newId()
    const event = {
      account_id: 'a',
      kind: 'other',
      payload: '{}',
      attempts: 0,
      next_attempt_at: at,
      received_at: at,
    } as const
    await writer
      .insertInto('webhook_inbox')
      .values([
        { ...event, id, dedupe_key: `done ${age}`, processed_at: at },
        { ...event, id: newId(), dedupe_key: `waits ${age}`, processed_at: null },
      ])
      .execute()
    const job = {
      queue: 'q',
      name: 'other',
      payload: '{}',
      run_at: at,
      priority: 0,
      attempts: 1,
      max_attempts: 3,
      created_at: at,
    }
    await writer
      .insertInto('jobs')
      .values([
        { ...job, id, status: 'done', finished_at: at },
        { ...job, id: newId(), status: 'done', finished_at: at, dedupe_key: `keep:tick:other:${age}` },
        { ...job, id: newId(), status: 'queued', run_at: now() + DAY },
      ])
      .execute()
    const change = {
      admin_id: null,
      actor: 'system',
      action: 'x',
      entity: 'x',
      entity_id: null,
      before: null,
      after: null,
    }
    await writer
      .insertInto('admin_history')
      .values({ id, ...change, timestamp: at })
      .execute()
    const reset = { token_hash: id, user_id: user, expires_at: at, created_at: at }
    await writer.insertInto('password_resets').values(reset).execute()
  }
}

async function left({ database: { writer } }: Services): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of ['webhook_inbox', 'jobs', 'admin_history', 'password_resets'] as const) {
    const { n } = await writer
      .selectFrom(table)
      .select(eb => eb.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow()
    counts[table] = n
  }
  return counts
}

describe.each(ENGINES)('maintenance on %s', engine => {
  test('takes away what was kept long enough, and nothing that has still to be done', async () => {
    const { services, worker, add } = await startRig(handlers, { engine })
    await fill(services, [0.5, 2, 10, 40, 1000])
    await write(services, async ({ trx, at }) => {
      const values = JSON.stringify(7)
      await trx.insertInto('settings').values({ key: 'inbox_days', value: values, updated_at: at }).execute()
    })
    const id = await add({ name: 'maintenance', payload: {} })
    await worker().runUntilIdle()
    expect(await left(services)).toEqual({
      // Processed at most 7 days ago, and all that wait.
      webhook_inbox: 2 + 5,
      // Ended at most 30 days ago, of ticks at most 3 days; all that are queued; its own.
      jobs: 3 + 2 + 5 + 1,
      admin_history: 4,
      password_resets: 1,
    })
    const { result } = await services.database.writer
      .selectFrom('jobs')
      .select('result')
      .where('id', '=', String(id))
      .executeTakeFirstOrThrow()
    expect(JSON.parse(String(result))).toEqual({
      'processed webhooks': 3,
      'jobs of ticks': 3,
      'ended jobs': 2,
      history: 1,
      mail: 0,
      'events of the cache': 0,
      'links for new passwords': 4,
    })
  })
})

test('goes through more than one part, and stops between two when it has to', async () => {
  const { services, worker, add } = await startRig(handlers)
  await write(services, async ({ trx, at }) => {
    const old = { actor: 'system', action: 'x', entity: 'x', timestamp: at - 1000 * DAY }
    for (let n = 0; n < 1200; n++)
      await trx
        .insertInto('admin_history')
        .values({ id: services.newId(), ...old })
        .execute()
  })
  await add({ name: 'maintenance', payload: {} })
  await worker().runUntilIdle()
  expect((await left(services))['admin_history']).toBe(0)
})
