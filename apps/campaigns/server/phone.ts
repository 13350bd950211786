/** What a person reads when a number is refused. */
export const PHONE_EXPECTED =
  'a phone number in E.164 form: a plus, the country code, 8 to 15 digits in all, such as +33612345678'

const SEPARATORS = /[\s().\-\u00a0\u202f]/g
const E164 = /^\+[1-9]\d{7,14}$/

/** The number in E.164 form, or undefined. Separators people type are dropped; a country code is never guessed. */
export function parsePhone(text: string): string | undefined {
  const compact = text.replace(SEPARATORS, '')
  return E164.test(compact) ? compact : undefined
}

export const EMAIL_EXPECTED = 'an e-mail address of at most 254 characters, such as ada@example.org'

// Deliberately loose: only a message that arrives proves an address, and strict patterns refuse real ones.
const EMAIL = /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/

/** The address without surrounding space, or undefined when it cannot be one. */
export function parseEmail(text: string): string | undefined {
  const trimmed = text.trim()
  return trimmed.length <= 254 && EMAIL.test(trimmed) ? trimmed : undefined
}

const MARKS = /\p{Mark}/gu

/** The form names are searched and sorted in: "Élodie" is found by "elo". */
export function foldName(name: string): string {
  return name.normalize('NFKD').replace(MARKS, '').toLowerCase().trim()
}
