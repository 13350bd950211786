export type Encoding = 'identity' | 'gzip' | 'br'

/** What cannot be read is a refusal: the other mistake would give somebody what they cannot decode. */
function qualityOf(parameters: readonly string[]): number {
  const quality = parameters.map(text => /^\s*q\s*=\s*(.*?)\s*$/i.exec(text)?.[1]).find(text => text !== undefined)
  if (quality === undefined) return 1
  return /^(?:0(?:\.\d*)?|1(?:\.0*)?)$/.test(quality) ? Number(quality) : 0
}

/** The encodings a client takes, best first; `identity` is last unless it was asked for, and absent only when it was refused. */
export function acceptedEncodings(header: string | undefined): readonly Encoding[] {
  if (header === undefined || header.trim() === '') return ['identity']
  const weights = new Map<string, number>()
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';')
    weights.set(
      name
        .trim()
        .toLowerCase()
        .replace(/^x-gzip$/, 'gzip'),
      qualityOf(parameters),
    )
  }
  const others = weights.get('*')
  const weightOf = (name: Encoding): number => weights.get(name) ?? others ?? (name === 'identity' ? 0.000_1 : 0)
  const all: readonly Encoding[] = ['br', 'gzip', 'identity']
  return all.filter(name => weightOf(name) > 0).sort((a, b) => weightOf(b) - weightOf(a))
}

/** Whether one encoding, of whatever name, is taken by a client. */
export function accepts(header: string | undefined, encoding: string): boolean {
  if (encoding === 'gzip' || encoding === 'br') return acceptedEncodings(header).includes(encoding)
  return (header ?? '').split(',').some(part => {
    const [name = '', ...parameters] = part.split(';')
    return name.trim().toLowerCase() === encoding && qualityOf(parameters) > 0
  })
}

function isListed(list: string, etag: string): boolean {
  for (const [, tag] of list.matchAll(/(?:W\/)?("[^"]*")/g)) if (tag === etag) return true
  return false
}

/** Whether the client holds this very response (RFC 9110, 13.1): `If-None-Match` decides where it is given. */
export function isNotModified(
  ifNoneMatch: string | undefined,
  ifModifiedSince: string | undefined,
  etag: string,
  lastModified: string | undefined,
): boolean {
  if (ifNoneMatch !== undefined) return ifNoneMatch.trim() === '*' || isListed(ifNoneMatch, etag)
  if (ifModifiedSince === undefined || lastModified === undefined) return false
  const since = Date.parse(ifModifiedSince)
  const changed = Date.parse(lastModified)
  return changed <= since
}
