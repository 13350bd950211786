import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { OUTCOMES_BY_NUMBER } from './rules.ts'
import type { Controls } from './simulator.ts'

const strict = { additionalProperties: false }
const Time = Type.Integer({ minimum: 0, maximum: 40 * 24 * 3_600_000 })
const Flag = Type.Boolean()
const Word = Type.String({ maxLength: 1024 })
const Code = Type.Integer({ minimum: 0, maximum: 9_999_999 })

const Outcome = Type.Object(
  {
    deliver: Type.Optional(Flag),
    read: Type.Optional(Flag),
    reply: Type.Optional(
      Type.Object({ button: Type.Optional(Word), text: Type.Optional(Word), after: Type.Optional(Time) }, strict),
    ),
    fail: Type.Optional(
      Type.Object({ code: Code, at: Type.Union([Type.Literal('answer'), Type.Literal('webhook')]) }, strict),
    ),
    duplicate: Type.Optional(Type.Integer({ minimum: 0, maximum: 20 })),
    reorder: Type.Optional(Flag),
    delay: Type.Optional(Time),
    throttle: Type.Optional(
      Type.Object(
        {
          status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599 })),
          code: Type.Optional(Code),
          retryAfter: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
        },
        strict,
      ),
    ),
    silence: Type.Optional(Flag),
    hidePhone: Type.Optional(Flag),
    dropAnswer: Type.Optional(Flag),
    badAnswer: Type.Optional(Type.Union([Type.Literal('html'), Type.Literal('truncated')])),
    answerAfter: Type.Optional(Type.Integer({ minimum: 0, maximum: 120_000 })),
  },
  strict,
)

const Match = Type.Object(
  {
    phone: Type.Optional(Word),
    userId: Type.Optional(Word),
    endsWith: Type.Optional(Word),
    template: Type.Optional(Word),
    step: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2)])),
  },
  strict,
)

const Rule = Type.Object(
  { match: Type.Optional(Match), times: Type.Optional(Type.Integer({ minimum: 1 })), outcome: Outcome },
  strict,
)

const Content = Type.Union([
  Type.Object({ type: Type.Literal('text'), body: Type.String({ minLength: 1, maxLength: 4096 }) }, strict),
  Type.Object({ type: Type.Literal('button'), text: Word, payload: Word }, strict),
  Type.Object({ type: Type.Literal('interactive'), id: Word, title: Word }, strict),
  Type.Object({ type: Type.Literal('reaction'), emoji: Word, messageId: Word }, strict),
  Type.Object({ type: Type.Literal('image'), caption: Type.Optional(Word) }, strict),
  Type.Object({ type: Type.Literal('unsupported') }, strict),
])

const Inbound = Type.Object(
  {
    phone: Type.Optional(Type.String({ pattern: '^\\+?[1-9]\\d{6,14}$' })),
    userId: Type.Optional(Type.String({ pattern: '^[A-Z]{2}\\.(ENT\\.)?[A-Za-z0-9]{1,128}$' })),
    name: Type.Optional(Type.String({ maxLength: 100 })),
    hidePhone: Type.Optional(Flag),
    contextId: Type.Optional(Word),
    content: Content,
  },
  strict,
)

const TemplateChange = Type.Object(
  {
    name: Word,
    language: Word,
    status: Type.Union(
      (['APPROVED', 'PENDING', 'REJECTED', 'PAUSED', 'DISABLED', 'IN_APPEAL'] as const).map(one => Type.Literal(one)),
    ),
  },
  strict,
)

const SentQuery = Type.Object({
  phone: Type.Optional(Word),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 20_000, default: 100 })),
})

const Rules = Type.Object({ rules: Type.Array(Rule, { maxItems: 1000 }) }, strict)
const Ahead = Type.Object({ advance: Time }, strict)
const Target = Type.Object({ url: Type.String({ pattern: '^https?://', maxLength: 2048 }) }, strict)

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1'])
/** Another name for this machine in the Host header is a page in a browser that has rebound its own. */
const NAMES: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** People and demonstrations steer the simulator here. For this machine only: it asks for no secret. */
export const control: FastifyPluginAsyncTypebox<Controls> = async (app, simulator) => {
  app.addHook('onRequest', async (request, reply) => {
    if (LOOPBACK.has(request.ip) && NAMES.has(request.hostname)) return
    return reply.code(403).send({ error: 'Only for this machine.' })
  })

  app.get('/state', async () => simulator.state())

  app.get('/sent', { schema: { querystring: SentQuery } }, async ({ query: { phone, limit = 100 } }) => {
    const digits = phone?.replace(/\D/g, '')
    const found = simulator.sent().filter(({ person }) => digits === undefined || person.phone === digits)
    return { sent: found.slice(-limit) }
  })

  app.get('/script', async () => ({
    rules: simulator.rules(),
    byNumber: OUTCOMES_BY_NUMBER.map(({ to, what }) => ({ to, what })),
  }))

  app.put('/script', { schema: { body: Rules } }, async ({ body }) => {
    simulator.script(body.rules)
    return { rules: simulator.rules() }
  })

  app.post('/inbound', { schema: { body: Inbound } }, async ({ body }, reply) => {
    if (body.phone === undefined && body.userId === undefined) {
      return reply.code(400).send({ error: 'phone or userId: expected one of them, received neither.' })
    }
    return { wamid: simulator.inbound(body) }
  })

  app.put('/templates', { schema: { body: TemplateChange } }, async ({ body }, reply) => {
    if (simulator.setTemplateStatus(body.name, body.language, body.status)) return { changed: true }
    return reply.code(404).send({ error: `There is no template ${body.name} in ${body.language}.` })
  })

  app.post('/clock', { schema: { body: Ahead } }, async ({ body }) => {
    simulator.clock.advance(body.advance)
    return { now: simulator.clock.now() }
  })

  app.post('/settle', async () => {
    await simulator.settle()
    return simulator.state()
  })

  app.put('/target', { schema: { body: Target } }, async ({ body }) => {
    simulator.deliverTo(body.url)
    return { verified: await simulator.verifyTarget() }
  })
}
