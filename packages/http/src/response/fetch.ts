import type { Cache } from 'palier'
import type { Answer } from './answer.ts'
import { missed, type Outcome } from './cache-status.ts'
import { createResponseCache, type Exchange, marksOf, type ResponseCache } from './core.ts'
import { type Invalidation, invalidator } from './invalidates.ts'
import { type Covering, isCovered } from './narrow.ts'
import {
  type CacheResponseOptions,
  hostOf,
  type ResponseCacheOptions,
  type Settled,
  type TypeName,
  type Types,
} from './options.ts'
import { chosenTarget, type Facts } from './request-key.ts'
import type { Captured } from './storable.ts'

export type FetchHandler<Rest extends readonly unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>

export interface FetchCache<T extends Types> {
  /**
   * What wraps a handler so that its responses are kept in the given type. The handler is given a request that shows what the
   * key covers and no more. Throws PALIER_BAD_OPTION for options that are wrong.
   */
  cacheResponse(type: TypeName<T>, options: CacheResponseOptions<Request>): FetchWrapper
  /** What wraps a handler so that what it has changed is deleted before its response is given. */
  invalidates(changed: Invalidation | ((request: Request) => Invalidation)): FetchWrapper
}

export type FetchWrapper = <Rest extends readonly unknown[]>(
  handler: FetchHandler<Rest>,
) => (request: Request, ...rest: Rest) => Promise<Response>

/** A response may have its body only if its status allows one. */
const BODILESS = new Set([101, 103, 204, 205, 304])

function fetchFacts(request: Request): Facts {
  const { headers, method } = request
  const url = new URL(request.url)
  return {
    method,
    target: `${url.pathname}${url.search}`,
    rewritten: undefined,
    // Where the two differ, nobody can say which one a handler believes.
    host: (headers.get('host') ?? url.host).toLowerCase() === url.host ? url.host : undefined,
    isSecure: url.protocol === 'https:',
    header: name => headers.get(name) ?? undefined,
  }
}

/** A request that shows what the key covers. */
function narrowRequest(request: Request, route: Covering, signal: AbortSignal | undefined): Request {
  const headers = new Headers()
  for (const [name, value] of request.headers) if (isCovered(name, route)) headers.append(name, value)
  const url = new URL(request.url)
  const target = chosenTarget(`${url.pathname}${url.search}`, route.query)
  // The host is in the key, or nobody's to know.
  const isHostKnown = isCovered('host', route)
  const origin = isHostKnown ? url.origin : 'http://localhost'
  if (isHostKnown) headers.set('host', url.host)
  return new Request(`${origin}${target}`, { method: 'GET', headers, ...(signal && { signal }) })
}

function toResponse({ status, headers, body }: Answer, method: string): Response {
  const own = new Headers()
  for (let i = 0; i < headers.length; i += 2) own.append(headers[i] ?? '', headers[i + 1] ?? '')
  const bytes = method === 'HEAD' || BODILESS.has(status) || body === undefined ? null : new Uint8Array(body)
  return new Response(bytes, { status, headers: own })
}

function marked(response: Response, outcome: Outcome): Response {
  const headers = new Headers(response.headers)
  headers.delete('palier-cache-control')
  for (const [name, value] of marksOf(outcome)) headers.set(name, value)
  const { status, statusText } = response
  // A response of another realm, or a redirect, can be given on but not made again.
  if (status < 200) return response
  return new Response(BODILESS.has(status) ? null : response.body, { status, statusText, headers })
}

type Reader = ReadableStreamDefaultReader<Uint8Array>
type Read = Awaited<ReturnType<Reader['read']>>

/** What was read already, then what is being read, and then the rest. */
function rejoined(chunks: readonly Uint8Array[], reader: Reader, reading?: Promise<Read>): ReadableStream {
  let pending = reading
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
    },
    async pull(controller) {
      const { done, value } = await (pending ?? reader.read())
      pending = undefined
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: reason => reader.cancel(reason),
  })
}

/** A captured response, or one that is too long or never ends and is given on as it comes. */
type FetchCaptured = { readonly captured: Captured; readonly response?: Response }

function linesOf(headers: Headers): string[] {
  const lines: string[] = []
  for (const [name, value] of headers) lines.push(name, value)
  return lines
}

/** A body that goes on coming for so long after its first bytes is a stream, and is given on as it comes. */
const STREAM_AFTER = 1000

/** Reads a whole response, up to the longest that is kept. Rejects when its body fails. */
async function captureFetch(response: Response, { maxBodyBytes, clock }: Settled): Promise<FetchCaptured> {
  const pass = (detail: string, body: ReadableStream | null): FetchCaptured => {
    const { status, statusText, headers } = response
    return { captured: { kind: 'passed', detail }, response: new Response(body, { status, statusText, headers }) }
  }
  const isEvents = /^text\/event-stream/i.test(response.headers.get('content-type') ?? '')
  if (isEvents) return pass('stream', response.body)
  if (Number(response.headers.get('content-length') ?? 0) > maxBodyBytes) return pass('too-large', response.body)
  const chunks: Uint8Array[] = []
  let size = 0
  let cancel: () => void = () => undefined
  if (response.body !== null) {
    const reader: Reader = response.body.getReader()
    let tooLong: Promise<undefined> | undefined
    for (;;) {
      const reading = reader.read()
      const read: Read | undefined = await Promise.race([reading, ...(tooLong ? [tooLong] : [])])
      if (read === undefined) return pass('stream', rejoined(chunks, reader, reading))
      if (read.done) break
      chunks.push(read.value)
      size += read.value.length
      tooLong ??= new Promise(resolve => {
        cancel = clock.after(STREAM_AFTER, () => resolve(undefined))
      })
      if (size <= maxBodyBytes) continue
      cancel()
      return pass('too-large', rejoined(chunks, reader))
    }
  }
  cancel()
  const headers = linesOf(response.headers)
  const body = Buffer.concat(chunks)
  return { captured: { kind: 'whole', status: response.status, headers, inherited: new Map(), body, read: undefined } }
}

export interface FetchParts {
  readonly request: Request
  readonly route: Covering
  readonly settled: Settled
  /** Runs the handler with a request. */
  run(request: Request): Promise<Response>
  /** The same for nobody; undefined where that cannot be done. */
  readonly behind: ((request: Request) => Promise<Response>) | undefined
  /** Something that the key does not cover, and the handler read during `run`. */
  read?(): string | undefined
}

/** `subject` is what the functions of a route are given: the request, or what a framework makes of it. */
export function createFetchExchange<Req>(
  subject: Req,
  { request, route, settled, run, behind, read }: FetchParts,
): Exchange<Req, Response> {
  let running: Promise<FetchCaptured> | undefined

  async function passed(): Promise<Response> {
    const result = await running
    if (result?.response === undefined) throw new Error('the handler gave no response')
    const { captured } = result
    return marked(result.response, missed(captured.kind === 'passed' ? captured.detail : 'lost'))
  }

  return {
    request: subject,
    canRunBehind: behind !== undefined,
    facts: fetchFacts(request),
    serve: answer => toResponse(answer, request.method),
    bypass: async outcome => marked(await run(request), outcome),
    async run() {
      running = run(narrowRequest(request, route, request.signal)).then(response => captureFetch(response, settled))
      const { captured } = await running
      return captured.kind === 'whole' ? { ...captured, read: read?.() } : captured
    },
    async runBehind() {
      if (behind === undefined) throw new Error('a response cannot be made behind the back of a client here')
      const { captured, response } = await captureFetch(await behind(narrowRequest(request, route, undefined)), settled)
      await response?.body?.cancel()
      return captured.kind === 'passed' ? { kind: 'lost', detail: captured.detail } : captured
    },
    replay: (whole, outcome) =>
      marked(toResponse({ ...whole, body: Buffer.from(whole.body) }, request.method), outcome),
    passed,
    async release() {
      const result = await running
      if (result === undefined || result.captured.kind !== 'whole') return passed()
      return marked(
        toResponse({ ...result.captured, body: Buffer.from(result.captured.body) }, request.method),
        missed('timeout'),
      )
    },
  }
}

/** The response cache around handlers of `Request` and `Response`. The cache stays the caller's, who closes it. */
export function fetchCache<T extends Types>(cache: Cache<T>, options: ResponseCacheOptions = {}): FetchCache<T> {
  const host = hostOf(cache)
  const responses: ResponseCache = createResponseCache(host, options)
  const { settled } = responses
  return {
    cacheResponse(type, routeOptions) {
      const plan = responses.plan(type, routeOptions)
      return handler =>
        async (request, ...rest) => {
          const run = async (own: Request): Promise<Response> => handler(own, ...rest)
          return responses.handle(
            plan,
            createFetchExchange(request, { request, route: plan.route, settled, run, behind: run }),
          )
        }
    },
    invalidates(changed) {
      const forget = invalidator(host, changed)
      return handler =>
        async (request, ...rest) => {
          const response = await handler(request, ...rest)
          if (response.status < 400) await forget(request)
          return response
        }
    },
  }
}
