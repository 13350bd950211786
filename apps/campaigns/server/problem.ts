import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type FieldFault, readFaults } from './validation.ts'

/**
 * Every error leaves as RFC 9457 problem JSON. A fault of the caller says which field, what was expected and what came;
 * a fault of ours says nothing of the inside, which goes to the log instead.
 */
export class Problem extends Error {
  readonly status: number
  readonly extra: Readonly<Record<string, unknown>>

  constructor(status: number, detail: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.extra = extra
  }
}

/** The problem of fields that cannot be accepted. */
export function badFields(errors: readonly FieldFault[], status = 400): Problem {
  const detail = errors.map(({ field, expected, received }) => `${field}: expected ${expected}, received ${received}`)
  return new Problem(status, detail.join('; '), { errors })
}

export function notFound(what: string, id: string): Problem {
  return new Problem(404, `There is no ${what} with the id ${JSON.stringify(id)}.`)
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is not valid',
  404: 'Not found',
  405: 'The method is not allowed here',
  409: 'It conflicts with what exists',
  413: 'The body is too large',
  415: 'The media type is not supported',
  422: 'The content cannot be processed',
  500: 'Something went wrong on our side',
  503: 'The service is not ready',
}

function send(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, message, extra } = problem
  return reply
    .code(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: 'about:blank',
        title: TITLES[status] ?? 'The request cannot be served',
        status,
        detail: message,
        instance: request.url.split('?', 1)[0],
        ...extra,
      }),
    )
}

function toProblem(error: FastifyError | Problem): Problem {
  if (error instanceof Problem) return error
  const faults = readFaults(error)
  if (faults !== undefined) return badFields(faults)
  if (error.code === 'SQLITE_BUSY')
    return new Problem(503, 'Another process is writing to the database. Try again shortly.')
  const status = error.statusCode ?? 500
  if (status < 500) return new Problem(status, error.message)
  if (status === 503)
    return new Problem(503, 'A part that this needs does not answer at the moment. Try again shortly.')
  return new Problem(500, 'The request could not be completed. The reason is in the log of the server.')
}

export function installProblems(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError | Problem>((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) request.log.error({ err: error }, 'request failed')
    return send(request, reply, problem)
  })
  app.setNotFoundHandler((request, reply) =>
    send(request, reply, new Problem(404, `Nothing is served at ${request.method} ${request.url.split('?', 1)[0]}.`)),
  )
}
