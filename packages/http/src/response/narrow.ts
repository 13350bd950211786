import type { IncomingMessage } from 'node:http'
import type { Route } from './options.ts'
import { chosenTarget } from './request-key.ts'
import { type Shadows, shadowing } from './shadow.ts'

/** In every key that the application did not make itself. */
const KEYED = new Set(['host', ':method', ':path', ':scheme', ':authority'])
const PERSONAL = new Set(['cookie', 'authorization'])

/** The part of a route that says what its keys cover. */
export type Covering = Pick<Route<never>, 'scope' | 'vary' | 'query'> & { readonly key: unknown }

/** Whether a handler may read a request header during a run whose response is kept: the key covers it. */
export function isCovered(name: string, route: Covering): boolean {
  if (route.vary.includes(name) || (route.key === undefined && KEYED.has(name))) return true
  return route.scope !== 'public' && PERSONAL.has(name)
}

/** What middleware makes of cookies and tokens. */
const DERIVED = ['cookies', 'signedCookies', 'session', 'user', 'auth', 'account'] as const

/** A request that shows no more than a key covers. */
export interface Narrowed {
  /** Something derived from what is hidden, and read all the same. */
  readonly read: string | undefined
  /** The handler has answered: what is read of a session now may be its own middleware, which looks whether to save it. */
  handled(): void
  /** Makes the request whole again. */
  restore(): void
}

function coveredHeaders(request: IncomingMessage, route: Covering) {
  const headers: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (isCovered(name, route)) headers[name] = name === 'host' ? String(value).toLowerCase() : value
  }
  const rawHeaders: string[] = []
  const distinct: Record<string, string[]> = {}
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? ''
    const lower = name.toLowerCase()
    const given = request.rawHeaders[i + 1] ?? ''
    // As it is in the key.
    const value = lower === 'host' ? given.toLowerCase() : given
    if (!isCovered(lower, route)) continue
    rawHeaders.push(name, value)
    distinct[lower] = [...(distinct[lower] ?? []), value]
  }
  return { headers, rawHeaders, headersDistinct: distinct }
}

interface QueryParser {
  readonly app?: { get?(name: 'query parser fn'): unknown }
}

function narrowedQuery(view: object, query: unknown, target: string, chosen: ReadonlySet<string>): unknown {
  const parser: unknown = (view as QueryParser).app?.get?.('query parser fn')
  if (typeof parser === 'function') {
    return (parser as (query: string) => unknown)(target.slice(`${target}?`.indexOf('?') + 1))
  }
  if (typeof query !== 'object' || query === null) return query
  return Object.fromEntries(Object.entries(query).filter(([name]) => chosen.has(name)))
}

/**
 * Hides from a handler what the key does not cover. `views` are the objects it may look at: the request of Node itself
 * first, and that of a framework around it.
 */
export function narrow(
  request: IncomingMessage,
  response: object,
  views: readonly object[],
  route: Covering,
): Narrowed {
  let read: string | undefined
  let isHandled = false
  const tell = (name: string): void => {
    read ??= name
  }
  const raw = shadowing(request)
  const answer = shadowing(response)
  if (route.scope !== 'user') raw.value('socket', withoutAddress(request.socket))
  if (route.scope === 'public') watchLocals(response, answer, tell)
  for (const [name, value] of Object.entries(coveredHeaders(request, route))) raw.value(name, value)
  const others = views.map(view => {
    const shadows = view === request ? raw : shadowing(view)
    if (route.query !== undefined) narrowTarget(view, shadows, route.query)
    if (route.scope !== 'public') return shadows
    for (const name of DERIVED) {
      const value: unknown = Reflect.get(view, name)
      if (value === undefined) continue
      shadows.getter(name, () => {
        if (isHandled && name === 'session') return watched(value, HOUSEKEEPING, () => tell(name))
        // What is not there is what the handler was shown too.
        if (isHandled && name === 'cookies') return watched(value, absentFrom(value), () => tell(name))
        tell(name)
        return value
      })
    }
    return shadows
  })
  return {
    get read() {
      return read
    },
    handled() {
      isHandled = true
    },
    restore() {
      for (const shadows of [raw, answer, ...others]) shadows.restore()
    },
  }
}

/** What the middleware of a session looks at to know whether to save it and to send its cookie. */
const HOUSEKEEPING: Free = new Set([
  ...['sessionId', 'encryptedSessionId', 'cookie', 'touch', 'save', 'isModified', 'isSaved'],
])

/** Tells which names may be looked at freely. */
interface Free {
  has(name: string): boolean
}

function absentFrom(value: unknown): Free {
  return { has: name => typeof value !== 'object' || value === null || !(name in value) }
}

/** An object that tells when anything of it is looked at but what is free. */
function watched(value: unknown, free: Free, tell: () => void): unknown {
  if (typeof value !== 'object' || value === null) return value
  return new Proxy(value, {
    get(target, name) {
      if (typeof name === 'string' && !free.has(name)) tell()
      const found: unknown = Reflect.get(target, name)
      return typeof found === 'function' ? (found.bind(target) as unknown) : found
    },
    ownKeys(target) {
      tell()
      return Reflect.ownKeys(target)
    },
  })
}

const ADDRESS = new Set<unknown>(['remoteAddress', 'remotePort', 'remoteFamily'])

/** The address of a client is in no key. */
function withoutAddress(socket: IncomingMessage['socket']): unknown {
  return new Proxy(socket, {
    get(target, name) {
      if (ADDRESS.has(name)) return undefined
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Middleware leaves there what templates are to know, of this client too. */
function watchLocals(response: object, shadows: Shadows, tell: (name: string) => void): void {
  const locals: unknown = Reflect.get(response, 'locals')
  if (typeof locals !== 'object' || locals === null || Object.keys(locals).length === 0) return
  shadows.getter('locals', () => {
    tell('locals')
    return locals
  })
}

function narrowTarget(view: object, shadows: Shadows, chosen: ReadonlySet<string>): void {
  const url: unknown = Reflect.get(view, 'url')
  if (typeof url !== 'string') return
  const target = chosenTarget(url, chosen)
  if ('query' in view && Object.hasOwn(view, 'query')) {
    shadows.value('query', narrowedQuery(view, view.query, target, chosen))
  }
  shadows.value('url', target)
  const original: unknown = Reflect.get(view, 'originalUrl')
  if (typeof original === 'string') shadows.value('originalUrl', chosenTarget(original, chosen))
}
