import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { listReader } from '../own-writes.ts'
import type { Services } from '../services.ts'
import { createApiKey, listApiKeys, revokeApiKey } from './api-keys.ts'
import { ApiKeySchema, Cursor, Id, Limit, NextCursor, Path, PermissionName } from './schemas.ts'

const Filter = Type.Object({ limit: Limit, cursor: Cursor, user: Type.Optional(Id) }, { additionalProperties: false })
const NewKey = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 80,
      pattern: '^(?=.*\\S)[^\\u0000-\\u001f\\u007f]+$',
      expected: 'a name of 1 to 80 characters on one line',
    }),
    scopes: Type.Array(PermissionName, { minItems: 1, maxItems: 100 }),
    expires_at: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  },
  { additionalProperties: false },
)
const MadeKey = Type.Object({ id: Id, key: Type.String() }, { additionalProperties: false })
const KeyPage = Type.Object(
  { items: Type.Array(ApiKeySchema), next_cursor: NextCursor },
  { additionalProperties: false },
)

/** Served under `/api-keys`. For people only: a key that could make keys would outlive its own end. */
export const apiKeyRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const tags = ['api keys']
  const config = { access: 'person' } as const

  const summary = "Your API keys; everybody's for administrators, or those of one user"
  const list = { tags, summary, querystring: Filter, response: { 200: KeyPage } }
  app.get('/', { schema: list, config }, async ({ actor, query }) => {
    const { limit = 50, cursor, user } = query
    // Whom others ask for makes no difference: they get their own.
    const userId = actor.role === 'admin' ? user : (actor.userId ?? '')
    const filter = { limit, ...(cursor === undefined ? {} : { cursor }), ...(userId === undefined ? {} : { userId }) }
    const page = await listApiKeys(await listReader(services, actor), services.cursors, filter)
    return { ...page, items: page.items.map(item => ({ ...item, scopes: [...item.scopes] })) }
  })

  const add = {
    tags,
    summary: 'Makes a key of yours; its text is shown this once',
    body: NewKey,
    response: { 201: MadeKey },
  }
  app.post('/', { schema: add, config }, async ({ actor, body }, reply) => {
    const { name, scopes, expires_at = null } = body
    const made = await createApiKey(services, actor, { name: name.trim(), scopes, expires_at })
    reply.code(201)
    return made
  })

  const revoke = { tags, summary: 'Ends a key at once and for good', params: Path }
  app.delete('/:id', { schema: revoke, config }, async ({ actor, params }, reply) => {
    await revokeApiKey(services, actor, params.id)
    return reply.code(204).send()
  })
}
