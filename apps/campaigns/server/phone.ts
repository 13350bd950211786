import { getCountryCallingCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/min'

/** What a person reads when a number is refused. */
export const PHONE_EXPECTED =
  'a phone number in E.164 form: a plus, the country code, 8 to 15 digits in all, such as +33612345678'

/** The same, where numbers of one country may be written without its code. */
export function phoneExpected(country: string): string {
  return isSupportedCountry(country) ? `${PHONE_EXPECTED}, or a national number of ${country}` : PHONE_EXPECTED
}

const WRITTEN = /^\+?[\d\s().\-/\u2010-\u2013]+$/
const E164 = /^\+[1-9]\d{7,14}$/
const LONGEST_WRITTEN = 40

/**
 * The number in E.164 form, or undefined. `country`, two letters or empty, is where numbers without a country code are
 * taken to be from; without it they are refused. A number needs a country code that exists and a length that is
 * possible there, and no more: which numbers are in use changes more often than any list, and a number WhatsApp can
 * reach must not be refused. Lengths are in the smallest of the library's metadata, so that one it is.
 */
export function parsePhone(text: string, country = ''): string | undefined {
  const written = text.normalize('NFKC').trim()
  if (written.length > LONGEST_WRITTEN || !WRITTEN.test(written)) return undefined
  const home = isSupportedCountry(country) ? { defaultCountry: country } : {}
  const number = parsePhoneNumberFromString(written, { ...home, extract: false })
  if (number === undefined || !number.isPossible()) return undefined
  return E164.test(number.number) ? number.number : undefined
}

/** How stored numbers begin that people look for by these digits: a leading zero stands for the country's code. */
export function phonePrefix(text: string, country: string): string {
  const digits = text.replace(/\D/g, '')
  if (text.includes('+')) return `+${digits}`
  if (digits.startsWith('00')) return `+${digits.slice(2)}`
  if (!digits.startsWith('0') || !isSupportedCountry(country)) return `+${digits}`
  return `+${getCountryCallingCode(country)}${digits.slice(1)}`
}

const BRAZIL_SHORT = /^55(\d\d)([6-9]\d{7})$/
const BRAZIL_LONG = /^55(\d\d)9([6-9]\d{7})$/

/**
 * The E.164 numbers that may stand behind WhatsApp's spelling of one, digits only, likeliest first: it keeps old
 * spellings of mobile numbers in Mexico (521…), Argentina (549…) and Brazil (without the ninth digit).
 */
export function phonesOfWaId(waId: string): string[] {
  const phone = `+${waId}`
  if (!E164.test(phone)) return []
  const short = BRAZIL_SHORT.exec(waId)
  const long = BRAZIL_LONG.exec(waId)
  return [
    ...(short === null ? [] : [`+55${short[1]}9${short[2]}`]),
    ...(waId.startsWith('521') && waId.length === 13 ? [`+52${waId.slice(3)}`] : []),
    phone,
    ...(long === null ? [] : [`+55${long[1]}${long[2]}`]),
    ...(waId.startsWith('549') && waId.length === 13 ? [`+54${waId.slice(3)}`] : []),
  ]
}

export const EMAIL_EXPECTED = 'an e-mail address of at most 254 characters, such as ada@example.org'

// Deliberately loose: only a message that arrives proves an address, and strict patterns refuse real ones.
const EMAIL = /^[^\s@\p{Cc}]+@[^\s@.\p{Cc}]+(\.[^\s@.\p{Cc}]+)+$/u

/** The address in lower case without surrounding space, or undefined when it cannot be one. */
export function parseEmail(text: string): string | undefined {
  const trimmed = text.trim().toLowerCase()
  return trimmed.length <= 254 && EMAIL.test(trimmed) ? trimmed : undefined
}

const MARKS = /\p{Mark}/gu
const LONGEST_FOLDED = 240

/** The form names are searched and sorted in: "Élodie" is found by "elo". At most 240 characters, as the column holds. */
export function foldName(name: string): string {
  const folded = name.normalize('NFKD').replace(MARKS, '').toLowerCase().trim()
  // One character can become eighteen. Cut between characters: half a pair is none that a database would take.
  return folded.length <= LONGEST_FOLDED ? folded : Array.from(folded).slice(0, LONGEST_FOLDED).join('')
}
