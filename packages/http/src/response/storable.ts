import { directivesOf, type Fields, secondsOf } from './cache-control.ts'
import type { Route } from './options.ts'

/** A response that a handler has finished. */
export interface Whole {
  readonly kind: 'whole'
  readonly status: number
  /** Name and value by turns; lower case, repeated for a header of several lines. */
  readonly headers: readonly string[]
  /** What stood there before the handler ran, and is there again on every request: judged, but not kept. */
  readonly inherited: ReadonlyMap<string, string>
  readonly body: Uint8Array
  /** Something that the key does not cover, and the handler read all the same. */
  readonly read: string | undefined
}

/** What became of a run of the handler. */
export type Captured =
  | Whole
  /** It went on to the client as it came. */
  | { readonly kind: 'passed'; readonly detail: string }
  /** There is nothing to answer with, or nobody to answer. */
  | { readonly kind: 'lost'; readonly detail: string }

/** Until when a response may be used. Milliseconds. */
export interface Life {
  /** Undefined: the ceiling. */
  readonly ttl: number | undefined
  /** How long after that it may be served while a new one is made. */
  readonly staleFor: number
  /** How long after that it may be served because the handler fails. */
  readonly errorFor: number
}

export type Judgement = { readonly detail: string } | Life

/** The headers by name; lines of one name joined. */
export function fieldsOf(headers: readonly string[]): Fields {
  const fields = new Map<string, string>()
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const value = headers[i + 1] ?? ''
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}

/** The names in a Vary header, lower case. */
export function namesOf(vary: string | undefined): readonly string[] {
  if (vary === undefined) return []
  return vary
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '')
}

function contentRefusal(whole: Whole, fields: Fields): string | undefined {
  if (fields.has('content-range')) return 'partial'
  const length = fields.get('content-length')
  if (length !== undefined && Number(length) !== whole.body.length) return 'length'
  const policies = `${fields.get('content-security-policy') ?? ''} ${fields.get('content-security-policy-report-only') ?? ''}`
  if (/'nonce-/i.test(policies)) return 'nonce'
  if (fields.has('set-cookie') || fields.has('set-cookie2')) return 'set-cookie'
  return fields.has('clear-site-data') ? 'clear-site-data' : undefined
}

const UNLIMITED = Number.MAX_SAFE_INTEGER

/** Whether a response may be kept and for how long, or a token that says why not. */
export function judge<Req>(whole: Whole, route: Route<Req>): Judgement {
  if (whole.read !== undefined) return { detail: `read-${whole.read}` }
  if (!route.statuses.has(whole.status)) return { detail: 'status' }
  const fields = fieldsOf(whole.headers)
  const refusal = contentRefusal(whole, fields)
  if (refusal !== undefined) return { detail: refusal }
  for (const name of namesOf(fields.get('vary'))) {
    const isMine = (name === 'cookie' || name === 'authorization') && route.scope === 'user'
    if (name !== 'accept-encoding' && !isMine && !route.vary.includes(name)) return { detail: 'vary' }
  }
  const directives = directivesOf(fields)
  for (const name of ['no-store', 'no-cache']) if (directives.has(name)) return { detail: name }
  if (directives.has('private') && route.scope !== 'user') return { detail: 'private' }
  const said = secondsOf(directives, 's-maxage') ?? secondsOf(directives, 'max-age')
  const age = Number(fields.get('age') ?? 0)
  const ttl = said === undefined ? undefined : said - (age > 0 ? age * 1000 : 0)
  if (ttl !== undefined && !(ttl > 0)) return { detail: 'max-age' }
  const mustAsk = directives.has('must-revalidate') || directives.has('proxy-revalidate')
  return {
    ttl,
    staleFor: mustAsk ? 0 : (secondsOf(directives, 'stale-while-revalidate') ?? UNLIMITED),
    errorFor: mustAsk ? 0 : (secondsOf(directives, 'stale-if-error') ?? UNLIMITED),
  }
}

const DROPPED = new Set([
  ...[
    'connection',
    'keep-alive',
    'proxy-connection',
    'proxy-authenticate',
    'proxy-authentication-info',
    'te',
    'trailer',
  ],
  ...[
    'transfer-encoding',
    'upgrade',
    'retry-after',
    'date',
    'age',
    'etag',
    'vary',
    'content-length',
    'content-encoding',
  ],
  ...['content-digest', 'content-md5', 'digest', 'x-cache', 'cache-status', 'palier-cache-control', 'traceparent'],
  ...['tracestate', 'traceresponse', 'x-request-id', 'x-correlation-id', 'x-trace-id', 'x-amzn-trace-id'],
  ...['x-cloud-trace-context', 'server-timing', 'x-response-time', 'x-runtime', 'cf-ray'],
])
const DROPPED_GROUPS = /^(?:(?:x-)?ratelimit|x-b3-|x-rate-limit)/

/** The headers of a response that are true of every later answer with it. */
export function keptHeaders({ headers, inherited }: Whole, fields: Fields): string[] {
  const hops = new Set(namesOf(fields.get('connection')))
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (DROPPED.has(name) || DROPPED_GROUPS.test(name) || hops.has(name)) continue
    if (inherited.has(name) && inherited.get(name) === fields.get(name)) continue
    kept.push(name, headers[i + 1] ?? '')
  }
  return kept
}
