import type { HistoryAnswer } from '../../../src/api.ts'

export const RANGES = ['1h', '24h', '7d', '30d'] as const
/** The stretch of time that figures are shown for. */
export type Range = (typeof RANGES)[number]

/** The range of that name; a day for anything else. */
export const rangeOf = (text: string): Range => RANGES.find(one => one === text) ?? '24h'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** In milliseconds. */
export const SPANS: Readonly<Record<Range, number>> = { '1h': HOUR, '24h': DAY, '7d': 7 * DAY, '30d': 30 * DAY }

export type Ring = HistoryAnswer['range']

/** How a range is read and drawn: so many of the newest buckets of a ring, put together by so many. */
export interface Plan {
  readonly ring: Ring
  readonly count: number
  readonly together: number
  readonly by: 'time' | 'day'
}

/** Minutes of a single type are kept for six hours only. */
export function planOf(range: Range, ofType = false): Plan {
  if (range === '1h') return { ring: 'minutes', count: 60, together: 1, by: 'time' }
  if (range === '7d') return { ring: 'hours', count: 168, together: 2, by: 'day' }
  if (range === '30d') return { ring: 'days', count: 30, together: 1, by: 'day' }
  return ofType
    ? { ring: 'hours', count: 24, together: 1, by: 'time' }
    : { ring: 'minutes', count: 1440, together: 10, by: 'time' }
}

/** What a range is compared with lies so far back: the same time last week, or the thirty days before. */
export const backOf = (range: Range): number => (range === '30d' ? SPANS['30d'] : SPANS['7d'])
