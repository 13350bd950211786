import { createHash, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import type { Business } from './envelope.ts'
import { errorBody, type GraphFault, statusOf } from './graph-error.ts'
import type { Answer, Messaging } from './messaging.ts'
import type { Noise } from './noise.ts'
import { Refusal } from './send-request.ts'
import type { Template } from './templates.ts'

export interface GraphApiOptions {
  readonly business: Business
  readonly token: string
  readonly noise: Noise
  readonly messaging: Messaging
  readonly templates: () => readonly Template[]
  /** Where this server is reached, for links to the next page. */
  readonly origin: () => string
  /** A message was accepted or planned. */
  readonly planned: () => void
}

interface Path {
  readonly version: string
  readonly node: string
}

interface TemplateQuery {
  readonly limit?: string
  readonly after?: string
  readonly name?: string
  readonly status?: string
  readonly language?: string
}

const VERSION = /^v\d{1,3}\.\d{1,2}$/
const PAGE = 25
const LONGEST_PAGE = 1000

function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function checkToken(header: string | undefined, token: string): void {
  const [, given] = /^Bearer (.+)$/.exec(header ?? '') ?? []
  if (given === undefined) throw new Refusal({ code: 190, details: 'An access token is required.', status: 401 })
  if (!same(given, token)) throw new Refusal({ code: 190, details: 'Cannot parse access token.' })
}

function checkNode({ version, node }: Path, expected: string): void {
  if (!VERSION.test(version)) throw new Refusal({ code: 100, details: `Unknown version: ${version}`, status: 400 })
  if (node === expected) return
  throw new Refusal({ code: 100, details: `Object with ID '${node}' does not exist, or permissions are missing.` })
}

/** What a broken network or gateway makes of an answer to a message that was accepted. */
function writeBadly(reply: FastifyReply, { body, outcome }: Answer): FastifyReply {
  if (outcome.badAnswer === 'html') {
    return reply.code(500).type('text/html').send('<html><body><h1>502 Bad Gateway</h1></body></html>')
  }
  reply.hijack()
  const { raw } = reply
  if (outcome.dropAnswer === true) {
    raw.socket?.destroy()
    return reply
  }
  const text = JSON.stringify(body)
  raw.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  raw.write(text.slice(0, text.length / 2), () => raw.socket?.destroy())
  return reply
}

async function writeAnswer(reply: FastifyReply, answer: Answer): Promise<FastifyReply> {
  const { answerAfter = 0, badAnswer, dropAnswer } = answer.outcome
  if (answerAfter > 0) await sleep(answerAfter)
  if (badAnswer !== undefined || dropAnswer === true) return writeBadly(reply, answer)
  return reply.send(answer.body)
}

const encodeCursor = (index: number): string => Buffer.from(`t${index}`).toString('base64url')

function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  const [, index] = /^t(\d{1,6})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (index === undefined) throw new Refusal({ code: 100, details: 'Invalid cursors.' })
  return Number(index)
}

function readLimit(limit: string | undefined): number {
  const value = limit === undefined ? PAGE : Number(limit)
  if (Number.isInteger(value) && value > 0) return Math.min(value, LONGEST_PAGE)
  throw new Refusal({ code: 100, details: "Param 'limit' must be a positive integer." })
}

function templatePage(all: readonly Template[], query: TemplateQuery, address: string): object {
  const found = all.filter(
    ({ name, status, language }) =>
      (query.name ?? name) === name && (query.status ?? status) === status && (query.language ?? language) === language,
  )
  const start = readCursor(query.after)
  const limit = readLimit(query.limit)
  const end = start + limit
  const next = new URL(address)
  for (const [name, value] of Object.entries({ ...query, limit: String(limit), after: encodeCursor(end) })) {
    next.searchParams.set(name, value)
  }
  const cursors = { before: encodeCursor(start), after: encodeCursor(Math.min(end, found.length)) }
  return { data: found.slice(start, end), paging: { cursors, ...(end < found.length && { next: next.href }) } }
}

function faultOf(error: FastifyError | Refusal): GraphFault {
  if (error instanceof Refusal) return error.fault
  const status = error.statusCode ?? 500
  return status < 500 ? { code: 100, details: 'The body is not valid JSON.', status } : { code: 1, status }
}

/** `POST /{version}/{phone-number-id}/messages` and `GET /{version}/{waba-id}/message_templates`. */
export async function graphApi(app: FastifyInstance, options: GraphApiOptions): Promise<void> {
  const { business, token, noise, messaging, templates, origin, planned } = options

  app.setErrorHandler<FastifyError | Refusal>((error, _request, reply) => {
    const fault = faultOf(error)
    if (fault.retryAfter !== undefined) reply.header('retry-after', String(fault.retryAfter))
    return reply.code(statusOf(fault)).send(errorBody(fault, `A${noise.bytes(16).toString('base64url')}`))
  })

  app.post<{ Params: Path; Body: unknown }>('/:version/:node/messages', async (request, reply) => {
    checkToken(request.headers.authorization, token)
    checkNode(request.params, business.phoneNumberId)
    const answer = messaging.accept(request.body)
    planned()
    return writeAnswer(reply, answer)
  })

  app.get<{ Params: Path; Querystring: TemplateQuery }>('/:version/:node/message_templates', async request => {
    checkToken(request.headers.authorization, token)
    checkNode(request.params, business.wabaId)
    const { version, node } = request.params
    return templatePage(templates(), request.query, `${origin()}/${version}/${node}/message_templates`)
  })
}
