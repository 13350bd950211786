import cookie from '@fastify/cookie'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { fastifyCache } from '../../../src/index.ts'
import { baseOf, optionsOf, typeOf } from './base.ts'
import { writeRaw } from './express.ts'
import { grouped, type Page, type Reply, type Running, type Seen, type Site, type User, whoIs } from './site.ts'

interface Known extends Omit<FastifyRequest, 'session'> {
  user: User | undefined
  session: unknown
}

function seenOf(request: Known): Seen {
  return {
    method: request.method,
    target: () => request.originalUrl,
    headers: () => request.headers,
    views: () => ({
      raw: grouped(request.raw.rawHeaders),
      distinct: request.raw.headersDistinct,
      inner: request.raw.headers,
      host: request.host,
      hostname: request.hostname,
      protocol: request.protocol,
    }),
    query: () => request.query,
    derived: () => [request.cookies, request.session, request.user],
    beside: () => request.session,
    address: () => [request.ip, request.ips, request.raw.socket.remoteAddress],
    user: () => request.user,
  }
}

async function write(reply: FastifyReply, made: Reply): Promise<unknown> {
  if (made.hints !== undefined) reply.raw.writeEarlyHints({ link: made.hints })
  if (made.chunks !== undefined) {
    reply.hijack()
    writeRaw(reply.raw, made)
    return reply
  }
  return reply
    .code(made.status ?? 200)
    .headers(made.headers ?? {})
    .send(made.body ?? '')
}

export async function startFastify(site: Site): Promise<Running> {
  const base = baseOf(site)
  const app = fastify({ trustProxy: true, forceCloseConnections: true })
  await app.register(cookie)
  app.decorateRequest('user', undefined)
  app.decorateRequest<unknown>('session' as never, undefined as never)
  app.addHook('onRequest', async request => {
    const known = request as unknown as Known
    known.user = whoIs(base.logins, name => {
      const value = request.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    })
    known.session = { of: known.user?.secret }
  })
  app.setErrorHandler(async (_error, _request, reply) => reply.code(500).send('failed'))
  const { cacheResponse, invalidates } = fastifyCache(base.cache, site.options)
  const answerWith = (path: string, make: Page['reply']) => async (request: FastifyRequest, reply: FastifyReply) => {
    base.count(path)
    return write(reply, await make(seenOf(request as unknown as Known)))
  }
  for (const page of site.pages) {
    const options = optionsOf<Known>(page, { user: request => request.user, target: request => request.url })
    const cached = cacheResponse<Known>(typeOf(page), options)
    app.get(page.path, cached as object, answerWith(page.path, page.reply))
  }
  for (const { path, changes, run } of site.actions ?? []) {
    app.post(path, invalidates<Known>(changes) as object, answerWith(path, run))
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  return base.run(app.server, () => app.close())
}
