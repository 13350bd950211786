const MARKS = /\p{Mark}/gu
/** With a number behind it still within the 100 characters that the router takes for a parameter. */
const LONGEST = 80

/** Letters that no decomposition takes apart. */
const SPELLED: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
}

/** A form of slug: what a public address may be asked for. */
export const SLUG = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

/** A text as it stands in an address: small Latin letters and digits, with single hyphens between. May be empty. */
export function slugOf(text: string): string {
  const plain = text.normalize('NFKD').replace(MARKS, '').toLowerCase()
  const spelled = plain.replace(/[ßæœøłđðþı]/g, letter => SPELLED[letter] ?? '')
  const joined = spelled.replace(/['’]/g, '').replace(/[^a-z0-9]+/g, '-')
  return joined.slice(0, LONGEST).replace(/^-+|-+$/g, '')
}
