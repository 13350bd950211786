import { expect, test } from 'vitest'
import type { AuditAnswer } from '../src/api.ts'
import { csvOf, isLike, namedIn } from '../ui/src/screens/activity/audit.ts'
import { lineOf, previousOf, type Run } from '../ui/src/screens/tests/lines.ts'
import { asAdmin, rig } from './support/rig.ts'

test('the log names what was changed, and is exported so that no spreadsheet runs it', async () => {
  await using own = await rig()
  const { console, cache } = own
  await cache.type('dashboard').set('=kpis', 1)
  await asAdmin(console, 'POST /api/cache/invalidate/dashboard')
  await asAdmin(console, 'POST /api/cache/invalidate-pattern', { pattern: '=k*', type: 'dashboard' })
  await asAdmin(console, 'POST /api/cache/keys/clear', { keys: [{ type: 'dashboard', key: 'say "hi", bob' }] })
  await asAdmin(console, 'POST /api/cache/clear-all', { confirm: 'shop' })
  const { entries } = (await asAdmin(console, 'GET /api/cache/audit')).body as unknown as AuditAnswer
  expect(entries.map(namedIn)).toEqual(['', 'dashboard:say "hi", bob', '=k* (dashboard)', 'dashboard'])
  const [all] = entries
  expect(
    all && [isLike(all, 'Tout vider', 'tout'), isLike(all, 'Tout vider', 'token'), isLike(all, '', 'nobody')],
  ).toEqual([true, true, false])
  const [head, , keys] = csvOf(entries).split('\r\n')
  expect(head).toBe('at,name,role,from,what,target,count,outcome,status,code')
  expect(keys).toContain('"1 keys: dashboard:say ""hi"", bob"')
  expect(csvOf(entries.map(line => ({ ...line, target: '=1+1' })))).toContain(`"'=1+1"`)
})

test('a test is told in the words of the page where it is in order, in the backend’s where it is not', async () => {
  await using own = await rig()
  const run = (await asAdmin(own.console, 'POST /api/cache/test', { mode: 'advanced' })).body as unknown as Run
  const lines = run.checks.map(lineOf)
  expect(lines).toHaveLength(12)
  // No check is new to the page, and each has its numbers.
  for (const { id, ok, said } of lines) expect([id, ok, 'key' in said]).toEqual([id, true, true])
  expect(lines.find(({ id }) => id === '16 KB')?.said).toMatchObject({
    numbers: [expect.any(Number), expect.any(Number)],
  })
  expect(lineOf({ check: 'write', ok: false, detail: 'connection refused' }).said).toEqual({
    text: 'connection refused',
  })
  const like = (at: number, more: Partial<Run> = {}): Run => ({ ...run, at, ...more })
  const runs = [like(4), like(3, { mode: 'simple' }), like(2, { backend: 'redis' }), like(1)]
  expect(previousOf(like(4), runs)?.at).toBe(1)
  expect(previousOf(like(1), runs)).toBeUndefined()
})
