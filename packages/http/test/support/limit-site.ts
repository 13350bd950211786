import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http'
import fastifyRateLimit from '@fastify/rate-limit'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import fastify, { type FastifyRequest } from 'fastify'
import type { Cache, OnOutage } from 'palier'
import { expressRateLimitStore } from '../../src/limits/express-store.ts'
import { fastifyRateLimitStore } from '../../src/limits/fastify-store.ts'
import { limitRequests, limitRequestsHook } from '../../src/limits/limit-requests.ts'

/** Every way to limit requests: a store for a framework's own limiter, or our middleware. */
export const WAYS = ['express-rate-limit', 'express-rate-limit, sliding', 'fastify', 'middleware', 'hook'] as const
export type Way = (typeof WAYS)[number]

export interface SiteOptions {
  readonly cache: Cache
  readonly name: string
  readonly limit: number
  readonly window: number
  readonly onOutage: OnOutage
  readonly processes?: number
}

export interface LimitedSite {
  readonly url: string
  /** One request; `as` is the client that is counted. */
  visit(as: string): Promise<Response>
  close(): Promise<void>
}

const CLIENT = 'x-client'
const clientOf = ({ headers }: { headers: IncomingHttpHeaders }): string => String(headers[CLIENT])

async function expressSite(way: Way, { cache, name, limit, window, ...more }: SiteOptions): Promise<Server> {
  const app = express()
  if (way === 'middleware') {
    app.use(
      limitRequests(cache.limiter(name, { limit, window, ...more }), {
        key: (request: IncomingMessage) => clientOf(request),
      }),
    )
  } else {
    const algorithm = way === 'express-rate-limit' ? 'fixed' : 'sliding'
    const store = expressRateLimitStore(cache, { name, algorithm, ...more })
    app.use(rateLimit({ windowMs: window, limit, keyGenerator: clientOf, standardHeaders: 'draft-8', store }))
  }
  app.get('/', (_request, response) => void response.send('ok'))
  // Express prints an error that nobody answers.
  app.set('env', 'test')
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function fastifySite(way: Way, { cache, name, limit, window, ...more }: SiteOptions): Promise<Server> {
  const app = fastify()
  if (way === 'hook') {
    app.addHook(
      'onRequest',
      limitRequestsHook(cache.limiter(name, { limit, window, ...more }), {
        key: (request: FastifyRequest) => clientOf(request),
      }),
    )
  } else {
    const store = fastifyRateLimitStore(cache, { name, ...more })
    await app.register(fastifyRateLimit, { max: limit, timeWindow: window, keyGenerator: clientOf, store })
  }
  app.get('/', async () => 'ok')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
}

export async function limitedSite(way: Way, options: SiteOptions): Promise<LimitedSite> {
  const server = await (way === 'fastify' || way === 'hook' ? fastifySite : expressSite)(way, options)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const url = `http://127.0.0.1:${address.port}/`
  return {
    url,
    visit: as => fetch(url, { headers: { [CLIENT]: as } }),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
