import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NOON, queriesOf, startApp, type TestApp } from './support/app.ts'
import { createWorker } from '../server/jobs/worker.ts'
import { sendCsv } from './contacts/run-import.ts'
import { recount } from './support/recount.ts'

/** Everything that is cached, read twice: the second time from the cache alone, and equal to a recount both times. */
async function expectExact(app: TestApp, turn = 0): Promise<void> {
  const counted = await recount(app.services.database.writer, NOON)
  const compare = async (): Promise<void> => {
    const dashboard = (await app.get('/api/v1/dashboard')).json()
    expect(dashboard.contacts).toEqual(counted.contacts)
    const counts = new Map(counted.categories.map(category => [category.id, category]))
    for (const { id, name, contact_count } of dashboard.categories)
      expect({ id, name, contact_count }).toEqual(counts.get(id))
    expect(dashboard.categories).toHaveLength(Math.min(10, counts.size))
    const { items } = (await app.get('/api/v1/categories')).json()
    expect(items).toHaveLength(counts.size)
    for (const { id, name, contact_count } of items) expect({ id, name, contact_count }).toEqual(counts.get(id))
    // Single categories by turns, so that each is looked at after a few writes and in no run all after every one.
    for (const { id, name, contact_count } of counted.categories.filter((_, at) => at % 5 === turn % 5)) {
      expect((await app.get(`/api/v1/categories/${id}`)).json()).toMatchObject({ name, contact_count })
    }
    const stats = (await app.get('/api/v1/messages/stats')).json()
    expect(stats).toMatchObject({ contacts: counted.contacts.total, total: counted.allMessages })
  }
  await compare()
  expect(await queriesOf(app.services.database, compare)).toEqual([])
}

const nat = fc.nat({ max: 1000 })
const picks = fc.array(nat, { maxLength: 3 })
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), phone: nat, categories: picks }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('move' as const), which: nat, categories: picks }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: nat }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('addCategory' as const), name: nat }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renameCategory' as const), which: nat, name: nat }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeCategory' as const), which: nat }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('import' as const), phones: fc.array(nat, { maxLength: 5 }) }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const phone = (index: number): string => `+4470000${String(index).padStart(5, '0')}`

/** The contact or category is gone, taken, or (when writes overtake each other) was just deleted. */
const REFUSED = [400, 404, 409]

/** Carries out one write; writes that are refused (a phone or a name that is taken) are part of the game. */
async function write(app: TestApp, done: Step): Promise<void> {
  const idsOf = async (table: 'contacts' | 'categories'): Promise<string[]> =>
    (await app.services.database.writer.selectFrom(table).select('id').orderBy('id').execute()).map(row => row.id)
  const pick = (ids: readonly string[], index: number): string => ids[index % Math.max(ids.length, 1)] ?? 'none'
  const chosen = async (indexes: readonly number[]): Promise<string[]> => {
    const ids = await idsOf('categories')
    return ids.length === 0 ? [] : indexes.map(index => pick(ids, index))
  }
  const change = async (method: 'PATCH' | 'DELETE', url: string, payload?: object): Promise<void> => {
    expect([200, 204, ...REFUSED]).toContain((await app.send({ method, url, ...(payload && { payload }) })).statusCode)
  }
  switch (done.kind) {
    case 'add': {
      const category_ids = await chosen(done.categories)
      const answer = await app.post('/api/v1/contacts', { name: 'Ada', phone: phone(done.phone), category_ids })
      return expect([201, ...REFUSED]).toContain(answer.statusCode)
    }
    case 'move': {
      const id = pick(await idsOf('contacts'), done.which)
      return await change('PATCH', `/api/v1/contacts/${id}`, { category_ids: await chosen(done.categories) })
    }
    case 'remove':
      return await change('DELETE', `/api/v1/contacts/${pick(await idsOf('contacts'), done.which)}`)
    case 'addCategory': {
      const answer = await app.post('/api/v1/categories', { name: `Group ${done.name % 20}` })
      return expect([201, ...REFUSED]).toContain(answer.statusCode)
    }
    case 'renameCategory': {
      const id = pick(await idsOf('categories'), done.which)
      return await change('PATCH', `/api/v1/categories/${id}`, { name: `Group ${done.name % 20}` })
    }
    case 'removeCategory':
      return await change('DELETE', `/api/v1/categories/${pick(await idsOf('categories'), done.which)}`)
    case 'import': {
      const lines = done.phones.map(index => `Bob,${phone(index)},,Group ${index % 20};Group ${index % 7}\n`)
      expect((await sendCsv(app, `name,phone,email,categories\n${lines.join('')}`)).statusCode).toBe(202)
      // Of two imports at once either worker may do both: they are done when all workers are.
      const worker = createWorker(app.services)
      await worker.runUntilIdle()
      return await worker.close()
    }
  }
}

describe('cached answers', () => {
  test('equal a recount of the tables after every write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async steps => {
        const app = await startApp({ now: () => NOON, data: { contacts: 8, messages: 30 } })
        await expectExact(app)
        for (const [turn, done] of steps.entries()) {
          await write(app, done)
          await expectExact(app, turn)
        }
        expect(app.warnings).toEqual([])
      }),
      { numRuns: 6 },
    )
  })

  test('equal a recount when writes and reads were under way together', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async steps => {
        const app = await startApp({ now: () => NOON, data: { contacts: 8, messages: 30 } })
        const reads = ['/api/v1/dashboard', '/api/v1/categories', '/api/v1/messages/stats']
        await Promise.all(steps.flatMap((done, index) => [write(app, done), app.get(reads[index % 3] ?? '')]))
        await expectExact(app)
      }),
      { numRuns: 5 },
    )
  }, 120_000)
})
