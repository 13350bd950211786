import type { Language, Sentence } from './contract.ts'
import { EN } from './words/en.ts'
import { FR } from './words/fr.ts'

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', fr: 'fr-FR' }
const GAP = /\{(\w+)(?:\|([^{}|]*)\|([^{}|]*))?\}/g

/** Nothing and one are of one number in French, one alone in English. */
const isOne = (language: Language, count: number): boolean =>
  new Intl.PluralRules(LOCALES[language]).select(count) === 'one'

/** A sentence in a language; a gap without a value stays visible as it is written. */
export function say(language: Language, { key, values = {} }: Sentence): string {
  const text: string = (language === 'fr' ? FR : EN)[key]
  return text.replace(GAP, (gap: string, name: string, one: string | undefined, many: string | undefined) => {
    const value = values[name]
    if (value === undefined) return gap
    if (one !== undefined && many !== undefined) return isOne(language, Number(value)) ? one : many
    return typeof value === 'number'
      ? new Intl.NumberFormat(LOCALES[language], { maximumSignificantDigits: 15 }).format(value)
      : value
  })
}
