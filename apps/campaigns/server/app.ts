import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import type { Caching } from './caching.ts'
import { categoryList, categoryRoutes } from './categories/routes.ts'
import { contactRoutes } from './contacts/routes.ts'
import { createCursors } from './cursor.ts'
import { dashboardRoutes } from './dashboard/routes.ts'
import type { Database } from './database/open.ts'
import { createIdSource } from './ids.ts'
import { messageRoutes, messageStats } from './messages/routes.ts'
import { operationRoutes } from './operations.ts'
import { pageRoutes } from './pages.ts'
import { installProblems } from './problem.ts'
import type { Services } from './services.ts'
import { compileValidator } from './validation.ts'

export interface AppOptions {
  readonly database: Database
  readonly caching: Caching
  readonly logLevel?: string
  /** Milliseconds since 1970; the wall clock unless said. */
  readonly now?: () => number
}

/** The server without a socket: `listen` it, or `inject` requests. Database and cache stay the caller's to close. */
export async function buildApp({
  database,
  caching,
  logLevel = 'silent',
  now = Date.now,
}: AppOptions): Promise<FastifyInstance> {
  const logController = new LogController({ disableRequestLogging: true })
  const app = Fastify({ logger: { level: logLevel }, logController, bodyLimit: 256 * 1024 })
  app.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(compileValidator)
  app.removeContentTypeParser('text/plain')
  installProblems(app)
  app.addHook('onSend', async (_request, reply) => {
    reply.header('server-timing', `total;dur=${reply.elapsedTime.toFixed(2)}`)
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer')
    // The copy in the server is the one that writes delete from; a browser's own would outlive them.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private, no-store')
  })
  const services: Services = {
    database,
    caching,
    cursors: createCursors(database.cursorSecret),
    newId: createIdSource(now),
    now,
  }
  const serve = { services }
  await app.register(contactRoutes, { ...serve, prefix: '/api/v1/contacts' })
  await app.register(categoryRoutes, { ...serve, prefix: '/api/v1/categories' })
  await app.register(messageRoutes, { ...serve, prefix: '/api/v1/messages' })
  for (const prefix of ['/api/v1/categories', '/categories']) await app.register(categoryList, { ...serve, prefix })
  for (const prefix of ['/api/v1/messages/stats', '/messages/stats'])
    await app.register(messageStats, { ...serve, prefix })
  for (const prefix of ['/api/v1/dashboard', '/api/dashboard'])
    await app.register(dashboardRoutes, { ...serve, prefix })
  await app.register(operationRoutes, serve)
  await app.register(pageRoutes)
  return app
}
