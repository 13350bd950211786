import { createConsole, type Role } from '@palier/console'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Actor } from '../access/actor.ts'
import { warmUps } from '../warm.ts'
import type { Services } from '../services.ts'
import { write } from '../work.ts'

/** What a permission of the application is called in the console. */
function roleOf({ permissions }: Actor): Role | undefined {
  if (permissions.has('cache:manage')) return 'admin'
  if (permissions.has('cache:operate')) return 'operator'
  return permissions.has('cache:view') ? 'viewer' : undefined
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const
/** Where the console's own routes begin, and where the application offers them. */
const OWN = '/api/cache'
const PREFIXES = [OWN, '/api/v1/cache'] as const

/**
 * The management API of the cache under the application's addresses and with the application's people: the guard has
 * found out who asks, and that no other site sent it. Each change is in the history, too.
 */
export const cacheConsole: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const { caching, monitor, log } = services
  const actors = new WeakMap<Request, Actor>()
  const management = createConsole(caching.cache, {
    monitor,
    warm: warmUps(services),
    logger: { warn: line => log.warn(line), info: line => log.info(line) },
    authorize: request => {
      const actor = actors.get(request)
      const role = actor === undefined ? undefined : roleOf(actor)
      return actor === undefined || role === undefined ? null : { role, name: actor.name, unforgeable: true }
    },
  })
  app.addHook('onClose', () => management.close())
  // The console reads bodies itself, after it has checked who asks.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  const serve = async (request: FastifyRequest, reply: FastifyReply, path: string): Promise<FastifyReply> => {
    const { method, actor, ip } = request
    const body = method === 'GET' ? undefined : (request.body as Buffer | undefined)
    // Not the host of the request, of which not every one makes an address: nothing of it counts here.
    const asked = new Request(`http://cache${path}`, {
      method,
      headers: { 'content-type': request.headers['content-type'] ?? '' },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    })
    actors.set(asked, actor)
    const answer = await management.handle(asked, { address: ip })
    if (method !== 'GET') await record(services, actor, `${method} ${path}`, answer.status)
    reply.code(answer.status)
    for (const [name, value] of answer.headers) reply.header(name, value)
    return reply.send(Buffer.from(await answer.arrayBuffer()))
  }

  for (const prefix of PREFIXES) {
    app.route({
      method: [...METHODS],
      url: `${prefix}/*`,
      config: { access: 'cache:view' },
      handler: (request, reply) => serve(request, reply, OWN + request.url.slice(prefix.length)),
    })
  }
}

async function record(services: Services, actor: Actor, line: string, status: number): Promise<void> {
  const change = { action: status < 400 ? 'change' : 'refused', entity: 'cache', id: null, after: { line, status } }
  await write(services, work => work.record(change), { actor })
}
