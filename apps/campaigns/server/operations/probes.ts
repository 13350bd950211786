import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Services } from '../services.ts'

const Alive = Type.Object({ status: Type.Literal('ok') })

const Ready = Type.Object({
  status: Type.Enum(['ok', 'not ready']),
  database: Type.Enum(['ok', 'failed']),
  /** The cache is never needed: its state is told, and decides nothing. */
  cache: Type.String(),
})

/** For load balancers and schedulers. `/healthz`: the process answers. `/readyz`: it can serve, the database does too. */
export const probeRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { database, caching } = services
  const open = { access: 'public' } as const

  app.get(
    '/healthz',
    { config: open, schema: { tags: ['operations'], summary: 'The process is alive', response: { 200: Alive } } },
    async () => ({ status: 'ok' }) as const,
  )

  const schema = {
    tags: ['operations'],
    summary: 'The process can serve requests',
    response: { 200: Ready, 503: Ready },
  }
  app.get('/readyz', { config: open, schema }, async (request, reply) => {
    const cache = caching.cache.status().state
    try {
      await database.writer.selectFrom('settings').select('key').limit(1).execute()
      return { status: 'ok', database: 'ok', cache } as const
    } catch (error) {
      request.log.error({ err: error }, 'the database does not answer')
      return reply.code(503).send({ status: 'not ready', database: 'failed', cache })
    }
  })
}
