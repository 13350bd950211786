import { PalierError } from 'palier'

/** The error for a wrong option: names it, says what was expected and what came, shortened. */
export function badOption(name: string, expected: string, received: unknown): PalierError {
  const text = typeof received === 'string' ? JSON.stringify(received.slice(0, 60)) : undefined
  const isPlain = received === null || ['number', 'boolean', 'undefined'].includes(typeof received)
  const shown = text ?? (isPlain ? String(received) : `a value of type ${typeof received}`)
  return new PalierError('PALIER_BAD_OPTION', `${name}: expected ${expected}, received ${shown}`)
}

/** Throws for anything but an object with these fields. */
export function checkFields(options: unknown, fields: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw badOption('options', 'an object', options)
  for (const field of Object.keys(options)) {
    if (!fields.includes(field)) throw badOption(`options.${field}`, `one of ${fields.join(', ')}`, field)
  }
}
