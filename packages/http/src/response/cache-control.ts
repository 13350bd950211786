/** Header fields by lower-case name, as a handler left them. */
export type Fields = ReadonlyMap<string, string>

/** Directives of Cache-Control by lower-case name; true for those without a value. */
type Directives = ReadonlyMap<string, string | true>

const DIRECTIVE = /\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?\s*(?:,|$)/gy

function parseCacheControl(value: string): Directives {
  const found = new Map<string, string | true>()
  for (const part of value.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)) {
    DIRECTIVE.lastIndex = 0
    const [, name, quoted, plain] = DIRECTIVE.exec(part) ?? []
    // What cannot be read may have been a prohibition.
    if (name === undefined) {
      if (part.trim() !== '') found.set('no-store', true)
      continue
    }
    const key = name.toLowerCase()
    const given = quoted ?? plain ?? true
    const before = found.get(key)
    // Of two lifetimes the shorter one counts.
    if (before !== undefined && Number(before) <= Number(given)) continue
    found.set(key, given)
  }
  return found
}

const MEMBER =
  /^([a-z*][a-z0-9_.*-]*)(?:=(?:(-?\d{1,15})(?:\.\d{1,3})?|\?([01])|"[^"]*"|([A-Za-z*][^\s,;="]*)))?(?:;[^,]*)?$/

/** The directives of a targeted field (RFC 9213), a dictionary of RFC 9651; undefined unless it parses as a whole. */
function parseTargeted(value: string): Directives | undefined {
  const found = new Map<string, string | true>()
  for (const part of value.split(',')) {
    const match = MEMBER.exec(part.trim())
    if (match === null) return undefined
    const [, name = '', number, flag, token] = match
    if (flag === '0') found.delete(name)
    else found.set(name, number ?? token ?? true)
  }
  return found
}

/** What the handler says of the life of its response: the most targeted field that can be read, alone. */
export function directivesOf(fields: Fields): Directives {
  for (const name of ['palier-cache-control', 'cdn-cache-control']) {
    const value = fields.get(name)
    const targeted = value === undefined || value.trim() === '' ? undefined : parseTargeted(value)
    if (targeted !== undefined) return targeted
  }
  const value = fields.get('cache-control')
  if (value !== undefined) return parseCacheControl(value)
  const expires = fields.get('expires')
  if (expires === undefined) return new Map()
  const end = Date.parse(expires)
  const start = Date.parse(fields.get('date') ?? '')
  const seconds = Math.floor((end - (Number.isNaN(start) ? Date.now() : start)) / 1000)
  return new Map([['max-age', Number.isNaN(end) ? '0' : String(seconds)]])
}

/** A directive in whole seconds, as milliseconds; undefined when it is absent, 0 when it makes no sense. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  if (value === undefined) return undefined
  const seconds = value === true || !/^\d+$/.test(value) ? 0 : Number(value)
  return Math.min(seconds, 315_360_000) * 1000
}
