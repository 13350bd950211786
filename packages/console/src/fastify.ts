import type { IncomingMessage } from 'node:http'
import type { CacheConsole } from './console.ts'
import { bytesOf, webRequest } from './node.ts'

interface FastifyRequestLike {
  readonly raw: IncomingMessage
  readonly protocol: string
  readonly host: string
  readonly ip: string
  readonly url: string
}

interface FastifyReplyLike {
  code(status: number): unknown
  header(name: string, value: string): unknown
  send(body: unknown): unknown
}

/** What the console asks of an instance of Fastify 5. */
export interface FastifyInstanceLike {
  readonly prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(
    type: string,
    parse: (request: unknown, payload: unknown, done: (error: null) => void) => void,
  ): unknown
  all(path: string, handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>): unknown
}

export type FastifyConsolePlugin = (instance: FastifyInstanceLike) => Promise<void>

/** The console as a plugin: `app.register(fastifyConsole(console), { prefix: '/ops' })`. Scheme and address are those Fastify finds, as `trustProxy` says. */
export function fastifyConsole(console: CacheConsole): FastifyConsolePlugin {
  return instance => {
    // Bodies of other media types are refused by the console itself, after access was checked. Only in this plugin's scope.
    instance.removeAllContentTypeParsers()
    instance.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const depth = instance.prefix.split('/').length
    const answer = async (request: FastifyRequestLike, reply: FastifyReplyLike): Promise<unknown> => {
      const { raw, protocol, host, ip, url } = request
      const asked = webRequest(raw, { protocol, host, path: url }, await bytesOf(raw))
      // As it stands in this request: the prefix may have parameters.
      const mount = (url.split('?', 1)[0] ?? '').split('/').slice(0, depth).join('/')
      const answered = await console.handle(asked, { mount, address: ip })
      reply.code(answered.status)
      for (const [name, value] of answered.headers) reply.header(name, value)
      return reply.send(Buffer.from(await answered.arrayBuffer()))
    }
    instance.all('/', answer)
    instance.all('/*', answer)
    return Promise.resolve()
  }
}
