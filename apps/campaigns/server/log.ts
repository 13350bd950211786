import type { FastifyBaseLogger } from 'fastify'
import { type DestinationStream, pino } from 'pino'

/** What never stands in a log, wherever an object that holds it is logged. */
const SECRET_FIELDS = [
  'password',
  'new_password',
  'current_password',
  'token',
  'secret',
  'app_secret',
  'authorization',
  'cookie',
]

/**
 * An error without what drivers hang on it: statements with their values, rows that break a rule. These hold hashes,
 * tokens and what people wrote.
 */
function shownError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const { code } = error as { readonly code?: unknown }
  return {
    type: name,
    message,
    stack,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause instanceof Error ? { cause: shownError(cause) } : {}),
  }
}

/** JSON lines. Nothing is logged of a request but its method, path and outcome; and of objects nothing that is secret. */
export function createLog(level: string, destination?: DestinationStream): FastifyBaseLogger {
  const paths = SECRET_FIELDS.flatMap(name => [name, `*.${name}`, `*.*.${name}`])
  const options = { level, redact: { paths, censor: '(hidden)' }, serializers: { err: shownError } }
  return pino(options, destination ?? pino.destination({ sync: false }))
}
