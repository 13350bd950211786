import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { listReader } from '../own-writes.ts'
import { EMAIL_EXPECTED, parseEmail } from '../phone.ts'
import { badFields } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import {
  Cursor,
  Email,
  Limit,
  Locale,
  NextCursor,
  Password,
  Path,
  PersonName,
  RoleName,
  Status,
  UserSchema,
} from './schemas.ts'
import { createUser, deleteUser, findUser, listUsers, updateUser } from './users.ts'

const Filter = Type.Object(
  {
    limit: Limit,
    cursor: Cursor,
    role: Type.Optional(RoleName),
    status: Type.Optional(Status),
    email: Type.Optional(Type.String({ minLength: 1, maxLength: 254 })),
  },
  { additionalProperties: false },
)
const NewUserSchema = Type.Object(
  { email: Email, name: PersonName, password: Password, role: RoleName, locale: Type.Optional(Locale) },
  { additionalProperties: false },
)
const UserChangeSchema = Type.Object(
  {
    email: Type.Optional(Email),
    name: Type.Optional(PersonName),
    password: Type.Optional(Password),
    role: Type.Optional(RoleName),
    status: Type.Optional(Status),
    locale: Type.Optional(Locale),
  },
  { additionalProperties: false },
)
const UserPage = Type.Object(
  { items: Type.Array(UserSchema), next_cursor: NextCursor },
  { additionalProperties: false },
)

interface Fields {
  readonly email?: string
  readonly name?: string
}

/** The address and the name in the form they are stored in. */
export function readPerson<F extends Fields>(fields: F): F {
  const email = fields.email === undefined ? undefined : parseEmail(fields.email)
  if (fields.email !== undefined && email === undefined) {
    throw badFields([{ field: 'body.email', expected: EMAIL_EXPECTED, received: received(fields.email) }])
  }
  return {
    ...fields,
    ...(email === undefined ? {} : { email }),
    ...(fields.name === undefined ? {} : { name: fields.name.trim().normalize() }),
  }
}

/** Served under `/users`. */
export const userRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { cursors, database } = services
  const tags = ['users']
  const reads = { access: 'users:read' } as const
  const writes = { access: 'users:write' } as const

  const list = { tags, summary: 'Users, the newest first', querystring: Filter, response: { 200: UserPage } }
  app.get('/', { schema: list, config: reads }, async ({ actor, query }) => {
    const db = await listReader(services, actor)
    const page = await listUsers(db, cursors, { ...query, limit: query.limit ?? 50 })
    return { ...page, items: [...page.items] }
  })

  const add = { tags, summary: 'Adds a user', body: NewUserSchema, response: { 201: UserSchema } }
  app.post('/', { schema: add, config: writes }, async ({ actor, body }, reply) => {
    const user = await createUser(services, actor, readPerson({ locale: 'en', ...body }))
    reply.code(201).header('location', `/api/v1/users/${user.id}`)
    return user
  })

  const one = { tags, summary: 'One user', params: Path, response: { 200: UserSchema } }
  app.get('/:id', { schema: one, config: reads }, ({ params }) => findUser(database.writer, params.id))

  const summary = 'Changes a user. Another role, another password or no access at all end their sessions.'
  const change = { tags, summary, params: Path, body: UserChangeSchema, response: { 200: UserSchema } }
  app.patch('/:id', { schema: change, config: writes }, ({ actor, params, body }) =>
    updateUser(services, actor, params.id, readPerson(body)),
  )

  const remove = { tags, summary: 'Removes a user with their API keys; the history keeps their name', params: Path }
  app.delete('/:id', { schema: remove, config: writes }, async ({ actor, params }, reply) => {
    await deleteUser(services, actor, params.id)
    return reply.code(204).send()
  })
}
