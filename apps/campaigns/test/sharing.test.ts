import { describe, expect, test } from 'vitest'
import { NOON, phoneOf, queriesOf, startApp, type TestApp } from './support/app.ts'
import { freshDatabase } from './support/engines.ts'
import { freshDirectory } from './support/fresh-directory.ts'

async function until(what: () => Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await what())) {
    if (performance.now() > end) throw new Error('it did not happen in time')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

async function pair(): Promise<readonly [TestApp, TestApp]> {
  const shared = { directory: freshDirectory(), url: await freshDatabase('sqlite'), now: () => NOON }
  const first = await startApp({ ...shared, data: {} })
  return [first, await startApp(shared)]
}

describe('two servers on one database and one cache directory', () => {
  test('share what one of them has computed', async () => {
    const [first, second] = await pair()
    const shown = (await first.get('/api/v1/dashboard')).json()
    // Who asks is known from here on.
    await second.get('/healthz')
    const statements = await queriesOf(second.services.database, async () => {
      const answer = await second.get('/api/v1/dashboard')
      expect(answer.headers['x-cache']).toBe('HIT')
      expect(answer.json()).toEqual(shown)
    })
    expect(statements).toEqual([])
  })

  test('both show a write of either of them', async () => {
    const [first, second] = await pair()
    const total = async (app: TestApp): Promise<number> => (await app.get('/api/v1/dashboard')).json().contacts.total
    const start = await total(first)
    expect(await total(second)).toBe(start)
    for (let round = 1; round <= 6; round++) {
      const [writer, other] = round % 2 === 1 ? [first, second] : [second, first]
      const added = await writer.post('/api/v1/contacts', { name: 'Ada', phone: phoneOf(round) })
      expect(added.statusCode).toBe(201)
      expect(await total(writer)).toBe(start + round)
      // The other one hears of it through the shared directory, within the bound it states.
      await until(async () => (await total(other)) === start + round)
    }
  })

  test('write at the same time without losing a contact', async () => {
    const [first, second] = await pair()
    const add = (app: TestApp, index: number) => app.post('/api/v1/contacts', { name: 'Ada', phone: phoneOf(index) })
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => add(index % 2 ? first : second, index)))
    expect(answers.map(answer => answer.statusCode)).toEqual(Array(40).fill(201))
    expect((await first.get('/api/v1/dashboard')).json().contacts.total).toBe(140)
  })
})

test('a new database never shows the numbers of the one before it in the same cache directory', async () => {
  const directory = freshDirectory()
  const old = await startApp({ directory, now: () => NOON, data: { contacts: 50 } })
  expect((await old.get('/api/v1/dashboard')).json().contacts.total).toBe(50)
  const other = await startApp({ directory, now: () => NOON })
  const answer = await other.get('/api/v1/dashboard')
  expect(answer.headers['x-cache']).toBe('MISS')
  expect(answer.json().contacts.total).toBe(0)
})
