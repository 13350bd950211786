import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { READS } from '../cache-map.ts'
import { answerWith } from '../caching.ts'
import type { Services } from '../services.ts'
import { createAccount, listAccounts, updateAccount } from './accounts.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Name = Type.String({ minLength: 1, maxLength: 80, pattern: '\\S', expected: 'a name of 1 to 80 characters' })
const MetaId = Type.String({ pattern: '^\\d{1,32}$', expected: 'the digits that Meta shows beside the number' })
const Provider = Type.Enum(['cloud', 'simulator'])
const Status = Type.Enum(['active', 'stopped'])
// Header values: what is no visible ASCII would be refused, or quoted, by whoever builds the request.
const secret = (min: number) =>
  Type.String({
    writeOnly: true,
    minLength: min,
    maxLength: 1000,
    pattern: '^[\\x21-\\x7e]+$',
    expected: `a secret of ${min} to 1000 visible characters`,
  })
const Phone = Type.String({ minLength: 1, maxLength: 32 })
const GraphVersion = Type.String({ pattern: '^v\\d{1,3}\\.\\d{1,2}$', expected: 'a version such as v23.0' })
const BaseUrl = Type.String({ minLength: 1, maxLength: 200 })
const Limit = Type.Integer({ minimum: 1, maximum: 1000 })

const AccountSchema = Type.Object({
  id: Id,
  name: Type.String(),
  provider: Provider,
  phone_number_id: Type.String(),
  waba_id: Type.String(),
  display_phone: Type.String(),
  graph_version: Type.String(),
  base_url: Type.String(),
  mps_limit: Type.Integer(),
  status: Status,
  reason: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
})

const NewAccountSchema = Type.Object(
  {
    name: Name,
    provider: Type.Optional(Provider),
    phone_number_id: MetaId,
    waba_id: MetaId,
    display_phone: Phone,
    token: secret(8),
    app_secret: secret(16),
    verify_token: secret(8),
    graph_version: Type.Optional(GraphVersion),
    base_url: Type.Optional(BaseUrl),
    mps_limit: Type.Optional(Limit),
  },
  { additionalProperties: false },
)

const AccountChangeSchema = Type.Object(
  {
    name: Type.Optional(Name),
    display_phone: Type.Optional(Phone),
    token: Type.Optional(secret(8)),
    app_secret: Type.Optional(secret(16)),
    verify_token: Type.Optional(secret(8)),
    graph_version: Type.Optional(GraphVersion),
    base_url: Type.Optional(BaseUrl),
    mps_limit: Type.Optional(Limit),
    status: Type.Optional(Status),
  },
  { additionalProperties: false },
)

const DEFAULTS = {
  provider: 'cloud',
  graph_version: 'v23.0',
  base_url: 'https://graph.facebook.com',
  mps_limit: 80,
} as const

const tags = ['whatsapp']

/** `/api/v1/whatsapp/accounts`. */
export const accountRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { caching, database } = services

  const list = { tags, summary: 'Accounts', response: { 200: Type.Object({ items: Type.Array(AccountSchema) }) } }
  app.get('/', { config: { access: 'accounts:read' }, schema: list }, async (_request, reply) => {
    const served = await caching.read(READS.accounts, [], () => listAccounts(database.reader))
    return { items: answerWith(reply, served) }
  })

  const create = { tags, summary: 'Add an account', body: NewAccountSchema, response: { 201: AccountSchema } }
  app.post('/', { config: { access: 'accounts:write' }, schema: create }, async ({ body, actor }, reply) => {
    const name = body.name.trim().normalize()
    const account = await createAccount(services, { ...DEFAULTS, ...body, name }, { actor })
    reply.code(201).header('location', `/api/v1/whatsapp/accounts/${account.id}`)
    return account
  })

  const change = {
    tags,
    summary: 'Change an account',
    params: Type.Object({ id: Id }),
    body: AccountChangeSchema,
    response: { 200: AccountSchema },
  }
  app.patch('/:id', { config: { access: 'accounts:write' }, schema: change }, async ({ params, body, actor }) => {
    const name = body.name === undefined ? {} : { name: body.name.trim().normalize() }
    return await updateAccount(services, params.id, { ...body, ...name }, { actor })
  })
}
