import { expect, test } from 'vitest'
import type { ClearedAnswer } from '../src/api.ts'
import { type Chosen, kindOf, requestOf, type Target, targetOf, undoableOf } from '../ui/src/screens/clear/target.ts'
import { asAdmin, rig } from './support/rig.ts'

const EMPTY: Chosen = { kind: 'type', type: '', tag: '', pattern: '', key: '', subject: '' }

test('what is missing for a target is waited for', () => {
  expect(targetOf(EMPTY)).toBeUndefined()
  expect(targetOf({ ...EMPTY, kind: 'tag' })).toBeUndefined()
  expect(targetOf({ ...EMPTY, kind: 'pattern', type: 'page' })).toBeUndefined()
  expect(targetOf({ ...EMPTY, kind: 'key', key: 'home' })).toBeUndefined()
  expect(targetOf({ ...EMPTY, kind: 'all' })).toEqual({ kind: 'all' })
  expect(['all', 'key', 'nothing', ''].map(kindOf)).toEqual(['all', 'key', 'type', 'type'])
})

test('each target is previewed and cleared as the API takes it, whatever its names hold', async () => {
  await using own = await rig({ types: { 'a/b': {}, mine: { scope: 'user' } } }, { limit: { changes: 1000 } })
  const { cache, console } = own
  const typed = cache.type('a/b')
  const mine = cache.type('mine')
  const chosen: readonly Partial<Chosen>[] = [
    { kind: 'key', type: 'a/b', key: '100 % é/?#' },
    { kind: 'key', type: 'mine', key: 'm', subject: 'u1' },
    { kind: 'pattern', type: 'a/b', pattern: '100*' },
    { kind: 'pattern', pattern: 'a/b:100*' },
    { kind: 'tag', tag: 'org:1' },
    { kind: 'type', type: 'a/b' },
    { kind: 'all' },
  ]
  for (const part of chosen) {
    const target = targetOf({ ...EMPTY, ...part })
    expect(target).toBeDefined()
    await typed.set('100 % é/?#', 1, { tags: ['org:1'] })
    await mine.set('m', 1, { subject: 'u1', tags: ['org:1'] })
    const preview = await asAdmin(console, 'POST /api/cache/preview', { target })
    expect([preview.status, Number(preview.body['entries']) > 0]).toEqual([200, true])
    const { method, path, body, query = {} } = requestOf(target as Target, 'shop')
    const given = new URLSearchParams(
      Object.entries(query).filter((one): one is [string, string] => one[1] !== undefined),
    )
    const line = `${method} /api/${path}${given.size === 0 ? '' : `?${String(given)}`}`
    const answer = await asAdmin(console, line, body)
    expect([line, answer.status]).toEqual([line, 200])
    const isMine = part.type === 'mine'
    const left = isMine ? await mine.get('m', { subject: 'u1' }) : await typed.get('100 % é/?#')
    expect(left).toBeUndefined()
  }
})

test('only a clear that can be put back is offered to be', () => {
  const target = { kind: 'type', type: 'page' } as const
  const cleared: ClearedAnswer = { receipt: { local: true, shared: 'acked' }, entries: 3, exact: true }
  expect(undoableOf(target, { ...cleared, receipt: { local: true, shared: 'pending' } }, 1)).toBeUndefined()
  expect(undoableOf(target, { ...cleared, undo: 't', undoUntil: 9 }, 1)).toEqual({
    ...{ token: 't', until: 9, at: 1, target, entries: 3, exact: true },
  })
})
