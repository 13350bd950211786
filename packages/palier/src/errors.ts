/** Every code a `PalierError` may carry. `docs/errors.md` explains each; a test keeps the two lists equal. */
export const ERROR_CODES = [
  'PALIER_BAD_OPTION',
  'PALIER_BAD_KEY',
  'PALIER_PROTECTED',
  'PALIER_NOT_ENCODABLE',
  'PALIER_TOO_LARGE',
  'PALIER_DAMAGED',
  'PALIER_FACTORY_TIMEOUT',
  'PALIER_STORE_TIMEOUT',
  'PALIER_STORE_FAILED',
  'PALIER_STORE_REFUSED',
  'PALIER_LOCKED',
  'PALIER_CLOSED',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export interface ErrorDetails {
  readonly key?: string
  readonly cause?: unknown
}

/** The one error class of the library: `code` is stable and never reused, `message` is for people. */
export class PalierError extends Error {
  readonly code: ErrorCode
  readonly key: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'PalierError'
    this.code = code
    this.key = details.key
  }
}

/** A value as it may stand in an error message: its kind and a short form, never a whole object or a secret. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  return value === undefined ? 'undefined' : `a value of type ${typeof value}`
}

/** The error for a wrong option: names it, says what was expected and what came. */
export function badOption(name: string, expected: string, received: unknown): PalierError {
  return new PalierError('PALIER_BAD_OPTION', `${name}: expected ${expected}, received ${shown(received)}`)
}
