import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'

/** One server and one `listen` for the whole life of the process: hosts allow no second one. */
export interface Front {
  readonly server: Server
  /** Who answers from now on. What is under way ends where it began. */
  use(listener: RequestListener): void
  /** Resolves with the address for people: a URL, or the path of a socket. */
  listen(port: number, host: string): Promise<string>
  /** A request to this very server, on the way that visitors come. */
  ask(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly headers: Headers }>
  close(): Promise<void>
}

/** A whole request, uploads included; as long as the application allows. */
const REQUEST_MS = 600_000
const KEEP_ALIVE_MS = 72_000

const notYet: RequestListener = (_request, response) => {
  response.writeHead(503, {
    'content-type': 'text/plain; charset=utf-8',
    'retry-after': '1',
    'cache-control': 'no-store',
  })
  response.end('The application is starting.\n')
}

function headersOf({ headers }: IncomingMessage): Headers {
  const found = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) found.append(name, one)
  }
  return found
}

/** Where the server listens: a port, or a socket under hosts that put their own in place of ours. */
function place(server: Server): { readonly host: string; readonly port: number } | { readonly socketPath: string } {
  const address = server.address()
  if (typeof address === 'string') return { socketPath: address }
  if (address === null) throw new Error('the server does not listen')
  return {
    host: address.address === '::' || address.address === '0.0.0.0' ? '127.0.0.1' : address.address,
    port: address.port,
  }
}

export function createFront(): Front {
  let current: RequestListener = notYet
  const server = createServer(
    { requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    (request: IncomingMessage, response: ServerResponse) => current(request, response),
  )
  return {
    server,
    use(listener) {
      current = listener
    },
    async listen(port, host) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      })
      const at = place(server)
      if ('socketPath' in at) return at.socketPath
      return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`
    },
    ask: (path, headers, signal) =>
      new Promise((resolve, reject) => {
        const asked = httpRequest({ ...place(server), path, headers, signal, agent: false }, answer => {
          answer.resume()
          answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: headersOf(answer) }))
          answer.once('error', reject)
        })
        asked.once('error', reject)
        asked.end()
      }),
    async close() {
      await new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeIdleConnections()
      })
    },
  }
}
