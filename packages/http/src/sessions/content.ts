import { PalierError } from 'palier'

/*
 * What a session holds, as a text of JSON. A text cannot be changed by who reads it, so the one that a request began with
 * can be kept beside the session object and compared with what the request leaves behind.
 */

/** The cookie of a session as JSON has it; undefined for a session that was saved without one. */
export type StoredCookie = Readonly<Record<string, unknown>> | undefined

export interface Content {
  /** JSON of all fields but the cookie. */
  readonly data: string
  readonly cookie: StoredCookie
}

/** Only these texts may hold a key that names the prototype, plain or escaped; nothing else pays for a second look. */
const SUSPECT = /__proto__|\\u/

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `JSON.parse`, in which no object comes with a prototype of its own choosing. */
function parse(text: string): unknown {
  if (!SUSPECT.test(text)) return JSON.parse(text)
  return JSON.parse(text, (key, value: unknown) => (key === '__proto__' ? undefined : value))
}

function stringify(value: unknown): string {
  const text = JSON.stringify(value)
  return SUSPECT.test(text) ? JSON.stringify(parse(text)) : text
}

/** The fields of a text of JSON; undefined when it is no object, or no JSON. */
export function fieldsOf(data: string): Record<string, unknown> | undefined {
  try {
    const fields = parse(data)
    return isRecord(fields) ? fields : undefined
  } catch {
    return undefined
  }
}

/** A session as it is now, without what `leave` names. Throws PALIER_NOT_ENCODABLE for what JSON cannot hold. */
export function contentOf(session: unknown, leave: readonly string[]): Content {
  if (!isRecord(session)) throw new PalierError('PALIER_NOT_ENCODABLE', 'a session must be an object')
  const { cookie, ...fields } = session
  for (const name of leave) delete fields[name]
  try {
    const kept = cookie === undefined || cookie === null ? undefined : parse(stringify(cookie))
    return { data: stringify(fields), cookie: isRecord(kept) ? kept : undefined }
  } catch (cause) {
    throw new PalierError('PALIER_NOT_ENCODABLE', 'the session holds what JSON cannot', { cause })
  }
}

/** When the cookie ends, in milliseconds since 1970; undefined when it does not say. */
export function cookieEnd(cookie: StoredCookie): number | undefined {
  const expires = cookie?.['expires']
  const at = typeof expires === 'string' || typeof expires === 'number' ? new Date(expires).getTime() : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

const TIMES = new Set(['expires', 'originalExpires', 'originalMaxAge'])

/** True when two cookies differ in nothing but their times. */
export function sameCookie(one: StoredCookie, other: StoredCookie): boolean {
  const bare = (cookie: StoredCookie): string =>
    JSON.stringify(
      Object.entries(cookie ?? {})
        .filter(([name]) => !TIMES.has(name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  return bare(one) === bare(other)
}

function textsOf(data: string): Map<string, string> {
  return new Map(Object.entries(fieldsOf(data) ?? {}).map(([name, value]) => [name, JSON.stringify(value)]))
}

/** Three-way: the top-level fields that `mine` changed or dropped since `base`, on top of `theirs`. */
export function merge(base: string, mine: string, theirs: string): string {
  const before = textsOf(base)
  const after = textsOf(mine)
  const merged = textsOf(theirs)
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const text = after.get(name)
    if (text === before.get(name)) continue
    if (text === undefined) merged.delete(name)
    else merged.set(name, text)
  }
  return `{${[...merged].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
}
