import { manualClock } from 'palier/testing'
import { expect, test } from 'vitest'
import { ask, asAdmin, asPerson, rig } from './support/rig.ts'

const TAG = { body: { tag: 'a' } }
const LINE = 'POST /api/cache/invalidate-tag'

const times = async <T>(count: number, run: () => Promise<T>): Promise<readonly T[]> => {
  const all: T[] = []
  for (let i = 0; i < count; i++) all.push(await run())
  return all
}

test('thirty changes a minute for each person, previews counted apart', async () => {
  const clock = manualClock()
  await using own = await rig({ clock }, { clock })
  const { console } = own
  const change = () => asPerson(console, 'operator:ann', LINE, TAG)
  const preview = () =>
    asPerson(console, 'operator:ann', 'POST /api/cache/preview', { body: { target: { kind: 'all' } } })
  expect((await times(30, change)).map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200))
  const stopped = await change()
  expect(stopped).toMatchObject({ status: 429, body: { code: 'too-many' } })
  expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect((await preview()).status).toBe(200)
  expect((await asPerson(console, 'operator:bob', LINE, TAG)).status).toBe(200)
  expect((await asPerson(console, 'operator:ann', 'GET /api/cache/stats')).status).toBe(200)
  // The series of refusals stands in the audit log once.
  await times(5, change)
  const refused = own.lines.filter(line => line.includes('429'))
  expect(refused).toEqual([expect.stringContaining('operator "ann"')])
  await clock.advance(120_000)
  expect((await change()).status).toBe(200)
})

test('three clears of everything a minute', async () => {
  const clock = manualClock()
  await using own = await rig({ clock }, { clock })
  const clear = () => asAdmin(own.console, 'POST /api/cache/clear-all', { confirm: 'shop' })
  expect((await times(4, clear)).map(({ status }) => status)).toEqual([200, 200, 200, 429])
  expect((await asAdmin(own.console, LINE, TAG.body)).status).toBe(200)
})

test('ten wrong tokens a minute from each address; nobody else is held up by them', async () => {
  const clock = manualClock()
  await using own = await rig({ clock }, { clock })
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { 'x-palier-token': 'guess' },
    { authorization: 'Bearer guess' },
  ]
  const guess = (i: number) => ask(own.console, 'GET /api/cache/stats', { headers: wrong[i % 2] ?? {} })
  for (let i = 0; i < 10; i++) expect((await guess(i)).status).toBe(401)
  for (let i = 0; i < 2; i++) {
    const stopped = await guess(i)
    expect(stopped).toMatchObject({ status: 429, body: { code: 'too-many' } })
    expect(stopped.headers.get('retry-after')).toMatch(/^\d+$/)
  }
  expect((await ask(own.console, 'GET /api/cache/stats')).status).toBe(401)
  expect((await ask(own.console, 'GET /api/cache/stats', { headers: wrong[0] ?? {} }, '192.0.2.2')).status).toBe(401)
  expect((await asAdmin(own.console, 'GET /api/cache/stats')).status).toBe(200)
})

test('who shows no token is always told the same', async () => {
  await using own = await rig()
  const bare = () => ask(own.console, 'POST /api/cache/clear-all', { body: { confirm: 'shop' } })
  expect(new Set((await times(50, bare)).map(({ status }) => status))).toEqual(new Set([401]))
})

test('refusals to people with access do not fill the audit log', async () => {
  await using own = await rig()
  const tooLow = () => asPerson(own.console, 'viewer:bob', LINE, TAG)
  expect(new Set((await times(30, tooLow)).map(({ status }) => status))).toEqual(new Set([403]))
  expect(own.lines.filter(line => line.includes('[CACHE AUDIT]'))).toHaveLength(10)
})
