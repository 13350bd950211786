const FIRST_MS = 2000
const FACTOR = 3
const LONGEST_MS = 900_000
const SPREAD = 0.25

/**
 * Milliseconds until the next try, after so many tries: 2 s, 6 s, 18 s … at most 15 min, each up to a quarter shorter or
 * longer, so that what failed together does not come back together. `random` is from 0 to 1.
 */
export function backOff(tries: number, random: number = Math.random()): number {
  const pause = Math.min(FIRST_MS * FACTOR ** (tries - 1), LONGEST_MS)
  return Math.round(pause * (1 - SPREAD + 2 * SPREAD * random))
}

const LONGEST_TEXT = 500

/** Passwords in addresses, bearer tokens, `…token=…`, keys of APIs, and anything long enough to be one. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/(\w:\/\/)[^\s/@]*:[^\s/@]*@/g, '$1(hidden)@'],
  [/\b(bearer|basic)\s+\S+/gi, '$1 (hidden)'],
  [
    /((?:password|passwd|secret|token|api[_-]?key|authorization)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&}]+)/gi,
    '$1(hidden)',
  ],
  [/\b(?:EAA|pk_|sk_)[\w-]{8,}/g, '(hidden)'],
  [/[\w+/=-]{40,}/g, '(hidden)'],
]

/** A driver's own words may hold the values of a row: only its code is told. */
const DATABASE_CODE = /^(?:SQLITE_\w+|ER_\w+|[0-9A-Z]{5})$/

/** Why something failed, for `last_error` and people: one line of at most 500 characters, without secrets. */
export function faultText(error: unknown): string {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  if (typeof code === 'string' && DATABASE_CODE.test(code) && /\d|_/.test(code)) return `the database refused: ${code}`
  const words =
    typeof message === 'string' && message !== ''
      ? message
      : typeof error === 'string'
        ? error
        : 'it failed without a reason'
  const shown = SECRETS.reduce((text, [secret, instead]) => text.replace(secret, instead), words)
  // A text that ends within a character, or holds a NUL, is refused by some engines.
  const line = shown.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.slice(0, LONGEST_TEXT).replace(/[\uD800-\uDBFF]$/, '')
}
