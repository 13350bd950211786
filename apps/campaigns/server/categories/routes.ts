import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { READS } from '../cache-map.ts'
import { answerWith } from '../caching.ts'
import { notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import {
  changeCategoryContacts,
  createCategory,
  deleteCategory,
  findCategory,
  listCategories,
  NEW_CATEGORY_COLOR,
  updateCategory,
} from './store.ts'

const Id = Type.String({ pattern: '^[\\w-]{1,36}$', expected: 'an id' })
/** Semicolons stand between the names in CSV files. */
const Name = Type.String({
  minLength: 1,
  maxLength: 80,
  pattern: '^[^\\u0000;]*[^\\u0000;\\s][^\\u0000;]*$',
  expected: 'a name of 1 to 80 characters without semicolons',
})
const Color = Type.String({ pattern: '^#[0-9a-fA-F]{6}$', expected: 'a colour such as #0f766e' })
const Description = Type.String({ maxLength: 500, pattern: '^[^\\u0000]*$' })
const Path = Type.Object({ id: Id })

const CategorySchema = Type.Object({
  id: Id,
  name: Type.String(),
  color: Type.String(),
  description: Type.String(),
  contact_count: Type.Integer(),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
})

const NewCategory = Type.Object(
  { name: Name, color: Type.Optional(Color), description: Type.Optional(Description) },
  { additionalProperties: false },
)

const CategoryChange = Type.Object(
  { name: Type.Optional(Name), color: Type.Optional(Color), description: Type.Optional(Description) },
  { additionalProperties: false },
)

const List = Type.Object({ items: Type.Array(CategorySchema) })

const Members = Type.Object(
  { contact_ids: Type.Array(Id, { minItems: 1, maxItems: 1000 }) },
  { additionalProperties: false },
)
const MembersAnswer = Type.Object({
  changed: Type.Integer(),
  unknown: Type.Array(Id),
  contact_count: Type.Integer(),
})

const tags = ['categories']

interface Options {
  readonly services: Services
}

/** What is read through the cache; also served under the unversioned `/categories`. */
export const categoryList: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, caching } = services
  app.get(
    '/',
    {
      config: { access: 'categories:read' },
      schema: { tags, summary: 'All categories with the number of their contacts', response: { 200: List } },
    },
    async (_request, reply) => {
      const served = await caching.read(READS.categoryList, [], () => listCategories(database.reader))
      return { items: answerWith(reply, served) }
    },
  )
}

export const categoryRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, caching } = services

  app.get(
    '/:id',
    {
      config: { access: 'categories:read' },
      schema: { tags, summary: 'One category', params: Path, response: { 200: CategorySchema } },
    },
    async ({ params: { id } }, reply) => {
      const served = await caching.read(READS.category, [id], () => findCategory(database.reader, id))
      const category = answerWith(reply, served)
      if (category === null) throw notFound('category', id)
      return category
    },
  )

  app.post(
    '/',
    {
      config: { access: 'categories:write' },
      schema: { tags, summary: 'Makes a category', body: NewCategory, response: { 201: CategorySchema } },
    },
    async ({ body, actor }, reply) => {
      const { name, color = NEW_CATEGORY_COLOR, description = '' } = body
      const category = await createCategory(services, actor, { name: name.trim().normalize(), color, description })
      reply.code(201).header('location', `/api/v1/categories/${category.id}`)
      return category
    },
  )

  app.patch(
    '/:id',
    {
      config: { access: 'categories:write' },
      schema: {
        tags,
        summary: 'Changes the given fields',
        params: Path,
        body: CategoryChange,
        response: { 200: CategorySchema },
      },
    },
    async ({ params, body, actor }) => {
      const name = body.name === undefined ? {} : { name: body.name.trim().normalize() }
      return await updateCategory(services, actor, params.id, { ...body, ...name })
    },
  )

  app.delete(
    '/:id',
    {
      config: { access: 'categories:write' },
      schema: { tags, summary: 'Deletes a category; its contacts stay', params: Path },
    },
    async ({ params, actor }, reply) => {
      await deleteCategory(services, actor, params.id)
      return reply.code(204).send()
    },
  )

  for (const [method, how, summary] of [
    ['PUT', 'add', 'Puts up to 1,000 contacts into a category'],
    ['DELETE', 'remove', 'Takes up to 1,000 contacts out of a category'],
  ] as const) {
    app.route({
      method,
      url: '/:id/contacts',
      config: { access: 'categories:write' },
      schema: { tags, summary, params: Path, body: Members, response: { 200: MembersAnswer } },
      handler: async ({ params: { id }, body, actor }) => {
        const done = await changeCategoryContacts(services, actor, { id, contactIds: body.contact_ids, how })
        return { ...done, unknown: [...done.unknown] }
      },
    })
  }
}
