import type { IncomingMessage } from 'node:http'
import type { Route } from './options.ts'
import { chosenTarget } from './request-key.ts'
import { shadowing } from './shadow.ts'

/** Headers that are about the connection, or in every key. */
const HARMLESS = new Set(['host', 'connection', 'keep-alive', ':method', ':path', ':scheme', ':authority'])
const PERSONAL = new Set(['cookie', 'authorization'])

/** The part of a route that says what its keys cover. */
export type Covering = Pick<Route<never>, 'scope' | 'vary' | 'query'>

/** Whether a handler may read a request header during a run whose response is kept: the key covers it. */
export function isCovered(name: string, route: Covering): boolean {
  if (HARMLESS.has(name) || route.vary.includes(name)) return true
  return route.scope !== 'public' && PERSONAL.has(name)
}

/** What middleware makes of cookies and tokens. */
const DERIVED = ['cookies', 'signedCookies', 'session', 'user', 'auth', 'account'] as const

/** A request that shows no more than a key covers. */
export interface Narrowed {
  /** Something derived from what is hidden, and read all the same. */
  readonly read: string | undefined
  /** Makes the request whole again. */
  restore(): void
}

function coveredHeaders(request: IncomingMessage, route: Covering) {
  const headers: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (isCovered(name, route)) headers[name] = value
  }
  const rawHeaders: string[] = []
  const distinct: Record<string, string[]> = {}
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? ''
    const value = request.rawHeaders[i + 1] ?? ''
    const lower = name.toLowerCase()
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
export function narrow(request: IncomingMessage, views: readonly object[], route: Covering): Narrowed {
  let read: string | undefined
  const raw = shadowing(request)
  for (const [name, value] of Object.entries(coveredHeaders(request, route))) raw.value(name, value)
  const others = views.map(view => {
    const shadows = view === request ? raw : shadowing(view)
    if (route.query !== undefined) narrowTarget(view, shadows, route.query)
    if (route.scope !== 'public') return shadows
    for (const name of DERIVED) {
      const value: unknown = Reflect.get(view, name)
      if (value === undefined) continue
      shadows.getter(name, () => {
        read ??= name
        return value
      })
    }
    return shadows
  })
  return {
    get read() {
      return read
    },
    restore() {
      for (const shadows of [raw, ...others]) shadows.restore()
    },
  }
}

function narrowTarget(view: object, shadows: ReturnType<typeof shadowing>, chosen: ReadonlySet<string>): void {
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
