import { createHash, createHmac } from 'node:crypto'
import type { Route, ScopeKind } from './options.ts'

/** What is known of a request, whatever framework it came through. */
export interface Facts {
  readonly method: string
  /** Path and query as they came. */
  readonly target: string
  /** What the handler sees in place of `target`, if something in front of it changed that. */
  readonly rewritten: string | undefined
  /** Undefined: there is none, or more than one. */
  readonly host: string | undefined
  readonly isSecure: boolean
  /** By lower-case name; several values joined. */
  header(name: string): string | undefined
}

const BREAK = /\|/g

/** Text as it stands inside a key: `|` alone begins a new part, so it is doubled inside one. */
function inside(text: string): string {
  return text.includes('|') ? text.replace(BREAK, '||') : text
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '))
  } catch {
    return text
  }
}

/** The name of a parameter as a handler reads it. */
function nameOf(parameter: string): string {
  const end = parameter.indexOf('=')
  return decoded(end < 0 ? parameter : parameter.slice(0, end))
}

/** What parsers of nested parameters put together: `a`, `a[]`, `a[b]` and `a.b` keep their order among each other. */
function rootOf(name: string): string {
  const end = name.search(/[[.]/)
  return end < 0 ? name : name.slice(0, end)
}

/** The query a key holds and, where parameters were chosen, the handler sees: sorted by name, duplicates in their order. */
function chosenQuery(query: string, chosen: ReadonlySet<string> | undefined): string {
  if (query === '') return ''
  if (chosen === undefined && !query.includes('&')) return query
  const parameters = query.split('&').map(text => ({ text, name: nameOf(text) }))
  const kept = chosen === undefined ? parameters : parameters.filter(({ name }) => chosen.has(name))
  const rooted = kept.map(({ text, name }) => ({ text, root: rootOf(name) }))
  rooted.sort((a, b) => (a.root < b.root ? -1 : a.root > b.root ? 1 : 0))
  return rooted.map(({ text }) => text).join('&')
}

/** Path and query of the target, as the handler of a route with chosen parameters sees them. */
export function chosenTarget(target: string, chosen: ReadonlySet<string> | undefined): string {
  const mark = target.indexOf('?')
  if (mark < 0) return target
  const query = chosenQuery(target.slice(mark + 1), chosen)
  return query === '' ? target.slice(0, mark) : `${target.slice(0, mark)}?${query}`
}

function digest(secret: string | undefined, text: string): string {
  const hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
  // 192 bits.
  return hash.update(text).digest('base64url').slice(0, 32)
}

/** Who an entry belongs to, as it stands in keys: a digest, in which roles and users never meet. */
export function subjectDigest(scope: ScopeKind, subject: string, secret: string | undefined): string {
  const mark = scope === 'role' ? 'r' : 'u'
  return `${mark}:${digest(secret, `${mark}:${subject}`)}`
}

const SECRET_HEADER = /auth|cookie|token|secret|key|session/
const LONGEST_VALUE = 100

function variation(name: string, value: string | undefined, secret: string | undefined): string {
  if (value === undefined) return `|${name}`
  const isHidden = value.length > LONGEST_VALUE || value.startsWith('#') || SECRET_HEADER.test(name)
  return `|${name}=${isHidden ? `#${digest(secret, `${name}:${value}`)}` : inside(value)}`
}

export interface KeyParts<Req> {
  readonly route: Route<Req>
  readonly facts: Facts
  readonly request: Req
  /** Goes into the key; undefined where the scope is public or the cache itself keeps subjects apart. */
  readonly subject: string | undefined
  readonly secret: string | undefined
}

/**
 * The key of a response: `GET example.com/path?a=1`, then `|header=value` for each header that shapes it, then whose it is.
 * Injective. `https://` stands before the host where the connection itself is encrypted, because a handler can tell.
 */
export function responseKey<Req>({ route, facts, request, subject, secret }: KeyParts<Req>): string {
  let key: string
  if (route.key === undefined) {
    key = `GET ${facts.isSecure ? 'https://' : ''}${facts.host ?? ''}${inside(chosenTarget(facts.target, route.query))}`
    if (facts.rewritten !== undefined) key += `|>${inside(chosenTarget(facts.rewritten, route.query))}`
  } else {
    const own = route.key(request)
    key = route.vary.length === 0 && subject === undefined ? own : inside(own)
  }
  for (const name of route.vary) key += variation(name, facts.header(name), secret)
  return subject === undefined ? key : `${key}|${subject}`
}
