import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { answerWith } from '../caching.ts'
import { notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import { type Category, createCategory, deleteCategory, findCategory, listCategories, updateCategory } from './store.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Name = Type.String({ minLength: 1, maxLength: 80, pattern: '\\S', expected: 'a name of 1 to 80 characters' })
const Color = Type.String({ pattern: '^#[0-9a-fA-F]{6}$', expected: 'a colour such as #0f766e' })
const Description = Type.String({ maxLength: 500 })
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

interface Options {
  readonly services: Services
}

/** What is read through the cache; also served under the unversioned `/categories`. */
export const categoryList: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, caching } = services
  app.get('/', { schema: { response: { 200: List } } }, async (_request, reply) => {
    const load = (): Promise<Category[]> => listCategories(database.reader)
    const served = await caching.read('categories', 'list', ['categories', 'contacts'], load)
    return { items: answerWith(reply, served) }
  })
}

export const categoryRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services }) => {
  const { database, caching } = services

  app.get(
    '/:id',
    { schema: { params: Path, response: { 200: CategorySchema } } },
    async ({ params: { id } }, reply) => {
      const load = (): Promise<Category | null> => findCategory(database.reader, id)
      const category = answerWith(reply, await caching.read('categories', `id:${id}`, [`category:${id}`], load))
      if (category === null) throw notFound('category', id)
      return category
    },
  )

  app.post('/', { schema: { body: NewCategory, response: { 201: CategorySchema } } }, async ({ body }, reply) => {
    const { name, color = '#64748b', description = '' } = body
    const category = await createCategory(services, { name: name.trim().normalize(), color, description })
    reply.code(201).header('location', `/api/v1/categories/${category.id}`)
    return category
  })

  const change = { schema: { params: Path, body: CategoryChange, response: { 200: CategorySchema } } }
  app.patch('/:id', change, async ({ params, body }) => {
    const name = body.name === undefined ? {} : { name: body.name.trim().normalize() }
    return await updateCategory(services, params.id, { ...body, ...name })
  })

  app.delete('/:id', { schema: { params: Path } }, async ({ params }, reply) => {
    await deleteCategory(services, params.id)
    return reply.code(204).send()
  })
}
