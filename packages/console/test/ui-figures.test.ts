import { describe, expect, test } from 'vitest'
import type { HistoryAnswer, TypeView } from '../src/api.ts'
import { marksOf, warmingsOf } from '../ui/src/chart/marks.ts'
import { roundMoments, roundSteps, runsOf } from '../ui/src/chart/scale.ts'
import { fold } from '../ui/src/data/events.ts'
import { avoidedOf, between, lowest, pointsOf, rateOf, reasonsOf, totalOf } from '../ui/src/data/figures.ts'
import { planOf, rangeOf } from '../ui/src/data/ranges.ts'
import { concernsOf } from '../ui/src/screens/overview/attention.ts'

type Bucket = HistoryAnswer['buckets'][number]
const MINUTE = 60_000
const NO_REASONS = { absent: 0, expired: 0, invalidated: 0, damaged: 0, store: 0, disabled: 0, forced: 0 }

function bucket(at: number, given: Partial<Bucket> = {}): Bucket {
  const { hits = 0, stale = 0, misses = 0 } = given
  const zeros = { loads: 0, loadErrors: 0, errors: 0, loadMs: 0, savedMs: 0, rate: undefined }
  return {
    at,
    known: true,
    reads: hits + stale + misses,
    hits,
    stale,
    misses,
    ...zeros,
    missReasons: NO_REASONS,
    ...given,
  }
}
const history = (buckets: readonly Bucket[], step = MINUTE): HistoryAnswer => ({ range: 'minutes', step, buckets })

describe('figures of a range', () => {
  test('buckets are put together on round moments, and a gap stays a gap', () => {
    const buckets = [
      bucket(8 * MINUTE, { known: false }),
      bucket(9 * MINUTE, { known: false }),
      bucket(10 * MINUTE, { hits: 3, misses: 1 }),
      bucket(11 * MINUTE, { known: false }),
      bucket(12 * MINUTE, { hits: 2 }),
    ]
    const points = pointsOf(history(buckets), { ring: 'minutes', count: 5, together: 5, by: 'time' })
    expect(points.map(({ at, known, reads, hits, misses }) => [at / MINUTE, known, reads, hits, misses])).toEqual([
      [5, false, 0, 0, 0],
      [10, true, 6, 5, 1],
    ])
  })

  test('only the newest buckets of the ring belong to the range', () => {
    const buckets = Array.from({ length: 100 }, (_, i) => bucket(i * MINUTE, { hits: 1 }))
    expect(pointsOf(history(buckets), planOf('1h'))).toHaveLength(60)
  })

  test('what it is compared with is summed by the share that lies within, and not made up', () => {
    const hours = [bucket(0, { hits: 60 }), bucket(60, { hits: 120 }), bucket(120, { hits: 600 })]
    expect(between(history(hours, 60), 30, 90)?.hits).toBe(30 + 60)
    expect(between(history(hours, 60), -1, 30)).toBeUndefined()
    const silent = hours.map(one => ({ ...one, known: false }))
    expect(between(history(silent, 60), 30, 90)).toBeUndefined()
  })

  test('below two hundred reads nothing is said of a hit rate', () => {
    expect(rateOf({ reads: 199, hits: 199, stale: 0 })).toBeUndefined()
    expect(rateOf({ reads: 200, hits: 100, stale: 50 })).toBe(0.75)
  })

  test('calls avoided are the least that can be said', () => {
    const sums = (given: Partial<Bucket>): number => avoidedOf(totalOf([bucket(0, given)]))
    // Two of the loads refreshed what was served stale meanwhile.
    expect(sums({ hits: 90, stale: 5, misses: 5, loads: 7 })).toBe(93)
    // An application that stores by itself has no loads, and its misses were calls all the same.
    expect(sums({ hits: 90, misses: 10, loads: 0 })).toBe(90)
    expect(sums({ hits: 0, misses: 3, loads: 9 })).toBe(0)
  })

  test('the lowest point is one that was read often enough to tell', () => {
    const points = pointsOf(
      history([
        bucket(0, { hits: 1, misses: 9 }),
        bucket(MINUTE, { hits: 50, misses: 50 }),
        bucket(2 * MINUTE, { hits: 90, misses: 10 }),
      ]),
      planOf('1h'),
    )
    expect(lowest(points)).toEqual({ at: MINUTE, rate: 0.5 })
  })

  test('reasons of misses are told most first, and none that did not happen', () => {
    expect(reasonsOf({ missReasons: { ...NO_REASONS, expired: 2, absent: 5 } })).toEqual([
      ['absent', 5],
      ['expired', 2],
    ])
  })

  test('a range that nobody knows is a day', () => {
    expect([rangeOf('7d'), rangeOf(''), rangeOf('1y')]).toEqual(['7d', '24h', '24h'])
  })
})

describe('events', () => {
  const event = (sequence: number, at: number, kind: 'clear' | 'health' | 'start' = 'clear', text = '') => ({
    sequence,
    at,
    kind,
    text,
  })
  const answer = (next: string, events: readonly ReturnType<typeof event>[]) => ({ next, at: 0, events }) as never

  test('are kept over answers, and those of another process come beside them', () => {
    const first = fold(undefined, answer('a.2.0', [event(1, 10), event(2, 30)]))
    const second = fold(first, { next: 'a.2.5', unchanged: true })
    expect(second?.next).toBe('a.2.5')
    const third = fold(second, answer('b.1.9', [event(1, 20)]))
    expect(third?.events.map(one => one.key)).toEqual(['a.1', 'b.1', 'a.2'])
    // The first process answers again with all it knows: nothing is there twice.
    const fourth = fold(third, answer('a.3.9', [event(1, 10), event(2, 30), event(3, 40)]))
    expect(fourth?.events.map(one => one.key)).toEqual(['a.1', 'b.1', 'a.2', 'a.3'])
  })

  test('of which nothing is known before cannot be unchanged', () => {
    expect(fold(undefined, { next: 'a.1.1', unchanged: true })).toBeUndefined()
  })

  test('become marks, and stretches of warming that end with the next state', () => {
    const told = [
      event(1, 10, 'start'),
      event(2, 20, 'health', 'HEALTHY: fine'),
      event(3, 30),
      event(4, 40, 'health', 'WARMING: cleared'),
    ]
    const events = told.map(one => ({ ...one, key: String(one.sequence) }))
    expect(marksOf(events).map(mark => [mark.kind, mark.at])).toEqual([
      ['start', 10],
      ['clear', 30],
    ])
    expect(warmingsOf(events, 55)).toEqual([
      { from: 10, to: 20 },
      { from: 40, to: 55 },
    ])
  })
})

describe('axes', () => {
  test('have round steps that reach above the most', () => {
    expect(roundSteps(620)).toEqual([0, 200, 400, 600, 800])
    expect(roundSteps(3)).toEqual([0, 1, 2, 3])
    expect(roundSteps(0)).toEqual([0, 1])
    for (const most of [1, 7, 19, 41, 99, 1234, 98_765, 4.2e9]) {
      const steps = roundSteps(most)
      expect(steps.at(-1)).toBeGreaterThanOrEqual(most)
      expect(steps.length).toBeLessThanOrEqual(6)
    }
  })

  test('have moments that are round on the wall, not in UTC', () => {
    const hour = 60 * MINUTE
    const offset = 5.5 * hour
    const moments = roundMoments(0, 24 * hour, 5, { days: false, offset })
    expect(moments.every(at => (at + offset) % (6 * hour) === 0)).toBe(true)
    expect(moments.length).toBeGreaterThan(2)
  })

  test('lines are broken where nothing is known', () => {
    expect(runsOf([1, 2, 0, 3, 0, 0, 4], one => one > 0)).toEqual([[1, 2], [3], [4]])
  })
})

test('types that need attention: failures first, then by how much was missed, at most five', () => {
  const view = (type: string, given: Partial<TypeView>): TypeView =>
    ({ type, loadErrors: 0, errors: 0, misses: 0, missReasons: NO_REASONS, ...given }) as TypeView
  const types = [
    view('good', { hitRate: 90, misses: 5000 }),
    view('quiet', { misses: 40 }),
    view('low', { hitRate: 30, misses: 700, missReasons: { ...NO_REASONS, expired: 700 } }),
    view('lower', { hitRate: 49.9, misses: 900 }),
    view('failing', { hitRate: 99, loadErrors: 2, misses: 3 }),
  ]
  expect(concernsOf(types)).toEqual([
    { type: 'failing', kind: 'loadErrors', value: 2, reason: undefined },
    { type: 'lower', kind: 'lowRate', value: 49.9, reason: undefined },
    { type: 'low', kind: 'lowRate', value: 30, reason: 'expired' },
  ])
  expect(concernsOf(Array.from({ length: 9 }, (_, i) => view(`t${i}`, { errors: 1 })))).toHaveLength(5)
})
