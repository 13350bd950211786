import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toMilliseconds } from '../../src/duration.ts'

const TEN_YEARS = 10 * 365 * 86_400_000
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

describe('a duration', () => {
  test.each([
    ['250ms', 250],
    ['5m', 300_000],
    ['1h 30m', 5_400_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['0.5ms', 1],
    [' 2 d ', 172_800_000],
    ['1w', 604_800_000],
    [7, 7],
    [TEN_YEARS, TEN_YEARS],
  ])('%j is %i ms', (text, ms) => {
    expect(toMilliseconds('ttl', text)).toBe(ms)
  })

  test('is the sum of its parts', () => {
    const part = fc.tuple(fc.nat({ max: 50 }), fc.constantFrom('ms', 's', 'm', 'h', 'd', 'w'))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.constantFrom('', ' ', '  '), (parts, between) => {
        const total = parts.reduce((sum, [count, unit]) => sum + count * UNITS[unit], 0)
        fc.pre(total >= 1)
        expect(toMilliseconds('ttl', parts.map(([count, unit]) => `${count}${between}${unit}`).join(between))).toBe(
          total,
        )
      }),
    )
  })

  test.each([
    '',
    ' ',
    '5',
    'm',
    '5 minutes',
    '5M',
    '-5m',
    '+5m',
    '1e3ms',
    '5m x',
    'x 5m',
    '.5s',
    '1..5s',
    '0ms',
    '0.4ms',
    '11y',
    '3651d',
    '1,5s',
    '٥m',
    Number.NaN,
    -1,
    0,
    0.5,
    TEN_YEARS + 1,
    null,
    undefined,
    true,
    5n,
    [5],
    { valueOf: () => 5 },
  ])('%s is none', value => {
    expect(() => toMilliseconds('throttle', value)).toThrow(/throttle: expected a whole number of milliseconds from 1/)
  })

  test('may be nothing where that is said, and the bound is named', () => {
    expect(toMilliseconds('grace', 0, { min: 0 })).toBe(0)
    expect(toMilliseconds('grace', '0s', { min: 0 })).toBe(0)
    expect(() => toMilliseconds('x', 4, { min: 5 })).toThrow(/from 5 to/)
  })

  test('any text is a number of milliseconds or an error that names the option, and never slow', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('1', '.', 'm', 's', 'h', ' ', '-'), maxLength: 40 }), text => {
        try {
          const ms = toMilliseconds('ttl', text)
          expect(Number.isSafeInteger(ms) && ms >= 1 && ms <= TEN_YEARS).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'PALIER_BAD_OPTION', message: expect.stringContaining('ttl') as string })
        }
      }),
      { numRuns: 2000 },
    )
    const began = performance.now()
    expect(() => toMilliseconds('ttl', `${'1'.repeat(100_000)}x`)).toThrow('ttl')
    expect(() => toMilliseconds('ttl', `${'1ms '.repeat(50_000)}x`)).toThrow('ttl')
    expect(performance.now() - began).toBeLessThan(5000)
  })
})
