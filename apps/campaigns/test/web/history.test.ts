import { expect, test } from 'vitest'
import { ACTIONS, actionName, actionsOf, changesIn, writtenOf } from '../../web/src/screens/history/changes.ts'
import { historyFilter, historySearch } from '../../web/src/screens/history/search.ts'
import { actionWords, entityWords } from '../../web/src/screens/history/words.ts'

test('a change is told field by field, also where a thing came or went', () => {
  expect(changesIn({ name: 'a', role: 'agent' }, { name: 'b', status: 'active' })).toEqual([
    { field: 'name', before: 'a', after: 'b' },
    { field: 'role', before: 'agent', after: undefined },
    { field: 'status', before: undefined, after: 'active' },
  ])
  expect(changesIn(null, { name: 'new' })).toEqual([{ field: 'name', before: undefined, after: 'new' }])
  expect(changesIn(null, null)).toEqual([])
})

test('values are written as what they are', () => {
  expect(writtenOf('created_at', 5)).toEqual({ kind: 'time', value: 5 })
  expect(writtenOf('effective_from', 5)).toEqual({ kind: 'time', value: 5 })
  expect(writtenOf('format', 5)).toEqual({ kind: 'number', value: 5 })
  expect(writtenOf('password_hash', '(hidden)')).toEqual({ kind: 'hidden' })
  expect(writtenOf('x', '')).toEqual({ kind: 'empty' })
  expect(writtenOf('x', false)).toEqual({ kind: 'no' })
  expect(writtenOf('words', ['a', 'b'])).toEqual({ kind: 'text', text: 'a, b' })
  expect(writtenOf('words', [])).toEqual({ kind: 'nothing' })
  expect(writtenOf('rates', [{ a: 1 }])).toMatchObject({ kind: 'code' })
})

test('each action and kind has its word, whatever part of the server wrote it', () => {
  expect(actionName('campaign.retry-failed')).toBe('retry-failed')
  expect(Object.keys(entityWords.fr).toSorted()).toEqual(Object.keys(ACTIONS).toSorted())
  for (const action of Object.values(ACTIONS).flat()) expect(Object.keys(actionWords.fr)).toContain(actionName(action))
  expect(actionsOf('job')).toEqual(['job.cancel', 'job.retry'])
  expect(actionsOf('of a newer server')).toEqual([])
})

test('an address keeps what is a filter, and days are whole days of the own clock', () => {
  const search = historySearch({ entity: 'user', action: '', from: '2026-03-29', to: '2026-03-29', admin: 7, x: 'y' })
  expect(search).toEqual({ entity: 'user', from: '2026-03-29', to: '2026-03-29' })
  expect(historySearch({ from: '2026-13-45', to: 'yesterday' })).toEqual({})
  const { from = 0, to = 0, ...rest } = historyFilter(search)
  expect(rest).toEqual({ entity: 'user' })
  expect(new Date(from).getHours() + new Date(to).getHours()).toBe(0)
  expect(new Date(to).getDate() - new Date(from).getDate()).toBe(1)
})
