import type { Language } from './words.ts'

/** How a language writes numbers, times and sizes. All of `Intl`; nothing is put together by hand. */
export interface Format {
  number(value: number): string
  /** Short: 12.9K. */
  compact(value: number): string
  /** Of a share from 0 to 1. */
  percent(share: number, digits?: number): string
  bytes(value: number): string
  /** Of milliseconds, in the largest unit that says something: 3 ms, 12 s, 3 h 12 min. */
  duration(ms: number): string
  /** Of milliseconds, as exact as they are measured: 0.42 ms. */
  precise(ms: number): string
  date(at: number): string
  time(at: number): string
  dateTime(at: number): string
  /** Day and month, for axes and lists. */
  day(at: number): string
  /** How long ago or until: 2 min ago, in 12 s. */
  relative(at: number, now: number): string
  /** With as many digits as the currency has, or with up to so many: prices of one message are parts of a cent. */
  money(amount: number, currency: string, digits?: number): string
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

function createFormat(language: Language): Format {
  // British English: the day before the month and a clock of 24 hours, as everywhere but in one country.
  const locale = language === 'fr' ? 'fr-FR' : 'en-GB'
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 })
  const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
  const time = new Intl.DateTimeFormat(locale, { timeStyle: 'short' })
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  const list = new Intl.ListFormat(locale, { type: 'unit', style: 'narrow' })
  const unit = (value: number, name: string, digits = 0): string =>
    new Intl.NumberFormat(locale, {
      style: 'unit',
      unit: name,
      // "30m 17s" in English, where short is "30 mins"; "30 min 17 s" in French, where narrow sets no space.
      unitDisplay:
        name === 'day' || name === 'byte' ? 'long' : language === 'en' && !name.endsWith('byte') ? 'narrow' : 'short',
      maximumFractionDigits: digits,
    }).format(value)
  // As short as it can be while it says something: "3 h 12 min", and no "3 h 12 min 4 s".
  const pair = (ms: number, large: readonly [number, string], small: readonly [number, string]): string => {
    const rounded = Math.round(ms / small[0]) * small[0]
    const rest = Math.round((rounded % large[0]) / small[0])
    const first = unit(Math.floor(rounded / large[0]), large[1])
    return rest === 0 ? first : list.format([first, unit(rest, small[1])])
  }
  return {
    number: value => number.format(value),
    compact: value => compact.format(value),
    percent: (share, digits = 0) =>
      new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: digits }).format(share),
    bytes(value) {
      let size = value
      let at = 0
      while (size >= 1000 && at < BYTE_UNITS.length - 1) {
        size /= 1000
        at++
      }
      const name = BYTE_UNITS[at] ?? 'byte'
      return unit(size, name, at === 0 || size >= 100 ? 0 : 1)
    },
    duration(ms) {
      if (ms < 10) return unit(ms, 'millisecond', 1)
      if (ms < SECOND) return unit(ms, 'millisecond')
      if (ms < MINUTE) return unit(ms / SECOND, 'second', ms < 10 * SECOND ? 1 : 0)
      if (ms < HOUR) return pair(ms, [MINUTE, 'minute'], [SECOND, 'second'])
      if (ms < DAY) return pair(ms, [HOUR, 'hour'], [MINUTE, 'minute'])
      return pair(ms, [DAY, 'day'], [HOUR, 'hour'])
    },
    precise: ms => unit(ms, 'millisecond', ms < 1 ? 3 : ms < 100 ? 2 : 0),
    date: at => date.format(at),
    time: at => time.format(at),
    dateTime: at => dateTime.format(at),
    day: at => day.format(at),
    relative(at, now) {
      const ms = at - now
      const size = Math.abs(ms)
      if (size < MINUTE) return relative.format(Math.round(ms / SECOND), 'second')
      if (size < HOUR) return relative.format(Math.round(ms / MINUTE), 'minute')
      if (size < DAY) return relative.format(Math.round(ms / HOUR), 'hour')
      return relative.format(Math.round(ms / DAY), 'day')
    },
    money: (amount, currency, digits) =>
      new Intl.NumberFormat(locale, {
        style: 'currency',
        currency,
        ...(digits !== undefined && { maximumFractionDigits: digits }),
      }).format(amount),
  }
}

const kept = new Map<Language, Format>()

/** Made once for each language: `Intl` objects are slow to make. */
export function formatOf(language: Language): Format {
  const known = kept.get(language)
  if (known !== undefined) return known
  const made = createFormat(language)
  kept.set(language, made)
  return made
}
