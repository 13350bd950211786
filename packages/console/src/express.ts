import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CacheConsole } from './console.ts'
import { bytesOf, send, webRequest } from './node.ts'

/** What the console asks of a request of Express 4 or 5. */
export interface ExpressRequest extends IncomingMessage {
  readonly baseUrl: string
  readonly originalUrl: string
  readonly protocol: string
  readonly ip?: string | undefined
  /** What a body parser before us made of the body. */
  readonly body?: unknown
}

export type ExpressResponse = ServerResponse
export type ExpressHandler = (
  request: ExpressRequest,
  response: ExpressResponse,
  next: (error: unknown) => void,
) => void

/** The body, whether a parser has read it already or not. */
async function bodyOf(request: ExpressRequest): Promise<Uint8Array<ArrayBuffer>> {
  if (!request.readableEnded) return bytesOf(request)
  const { body } = request
  if (body === undefined) return new Uint8Array(0)
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(JSON.stringify(body))
}

/** The console for Express: `app.use('/ops', expressConsole(console))`. Scheme and address are those Express finds, as `trust proxy` says. */
export function expressConsole(console: CacheConsole): ExpressHandler {
  const answer = async (request: ExpressRequest, response: ExpressResponse): Promise<void> => {
    const { protocol, originalUrl, baseUrl, ip } = request
    const destination = { protocol, host: request.headers.host ?? '', path: originalUrl }
    const asked = webRequest(request, destination, await bodyOf(request))
    await send(await console.handle(asked, { mount: baseUrl, ...(ip !== undefined && { address: ip }) }), response)
  }
  return (request, response, next) =>
    void answer(request, response).catch((error: unknown) => {
      // A client that left is nobody's error.
      if (!request.destroyed) next(error)
    })
}
