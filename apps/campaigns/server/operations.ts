import type { FastifyPluginAsync } from 'fastify'
import type { Services } from './services.ts'

/** How the cache is doing, for people and for probes. */
export const operationRoutes: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const { database, caching } = services
  for (const prefix of ['/api/v1/cache', '/api/cache']) {
    app.get(`${prefix}/stats`, async () => caching.stats())
    app.get(`${prefix}/status`, async () => caching.status())
  }
  app.get('/healthz', async () => {
    await database.writer.selectFrom('settings').select('key').limit(1).execute()
    return { status: 'ok' }
  })
}
