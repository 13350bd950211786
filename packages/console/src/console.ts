import { readFileSync } from 'node:fs'
import { createAccess } from './access.ts'
import { alertRoutes } from './alerting.ts'
import { givenResponse, problem, problemResponse } from './answer.ts'
import { BUILT_PAGES, readAssets, toDirectory } from './assets.ts'
import { createAudit } from './audit.ts'
import { createBrakes } from './brakes.ts'
import { clearingRoutes } from './clearing.ts'
import { configuringRoutes } from './configuring.ts'
import { createDesk, type Passage } from './desk.ts'
import { createEntrance } from './entrance.ts'
import { guardFromDocuments, guardFromToken } from './forgery.ts'
import { createSeal } from './headers.ts'
import { type ConsoleOptions, resolveOptions } from './options.ts'
import { readingRoutes } from './reading.ts'
import { reportRoutes } from './reporting.ts'
import type { ManagedCache, Room } from './room.ts'
import { createRouter, type Route } from './router.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { testingRoutes } from './testing.ts'
import { typeRoutes } from './types.ts'
import { warmingRoutes } from './warming.ts'

/** What an adapter knows of a request that does not stand in it. */
export interface Arrival {
  /** The path the console is mounted under, as it begins the request's own: `/ops`. Default none. */
  readonly mount?: string
  /** The client's address, for limits and the audit log. */
  readonly address?: string
}

/** The console of a cache, its pages and its management API, as one function, for any framework. */
export interface CacheConsole {
  /** Answers any request, always; never rejects. */
  handle(request: Request, arrival?: Arrival): Promise<Response>
  /** Every later request is answered with 503. Resolves when those under way are answered. The cache stays open. */
  close(): Promise<void>
}

/** Every route there is, section by section. */
export function routesOf(room: Room): readonly Route[] {
  const sections = [readingRoutes, typeRoutes, clearingRoutes, configuringRoutes, testingRoutes, alertRoutes]
  return [...sections, warmingRoutes, reportRoutes].flatMap(section => section(room))
}

const SESSION = '/api/session'

/** The path of a request below the mount, empty for the mount itself; undefined for one that lies elsewhere. */
function pathBelow(mount: string, pathname: string): string | undefined {
  const base = mount.replace(/\/+$/, '')
  if (base !== '' && pathname === base) return ''
  return pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : undefined
}

/** The version of this package; `unknown` where an application was packed into one file and left the rest behind. */
function versionOf(): string {
  try {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version?: unknown
    }
    return typeof version === 'string' ? version : 'unknown'
  } catch {
    return 'unknown'
  }
}

/**
 * The console of a cache: pages, and the management API behind them, with figures, health, keys, explanations, clears that
 * can be undone, policies, an audit log. Closed to everybody whom neither `authorize` nor the token lets in, but for the
 * pages, which hold nothing by themselves. Throws PALIER_BAD_OPTION.
 */
export function createConsole(cache: ManagedCache, options: ConsoleOptions = {}): CacheConsole {
  return createConsoleOf(cache, options, BUILT_PAGES)
}

/** `createConsole` with pages from another directory. */
export function createConsoleOf(cache: ManagedCache, options: ConsoleOptions, pages: string): CacheConsole {
  const resolved = resolveOptions(cache, options)
  const { token, authorize, origins, limit, log, clock, monitor, warm, audit: tell, environment } = resolved
  const guard = token === undefined ? guardFromDocuments(cache.documents('palier-console')) : guardFromToken(token)
  const sessions: Sessions | undefined =
    token === undefined
      ? undefined
      : createSessions({ token, clock, documents: cache.documents('palier-console-sessions') })
  const access = createAccess({ token, authorize, origins, guard, sessions })
  const brakes = createBrakes(cache, limit, () => clock.now())
  const audit = createAudit(cache, { log, tell })
  const file = authorize === undefined ? resolved.tokenPlace : undefined
  const signIn = {
    token: token !== undefined,
    application: authorize !== undefined,
    ...(file !== undefined && { file }),
  }
  const entrance = createEntrance({ access, brakes, audit, clock, sessions, signIn })
  const room: Room = {
    cache,
    monitor,
    warm,
    environment,
    version: versionOf(),
    bornAt: clock.wall(),
    clock,
    log,
    audit,
  }
  const desk = createDesk(room, access, brakes, audit)
  const assets = readAssets(pages)
  const match = createRouter(routesOf(room))
  const seal = createSeal(resolved.frameAncestors)
  const underWay = new Set<Promise<Response>>()
  let isClosed = false

  /** What is there for everybody. */
  const open = ({ request, url }: Passage, path: string | undefined): Response | undefined => {
    if (path === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined
    return path === '' ? toDirectory(url) : assets.serve(request, path)
  }

  const answer = async (passage: Passage, mount: string): Promise<Response> => {
    const { request, url } = passage
    const path = pathBelow(mount, url.pathname)
    const found = open(passage, path) ?? (path === SESSION ? await entrance.serve(passage, mount) : undefined)
    if (found !== undefined) return found
    const identity = await access.identify(request)
    if (identity === undefined) return entrance.refuse(passage)
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
      const work = handle(request, arrival).then(seal)
      underWay.add(work)
      return work.finally(() => underWay.delete(work))
    },
    async close() {
      isClosed = true
      await Promise.allSettled(underWay)
    },
  }
}
