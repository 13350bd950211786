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

test('ten refused requests a minute for each address; whoever has access is not held up by them', async () => {
  const clock = manualClock()
  await using own = await rig({ clock }, { clock })
  const guess = () => ask(own.console, 'GET /api/cache/stats', { headers: { 'x-palier-token': 'guess' } })
  expect((await times(10, guess)).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 401))
  const stopped = await guess()
  expect(stopped).toMatchObject({ status: 429, body: { code: 'too-many' } })
  expect(stopped.headers.get('retry-after')).toMatch(/^\d+$/)
  expect((await ask(own.console, 'GET /api/cache/stats', {}, '192.0.2.2')).status).toBe(401)
  expect((await asAdmin(own.console, 'GET /api/cache/stats')).status).toBe(200)
  // A role that is too low counts as well, and is told once.
  const tooLow = () => asPerson(own.console, 'viewer:bob', LINE, TAG)
  expect((await times(3, tooLow)).map(({ status }) => status)).toEqual([429, 429, 429])
  expect(own.lines.filter(line => line.includes('[CACHE AUDIT]'))).toHaveLength(0)
})
