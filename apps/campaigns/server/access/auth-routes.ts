import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import type { UserTable } from '../database/schema.ts'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { readMember } from './guard.ts'
import { keyOf, placeOf } from './limits.ts'
import { ROLE_PERMISSIONS } from './permissions.ts'
import { Email, Locale, MeSchema, Password, PersonName } from './schemas.ts'
import { askForReset, changePassword, resetPassword, signIn } from './sign-in.ts'
import { readPerson } from './user-routes.ts'
import { updateUser } from './users.ts'

const closed = { additionalProperties: false } as const
const Login = Type.Object({ email: Type.String({ minLength: 1, maxLength: 254 }), password: Password }, closed)
const MeChange = Type.Object({ name: Type.Optional(PersonName), locale: Type.Optional(Locale) }, closed)
const PasswordChange = Type.Object({ current_password: Password, new_password: Password }, closed)
const Forgot = Type.Object({ email: Email }, closed)
const Token = Type.String({ writeOnly: true, minLength: 1, maxLength: 200, expected: 'the token of the mail' })
const Reset = Type.Object({ token: Token, password: Password }, closed)

type Me = Static<typeof MeSchema>
type Person = Pick<UserTable, 'id' | 'email' | 'name' | 'role' | 'locale'>

const addressOf = ({ body }: FastifyRequest): string => keyOf((body as { readonly email: string }).email)
const tryOf = (request: FastifyRequest): string => `${placeOf(request)} ${addressOf(request)}`

function meOf(
  { id, email, name, role, locale }: Person,
  permissions: Iterable<Me['permissions'][number]>,
  csrf_token: string | null,
): Me {
  return { user: { id, email, name, role, locale }, permissions: [...permissions], csrf_token }
}

/** A new session under a new id: one that somebody planted, or that was before, is worth nothing. */
async function enter(request: FastifyRequest, reply: FastifyReply, user: UserTable): Promise<Me> {
  await request.session.regenerate()
  request.session.userId = user.id
  request.session.epoch = user.session_epoch
  return meOf(user, ROLE_PERMISSIONS[user.role], reply.generateCsrf())
}

/** Logging in and out, and what a person does to their own account. Served under `/auth`. */
export const authRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { limits, sessions } = services
  const tags = ['auth']
  const anybody = { access: 'public' } as const
  const person = { access: 'person' } as const

  const login = { tags, summary: 'Begins a session', body: Login, response: { 200: MeSchema } }
  const perPlace = limits.hook('address', placeOf)
  const preHandler = [perPlace, limits.hook('account', addressOf), limits.hook('login', tryOf)]
  app.post('/login', { schema: login, config: anybody, preHandler }, async (request, reply) => {
    if (sessions.secure && request.protocol !== 'https') {
      throw new Problem(403, 'Sessions are only given over https. Behind a proxy, TRUST_PROXY=true lets it say so.')
    }
    const user = await signIn(services, request.body.email.trim().toLowerCase(), request.body.password, request.actor)
    if (user === undefined) throw new Problem(401, 'The address or the password is not right.')
    await limits.forgive('login', tryOf(request))
    return await enter(request, reply, user)
  })

  app.post('/logout', { schema: { tags, summary: 'Ends the session' }, config: person }, async (request, reply) => {
    await request.session.destroy()
    const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure: sessions.secure } as const
    return reply.clearCookie(sessions.cookieName, attributes).code(204).send()
  })

  const me = { tags, summary: 'Who you are and what you may do', response: { 200: MeSchema } }
  app.get('/me', { schema: me, config: { access: 'member' } }, async ({ actor }, reply) => {
    const member = await readMember(services, actor.userId ?? '')
    if (member === null) throw new Problem(401, 'The user is gone.')
    return meOf(member, actor.permissions, actor.kind === 'user' ? reply.generateCsrf() : null)
  })

  const change = { tags, summary: 'Changes your name or language', body: MeChange, response: { 200: MeSchema } }
  app.patch('/me', { schema: change, config: person }, async ({ actor, body }, reply) => {
    const user = await updateUser(services, actor, actor.userId ?? '', readPerson(body))
    return meOf(user, actor.permissions, reply.generateCsrf())
  })

  const summary = 'Changes your password and ends your other sessions; this one goes on under a new csrf_token'
  const password = { tags, summary, body: PasswordChange, response: { 200: MeSchema } }
  const own = (request: FastifyRequest): string => String(request.actor.userId)
  const perPerson = limits.hook('password', own)
  app.post('/password', { schema: password, config: person, preHandler: perPerson }, async (request, reply) => {
    const { current_password, new_password } = request.body
    const user = await changePassword(services, request.actor, current_password, new_password)
    await limits.forgive('password', own(request))
    return await enter(request, reply, user)
  })
}

/** For whoever has lost their password. Served under `/auth/password`. */
export const resetRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { limits, log } = services
  const tags = ['auth']
  const config = { access: 'public' } as const
  const running = new Set<Promise<void>>()
  app.addHook('onClose', async () => void (await Promise.all(running)))

  const forgot = { tags, summary: 'Mails a link for a new password, if somebody has the address', body: Forgot }
  const perAddress = [limits.hook('forgot address', placeOf), limits.hook('forgot', addressOf)]
  app.post('/forgot', { schema: forgot, config, preHandler: perAddress }, async ({ body, actor }, reply) => {
    const { email } = readPerson(body)
    // Answered before anything is looked up: how long that takes would tell whether anybody has the address.
    const asking = askForReset(services, email, actor)
      .catch((error: unknown) => log.error({ err: error }, 'a link for a new password could not be mailed'))
      .finally(() => running.delete(asking))
    running.add(asking)
    return reply.code(202).send()
  })

  const reset = { tags, summary: 'Sets a new password by the token of the mail, and ends all sessions', body: Reset }
  const perPlace = limits.hook('reset', placeOf)
  app.post('/reset', { schema: reset, config, preHandler: perPlace }, async ({ body, actor }, reply) => {
    const email = await resetPassword(services, body.token, body.password, actor)
    // Who has locked the account out by guessing cannot keep its owner out.
    await limits.forgive('account', keyOf(email))
    return reply.code(204).send()
  })
}
