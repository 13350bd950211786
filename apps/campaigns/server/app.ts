import type { IncomingHttpHeaders } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { guard } from './access/guard.ts'
import { sessions } from './access/sessions.ts'
import { harden, watchRequests } from './operations/hardening.ts'
import { describeApi } from './operations/openapi.ts'
import { installProblems } from './problem.ts'
import { registerRoutes } from './routes.ts'
import { compileSerializer } from './serialization.ts'
import type { Services } from './services.ts'
import { compileValidator } from './validation.ts'
import { webRoutes } from './web.ts'

export interface AppOptions {
  /** Believe `X-Forwarded-*`: only behind a proxy that sets them. */
  readonly trustProxy?: boolean
  /** 0 to 9, as zlib counts; 6 unless said. */
  readonly compressionLevel?: number
  /** Milliseconds the event loop may lag before requests are turned away, 0 for any; 2 s unless said. */
  readonly mostLag?: number
  /** The directory of the built pages; beside the server unless said. */
  readonly pages?: string
}

/** One that a proxy gave is kept, so that its log and ours can be read together; not any text whatever. */
const REQUEST_ID = /^[\w-]{8,64}$/
const BODY_LIMIT = 256 * 1024
/** A whole request, and so the slowest upload: whoever sends a byte now and then does not hold a socket for ever. */
const REQUEST_MS = 600_000
const VERSION = '0.2.0'

/** The server without a socket: `listen` it, or `inject` requests. The services stay the caller's to close. */
export async function buildApp(
  services: Services,
  { trustProxy = false, compressionLevel = 6, mostLag = 2000, pages }: AppOptions = {},
): Promise<FastifyInstance> {
  const logController = new LogController({ disableRequestLogging: true })
  const genReqId = ({ headers }: { headers: IncomingHttpHeaders }): string => {
    const given = headers['x-request-id']
    return typeof given === 'string' && REQUEST_ID.test(given) ? given : services.newId()
  }
  const app: FastifyInstance = Fastify({
    genReqId,
    loggerInstance: services.log,
    logController,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_MS,
    trustProxy,
  })
  app.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(compileValidator)
  app.setSerializerCompiler(compileSerializer)
  app.removeContentTypeParser('text/plain')
  installProblems(app)
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('server-timing', `total;dur=${reply.elapsedTime.toFixed(2)}`)
    // As of when an answer is true. What was read is as old as the question, what was written is true from now on; a cached
    // read says it by itself.
    if (!reply.hasHeader('x-stamp') && reply.statusCode < 300) {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      reply.header('x-stamp', Math.floor(isRead ? Date.now() - reply.elapsedTime : Date.now()))
    }
    // The copy in the server is the one that writes delete from; a browser's own would outlive them.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private, no-store')
  })
  watchRequests(app, services)
  await describeApi(app, VERSION)
  await harden(app, { compressionLevel, mostLag })
  await app.register(sessions, { services })
  await app.register(guard, { services })
  await registerRoutes(app, services)
  await app.register(webRoutes, pages === undefined ? {} : { directory: pages })
  return app
}
