import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { READS } from '../cache-map.ts'
import { answerWith } from '../caching.ts'
import { MESSAGE_STATUSES } from '../database/schema.ts'
import { listReader } from '../own-writes.ts'
import { badFields } from '../problem.ts'
import type { Services } from '../services.ts'
import { ParamsSchema } from '../templates/params.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import type { Params } from './content.ts'
import { addMessage, retryMessage } from './single.ts'
import { findMessage, listMessages, type MessageStats, readMessageStats } from './store.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Status = Type.Enum([...MESSAGE_STATUSES])
const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Instant = orNull(Type.Integer())

const Message = Type.Object({
  id: Id,
  direction: Type.Enum(['in', 'out']),
  campaign_id: orNull(Id),
  contact_id: orNull(Id),
  step: orNull(Type.Integer()),
  account_id: orNull(Id),
  type: Type.String(),
  status: Status,
  body: orNull(Type.String()),
  error_code: orNull(Type.Integer()),
  error_class: orNull(Type.String()),
  error_detail: orNull(Type.String()),
  attempts: Type.Integer(),
  accepted_at: Instant,
  sent_at: Instant,
  delivered_at: Instant,
  read_at: Instant,
  failed_at: Instant,
  interacted_at: Instant,
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

const NewMessage = Type.Object(
  {
    contact_id: Id,
    account_id: Type.Optional(Id),
    text: Type.Optional(
      Type.String({ minLength: 1, maxLength: 4096, pattern: '\\S', expected: 'a text of 1 to 4096 characters' }),
    ),
    template: Type.Optional(
      Type.Object({ id: Id, params: Type.Optional(ParamsSchema) }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
)

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

const Path = Type.Object({ id: Id })
const tags = ['messages']
const read = { access: 'messages:read' } as const
const send = { access: 'messages:send' } as const

export const messageRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, cursors } = services
  app.get(
    '/',
    {
      config: read,
      schema: { tags, summary: 'Messages, newest first', querystring: Filter, response: { 200: MessagePage } },
    },
    async ({ query, actor }) => {
      const db = await listReader(services, actor)
      const page = await listMessages(db, cursors, { ...query, limit: query.limit ?? 50 })
      return { ...page, items: [...page.items] }
    },
  )

  app.get(
    '/:id',
    { config: read, schema: { tags, summary: 'One message', params: Path, response: { 200: Message } } },
    ({ params: { id } }) => findMessage(database.writer, id),
  )

  app.post(
    '/',
    {
      config: send,
      schema: {
        tags,
        summary: 'Send a text or a template to one contact',
        body: NewMessage,
        response: { 202: Message },
      },
    },
    async ({ body, actor }, reply) => {
      const { contact_id, account_id, text, template: named } = body
      if ((text === undefined) === (named === undefined)) {
        throw badFields([{ field: 'body', expected: 'either text or template', received: received(Object.keys(body)) }])
      }
      const template = named === undefined ? undefined : { id: named.id, params: (named.params ?? {}) as Params }
      const id = await write(services, work => addMessage(services, work, { contact_id, account_id, text, template }), {
        actor,
      })
      reply.code(202).header('location', `/api/v1/messages/${id}`)
      return findMessage(database.writer, id)
    },
  )

  app.post(
    '/:id/retry',
    {
      config: send,
      schema: { tags, summary: 'Send a failed message again', params: Path, response: { 202: Message } },
    },
    async ({ params: { id }, actor }, reply) => {
      await write(services, work => retryMessage(services, work, id), { actor })
      reply.code(202)
      return findMessage(database.writer, id)
    },
  )
}

/** Read through the cache; also served under the unversioned `/messages/stats`. */
export const messageStats: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, caching } = services
  app.get(
    '/',
    { config: read, schema: { tags, summary: 'Messages in numbers', response: { 200: Stats } } },
    async (_request, reply) => {
      const load = (): Promise<MessageStats> => readMessageStats(database.reader)
      const stats = answerWith(reply, await caching.read(READS.messageStats, [], load))
      return { ...stats, by_status: [...stats.by_status] }
    },
  )
}
