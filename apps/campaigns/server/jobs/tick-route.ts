import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { createWorker } from './worker.ts'

const Query = Type.Object(
  { seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 300 })) },
  { additionalProperties: false },
)

const Counts = Type.Record(Type.String(), Type.Integer())
const Done = Type.Object({
  ticks: Type.Array(Type.String()),
  jobs: Type.Record(Type.String(), Counts),
  drained: Counts,
  idle: Type.Boolean(),
})

const SECONDS = 50
const GUESSES = { limit: 30, window: '1m', onOutage: 'local' } as const

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * `POST /internal/tick`, for hosts that have cron and nothing else: does what is due until nothing is or the time is
 * over. Harmless beside workers that run all the time, and beside itself.
 */
export const tickRoute: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const expected = digest(`Bearer ${services.secrets.tickToken}`)
  const guesses = services.caching.cache.limiter('internal-tick', GUESSES)
  // Not the worker of the server, if it has one: what a tick began ends with the tick.
  const worker = createWorker(services)
  app.addHook('onClose', () => worker.close())
  app.post(
    '/internal/tick',
    {
      config: { access: 'own' },
      schema: { tags: ['operations'], summary: 'Do what is due', querystring: Query, response: { 200: Done } },
      // Before the query is looked at: whoever does not know the token learns nothing.
      onRequest: async ({ headers, ip }, reply) => {
        if (timingSafeEqual(digest(headers.authorization ?? ''), expected)) return
        // Only guesses are counted: behind a proxy that is not believed everybody has one address, cron too.
        const { allowed, retryAfter } = await guesses.take(ip)
        if (allowed)
          throw new Problem(401, 'header.authorization: expected Bearer and the TICK_TOKEN, received another or none')
        reply.header('retry-after', Math.ceil(retryAfter / 1000))
        throw new Problem(429, `At most ${GUESSES.limit} guesses a minute. Try again later.`)
      },
    },
    async ({ query }) => {
      const done = await worker.runUntilIdle({ within: (query.seconds ?? SECONDS) * 1000 })
      return { ...done, ticks: [...done.ticks] }
    },
  )
}
