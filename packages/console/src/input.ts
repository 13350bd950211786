import { badOption } from 'palier'
import { problem, type Problem } from './answer.ts'

/** Longest body of a request in bytes. */
export const MOST_BODY: number = 64 * 1024

export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Throws PALIER_BAD_OPTION for a field that is not among the known ones: a misspelt one must not be passed over in a clear. */
export function onlyFields(what: string, fields: Fields, known: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) {
      throw badOption(`${what}.${name}`, known.length === 0 ? 'no fields' : `one of ${known.join(', ')}`, name)
    }
  }
}

/** Longest text that is taken as a key, a tag, a type or a pattern. */
const LONGEST = 8192

export function textOf(field: string, value: unknown): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > LONGEST) {
    throw badOption(field, `a text of 1 to ${LONGEST} characters`, value)
  }
  return value
}

export function optionalText(field: string, value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : textOf(field, value)
}

export function wholeOf(field: string, value: string, min: number, max: number): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= min && number <= max)) throw badOption(field, `a whole number from ${min} to ${max}`, value)
  return number
}

/** The bytes of a body, or undefined when there are more than may be; reads no further than that. */
export async function bytesOf(request: Request): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array(0)
  if (Number(request.headers.get('content-length') ?? 0) > MOST_BODY) return undefined
  const reader = (request.body as ReadableStream<Uint8Array>).getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.byteLength
    if (length > MOST_BODY) {
      await reader.cancel()
      return undefined
    }
    chunks.push(next.value)
  }
  return Buffer.concat(chunks)
}

/** The JSON object in the body, no fields when there is no body, or why it is neither. */
export async function readFields(request: Request): Promise<{ fields: Fields } | { problem: Problem }> {
  const bytes = await bytesOf(request)
  if (bytes === undefined) {
    return { problem: problem(413, 'too-large', `the body is longer than ${MOST_BODY} bytes`) }
  }
  if (bytes.length === 0) return { fields: {} }
  // A form of another site can send texts of three media types without being asked; JSON is none of them.
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') {
    return { problem: problem(415, 'not-json', 'the body must be JSON, and Content-Type application/json') }
  }
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (isFields(value)) return { fields: value }
  } catch {
    return { problem: problem(400, 'not-json', 'the body is not JSON') }
  }
  return { problem: problem(400, 'not-json', 'the body must be a JSON object') }
}
