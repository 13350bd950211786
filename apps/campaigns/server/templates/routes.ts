import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { READS } from '../cache-map.ts'
import { answerWith } from '../caching.ts'
import { type Params, placeholdersOf, templateContent } from '../messages/content.ts'
import { badFields, notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import { ParamsSchema } from './params.ts'
import { findTemplate, listTemplates, type Template } from './store.ts'
import { TEMPLATES_SYNC } from './sync.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Text = Type.String({ minLength: 1, maxLength: 64 })

const TemplateSchema = Type.Object({
  id: Id,
  account_id: Id,
  name: Type.String(),
  language: Type.String(),
  category: Type.String(),
  status: Type.String(),
  quality: Type.Union([Type.String(), Type.Null()]),
  components: Type.Array(Type.Any()),
  placeholders: Type.Array(Type.String()),
  synced_at: Type.Integer(),
})

const Filter = Type.Object({ account: Type.Optional(Id), status: Type.Optional(Text) }, { additionalProperties: false })

const PreviewBody = Type.Object({ contact_id: Id, params: ParamsSchema }, { additionalProperties: false })

const Preview = Type.Object({ body: Type.String(), components: Type.Array(Type.Any()) })

const tags = ['templates']

export const templateRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { database, caching, jobs } = services

  app.get(
    '/',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        summary: 'Message templates as WhatsApp last told them',
        querystring: Filter,
        response: { 200: Type.Object({ items: Type.Array(TemplateSchema) }) },
      },
    },
    async ({ query: { account, status } }, reply) => {
      const load = (): Promise<Template[]> => listTemplates(database.reader, { account, status })
      const filter = JSON.stringify([account, status])
      const items = answerWith(reply, await caching.read(READS.templates, [filter], load))
      return {
        items: items.map(item => ({ ...item, components: [...item.components], placeholders: [...item.placeholders] })),
      }
    },
  )

  app.post(
    '/sync',
    {
      config: { access: 'templates:write' },
      schema: {
        tags,
        summary: 'Read the templates of all accounts anew, as a job',
        response: { 202: Type.Object({ job_id: Type.Union([Id, Type.Null()]) }) },
      },
    },
    async ({ actor }, reply) => {
      const job = { name: TEMPLATES_SYNC, payload: {}, dedupeKey: TEMPLATES_SYNC, createdBy: actor.userId }
      const id = await write(services, work => jobs.add(work, job), { actor })
      reply.code(202)
      // Null: one is under way already.
      return { job_id: id ?? null }
    },
  )

  app.post(
    '/:id/preview',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        summary: 'The template as one contact would read it',
        params: Type.Object({ id: Id }),
        body: PreviewBody,
        response: { 200: Preview },
      },
    },
    async ({ params: { id }, body }) => {
      const template = await findTemplate(database.writer, id)
      const contact = await database.writer
        .selectFrom('contacts')
        .select(['name', 'phone_e164', 'email', 'username', 'attributes'])
        .where('id', '=', body.contact_id)
        .executeTakeFirst()
      if (contact === undefined) throw notFound('contact', body.contact_id)
      const params = body.params as Params
      const rendered = templateContent(template, params, contact)
      if (rendered === undefined) {
        const expected = `a text for each of ${placeholdersOf(template).join(', ')}`
        throw badFields([{ field: 'body.params', expected, received: received(params) }])
      }
      const { content } = rendered
      return { body: rendered.body, components: content.type === 'template' ? [...content.components] : [] }
    },
  )
}
