import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Answer } from './answer.ts'
import { missed, type Outcome } from './cache-status.ts'
import { applyHeaders, type Capture, captureResponse } from './capture.ts'
import { type Exchange, marksOf } from './core.ts'
import { narrow } from './narrow.ts'
import type { Route, Settled } from './options.ts'
import type { Facts } from './request-key.ts'
import type { Captured, Whole } from './storable.ts'

/** A request of Node as frameworks pass it on. */
export interface NodeRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly baseUrl?: string
}

function hostOf(request: IncomingMessage): string | undefined {
  const { headers, rawHeaders } = request
  const authority = headers[':authority']
  const host = headers.host ?? (typeof authority === 'string' ? authority : undefined)
  if (host === undefined) return undefined
  let lines = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name !== undefined && name.length === 4 && name.toLowerCase() === 'host') lines++
  }
  return lines > 1 ? undefined : host.toLowerCase()
}

export function nodeFacts(request: NodeRequest): Facts {
  const { headers, url = '', originalUrl, baseUrl = '' } = request
  const target = originalUrl ?? url
  // A router that is mounted somewhere cuts the place off; anything else was rewritten.
  const isPlain = target === url || target === baseUrl + url || (url.startsWith('/?') && target === baseUrl + url.slice(1))
  const isMounted = isPlain || (url === '/' && target === baseUrl)
  return {
    method: request.method ?? '',
    target,
    rewritten: isMounted ? undefined : url,
    host: hostOf(request),
    isSecure: Reflect.get(request.socket, 'encrypted') === true,
    header(name) {
      const value = headers[name]
      return typeof value === 'object' ? value.join(', ') : value
    },
  }
}

/** What differs between the frameworks that stand on Node's request and response. */
export interface NodeParts<Req> {
  readonly request: Req
  readonly raw: NodeRequest
  readonly response: ServerResponse
  /** The objects a handler may look at. */
  readonly views: readonly object[]
  readonly route: Route<Req>
  readonly settled: Settled
  /** What earlier middleware has set. */
  preset(): ReadonlyMap<string, OutgoingHttpHeader>
  /** Before the response is written without the framework; `preset` must be on it. */
  takeOver(preset: ReadonlyMap<string, OutgoingHttpHeader>): void
  /** Lets the handler run. */
  next(): void
  /** Runs the handler for nobody, after the client was answered. */
  behind(exchange: NodeExchange<Req>): Promise<Captured>
}

export interface NodeExchange<Req> extends Exchange<Req, void> {
  readonly parts: NodeParts<Req>
  /** Runs `start` with the request narrowed and the response captured. */
  capture(response: ServerResponse, behind: boolean, start: () => void): Promise<Captured>
  /** Resolves when the client has its answer and Node is done with the response; rejects when that takes too long. */
  answered(): Promise<void>
}

/** The old response is served within a turn or two of the event loop, or not at all. */
const ANSWER_BUDGET = 1000
/** How long a client may take for it before the new one is left to another request. */
const CLOSE_BUDGET = 5000

const CONTROL = 'palier-cache-control'

function withoutControl(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return headers
  if (!Array.isArray(headers)) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== CONTROL))
  }
  const pairs: unknown[][] = []
  if (Array.isArray(headers[0])) pairs.push(...(headers as unknown[][]))
  else for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i], headers[i + 1]])
  const kept = pairs.filter(([name]) => String(name).toLowerCase() !== CONTROL)
  return Array.isArray(headers[0]) ? kept : kept.flat(1)
}

/** What is meant for us alone goes no further, however the handler answers. */
function stripControl(response: ServerResponse): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
  response.writeHead = ((...args: unknown[]) => {
    if (!response.headersSent) response.removeHeader(CONTROL)
    return writeHead(...args.map(withoutControl))
  }) as typeof response.writeHead
}

/** The headers set so far. */
export function presetOf(response: ServerResponse): ReadonlyMap<string, OutgoingHttpHeader> {
  const preset = new Map<string, OutgoingHttpHeader>()
  for (const name of response.getHeaderNames()) {
    const value = response.getHeader(name)
    if (value !== undefined) preset.set(name, value)
  }
  return preset
}

/** `Vary` is a list to which everybody adds. */
function withVary(headers: readonly string[], before: OutgoingHttpHeader | undefined): readonly string[] {
  if (before === undefined) return headers
  const at = headers.indexOf('vary')
  if (at < 0) return headers
  const names = new Set(`${String(before)}, ${headers[at + 1]}`.split(',').map(name => name.trim().toLowerCase()))
  return headers.with(at + 1, [...names].join(', '))
}

export function writeAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  // Some of what wraps `writeHead` cannot read a flat list.
  if (Object.hasOwn(response, 'writeHead') || response.getHeaderNames().length > 0) {
    applyHeaders(response, withVary(headers, response.getHeader('vary')))
    response.writeHead(status)
  } else response.writeHead(status, headers as string[])
  response.end(body)
}

export function createNodeExchange<Req>(parts: NodeParts<Req>): NodeExchange<Req> {
  const { raw, response, settled } = parts
  let preset: ReadonlyMap<string, OutgoingHttpHeader> | undefined
  let current: Capture | undefined
  let isAnswered = false
  let tellAnswered: () => void = () => undefined
  const closed = new Promise<void>(resolve => {
    tellAnswered = resolve
  })
  const presetNow = (): ReadonlyMap<string, OutgoingHttpHeader> => (preset ??= parts.preset())

  function mark(outcome: Outcome): void {
    for (const [name, value] of marksOf(outcome)) response.setHeader(name, value)
  }

  async function capture(target: ServerResponse, behind: boolean, start: () => void): Promise<Captured> {
    const narrowed = narrow(raw, parts.views, parts.route)
    const { clock, maxBodyBytes } = settled
    const onPass = (detail: string): void => {
      target.removeHeader(CONTROL)
      mark(missed(detail))
      narrowed.restore()
    }
    const one = captureResponse(raw, target, { clock, maxBodyBytes, preset: presetNow(), behind, onPass })
    if (!behind) current = one
    try {
      start()
      const captured = await one.done
      // What was captured for this client stays covered until it is answered: for the handler the response has ended.
      if (behind || captured.kind === 'lost') one.restore()
      return captured.kind === 'whole' ? { ...captured, read: narrowed.read } : captured
    } catch (error) {
      one.restore()
      throw error
    } finally {
      narrowed.restore()
    }
  }

  const exchange: NodeExchange<Req> = {
    parts,
    request: parts.request,
    facts: nodeFacts(raw),
    canRunBehind: true,
    serve(answer) {
      isAnswered = true
      current?.restore()
      const before = presetNow()
      response.once('close', tellAnswered)
      parts.takeOver(before)
      writeAnswer(response, answer)
    },
    bypass(outcome) {
      mark(outcome)
      stripControl(response)
      parts.next()
    },
    run: () => capture(response, false, parts.next),
    runBehind: () => parts.behind(exchange),
    replay(whole: Whole, outcome) {
      isAnswered = true
      current?.restore()
      parts.takeOver(presetNow())
      replay(response, whole)
      response.removeHeader(CONTROL)
      mark(outcome)
      response.writeHead(whole.status)
      response.end(whole.body)
    },
    passed: () => undefined,
    release: () => current?.release('timeout'),
    capture,
    answered: () =>
      new Promise((resolve, reject) => {
        const cancels = [
          settled.clock.after(ANSWER_BUDGET, () => {
            if (!isAnswered) reject(new Error('the old response was not served'))
          }),
          settled.clock.after(CLOSE_BUDGET, () => reject(new Error('the client is slow to take the old response'))),
        ]
        void closed.then(resolve).finally(() => {
          for (const cancel of cancels) cancel()
        })
      }),
  }
  return exchange
}

/** Sets the headers as the handler left them. */
function replay(response: ServerResponse, whole: Whole): void {
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  for (let i = 0; i < whole.headers.length; i += 2) {
    response.appendHeader(whole.headers[i] ?? '', whole.headers[i + 1] ?? '')
  }
  if (!response.hasHeader('content-length') && !response.hasHeader('transfer-encoding')) {
    if (whole.status !== 204 && whole.status !== 304) response.setHeader('content-length', whole.body.length)
  }
}
