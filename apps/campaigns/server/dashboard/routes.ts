import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { READS } from '../cache-map.ts'
import { answerWith } from '../caching.ts'
import { CAMPAIGN_STATUSES, MESSAGE_STATUSES } from '../database/schema.ts'
import type { Services } from '../services.ts'
import { DAYS, dayOf, readDashboard } from './queries.ts'

const Count = Type.Integer()

const DashboardSchema = Type.Object({
  generated_at: Type.Integer(),
  computed_ms: Type.Integer(),
  period: Type.Object({ from: Type.Integer(), days: Type.Integer() }),
  contacts: Type.Object({ total: Count, new: Count }),
  categories: Type.Array(
    Type.Object({ id: Type.String(), name: Type.String(), color: Type.String(), contact_count: Count }),
  ),
  messages: Type.Object({
    total: Count,
    by_status: Type.Array(Type.Object({ status: Type.Enum([...MESSAGE_STATUSES]), count: Count })),
  }),
  per_day: Type.Array(Type.Object({ day: Type.String(), count: Count })),
  campaigns: Type.Array(
    Type.Object({
      status: Type.Enum([...CAMPAIGN_STATUSES]),
      count: Count,
      sent: Count,
      read: Count,
      read_rate: Type.Number(),
    }),
  ),
  problems: Type.Array(
    Type.Object({
      status: Type.Enum(['failed', 'no_interaction']),
      error_code: Type.Union([Type.Integer(), Type.Null()]),
      count: Count,
    }),
  ),
  median_read_ms: Type.Union([Type.Integer(), Type.Null()]),
})

/** Read through the cache; served under `/api/v1/dashboard` and the unversioned `/api/dashboard`. */
export const dashboardRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { database, caching, now } = services
  const schema = { tags: ['dashboard'], summary: 'The numbers of the last 30 days', response: { 200: DashboardSchema } }
  app.get('/', { schema, config: { access: 'dashboard:read' } }, async (request, reply) => {
    const at = now()
    const role = request.actor.role ?? 'agent'
    const served = await caching.read(READS.dashboard, [role, DAYS, dayOf(at)], signal =>
      readDashboard(database, at, signal),
    )
    return answerWith(reply, served) as Type.Static<typeof DashboardSchema>
  })
}
