import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Arrival, CacheConsole } from './console.ts'
import { MOST_BODY } from './input.ts'

/** A listener for `node:http`, and for anything that calls one. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void

export interface NodeMount {
  /** The path the console is mounted under. */
  readonly mount?: string
}

/** The bytes of a body, one more than may be at most: enough to see that it is too long. */
export function bytesOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      length += chunk.byteLength
      if (length > MOST_BODY) done()
    }
    const done = (): void => {
      request.off('data', onData)
      resolve(Buffer.concat(chunks))
      // What is left is read and dropped, so that the client comes to read the answer.
      request.resume()
    }
    request.on('data', onData)
    request.once('end', done)
    request.once('error', reject)
    request.once('close', () => reject(new Error('the client left')))
  })
}

/** What an adapter knows of where a request was sent to. */
export interface Destination {
  readonly protocol: string
  readonly host: string
  /** With the mount path and the query. */
  readonly path: string
}

/** Methods that a `Request` cannot have; nothing here answers to them. */
const UNSENDABLE = new Set(['CONNECT', 'TRACE', 'TRACK'])

/** The same request as the handler takes it. */
export function webRequest(
  { method = 'GET', headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  { protocol, host, path }: Destination,
  body: Uint8Array<ArrayBuffer>,
): Request {
  const sent = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    // HTTP/2 has the request line among the headers.
    if (name.startsWith(':')) continue
    for (const one of Array.isArray(value) ? value : [value ?? '']) if (value !== undefined) sent.append(name, one)
  }
  const origin = `${protocol}://${host}`
  // What else a client put there, a name and a password say, is no part of an origin.
  const base = URL.canParse(origin) ? new URL(origin).origin : 'http://invalid'
  const hasBody = method !== 'GET' && method !== 'HEAD' && body.byteLength > 0
  // What is no path leads nowhere; `/` would lead to the pages.
  const target = path.startsWith('/') ? path : '/*'
  const known = UNSENDABLE.has(method) ? 'UNKNOWN' : method
  return new Request(base + target, { method: known, headers: sent, ...(hasBody && { body }) })
}

/** Writes an answer to a response of `node:http`. */
export async function send(answer: Response, response: ServerResponse): Promise<void> {
  const body = Buffer.from(await answer.arrayBuffer())
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  response.end(body)
}

/** Passes a request of `node:http` on, and its answer back. */
async function relay(
  to: CacheConsole,
  request: IncomingMessage,
  response: ServerResponse,
  destination: Destination,
  arrival: Arrival,
): Promise<void> {
  try {
    await send(await to.handle(webRequest(request, destination, await bytesOf(request)), arrival), response)
  } catch {
    // The client left, or its request is none: nobody is there for an answer.
    response.destroy()
  }
}

/** The console for `node:http`. Call it for what is at or below `mount`. */
export function nodeConsole(console: CacheConsole, { mount = '' }: NodeMount = {}): NodeListener {
  return (request, response) => {
    const { socket } = request
    const destination = {
      protocol: 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http',
      host: request.headers.host ?? '',
      path: request.url ?? '/',
    }
    const address = socket.remoteAddress
    void relay(console, request, response, destination, { mount, ...(address !== undefined && { address }) })
  }
}
