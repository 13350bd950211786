import { createHash } from 'node:crypto'
import type { Clock } from 'palier'
import type { Route, Settled } from './options.ts'
import type { Facts } from './request-key.ts'

const LONGEST_TARGET = 2048
/** Printable, beginning with one slash, without what servers and proxies read in different ways. */
const TARGET = /^\/(?![/\\])[!-"$-[\]-~]*$/
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/
const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override']

function hasDirective(value: string, directive: string): boolean {
  return value.split(',').some(part => part.trim().toLowerCase() === directive)
}

function hasSessionCookie(cookies: string, names: ReadonlySet<string>): boolean {
  for (const pair of cookies.split(';')) {
    const end = pair.indexOf('=')
    const name = (end < 0 ? pair : pair.slice(0, end)).trim().toLowerCase()
    if (names.has(name.replace(/^__(?:host|secure)-/, ''))) return true
    // better-auth, next-auth and the like put a name of their own before it.
    if (name.endsWith('.session_token') || name.endsWith('.session-token')) return true
  }
  return false
}

function targetRefusal(target: string): string | undefined {
  if (target.length > LONGEST_TARGET) return 'long-target'
  return TARGET.test(target) && !target.includes('%00') ? undefined : 'target'
}

/** Why a request has nothing to do with the cache, as a token; undefined when it has. */
export function refusalOf<Req>(facts: Facts, route: Route<Req>, settled: Settled): string | undefined {
  const header = (name: string): string | undefined => facts.header(name)
  if (facts.method !== 'GET' && facts.method !== 'HEAD') return 'method'
  if (route.scope === undefined) return 'no-scope'
  const refusal = targetRefusal(facts.target)
  if (refusal !== undefined) return refusal
  const { host } = facts
  if (host === undefined || !HOST.test(host)) return 'host'
  if (settled.hosts !== undefined && !settled.hosts.has(host)) return 'host'
  if (header('range') !== undefined) return 'range'
  if (header('upgrade') !== undefined) return 'upgrade'
  const length = header('content-length')
  if ((length !== undefined && length !== '0') || header('transfer-encoding') !== undefined) return 'body'
  const control = header('cache-control')
  if (control !== undefined && hasDirective(control, 'no-store')) return 'no-store'
  for (const name of METHOD_OVERRIDES) if (header(name) !== undefined) return 'method-override'
  if (route.scope !== 'public') return undefined
  if (header('authorization') !== undefined || header('proxy-authorization') !== undefined) return 'authorization'
  const cookies = header('cookie')
  return cookies !== undefined && hasSessionCookie(cookies, settled.sessionCookies) ? 'session-cookie' : undefined
}

/** The client wants an answer only if none has to be made. */
export function isOnlyIfCached(facts: Facts): boolean {
  const control = facts.header('cache-control')
  return control !== undefined && hasDirective(control, 'only-if-cached')
}

const MINUTE = 60_000
const LONGEST_NAME = 100

/** Keeps keys that anybody can make up from filling the store. */
export interface Sights {
  /** Whether a response may be kept under the key: it is one of the first new ones of this minute, or was asked for before. */
  admits(key: string): boolean
}

export function createSights(clock: Clock, firsts: number): Sights {
  let recent = new Set<string>()
  let before = new Set<string>()
  let endsAt = clock.now() + MINUTE
  let left = firsts
  const most = Math.max(4096, firsts * 2)

  function turn(): void {
    before = recent
    recent = new Set()
  }

  return {
    admits(full) {
      const key = full.length > LONGEST_NAME ? createHash('sha256').update(full).digest('base64url') : full
      const now = clock.now()
      if (now >= endsAt) {
        if (now >= endsAt + MINUTE) recent.clear()
        turn()
        endsAt = now + MINUTE
        left = firsts
      }
      if (recent.has(key)) return true
      const isKnown = before.has(key)
      if (recent.size >= most) turn()
      recent.add(key)
      if (isKnown) return true
      if (left === 0) return false
      left--
      return true
    },
  }
}
