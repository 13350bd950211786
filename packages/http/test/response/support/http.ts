import { once } from 'node:events'
import { Agent, createServer, request, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { type Cache, createCache } from 'palier'
import { type ManualClock, manualClock } from 'palier/testing'
import { afterEach } from 'vitest'

/** What came back, with the body as it was on the wire. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  /** Decoded, whatever its encoding. */
  readonly text: string
  /** `X-Cache`. */
  readonly cache: string | undefined
  /** `Cache-Status`. */
  readonly line: string
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** Runs after the test. */
export function later(close: () => unknown): void {
  open.push(close)
}

export interface Site {
  readonly port: number
  readonly server: Server
  ask(path: string, asked?: Asked): Promise<Reply>
}

function decode(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === 'gzip') return gunzipSync(bytes).toString()
  return (encoding === 'br' ? brotliDecompressSync(bytes) : bytes).toString()
}

/** Sends one request exactly as told; rejects when the response is cut off. */
function askPort(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Asked,
  agent: Agent,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, method, headers: headers as Record<string, string>, agent })
    sent.on('error', reject)
    sent.on('response', answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const text =
          method === 'HEAD' || answer.statusCode === 304 ? '' : decode(bytes, answer.headers['content-encoding'])
        const { 'x-cache': cache, 'cache-status': line } = answer.headers
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          bytes,
          text,
          cache: typeof cache === 'string' ? cache : undefined,
          line: String(line),
        })
      })
    })
    sent.end(body)
  })
}

export function siteOf(server: Server, port: number): Site {
  const agent = new Agent({ keepAlive: true })
  later(() => agent.destroy())
  return { port, server, ask: (path, asked = {}) => askPort(port, path, asked, agent) }
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** A server of its own on a free port, closed after the test. */
export async function serve(listener: RequestListener): Promise<Site> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })
  return siteOf(server, portOf(server))
}

/** A cache in memory whose time stands still, closed after the test. */
export function memory(options: Parameters<typeof createCache>[0] = {}): { cache: Cache; clock: ManualClock } {
  const clock = manualClock()
  const cache = createCache({ backend: 'memory', logger: false, ...options, clock })
  later(() => cache.close())
  return { cache, clock }
}

/** Resolves once the condition holds; the test's own time limit is what ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setImmediate(resolve))
}

/** A promise and what resolves it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open: () => open() }
}
