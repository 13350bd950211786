import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { storeWebhook } from './inbox.ts'
import { isVerifyToken, SIGNATURE, signersOf } from './signature.ts'

/** Meta sends up to 3 MiB; the rest is for whoever wraps it. */
const BODY_LIMIT = 4 * 1024 * 1024

const Path = Type.Object({ phone_number_id: Type.Optional(Type.String({ maxLength: 64 })) })
const Verification = Type.Object({
  'hub.mode': Type.Literal('subscribe'),
  'hub.verify_token': Type.String({ writeOnly: true, minLength: 1, maxLength: 1000 }),
  // Given back as it came: letters, digits, nothing that a browser would make a page of.
  'hub.challenge': Type.String({ pattern: '^[\\w-]{1,256}$', expected: 'a challenge of letters and digits' }),
})

const config = { access: 'own' } as const
const tags = ['webhooks']

function signatureOf(request: FastifyRequest): string {
  const signature = request.headers['x-hub-signature-256']
  if (typeof signature === 'string' && SIGNATURE.test(signature)) return signature
  const received = signature === undefined ? 'nothing' : 'something else'
  throw new Problem(401, `header.x-hub-signature-256: expected sha256= and 64 hexadecimal digits, received ${received}`)
}

/**
 * `/webhooks/whatsapp`: all accounts, and one account below its number. A webhook is stored and answered; what it says is
 * applied afterwards, so that Meta, which counts slow answers against the number, never waits for our work.
 */
export const webhookRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  // The signature is of the bytes as they came: JSON that was read and written again is another text.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  )

  const verify = { tags, summary: 'Prove that the address is ours', params: Path, querystring: Verification }
  for (const url of ['/', '/:phone_number_id']) {
    app.get(url, { config, schema: verify }, async (request, reply) => {
      const { 'hub.verify_token': token, 'hub.challenge': challenge } = request.query
      const known = await isVerifyToken(services, token, request.params.phone_number_id)
      if (!known)
        throw new Problem(403, 'query.hub.verify_token: expected the verify token of an account, received another')
      return reply.type('text/plain').send(challenge)
    })
  }

  const receive = async (
    request: FastifyRequest<{ Params: { phone_number_id?: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const signers = await signersOf(services, bytes, signatureOf(request), request.params.phone_number_id)
    if (signers.length === 0) {
      services.metrics.event('webhook', 'refused')
      throw new Problem(403, 'header.x-hub-signature-256: expected the signature of the body, received another')
    }
    await storeWebhook(services, signers, bytes)
    return reply.type('text/plain').send('stored')
  }
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    // Before a body of megabytes is read for nothing.
    signatureOf(request)
  }
  const receiving = {
    config,
    bodyLimit: BODY_LIMIT,
    onRequest,
    schema: { tags, summary: 'Events of WhatsApp', params: Path },
  }
  for (const url of ['/', '/:phone_number_id']) app.post(url, receiving, receive)
}
