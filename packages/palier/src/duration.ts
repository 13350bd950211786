import { badOption } from './errors.ts'

/** Milliseconds, or a text such as `'250ms'`, `'5m'`, `'1h 30m'`, `'7d'`. */
export type Duration = number | string

/** Ten years: every store and timer can hold it, and nobody means more. */
const LONGEST = 10 * 365 * 86_400_000

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const PART = /(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*/gy

function parse(text: string): number {
  PART.lastIndex = 0
  let total = 0
  let end = 0
  for (let part = PART.exec(text); part !== null; part = PART.exec(text)) {
    total += Number(part[1]) * (UNITS[part[2] ?? ''] ?? Number.NaN)
    end = PART.lastIndex
  }
  return end > 0 && end === text.length ? Math.round(total) : Number.NaN
}

export interface DurationBounds {
  /** Smallest value allowed; 1 unless said. */
  readonly min?: number
  /** Largest value allowed; ten years unless said. */
  readonly max?: number
}

/** The duration in whole milliseconds; throws PALIER_BAD_OPTION naming the option for anything that is not one. */
export function toMilliseconds(name: string, value: unknown, bounds: DurationBounds = {}): number {
  const { min = 1, max = LONGEST } = bounds
  const ms = typeof value === 'string' ? parse(value.trim()) : value
  if (typeof ms !== 'number' || !Number.isSafeInteger(ms) || ms < min || ms > max) {
    const most = max === LONGEST ? `${max} (ten years)` : max
    const expected = `a whole number of milliseconds from ${min} to ${most}, or a text such as '5m'`
    throw badOption(name, expected, value)
  }
  return ms
}
