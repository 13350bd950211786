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
/** Where the console's own routes begin, and where the application offers them besides. */
const OWN = '/api/cache'
const PREFIXES = [OWN, '/api/v1/cache'] as const
/** Where its pages are, which ask for the routes below themselves. */
const MOUNT = '/admin/cache'
const PAGES = ['', '/', '/:file', '/assets/:file'] as const
/** Headers that an answer of the console depends on. */
const PASSED = ['content-type', 'accept-encoding', 'accept-language', 'if-none-match'] as const

/** Where a request goes in the console. */
interface Way {
  readonly mount: string
  /** With the mount, and the query. */
  readonly path: string
}

/**
 * The console of the cache under the application's addresses and with the application's people: the guard has found out who
 * asks, and that no other site sent it. Each change is in the history, too.
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

  const serve = async (request: FastifyRequest, reply: FastifyReply, { mount, path }: Way): Promise<FastifyReply> => {
    const { method, actor, ip } = request
    const isRead = method === 'GET' || method === 'HEAD'
    const body = isRead ? undefined : (request.body as Buffer | undefined)
    // Not the host of the request, of which not every one makes an address: nothing of it counts here.
    const asked = new Request(`http://cache${path}`, {
      method,
      headers: passed(request),
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    })
    actors.set(asked, actor)
    const answer = await management.handle(asked, { mount, address: ip })
    if (!isRead) await record(services, actor, `${method} ${path.slice(mount.length)}`, answer.status)
    // The pages send back what they find here: it is the session of the application that they must show to be in.
    if (isRead && path.startsWith(`${MOUNT}/api/`) && actor.kind === 'user') {
      answer.headers.set('x-palier-token', reply.generateCsrf())
    }
    return send(answer, reply)
  }

  /** The pages hold nothing, and so are for everybody; what is none of them is not there. */
  const servePage = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const asked = new Request(`http://cache${request.url}`, { headers: passed(request) })
    const answer = await management.handle(asked, { mount: MOUNT, address: request.ip })
    if (answer.status === 401) return reply.callNotFound() ?? reply
    return send(answer, reply)
  }

  for (const prefix of PREFIXES) {
    app.route({
      method: [...METHODS],
      url: `${prefix}/*`,
      config: { access: 'cache:view' },
      handler: (request, reply) => serve(request, reply, { mount: '', path: OWN + request.url.slice(prefix.length) }),
    })
  }
  app.route({
    method: [...METHODS],
    url: `${MOUNT}/api/*`,
    config: { access: 'cache:view' },
    handler: (request, reply) => serve(request, reply, { mount: MOUNT, path: request.url }),
  })
  for (const page of PAGES) {
    app.route({
      method: 'GET',
      url: MOUNT + page,
      config: { access: 'public' },
      handler: (request, reply) => servePage(request, reply),
    })
  }
}

const passed = ({ headers }: FastifyRequest): [string, string][] => PASSED.map(name => [name, headers[name] ?? ''])

async function send(answer: Response, reply: FastifyReply): Promise<FastifyReply> {
  reply.code(answer.status)
  for (const [name, value] of answer.headers) reply.header(name, value)
  return reply.send(Buffer.from(await answer.arrayBuffer()))
}

async function record(services: Services, actor: Actor, line: string, status: number): Promise<void> {
  const change = { action: status < 400 ? 'change' : 'refused', entity: 'cache', id: null, after: { line, status } }
  await write(services, work => work.record(change), { actor })
}
