import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import cookiePlugin from '@fastify/cookie'
import fastifySession from '@fastify/session'
import express from 'express'
import session from 'express-session'
import fastify, { type FastifyRequest } from 'fastify'
import type { Cache } from 'palier'
import {
  expressSessionStore,
  fastifySessionStore,
  type SessionStore,
  type SessionStoreOptions,
} from '../../src/index.ts'

/*
 * The same small application on both frameworks, over real HTTP:
 *   GET /          what the session holds
 *   POST /put      stores each query parameter in the session
 *   POST /slow     the same, and then waits to be let go before it answers
 *   POST /twice    saves by hand, without waiting, and changes the session once more
 *   POST /login    a new session for the user of the query
 *   POST /logout   ends the session
 */

export type FrameworkName = 'express-session' | '@fastify/session'
export const FRAMEWORKS: readonly FrameworkName[] = ['express-session', '@fastify/session']

/** A request that is under way for as long as the test wants. */
export interface Hold {
  /** Resolves when the request has read its session and changed it. */
  readonly entered: Promise<void>
  release(): void
}

export interface Visit {
  readonly status: number
  readonly text: string
  /** What the session held when the answer was made. */
  readonly fields: Record<string, unknown>
  /** Name and value of the cookie that was set. */
  readonly cookie: string | undefined
}

export interface Site {
  readonly store: SessionStore & NodeJS.EventEmitter
  visit(method: 'GET' | 'POST', path: string, cookie?: string): Promise<Visit>
  /** A visit to `/slow` that waits. */
  slow(query: string, cookie: string): Hold & { readonly visit: Promise<Visit> }
  close(): Promise<void>
}

export interface SiteOptions extends SessionStoreOptions {
  readonly cache: Cache
  readonly maxAge?: number
  /** The cookie is renewed by every answer. */
  readonly rolling?: boolean
  readonly resave?: boolean
}

const SECRET = 'a secret of more than thirty-two characters'

interface Gate extends Hold {
  /** Called by the request: it has come so far, and goes on when it is released. */
  enter(): Promise<void>
}

function gate(): Gate {
  let come: () => void = () => undefined
  let release: () => void = () => undefined
  const entered = new Promise<void>(resolve => (come = resolve))
  const released = new Promise<void>(resolve => (release = resolve))
  return { entered, release: () => release(), enter: () => (come(), released) }
}

type Fields = Record<string, unknown>

/** A session of either framework, as far as the application uses it. */
interface Session {
  save(callback: (error?: unknown) => void): unknown
}

/** What a request does to its session before it answers. */
async function act(path: string, query: URLSearchParams, live: Session, gates: readonly Gate[]): Promise<void> {
  const fields = live as unknown as Fields
  if (path === '/twice') {
    fields['n'] = 1
    live.save(() => undefined)
    fields['n'] = 0
    fields['after'] = true
    return
  }
  for (const [name, value] of query) if (name !== 'gate') fields[name] = value
  await gates[Number(query.get('gate') ?? -1)]?.enter()
}

function fieldsOf(live: object | null | undefined): string {
  const { cookie: _cookie, ...fields } = JSON.parse(JSON.stringify(live ?? {})) as Fields
  return JSON.stringify(fields)
}

interface Running {
  readonly store: SessionStore & NodeJS.EventEmitter
  readonly url: string
  close(): Promise<void>
}

async function onExpress(options: SiteOptions, gates: readonly Gate[]): Promise<Running> {
  const { maxAge, rolling = false, resave = false, ...stored } = options
  const store = expressSessionStore(session, stored)
  const app = express()
  const cookie = { secure: false, ...(maxAge !== undefined && { maxAge }) }
  app.use(session({ store, secret: SECRET, resave, rolling, saveUninitialized: false, cookie }))
  app.post('/login', (req, res, next) => {
    req.session.regenerate((error: unknown) => {
      if (error) return next(error)
      Object.assign(req.session, req.query)
      res.send(fieldsOf(req.session))
    })
  })
  app.post('/logout', (req, res, next) => {
    req.session.destroy((error: unknown) => (error ? next(error) : res.send('{}')))
  })
  app.use(async (req, res) => {
    const url = new URL(req.url, 'http://localhost')
    if (req.method === 'POST') await act(url.pathname, url.searchParams, req.session, gates)
    res.send(fieldsOf(req.session))
  })
  app.use(((error: { status?: number }, _req, res, _next) => {
    res.status(error.status ?? 500).send('failed')
  }) satisfies express.ErrorRequestHandler)
  const server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await store.close()
  }
  return { store, url: `http://127.0.0.1:${port}`, close }
}

async function onFastify(options: SiteOptions, gates: readonly Gate[]): Promise<Running> {
  const { maxAge, rolling = false, resave: _resave, ...stored } = options
  const store = fastifySessionStore(stored)
  const app = fastify({ forceCloseConnections: true })
  const cookie = { secure: false, ...(maxAge !== undefined && { maxAge }) }
  await app.register(cookiePlugin)
  await app.register(fastifySession, { store, secret: SECRET, rolling, saveUninitialized: false, cookie })
  app.post('/login', async (request: FastifyRequest) => {
    await request.session.regenerate()
    Object.assign(request.session, request.query)
    return fieldsOf(request.session)
  })
  app.post('/logout', async (request: FastifyRequest) => {
    await request.session.destroy()
    return '{}'
  })
  const rest = async (request: FastifyRequest): Promise<string> => {
    const url = new URL(request.url, 'http://localhost')
    if (request.method === 'POST') await act(url.pathname, url.searchParams, request.session, gates)
    return fieldsOf(request.session)
  }
  for (const path of ['/', '/put', '/slow', '/twice']) app.route({ method: ['GET', 'POST'], url: path, handler: rest })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const close = async (): Promise<void> => {
    await app.close()
    await store.close()
  }
  return { store, url, close }
}

export async function startSite(framework: FrameworkName, options: SiteOptions): Promise<Site> {
  const gates: Gate[] = []
  let closing: Promise<void> | undefined
  const running = await (framework === 'express-session' ? onExpress : onFastify)(options, gates)
  const visit = async (method: string, path: string, cookie?: string): Promise<Visit> => {
    const headers = cookie === undefined ? {} : { cookie }
    const response = await fetch(running.url + path, { method, headers })
    const text = await response.text()
    const fields = response.status === 200 ? (JSON.parse(text) as Fields) : {}
    const set = response.headers.getSetCookie()[0]?.split(';')[0]
    return { status: response.status, text, fields, cookie: set }
  }
  return {
    store: running.store,
    visit,
    slow(query, cookie) {
      const one = gate()
      gates.push(one)
      return { ...one, visit: visit('POST', `/slow?gate=${gates.length - 1}&${query}`, cookie) }
    },
    close: () => (closing ??= running.close()),
  }
}

/** The id of the session that a cookie names. */
export function sidOf(cookie: string | undefined): string {
  const value = decodeURIComponent(cookie?.slice(cookie.indexOf('=') + 1) ?? '').replace(/^s:/, '')
  return value.slice(0, value.lastIndexOf('.'))
}
