import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { listReader } from '../own-writes.ts'
import type { Services } from '../services.ts'
import { listHistory } from './queries.ts'

const closed = { additionalProperties: false } as const
const Word = Type.Optional(Type.String({ minLength: 1, maxLength: 64 }))
const Time = Type.Optional(Type.Integer({ minimum: 0 }))
const Filter = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 2000 })),
    admin: Word,
    entity: Word,
    entity_id: Word,
    action: Word,
    from: Time,
    to: Time,
  },
  closed,
)
const Text = Type.Union([Type.String(), Type.Null()])
const Entry = Type.Object(
  {
    id: Type.String(),
    timestamp: Type.Integer(),
    actor: Type.String(),
    admin: Type.Union([
      Type.Object({ id: Type.String(), name: Type.String(), email: Type.String() }, closed),
      Type.Null(),
    ]),
    action: Type.String(),
    entity: Type.String(),
    entity_id: Text,
    before: Type.Unknown(),
    after: Type.Unknown(),
    ip: Text,
    request_id: Text,
  },
  closed,
)
const HistoryPage = Type.Object({ items: Type.Array(Entry), next_cursor: Text }, closed)

/** Who changed what, from what to what. Served under `/admin/history`. */
export const historyRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const summary = 'Who changed what, the newest first; from and to in milliseconds since 1970'
  const schema = { tags: ['history'], summary, querystring: Filter, response: { 200: HistoryPage } }
  app.get('/', { schema, config: { access: 'history:read' } }, async ({ actor, query }) => {
    const db = await listReader(services, actor)
    const page = await listHistory(db, services.cursors, { ...query, limit: query.limit ?? 50 })
    return { ...page, items: [...page.items] }
  })
}
