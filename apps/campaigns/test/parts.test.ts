import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BadVariable, readEnvironment } from '../server/environment.ts'
import { createIdSource } from '../server/ids.ts'
import { foldName, parseEmail, parsePhone } from '../server/phone.ts'

describe('ids', () => {
  test('are UUIDv7, unique, and never go backwards, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { minLength: 1, maxLength: 30 }), times => {
        let at = 0
        const newId = createIdSource(() => times[at] ?? 0)
        const ids = times.flatMap((_, index) => {
          at = index
          return Array.from({ length: 300 }, newId)
        })
        expect([...new Set(ids)].sort()).toEqual(ids)
        expect(ids.every(id => /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id))).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  test('stay in order when a millisecond has more of them than it can number', () => {
    const ids = Array.from(
      { length: 10_000 },
      createIdSource(() => 1_750_000_000_000),
    )
    expect([...new Set(ids)].sort()).toEqual(ids)
  })
})

describe('phones, addresses and names', () => {
  test.each(['+33612345678', '+1 (415) 555-2671', '+44 7700\u00a0900123', '+4930 901820', '＋33612345678'])(
    '%s is a phone',
    text => expect(parsePhone(text)).toMatch(/^\+\d+$/),
  )

  test.each([
    ['06 12 34 56 78', 'FR', '+33612345678'],
    ['0033 6 12 34 56 78', 'FR', '+33612345678'],
    ['+44 7700 900123', 'FR', '+447700900123'],
    ['(415) 555-2671', 'US', '+14155552671'],
    ['0612345678', '', undefined],
    ['0612345678', 'ZZ', undefined],
    ['06123', 'FR', undefined],
  ])('%s in "%s" is %s', (text, country, phone) => expect(parsePhone(text, country)).toBe(phone))

  test.each([
    '',
    '0612345678',
    '+0612345678',
    '+33',
    '+1234567',
    '+1234567890123456',
    '33612345678',
    '+33a12345678',
    '++33612345678',
    '+999123456789',
    '+33612345678 ext. 5',
    'call +33612345678',
    '+33612345678\u0000',
    `+33${' '.repeat(100)}612345678`,
  ])('"%s" is none', text => expect(parsePhone(text)).toBeUndefined())

  test('addresses need a mailbox, an @ and a domain', () => {
    expect(parseEmail(' Ada@Example.org ')).toBe('ada@example.org')
    const wrong = [
      '',
      'ada',
      'ada@',
      '@example.org',
      'ada@example',
      'a b@example.org',
      'ada@example..org',
      'a\0@example.org',
    ]
    expect(wrong.filter(text => parseEmail(text) !== undefined)).toEqual([])
  })

  test('names are searched without case and accents', () => {
    expect(foldName(' Élodie ÇELIK ')).toBe('elodie celik')
    // The column holds 240 characters, and one that is compatible with many becomes many.
    expect(Array.from(foldName('\ufdfa'.repeat(120)))).toHaveLength(240)
  })
})

describe('the environment', () => {
  test('has a default for everything, and takes an empty value as none', () => {
    expect(readEnvironment({ PORT: '' })).toMatchObject({ port: 3000, host: '127.0.0.1', sampleData: true })
  })

  test.each([
    ['PORT', '70000'],
    ['PORT', '-1'],
    ['PORT', 'http'],
    ['HOST', 'http://localhost'],
    ['DATABASE_PATH', ':memory:'],
    ['SAMPLE_DATA', 'maybe'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s, naming it, what was expected and what came', (name, value) => {
    const read = (): unknown => readEnvironment({ [name]: value })
    expect(read).toThrow(BadVariable)
    expect(read).toThrow(new RegExp(`^${name}: expected .+, received "${value}"$`))
  })
})
