import { createAccess } from './access.ts'
import { givenResponse, problem, problemResponse } from './answer.ts'
import { createAudit } from './audit.ts'
import { createBrakes } from './brakes.ts'
import { clearingRoutes } from './clearing.ts'
import { configuringRoutes } from './configuring.ts'
import { createDesk, type Passage } from './desk.ts'
import { guardFromDocuments, guardFromToken } from './forgery.ts'
import { type ConsoleOptions, resolveOptions } from './options.ts'
import { readingRoutes } from './reading.ts'
import type { ManagedCache, Room } from './room.ts'
import { createRouter, type Route } from './router.ts'
import { testingRoutes } from './testing.ts'
import { warmingRoutes } from './warming.ts'

/** What an adapter knows of a request that does not stand in it. */
export interface Arrival {
  /** The path the console is mounted under, as it begins the request's own: `/ops`. Default none. */
  readonly mount?: string
  /** The client's address, for limits and the audit log. */
  readonly address?: string
}

/** The management API of a cache as one function, for any framework. */
export interface CacheConsole {
  /** Answers any request, always; never rejects. */
  handle(request: Request, arrival?: Arrival): Promise<Response>
  /** Every later request is answered with 503. Resolves when those under way are answered. The cache stays open. */
  close(): Promise<void>
}

/** Every route there is, section by section. */
export function routesOf(room: Room): readonly Route[] {
  return [readingRoutes, clearingRoutes, configuringRoutes, testingRoutes, warmingRoutes].flatMap(section =>
    section(room),
  )
}

/** The path of a request below the mount; undefined for one that lies elsewhere. */
function pathBelow(mount: string, pathname: string): string | undefined {
  const base = mount.replace(/\/+$/, '')
  return pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : undefined
}

/**
 * The management API of a cache: figures, health, keys, explanations, clears that can be undone, policies, an audit log.
 * Closed to everybody whom neither `authorize` nor the token lets in. Throws PALIER_BAD_OPTION.
 */
export function createConsole(cache: ManagedCache, options: ConsoleOptions = {}): CacheConsole {
  const { token, authorize, origins, limit, log, clock, monitor, warm, audit: tell } = resolveOptions(cache, options)
  const guard = token === undefined ? guardFromDocuments(cache.documents('palier-console')) : guardFromToken(token)
  const access = createAccess({ token, authorize, origins, guard })
  const brakes = createBrakes(cache, limit, () => clock.now())
  const audit = createAudit(cache, { log, tell })
  const room: Room = { cache, monitor, warm, clock, log, audit }
  const desk = createDesk(room, access, brakes, audit)
  const match = createRouter(routesOf(room))
  const underWay = new Set<Promise<Response>>()
  let isClosed = false

  const answer = async (passage: Passage, mount: string): Promise<Response> => {
    const { request, url, address } = passage
    const identity = await access.identify(request)
    if (identity === undefined) {
      const stopped = access.triesToken(request) ? await brakes.guess(address) : undefined
      if (stopped !== undefined) return problemResponse(stopped.problem)
      const challenge = { 'WWW-Authenticate': 'Bearer realm="palier"' }
      return problemResponse(
        problem(401, 'no-access', 'access needs a token, or a session of the application', challenge),
      )
    }
    const path = pathBelow(mount, url.pathname)
    const { route, rest, methods } = path === undefined ? { rest: '', methods: [] } : match(request.method, path)
    if (route !== undefined) return desk.serve(passage, identity, route, rest)
    if (methods.length === 0) return problemResponse(problem(404, 'not-found', 'there is nothing at this path'))
    const allow = { Allow: [...methods, 'OPTIONS'].join(', ') }
    if (request.method === 'OPTIONS') return givenResponse({ status: 204, body: undefined }, allow)
    return problemResponse(problem(405, 'wrong-method', `this path answers ${allow.Allow}`, allow))
  }

  const handle = async (request: Request, { mount = '', address }: Arrival): Promise<Response> => {
    if (isClosed) return problemResponse({ status: 503, code: 'PALIER_CLOSED', detail: 'the console is closed' })
    try {
      const response = await answer({ request, url: new URL(request.url), address }, mount)
      return request.method === 'HEAD' ? new Response(null, response) : response
    } catch (error) {
      return desk.failed(error, 'a request')
    }
  }

  return {
    handle(request, arrival = {}) {
      const work = handle(request, arrival)
      underWay.add(work)
      return work.finally(() => underWay.delete(work))
    },
    async close() {
      isClosed = true
      await Promise.allSettled(underWay)
    },
  }
}
