import type { Answer } from './answer.ts'
import type { Identity, Role } from './access.ts'
import type { Fields } from './input.ts'

/** One request that may be answered: who asks was found out, and what is in it was read. */
export interface Call {
  readonly query: URLSearchParams
  /** What stands in the path after the route's own, decoded. */
  readonly rest: string
  /** The body; no fields where there was none. */
  readonly fields: Fields
  readonly who: Identity
  readonly headers: Headers
  /** Says what a change is aimed at, for the audit log, before it is tried. */
  aim(target: string): void
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** After the path it is mounted under. One that ends in `/` is followed by a name: a type or a key. */
  readonly path: string
  /** The lowest role that may. */
  readonly role: Role
  /** `read` changes nothing. `look` changes nothing but costs enough to be limited. `change` is limited and audited. */
  readonly kind: 'read' | 'look' | 'change'
  /** What the audit log calls it. */
  readonly name: string
  /** Of those which are limited more strictly than others. */
  readonly rare?: true
  answer(call: Call): Promise<Answer>
}

export interface Matched {
  /** Undefined when nothing is at this path, or nothing for this method. */
  readonly route?: Route
  readonly rest: string
  /** What is there at this path for other methods. */
  readonly methods: readonly string[]
}

/** What comes after the path of a route; undefined where it does not lead there, or is not percent-encoded as it must be. */
function restOf(path: string, pathname: string): string | undefined {
  if (!path.endsWith('/')) return pathname === path ? '' : undefined
  if (!pathname.startsWith(path) || pathname.length === path.length) return undefined
  try {
    // All that follows, because proxies exist that decode `%2F` on the way.
    return decodeURIComponent(pathname.slice(path.length))
  } catch {
    return undefined
  }
}

const METHODS_OF: Readonly<Record<string, readonly string[]>> = { GET: ['GET', 'HEAD'] }

export function createRouter(routes: readonly Route[]): (method: string, pathname: string) => Matched {
  return (method, pathname) => {
    const wanted = method === 'HEAD' ? 'GET' : method
    const here = routes.flatMap(route => {
      const rest = restOf(route.path, pathname)
      return rest === undefined ? [] : [{ route, rest }]
    })
    const found = here.find(({ route }) => route.method === wanted)
    if (found !== undefined) return { ...found, methods: [] }
    return { rest: '', methods: here.flatMap(({ route }) => METHODS_OF[route.method] ?? [route.method]) }
  }
}
