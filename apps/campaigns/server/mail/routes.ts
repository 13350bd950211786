import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { readMember } from '../access/guard.ts'
import { actorKey } from '../access/limits.ts'
import { EMAIL_EXPECTED, parseEmail } from '../phone.ts'
import { badFields, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { testLetter } from './letters.ts'
import { oneLine } from './mailer.ts'

const Trial = Type.Object(
  { to: Type.Optional(Type.String({ minLength: 3, maxLength: 254, expected: EMAIL_EXPECTED })) },
  { additionalProperties: false },
)
const Outcome = Type.Object({ to: Type.String(), via: Type.Enum(['smtp', 'files']) }, { additionalProperties: false })

/** Served under `/settings/mail`. */
export const mailRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { mailer, newId, limits } = services
  const schema = {
    tags: ['settings'],
    summary: 'Sends a mail at once, to see whether the settings are right',
    body: Trial,
    response: { 200: Outcome },
  }
  const preHandler = limits.hook('mail', ({ actor }) => actorKey(actor))
  app.post('/test', { schema, config: { access: 'settings:write' }, preHandler }, async ({ actor, body }) => {
    const member = await readMember(services, actor.userId ?? '')
    if (member === null) throw new Problem(401, 'The user is gone.')
    const to = parseEmail(body.to ?? member.email)
    if (to === undefined) {
      throw badFields([{ field: 'body.to', expected: EMAIL_EXPECTED, received: received(body.to) }])
    }
    try {
      await mailer.deliver(newId(), testLetter({ ...member, email: to }))
    } catch (error) {
      throw new Problem(502, `The mail was not taken: ${oneLine((error as Error).message)}`)
    }
    return { to, via: mailer.via }
  })
}
