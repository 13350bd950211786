import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { MESSAGE_STATUSES } from '../database/schema.ts'
import { listReader } from '../own-writes.ts'
import { badFields } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { ACTIVITY_KINDS, listActivity, listContactMessages } from './activity.ts'
import { BULK_ACTIONS, type BulkRequest, changeContacts, MOST_BULK } from './bulk.ts'
import { exportRoutes } from './export-routes.ts'
import {
  answerOf,
  CategoryIds,
  ChangedContact,
  ContactAnswer,
  ContactListQuery,
  Cursor,
  FILTER_FIELDS,
  Id,
  NewContact,
  orNull,
  readChangedContact,
  readNewContact,
} from './fields.ts'
import { importRoutes } from './import-routes.ts'
import { listContacts } from './list.ts'
import { changeConsent, createContact, deleteContact, findContact, updateContact } from './store.ts'

const Path = Type.Object({ id: Id })
const ContactPage = Type.Object({ items: Type.Array(ContactAnswer), next_cursor: orNull(Type.String()) })

const Bulk = Type.Object(
  {
    action: Type.Enum([...BULK_ACTIONS]),
    ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: MOST_BULK })),
    filter: Type.Optional(Type.Object(FILTER_FIELDS, { additionalProperties: false })),
    cursor: Type.Optional(Cursor),
    category_ids: Type.Optional(CategoryIds),
  },
  { additionalProperties: false },
)

const BulkAnswer = Type.Object({
  results: Type.Array(Type.Object({ id: Id, result: Type.Enum(['changed', 'unchanged', 'not_found']) })),
  changed: Type.Integer(),
  next_cursor: orNull(Type.String()),
})

const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
)

const time = orNull(Type.Integer())
const ContactMessage = Type.Object({
  id: Id,
  direction: Type.Enum(['in', 'out']),
  campaign_id: orNull(Id),
  campaign_name: orNull(Type.String()),
  step: orNull(Type.Integer()),
  type: Type.String(),
  status: Type.Enum([...MESSAGE_STATUSES]),
  body: orNull(Type.String()),
  error_code: orNull(Type.Integer()),
  error_detail: orNull(Type.String()),
  sent_at: time,
  delivered_at: time,
  read_at: time,
  failed_at: time,
  interacted_at: time,
  late_interaction_at: time,
  created_at: Type.Integer(),
})
const MessagePage = Type.Object({ items: Type.Array(ContactMessage), next_cursor: orNull(Type.String()) })
const ActivityPage = Type.Object({
  items: Type.Array(
    Type.Object({
      id: Id,
      at: Type.Integer(),
      kind: Type.Enum([...ACTIVITY_KINDS]),
      actor: orNull(Type.String()),
      message: orNull(ContactMessage),
    }),
  ),
  next_cursor: orNull(Type.String()),
})

const tags = ['contacts']

/** Exactly one of `ids` and `filter`, and categories where they mean something. */
function checkBulk({ action, ids, filter, cursor, category_ids }: BulkRequest): void {
  const fault = (field: string, expected: string, value: unknown): Error =>
    badFields([{ field: `body.${field}`, expected, received: received(value) }])
  if ((ids === undefined) === (filter === undefined)) throw fault('ids', 'either ids or a filter', ids)
  if (ids !== undefined && cursor !== undefined) throw fault('cursor', 'a cursor together with a filter only', cursor)
  const named = action === 'add_categories' || action === 'remove_categories'
  if (named && (category_ids ?? []).length === 0)
    throw fault('category_ids', 'at least one id of a category', category_ids)
  if (!named && category_ids !== undefined) throw fault('category_ids', `nothing for ${action}`, category_ids)
}

interface Options {
  readonly services: Services
}

export const contactRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  await app.register(importRoutes, { services, prefix: '/import' })
  await app.register(exportRoutes, { services, prefix: '/export' })
  await app.register(oneContactRoutes, { services })
  await app.register(activityRoutes, { services })
  const { cursors, now, settings } = services

  app.get(
    '/',
    {
      config: { access: 'contacts:read' },
      schema: { tags, summary: 'Lists contacts', querystring: ContactListQuery, response: { 200: ContactPage } },
    },
    async ({ query, actor }) => {
      if (query.q !== undefined && query.sort !== undefined) {
        const expected = 'no sort together with q: what is searched is sorted by what was searched'
        throw badFields([{ field: 'query.sort', expected, received: received(query.sort) }])
      }
      const db = await listReader(services, actor)
      const { default_country: country } = await settings.read()
      const page = await listContacts(db, { cursors, now: now(), country }, { ...query, limit: query.limit ?? 50 })
      return { ...page, items: page.items.map(answerOf) }
    },
  )

  app.post(
    '/',
    {
      config: { access: 'contacts:write' },
      schema: { tags, summary: 'Makes a contact', body: NewContact, response: { 201: ContactAnswer } },
    },
    async ({ body, actor }, reply) => {
      const { default_country } = await settings.read()
      const contact = await createContact(services, actor, readNewContact(body, default_country))
      reply.code(201).header('location', `/api/v1/contacts/${contact.id}`)
      return answerOf(contact)
    },
  )

  app.post(
    '/bulk',
    {
      config: { access: 'contacts:bulk' },
      schema: { tags, summary: 'Changes up to 500 contacts at once', body: Bulk, response: { 200: BulkAnswer } },
    },
    async ({ body, actor }) => {
      checkBulk(body)
      const done = await changeContacts(services, actor, body)
      return { ...done, results: [...done.results] }
    },
  )
}

const oneContactRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, settings } = services

  app.get(
    '/:id',
    {
      config: { access: 'contacts:read' },
      schema: { tags, summary: 'One contact', params: Path, response: { 200: ContactAnswer } },
    },
    async ({ params }) => answerOf(await findContact(database.writer, params.id)),
  )

  app.patch(
    '/:id',
    {
      config: { access: 'contacts:write' },
      schema: {
        tags,
        summary: 'Changes the given fields; with updated_at only if nobody else did since',
        params: Path,
        body: ChangedContact,
        response: { 200: ContactAnswer },
      },
    },
    async ({ params, body, actor }) => {
      const { default_country } = await settings.read()
      return answerOf(await updateContact(services, actor, params.id, readChangedContact(body, default_country)))
    },
  )

  app.delete(
    '/:id',
    {
      config: { access: 'contacts:write' },
      schema: { tags, summary: 'Deletes a contact; its messages stay, without it', params: Path },
    },
    async ({ params, actor }, reply) => {
      await deleteContact(services, actor, params.id)
      return reply.code(204).send()
    },
  )

  for (const [path, action, summary] of [
    ['/:id/opt-in', 'opt_in', 'Notes that the contact wants our messages'],
    ['/:id/opt-out', 'opt_out', 'Notes that the contact wants no more messages'],
  ] as const) {
    app.post(
      path,
      {
        config: { access: 'contacts:write' },
        schema: { tags, summary, params: Path, response: { 200: ContactAnswer } },
      },
      async ({ params, actor }) => answerOf(await changeConsent(services, actor, params.id, action)),
    )
  }
}

const activityRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { cursors } = services

  app.get(
    '/:id/messages',
    {
      config: { access: 'messages:read' },
      schema: {
        tags,
        summary: 'Messages from and to a contact, newest first',
        params: Path,
        querystring: PageQuery,
        response: { 200: MessagePage },
      },
    },
    async ({ params, query, actor }) => {
      const db = await listReader(services, actor)
      const page = await listContactMessages(db, cursors, params.id, { ...query, limit: query.limit ?? 50 })
      return { ...page, items: [...page.items] }
    },
  )

  app.get(
    '/:id/activity',
    {
      config: { access: 'messages:read' },
      schema: {
        tags,
        summary: 'What happened with a contact: messages, answers, consent, newest first',
        params: Path,
        querystring: PageQuery,
        response: { 200: ActivityPage },
      },
    },
    async ({ params, query, actor }) => {
      const db = await listReader(services, actor)
      const page = await listActivity(db, cursors, params.id, { ...query, limit: query.limit ?? 50 })
      return { ...page, items: [...page.items] }
    },
  )
}
