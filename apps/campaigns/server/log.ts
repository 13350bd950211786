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

/** JSON lines. Nothing is logged of a request but its method, path and outcome; and of objects nothing that is secret. */
export function createLog(level: string, destination?: DestinationStream): FastifyBaseLogger {
  const paths = SECRET_FIELDS.flatMap(name => [name, `*.${name}`, `*.*.${name}`])
  return pino({ level, redact: { paths, censor: '(hidden)' } }, destination ?? pino.destination({ sync: false }))
}
