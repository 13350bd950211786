import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { answerWith } from '../caching.ts'
import { MESSAGE_STATUSES } from '../database/schema.ts'
import type { Services } from '../services.ts'
import { listMessages, type MessageStats, readMessageStats } from './store.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Status = Type.Enum([...MESSAGE_STATUSES])
const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Message = Type.Object({
  id: Id,
  direction: Type.Enum(['in', 'out']),
  campaign_id: orNull(Id),
  contact_id: orNull(Id),
  step: orNull(Type.Integer()),
  type: Type.String(),
  status: Status,
  body: orNull(Type.String()),
  error_code: orNull(Type.Integer()),
  sent_at: orNull(Type.Integer()),
  delivered_at: orNull(Type.Integer()),
  read_at: orNull(Type.Integer()),
  created_at: Type.Integer(),
})

const Filter = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 2000 })),
    status: Type.Optional(Status),
    campaign: Type.Optional(Id),
    contact: Type.Optional(Id),
  },
  { additionalProperties: false },
)

const MessagePage = Type.Object({ items: Type.Array(Message), next_cursor: orNull(Type.String()) })

const Stats = Type.Object({
  total: Type.Integer(),
  inbound: Type.Integer(),
  outbound: Type.Integer(),
  by_status: Type.Array(Type.Object({ status: Status, count: Type.Integer() })),
  read_rate: Type.Number(),
  failure_rate: Type.Number(),
  contacts: Type.Integer(),
})

interface Options {
  readonly services: Services
}

export const messageRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, cursors } = services
  app.get('/', { schema: { querystring: Filter, response: { 200: MessagePage } } }, async ({ query }) => {
    const page = await listMessages(database.reader, cursors, { ...query, limit: query.limit ?? 50 })
    return { ...page, items: [...page.items] }
  })
}

/** Read through the cache; also served under the unversioned `/messages/stats`. */
export const messageStats: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, caching } = services
  app.get('/', { schema: { response: { 200: Stats } } }, async (_request, reply) => {
    const load = (): Promise<MessageStats> => readMessageStats(database.reader)
    const stats = answerWith(reply, await caching.read('stats', 'messages', ['messages', 'contacts'], load))
    return { ...stats, by_status: [...stats.by_status] }
  })
}
