import type { Language, Sentence } from 'palier/setup'
import { say } from 'palier/setup'
import { EN, type FrameKey } from './words-en.ts'
import { FR } from './words-fr.ts'

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', fr: 'fr-FR' }
const GAP = /\{(\w+)(?:\|([^{}|]*)\|([^{}|]*))?\}/g

/** French sets a no-break space before these marks and inside its quotes; written here once instead of in each text. */
const spaced = (text: string): string => text.replaceAll(/ ([:;!?%»])/g, '\u00a0$1').replaceAll('« ', '«\u00a0')

export type TextValues = Readonly<Record<string, string | number>>

/** All that a page needs to say something in one language. */
export interface Teller {
  readonly language: Language
  /** A text of the frame. `{n|file|files}` chooses by the number in `n`. */
  t(key: FrameKey, values?: TextValues): string
  /** A text of the engine. */
  say(sentence: Sentence): string
  number(value: number): string
  /** Milliseconds, from parts of one to minutes. */
  ms(value: number): string
  bytes(value: number): string
  /** How long something lasts, in the largest unit that is exact. */
  duration(ms: number): string
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

export function tellerOf(language: Language): Teller {
  const locale = LOCALES[language]
  const words: Readonly<Record<FrameKey, string>> = language === 'fr' ? FR : EN
  const plurals = new Intl.PluralRules(locale)
  const number = (value: number, options: Intl.NumberFormatOptions = {}): string =>
    new Intl.NumberFormat(locale, options).format(value)
  const unit = (value: number, name: string, digits: Intl.NumberFormatOptions = {}): string =>
    number(value, { style: 'unit', unit: name, unitDisplay: 'short', ...digits })
  return {
    language,
    t(key, values = {}) {
      const text = words[key].replace(GAP, (gap: string, name: string, one?: string, many?: string) => {
        const value = values[name]
        if (value === undefined) return gap
        if (one !== undefined && many !== undefined) return plurals.select(Number(value)) === 'one' ? one : many
        return typeof value === 'number' ? number(value) : value
      })
      return language === 'fr' ? spaced(text) : text
    },
    say: sentence => say(language, sentence),
    number: value => number(value),
    ms(value) {
      if (value >= 10_000) return unit(value / 1000, 'second', { maximumFractionDigits: 0 })
      if (value >= 1000) return unit(value / 1000, 'second', { maximumFractionDigits: 1 })
      return unit(value, 'millisecond', value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 2 })
    },
    bytes(value) {
      const [size, name] =
        value >= 2 ** 30
          ? ([value / 2 ** 30, 'gigabyte'] as const)
          : value >= 2 ** 20
            ? ([value / 2 ** 20, 'megabyte'] as const)
            : ([value / 1024, 'kilobyte'] as const)
      return unit(size, name, { maximumFractionDigits: size < 10 ? 1 : 0 })
    },
    duration(ms) {
      const [name, length] = UNITS.find(([, one]) => ms >= one && ms % one === 0) ?? ['second', 1000]
      return number(ms / length, { style: 'unit', unit: name, unitDisplay: 'long', maximumFractionDigits: 1 })
    },
  }
}
