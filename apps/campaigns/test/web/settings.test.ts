import fc from 'fast-check'
import Value from 'typebox/value'
import { expect, test } from 'vitest'
import { PERMISSIONS } from '../../server/access/permissions.ts'
import { HANDLERS } from '../../server/handlers.ts'
import { DEFAULT_SETTINGS, SettingsSchema } from '../../server/settings/definitions.ts'
import { jobsPause, type Rate } from '../../web/src/data/settings.ts'
import { groupScopes, readingOf, stateOf } from '../../web/src/screens/keys/scopes.ts'
import { actionWords, subjectWords } from '../../web/src/screens/keys/words.ts'
import {
  changedValues,
  grouped,
  problemOf,
  schemasOf,
  type Typed,
  typedOf,
  valueOf,
} from '../../web/src/screens/settings/fields.ts'
import { figuresOf, readEvent, shareOf } from '../../web/src/screens/settings/job-figures.ts'
import { jobNames } from '../../web/src/screens/settings/jobs-words.ts'
import { priceText, ratesOf, readPrice, rowOf, rowProblems } from '../../web/src/screens/settings/money.ts'
import { fieldWords } from '../../web/src/screens/settings/words.ts'

const SCHEMAS = schemasOf(JSON.parse(JSON.stringify(SettingsSchema)))
const typed: fc.Arbitrary<Typed> = fc.oneof(
  fc.string({ maxLength: 130 }),
  fc.constantFrom(
    '',
    ' ',
    'FR',
    'fr',
    'en',
    'a@b.org',
    '24',
    '-1',
    '0',
    '1.5',
    '60000',
    '60001',
    '1e3',
    'stop\n\nstop, end',
  ),
  fc.array(fc.string({ minLength: 1, maxLength: 45 }), { maxLength: 60 }).map(words => words.join('\n')),
)

test('what the form finds nothing wrong with is what the server takes', () => {
  const names = SCHEMAS.filter(([, { type }]) => type !== 'boolean').map(([name]) => name)
  fc.assert(
    fc.property(fc.constantFrom(...names), typed, (name, text) => {
      const schema = SCHEMAS.find(([one]) => one === name)?.[1] ?? {}
      const isChoice = schema.enum !== undefined && !schema.enum.includes(String(text).trim())
      if (problemOf(schema, text) !== undefined || isChoice) return
      const one = SettingsSchema.properties[name as keyof typeof SettingsSchema.properties]
      expect(Value.Check(one, valueOf(schema, text))).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('defaults have no problem, are no change, and every setting has its group and its words', () => {
  const shown = Object.fromEntries(
    SCHEMAS.map(([name]) => [name, typedOf(DEFAULT_SETTINGS[name as keyof typeof DEFAULT_SETTINGS])]),
  )
  for (const [name, schema] of SCHEMAS) expect([name, problemOf(schema, shown[name] ?? '')]).toEqual([name, undefined])
  expect(changedValues(SCHEMAS, DEFAULT_SETTINGS, shown)).toEqual({})
  expect(grouped(SCHEMAS).flatMap(({ group, entries }) => (group === 'other' ? entries : []))).toEqual([])
  for (const [name] of SCHEMAS)
    expect(Object.keys(fieldWords.fr)).toEqual(expect.arrayContaining([name, `${name}_more`]))
})

test('only what was changed is sent, as the server takes it', () => {
  const change = {
    rate_per_minute: ' 90 ',
    opt_in_words: 'start\nyes, start',
    accept_late: true,
    mail_from: 'campaigns@localhost',
  }
  expect(changedValues(SCHEMAS, DEFAULT_SETTINGS, change)).toEqual({
    rate_per_minute: 90,
    opt_in_words: ['start', 'yes'],
    accept_late: true,
  })
  const rate = SCHEMAS.find(([name]) => name === 'rate_per_minute')?.[1] ?? {}
  expect(problemOf(rate, '70000')).toEqual({ key: 'number', min: 1, max: 60_000 })
})

test('a price keeps its value through being shown and typed', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000_000), micros => {
      expect(readPrice(priceText(micros))).toBe(micros)
      expect(readPrice(priceText(micros).replace('.', ','))).toBe(micros)
    }),
  )
  expect([80_000, 8500, 1_000_000].map(priceText)).toEqual(['0.08', '0.0085', '1.00'])
  expect(['', '-1', '1001', '0.1234567', 'x', '1.2.3'].map(readPrice)).toEqual(Array(6).fill(undefined))
})

test('prices that were not touched are sent as they were stored, and doubles are found', () => {
  const rates: readonly Rate[] = [
    {
      category: 'marketing',
      country: '*',
      currency: 'EUR',
      micros: 80_000,
      free_per_month: 0,
      effective_from: 1_760_745_321_803,
    },
    { category: 'utility', country: 'FR', currency: 'EUR', micros: 30_000, free_per_month: 10, effective_from: 0 },
  ]
  const rows = rates.map(rowOf)
  const stored = new Map(rates.map((rate, key) => [key, rate]))
  expect(ratesOf(rows, stored)).toEqual(rates)
  const twin = { ...rowOf(rates[1] ?? (rates[0] as Rate), 9), country: 'fr', price: '' }
  expect([...rowProblems(twin, [...rows, twin])].toSorted()).toEqual(['price', 'same'])
})

test('jobs are asked for often while one is under way, and each job of the server has a name', () => {
  expect(jobsPause([{ status: 'done' }, { status: 'running' }])).toBeLessThan(jobsPause([{ status: 'done' }]))
  for (const { name } of HANDLERS) expect(Object.keys(jobNames.fr)).toContain(name)
})

test('a job tells its counts, not its places', () => {
  expect(figuresOf({ offset: 10, line: 2, created: 3, stopped_at_line: null, category_ids: [] })).toEqual([
    { name: 'created', value: 3 },
  ])
  expect(figuresOf(null)).toEqual([])
  expect(shareOf({ bytes: 200 }, { offset: 50 })).toBe(0.25)
  expect(shareOf({ filter: {} }, { rows: 5 })).toBeUndefined()
  expect(readEvent('state', 'DEGRADED: redis is out')).toEqual({ tone: 'degraded', text: 'redis is out' })
  expect(readEvent('failover', 'redis to files: x').tone).toBe('quiet')
})

test('every permission of the server stands in a group, in words', () => {
  const groups = groupScopes(PERMISSIONS)
  expect(groups.flatMap(group => group.scopes.map(one => one.scope)).toSorted()).toEqual([...PERMISSIONS].toSorted())
  for (const { subject, scopes } of groups) {
    expect(Object.keys(subjectWords.fr)).toContain(subject)
    for (const { action } of scopes) expect(Object.keys(actionWords.fr)).toContain(action)
  }
  expect(readingOf(PERMISSIONS).filter(scope => !/:(?:read|view)$/.test(scope))).toEqual([])
})

test('a key is over when it is revoked or past its end', () => {
  expect(stateOf({ revoked_at: null, expires_at: null }, 5)).toBe('active')
  expect(stateOf({ revoked_at: null, expires_at: 5 }, 5)).toBe('expired')
  expect(stateOf({ revoked_at: 1, expires_at: 9 }, 5)).toBe('revoked')
})
