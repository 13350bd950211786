import { createServer, type Server } from 'node:http'
import { gzipSync } from 'node:zlib'
import { expressCache, fastifyCache, nodeCache } from '@palier/http'
import apicache from 'apicache'
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { createCache } from 'palier'
import { beChild } from './children.ts'

/*
 * One server of the HTTP table, in a process of its own. All answer the same JSON, gzipped, on `/page`. "Ready" servers
 * send a buffer that was compressed once, which is the most a cache can do; the others make the answer once and keep it.
 */

export interface HttpTask {
  readonly contestant: string
  readonly bytes: number
  readonly port: number
}

export interface HttpResult {
  /** CPU time of the process since it was ready, in microseconds. */
  readonly cpu: number
}

interface Row {
  readonly id: number
  readonly name: string
  readonly sent: number
  readonly note: string
}

/** A page of rows, at least so many bytes of JSON. */
function page(bytes: number): { rows: Row[] } {
  const rows: Row[] = []
  for (let size = 0; size < bytes; ) {
    const id = rows.length
    const row = { id, name: `Contact ${(id * 7919) % 10_007}`, sent: (id * 104_729) % 1_000_003, note: `n${id % 13}` }
    rows.push(row)
    size += JSON.stringify(row).length + 1
  }
  return { rows }
}

const TYPE = 'application/json; charset=utf-8'
const cacheOptions = { backend: 'memory', logger: false, types: { page: { ttl: '1h' } } } as const

/** One object for all requests, so that what follows from it is worked out once. */
const ROUTE = { type: 'page', scope: 'public' } as const

type Make = (bytes: number) => Promise<Server>

async function ready(app: FastifyInstance): Promise<Server> {
  await app.ready()
  return app.server
}

/** What every contestant with a handler does on a miss. */
const make = (bytes: number): { rows: Row[] } => page(bytes)

const CONTESTANTS: Readonly<Record<string, Make>> = {
  async 'node:http, ready buffer'(bytes) {
    const body = gzipSync(JSON.stringify(make(bytes)))
    const headers = ['content-type', TYPE, 'content-encoding', 'gzip', 'content-length', String(body.length)]
    return createServer((_request, response) => {
      response.writeHead(200, headers)
      response.end(body)
    })
  },
  async 'fastify, ready buffer'(bytes) {
    const body = gzipSync(JSON.stringify(make(bytes)))
    const app = fastify()
    app.get('/page', (_request, reply) =>
      reply.header('content-type', TYPE).header('content-encoding', 'gzip').send(body),
    )
    return ready(app)
  },
  async 'palier, fastify'(bytes) {
    const app = fastify()
    const { cacheResponse } = fastifyCache(createCache(cacheOptions))
    app.get('/page', cacheResponse('page', { scope: 'public' }), () => make(bytes))
    return ready(app)
  },
  async 'palier, before fastify'(bytes) {
    const { listen } = nodeCache(createCache(cacheOptions))
    const app = fastify({
      serverFactory: handler => createServer(listen(handler, () => ROUTE)),
    })
    app.get('/page', () => make(bytes))
    return ready(app)
  },
  async 'palier, express 5'(bytes) {
    const app = express()
    const { cacheResponse } = expressCache(createCache(cacheOptions))
    app.get(
      '/page',
      cacheResponse('page', { scope: 'public' }),
      (_request, response) => void response.json(make(bytes)),
    )
    return createServer(app)
  },
  async 'palier, before express 5'(bytes) {
    const app = express()
    app.get('/page', (_request, response) => void response.json(make(bytes)))
    const { listen } = nodeCache(createCache(cacheOptions))
    return createServer(listen(app, () => ROUTE))
  },
  async 'apicache, express 5'(bytes) {
    const app = express()
    app.get('/page', apicache.middleware('1 hour'), (_request, response) => {
      response.set({ 'content-type': TYPE, 'content-encoding': 'gzip' }).send(gzipSync(JSON.stringify(make(bytes))))
    })
    return createServer(app)
  },
  async 'lru-cache in the handler, fastify'(bytes) {
    const kept = new LRUCache<string, object>({ max: 1000, ttl: 3_600_000 })
    const app = fastify()
    app.get('/page', (request, reply) => {
      const value = kept.get(request.url) ?? make(bytes)
      kept.set(request.url, value)
      return reply
        .header('content-type', TYPE)
        .header('content-encoding', 'gzip')
        .send(gzipSync(JSON.stringify(value)))
    })
    return ready(app)
  },
  async 'lru-cache in the handler, express 5'(bytes) {
    const kept = new LRUCache<string, object>({ max: 1000, ttl: 3_600_000 })
    const app = express()
    app.get('/page', (request, response) => {
      const value = kept.get(request.url) ?? make(bytes)
      kept.set(request.url, value)
      response.set({ 'content-type': TYPE, 'content-encoding': 'gzip' }).send(gzipSync(JSON.stringify(value)))
    })
    return createServer(app)
  },
}

/** The names, those to compare with first. */
export const HTTP_CONTESTANTS: readonly string[] = Object.keys(CONTESTANTS)

if (process.send !== undefined) {
  await beChild<HttpTask, HttpResult>(async ({ contestant, bytes, port }) => {
    const server = await CONTESTANTS[contestant]?.(bytes)
    if (server === undefined) throw new Error(`no such contestant: ${contestant}`)
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    const before = process.cpuUsage()
    return async () => {
      const { user, system } = process.cpuUsage(before)
      return { cpu: user + system }
    }
  })
}
