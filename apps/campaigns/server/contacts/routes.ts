import type { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { EMAIL_EXPECTED, PHONE_EXPECTED, parseEmail, parsePhone } from '../phone.ts'
import { badFields, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { type FieldFault, received } from '../validation.ts'
import { importContacts } from './import.ts'
import { createContact, deleteContact, findContact, listContacts, updateContact } from './store.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Name = Type.String({ minLength: 1, maxLength: 120, pattern: '\\S', expected: 'a name of 1 to 120 characters' })
const Phone = Type.String({ minLength: 1, maxLength: 40, expected: PHONE_EXPECTED })
const Email = Type.Union([Type.String({ maxLength: 254 }), Type.Null()], { expected: `${EMAIL_EXPECTED}, or null` })
const CategoryIds = Type.Array(Id, { maxItems: 50 })

const Contact = Type.Object({
  id: Id,
  name: Type.String(),
  phone: Type.Union([Type.String(), Type.Null()]),
  email: Type.Union([Type.String(), Type.Null()]),
  categories: Type.Array(Type.Object({ id: Id, name: Type.String() })),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
})

const NewContact = Type.Object(
  { name: Name, phone: Phone, email: Type.Optional(Email), category_ids: Type.Optional(CategoryIds) },
  { additionalProperties: false },
)

const ContactChange = Type.Object(
  {
    name: Type.Optional(Name),
    phone: Type.Optional(Phone),
    email: Type.Optional(Email),
    category_ids: Type.Optional(CategoryIds),
  },
  { additionalProperties: false },
)

const Filter = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 2000 })),
    q: Type.Optional(Type.String({ minLength: 1, maxLength: 120 })),
    category: Type.Optional(Id),
  },
  { additionalProperties: false },
)

const ContactPage = Type.Object({
  items: Type.Array(Contact),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
})

const Path = Type.Object({ id: Id })

interface Fields {
  readonly name?: string
  readonly phone?: string
  readonly email?: string | null
}

/** What a schema cannot check: the phone and the address, brought into the form they are stored in. */
function readFields<F extends Fields>(fields: F): F {
  const faults: FieldFault[] = []
  const parse = (name: 'phone' | 'email', expected: string, read: (text: string) => string | undefined): object => {
    const text = fields[name]
    if (text === undefined || text === null) return {}
    // An empty address is how forms say that there is none.
    if (name === 'email' && text.trim() === '') return { email: null }
    const value = read(text)
    if (value === undefined) faults.push({ field: `body.${name}`, expected, received: received(text) })
    return { [name]: value }
  }
  const parsed = {
    ...fields,
    ...(fields.name === undefined ? {} : { name: fields.name.trim() }),
    ...parse('phone', PHONE_EXPECTED, parsePhone),
    ...parse('email', EMAIL_EXPECTED, parseEmail),
  }
  if (faults.length > 0) throw badFields(faults)
  return parsed
}

export const contactRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { database, cursors } = services
  // The body is read as it comes; a parser would hold all of it.
  app.addContentTypeParser('text/csv', (_request, body, done) => done(null, body))

  app.get('/', { schema: { querystring: Filter, response: { 200: ContactPage } } }, async ({ query }) => {
    const page = await listContacts(database.reader, cursors, { ...query, limit: query.limit ?? 50 })
    return { ...page, items: page.items.map(item => ({ ...item, categories: [...item.categories] })) }
  })

  app.post('/', { schema: { body: NewContact, response: { 201: Contact } } }, async ({ body }, reply) => {
    const { name, phone, email = null, category_ids = [] } = readFields(body)
    const contact = await createContact(services, { name, phone, email, category_ids })
    reply.code(201).header('location', `/api/v1/contacts/${contact.id}`)
    return { ...contact, categories: [...contact.categories] }
  })

  app.get('/:id', { schema: { params: Path, response: { 200: Contact } } }, async ({ params }) => {
    const contact = await findContact(database.writer, params.id)
    return { ...contact, categories: [...contact.categories] }
  })

  const change = { schema: { params: Path, body: ContactChange, response: { 200: Contact } } }
  app.patch('/:id', change, async ({ params, body }) => {
    const contact = await updateContact(services, params.id, readFields(body))
    return { ...contact, categories: [...contact.categories] }
  })

  app.delete('/:id', { schema: { params: Path } }, async ({ params }, reply) => {
    await deleteContact(services, params.id)
    return reply.code(204).send()
  })

  app.post('/import', async request => {
    const type = request.headers['content-type']
    if (type?.startsWith('text/csv') !== true) {
      throw new Problem(415, `header.content-type: expected text/csv, received ${received(type)}`)
    }
    return await importContacts(services, request.body as Readable)
  })
}
