import { describe, expect, test } from 'vitest'
import { openDatabase } from '../../server/database/open.ts'
import { phoneOf, startApp } from '../support/app.ts'
import { freshDatabase } from '../support/engines.ts'

/** A replica that lags for ever: another database that says it is the same one. */
async function frozenReplica(engine: 'postgres' | 'mysql', url: string): Promise<string> {
  const replicaUrl = await freshDatabase(engine)
  const primary = await openDatabase({ url })
  const replica = await openDatabase({ url: replicaUrl })
  await replica.writer.updateTable('settings').set({ value: primary.id }).where('key', '=', 'database_id').execute()
  await Promise.all([primary.close(), replica.close()])
  return replicaUrl
}

describe.each(['postgres', 'mysql'] as const)('a read replica that lags, on %s', engine => {
  test('is asked for lists, but never by who has just written, and never for what is kept', async () => {
    const url = await freshDatabase(engine)
    const app = await startApp({ engine, url, replicaUrl: await frozenReplica(engine, url) })
    const other = await app.as('manager')
    const names = async (caller: typeof other): Promise<string[]> =>
      (await caller.get('/api/v1/contacts')).json().items.map(({ name }: { name: string }) => name)
    expect((await app.post('/api/v1/contacts', { name: 'Ada', phone: phoneOf(1) })).statusCode).toBe(201)
    expect(await names(app)).toEqual(['Ada'])
    // Somebody else may see the past for as long as the replica lags; nobody is shown a kept number from it.
    expect(await names(other)).toEqual([])
    expect((await other.get('/api/v1/dashboard')).json().contacts.total).toBe(1)
    // When the own write is old enough, the replica will do.
    await app.services.caching.cache.type('wrote').delete(app.userId)
    expect(await names(app)).toEqual([])
  })
})
