import { describe, expect, test } from 'vitest'
import { formatOf } from '../src/format.ts'

const [en, fr] = [formatOf('en'), formatOf('fr')]
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Spaces that do not break, narrow or not, as plain ones: which of them `Intl` sets is its own affair. */
const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ')

describe('what numbers look like', () => {
  test('a duration is in the largest unit that says something', () => {
    const durations = [3, 42, 3200, 42_000, 2 * MINUTE, 2 * MINUTE + 5000, 3 * HOUR + 12 * MINUTE, 9 * DAY]
    expect(durations.map(ms => plain(en.duration(ms)))).toEqual([
      ...['3ms', '42ms', '3.2s', '42s', '2m', '2m 5s', '3h 12m', '9 days'],
    ])
    expect(durations.map(ms => plain(fr.duration(ms)))).toEqual([
      ...['3 ms', '42 ms', '3,2 s', '42 s', '2 min', '2 min 5 s', '3 h 12 min', '9 jours'],
    ])
  })

  test('a duration never says sixty of what makes one of the next', () => {
    expect(plain(en.duration(2 * HOUR - 1))).toBe('2h')
    expect(plain(en.duration(2 * MINUTE - 1))).toBe('2m')
    expect(plain(en.duration(DAY + HOUR - 1))).toBe('1 day 1h')
  })

  test('what was measured keeps its digits', () => {
    expect([0.4216, 7.71828, 212.3].map(ms => plain(en.precise(ms)))).toEqual(['0.422ms', '7.72ms', '212ms'])
  })

  test('bytes are counted by thousands', () => {
    expect([0, 999, 1500, 2_600_000, 128_000_000_000].map(size => plain(en.bytes(size)))).toEqual([
      ...['0 bytes', '999 bytes', '1.5 kB', '2.6 MB', '128 GB'],
    ])
    expect(plain(fr.bytes(2_600_000))).toBe('2,6 Mo')
  })

  test('times are told from now', () => {
    const now = Date.UTC(2026, 5, 15, 12)
    const told = [-12_000, -2 * MINUTE, -3 * HOUR, -9 * DAY, 12_000].map(ms => en.relative(now + ms, now))
    expect(told).toEqual(['12 sec ago', '2 min ago', '3 hr ago', '9 days ago', 'in 12 sec'])
    expect(plain(fr.relative(now - 2 * MINUTE, now))).toBe('il y a 2 min')
  })

  test('shares, amounts and money are the language’s own', () => {
    expect(plain(fr.percent(0.7123))).toBe('71 %')
    expect(plain(fr.number(10_864))).toBe('10 864')
    expect(en.compact(12_900)).toBe('12.9k')
    expect(plain(fr.money(0.05, 'EUR'))).toBe('0,05 €')
    expect(en.date(Date.UTC(2026, 5, 15, 12))).toBe('15 Jun 2026')
  })
})
