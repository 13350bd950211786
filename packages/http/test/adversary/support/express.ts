import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import express5 from 'express'
import { type CacheResponseOptions, expressCache, type NodeRequest, nodeCache } from '../../../src/index.ts'
import { type Base, baseOf, optionsOf, serverOf, typeOf } from './base.ts'
import { grouped, type Page, type Reply, type Running, type Seen, type Site, type User, whoIs } from './site.ts'

const load = createRequire(import.meta.url)
const express4 = load('express4') as typeof express5
const cookieParser = load('cookie-parser') as (secret: string) => express5.RequestHandler

type Known = express5.Request & { readonly user?: User | undefined }

function seenOf(request: Known, response: express5.Response): Seen {
  return {
    method: request.method,
    target: () => request.originalUrl,
    headers: () => request.headers,
    views: () => ({
      raw: grouped(request.rawHeaders),
      distinct: request.headersDistinct,
      hostname: request.hostname,
      protocol: request.protocol,
      subdomains: request.subdomains,
      type: request.get('x-custom'),
      viaResponse: response.req.headers,
    }),
    query: () => request.query,
    derived: () => [request.cookies, request.signedCookies, request.session, request.user],
    beside: () => response.locals,
    address: () => [request.ip, request.ips, request.socket.remoteAddress],
    user: () => request.user,
  }
}

/** Writes a reply by Node's own methods. */
export function writeRaw(response: ServerResponse, { status = 200, headers = {}, chunks = [], last }: Reply): void {
  response.writeHead(status, headers)
  for (const chunk of chunks) response.write(chunk)
  if (last === 'destroy') response.destroy()
  else response.end()
}

function write(response: express5.Response, reply: Reply): void {
  if (reply.hints !== undefined) response.writeEarlyHints({ link: reply.hints })
  if (reply.chunks !== undefined) return writeRaw(response, reply)
  response.status(reply.status ?? 200)
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  response.send(reply.body ?? '')
}

function answerWith(base: Base, path: string, reply: Page['reply']): express5.RequestHandler {
  return (request, response, next) => {
    base.count(path)
    const run = async (): Promise<void> => write(response, await reply(seenOf(request as Known, response)))
    run().catch(next)
  }
}

/** The application: cookies, session and user are there before any page, as usual. `cached` stands before each page. */
function appOf(
  express: typeof express5,
  site: Site,
  base: Base,
  cached: (page: Page) => express5.RequestHandler,
): express5.Express {
  const app = express()
  const { invalidates } = expressCache(base.cache, site.options)
  app.set('trust proxy', true)
  app.use(cookieParser('the secret of the site'))
  app.use((request, response, next) => {
    const user = whoIs(base.logins, name => request.get(name))
    response.locals['user'] = user
    Object.assign(request, { user, session: { of: user?.secret } })
    next()
  })
  if (site.isRewritten === true) {
    app.use((request, _response, next) => {
      request.url = request.get('x-original-url') ?? request.url
      next()
    })
  }
  for (const page of site.pages) app.get(page.path, cached(page), answerWith(base, page.path, page.reply))
  for (const { path, changes, run } of site.actions ?? []) {
    app.post(path, invalidates<Known>(changes) as unknown as express5.RequestHandler, answerWith(base, path, run))
  }
  app.use(((error, _request, response, next) => {
    // Express itself goes on with what has begun.
    if (response.headersSent) next(error)
    else response.status(500).send('failed')
  }) as express5.ErrorRequestHandler)
  return app
}

function startExpress(express: typeof express5, site: Site): Promise<Running> {
  const base = baseOf(site)
  const { cacheResponse } = expressCache(base.cache, site.options)
  const app = appOf(express, site, base, page => {
    const options = optionsOf<Known>(page, { user: request => request.user, target: request => request.originalUrl })
    return cacheResponse<Known>(typeOf(page), options)
  })
  return base.run(serverOf(app))
}

export const startExpress5 = (site: Site): Promise<Running> => startExpress(express5, site)
export const startExpress4 = (site: Site): Promise<Running> => startExpress(express4, site)

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** The form that stands in front of a framework. */
export function startFront(site: Site): Promise<Running> {
  const base = baseOf(site)
  const app = appOf(express5, site, base, () => (_request, _response, next) => next())
  const routes = site.pages.map(page => {
    const options: CacheResponseOptions<NodeRequest> = optionsOf<NodeRequest>(page, {
      user: request => whoIs(base.logins, name => header(request, name)),
      target: request => request.url ?? '',
    })
    const pattern = new RegExp(`^${page.path.replace(/:\w+/g, '[^/]+')}/?(?:\\?.*)?$`, 'i')
    return { pattern, route: { type: typeOf(page), ...options } }
  })
  const { listen } = nodeCache(base.cache, site.options)
  const listener = listen(
    app as (request: IncomingMessage, response: ServerResponse) => void,
    request => routes.find(({ pattern }) => pattern.test(request.url ?? ''))?.route,
  )
  return base.run(serverOf(listener))
}
