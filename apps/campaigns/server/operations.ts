import type { FastifyPluginAsync } from 'fastify'
import type { Services } from './services.ts'

/** How the cache is doing, for people and for probes. */
export const operationRoutes: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const { database, caching } = services

  /** The figures everybody asks for first, in the API's own spelling; then everything the cache counts. */
  function stats(): object {
    const { state, backend, enabled } = caching.status()
    const { hits, staleHits, misses, errors, requests, hitRate, ...rest } = caching.stats()
    return {
      status: state,
      backend,
      is_available: enabled && state !== 'DOWN' && backend !== 'detecting',
      hits,
      stale_hits: staleHits,
      misses,
      errors,
      total_requests: requests,
      hit_rate: hitRate,
      /** Queries sent to the database since the start: what the cache is there to avoid. */
      database_queries: database.queries.count,
      ...rest,
    }
  }

  for (const prefix of ['/api/v1/cache', '/api/cache']) {
    app.get(`${prefix}/stats`, async () => stats())
    app.get(`${prefix}/status`, async () => caching.status())
  }
  app.get('/healthz', async () => {
    await database.writer.selectFrom('settings').select('key').limit(1).execute()
    return { status: 'ok' }
  })
}
