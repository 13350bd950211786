import type { FastifyPluginAsync } from 'fastify'
import type { Services } from '../services.ts'

/** Prometheus text: what the application counts of this process, then what the cache counts of all. */
export const metricsRoute: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const { metrics, monitor, database } = services
  const schema = { tags: ['operations'], summary: 'Metrics for Prometheus' }
  app.get('/metrics', { config: { access: 'cache:view' }, schema }, async (_request, reply) => {
    const queries = [
      '# HELP campaigns_database_queries_total Queries sent to the database.',
      '# TYPE campaigns_database_queries_total counter',
      `campaigns_database_queries_total ${database.queries.count}\n`,
    ].join('\n')
    reply.type('text/plain; version=0.0.4; charset=utf-8')
    return [await metrics.text(), queries, await monitor.prometheus()].join('\n')
  })
}
