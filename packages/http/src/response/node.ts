import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http'
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

/** What the handler sees in place of the target, unless only a router has cut off the place where it is mounted. */
function rewrittenOf({ url = '', originalUrl, baseUrl = '' }: NodeRequest): string | undefined {
  if (originalUrl === undefined || originalUrl === url || originalUrl === baseUrl + url) return undefined
  const isRoot = url.startsWith('/?') ? originalUrl === baseUrl + url.slice(1) : url === '/' && originalUrl === baseUrl
  return isRoot ? undefined : url
}

type Preset = ReadonlyMap<string, OutgoingHttpHeader>

/** What the form of a framework needs to know of an exchange. */
export interface NodeRun {
  readonly raw: NodeRequest
  readonly response: ServerResponse
  readonly next: () => void
  /** Runs `start` with the request narrowed and `target` captured; `behind`: nothing may reach the client. */
  capture(target: ServerResponse, behind: boolean, start: () => void): Promise<Captured>
  /** Resolves when the client has its answer and Node is done with the response; rejects when that takes too long. */
  answered(): Promise<void>
}

/** What differs between the frameworks that stand on Node's request and response. */
export interface NodeForm {
  /** The objects a handler may look at. */
  views(run: NodeRun): readonly object[]
  /** What earlier middleware has set. */
  preset(run: NodeRun): Preset
  /** Before the response is written without the framework; `preset` must be on it. */
  takeOver(run: NodeRun, preset: Preset): void
  /** Runs the handler for nobody, after the client was answered. */
  behind(run: NodeRun): Promise<Captured>
  /** Has `told` called once the handler of this run has answered, where that can be known before its response is written. */
  onHandled?(told: () => void): void
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
  response.writeHead = (...args: unknown[]) => {
    if (!response.headersSent) response.removeHeader(CONTROL)
    return writeHead(...args.map(withoutControl))
  }
}

/** The headers set so far. */
export function presetOf(response: ServerResponse): ReadonlyMap<string, OutgoingHttpHeader> {
  const names = response.getHeaderNames()
  if (names.length === 0) return NOTHING
  const preset = new Map<string, OutgoingHttpHeader>()
  for (const name of names) {
    const value = response.getHeader(name)
    if (value !== undefined) preset.set(name, value)
  }
  return preset
}

const NOTHING: Preset = new Map()

/** `Vary` is a list to which everybody adds. */
function withVary(headers: readonly string[], before: OutgoingHttpHeader | undefined): readonly string[] {
  if (before === undefined) return headers
  const at = headers.indexOf('vary')
  if (at < 0) return headers
  const names = new Set(`${String(before)}, ${headers[at + 1]}`.split(',').map(name => name.trim().toLowerCase()))
  return headers.with(at + 1, [...names].join(', '))
}

function writeAnswer(response: ServerResponse, { status, headers, repeats, body, text }: Answer): void {
  // Some of what wraps `writeHead` cannot read a flat list.
  if (Object.hasOwn(response, 'writeHead') || response.getHeaderNames().length > 0) {
    const own = withVary(headers, response.getHeader('vary'))
    if (repeats) applyHeaders(response, own)
    else for (let i = 0; i < own.length; i += 2) response.setHeader(own[i] ?? '', own[i + 1] ?? '')
    response.writeHead(status)
  } else response.writeHead(status, headers as string[])
  if (text === undefined) response.end(body)
  else response.end(text, 'latin1')
}

/**
 * One request of Node and its response. A class with plain arguments, because one is made for every hit: V8 may take object
 * literals that outlive a burst of requests for long-lived ones, and then whole requests stay in memory with them.
 */
export class NodeExchange<Req> implements Exchange<Req, void>, Facts, NodeRun {
  readonly request: Req
  readonly raw: NodeRequest
  readonly response: ServerResponse
  /** Lets the handler run. */
  readonly next: () => void
  readonly method: string
  readonly target: string
  readonly rewritten: string | undefined
  readonly host: string | undefined
  readonly #form: NodeForm
  readonly #route: Route<Req>
  readonly #settled: Settled
  readonly #headers: IncomingHttpHeaders
  #preset: Preset | undefined
  #current: Capture | undefined
  #isAnswered = false

  constructor(
    form: NodeForm,
    route: Route<Req>,
    settled: Settled,
    request: Req,
    raw: NodeRequest,
    response: ServerResponse,
    next: () => void,
  ) {
    this.#form = form
    this.#route = route
    this.#settled = settled
    this.request = request
    this.raw = raw
    this.response = response
    this.next = next
    // As they came: during a run of the handler it sees fewer.
    this.#headers = raw.headers
    this.method = raw.method ?? ''
    this.target = raw.originalUrl ?? raw.url ?? ''
    this.rewritten = rewrittenOf(raw)
    this.host = hostOf(raw)
  }

  get facts(): Facts {
    return this
  }

  get canRunBehind(): boolean {
    return true
  }

  get isSecure(): boolean {
    return 'encrypted' in this.raw.socket
  }

  header(name: string): string | undefined {
    const value = this.#headers[name]
    return typeof value === 'object' ? value.join(', ') : value
  }

  serve(answer: Answer): void {
    writeAnswer(this.#begin(), answer)
  }

  bypass(outcome: Outcome): void {
    const { response, next } = this
    mark(response, outcome)
    stripControl(response)
    next()
  }

  run(): Promise<Captured> {
    return this.capture(this.response, false, this.next)
  }

  runBehind(): Promise<Captured> {
    return this.#form.behind(this)
  }

  replay(whole: Whole, outcome: Outcome): void {
    const response = this.#begin()
    replay(response, whole)
    response.removeHeader(CONTROL)
    mark(response, outcome)
    response.writeHead(whole.status)
    response.end(whole.body)
  }

  passed(): void {}

  release(): void {
    this.#current?.release('timeout')
  }

  /** The response, as the middleware before the cache has left it. */
  #begin(): ServerResponse {
    const { response } = this
    this.#isAnswered = true
    this.#current?.restore()
    this.#preset ??= this.#form.preset(this)
    this.#form.takeOver(this, this.#preset)
    return response
  }

  async capture(target: ServerResponse, behind: boolean, start: () => void): Promise<Captured> {
    const { raw } = this
    this.#preset ??= this.#form.preset(this)
    const narrowed = narrow(raw, target, this.#form.views(this), this.#route)
    this.#form.onHandled?.(() => narrowed.handled())
    const { clock, maxBodyBytes } = this.#settled
    const onPass = (detail: string): void => {
      target.removeHeader(CONTROL)
      mark(target, missed(detail))
      narrowed.restore()
    }
    const one = captureResponse(raw, target, { clock, maxBodyBytes, preset: this.#preset, behind, onPass })
    if (!behind) this.#current = one
    try {
      start()
      const captured = await one.done
      // Otherwise it stays covered: for the handler the response has ended, or goes on leading nowhere.
      if (!behind && captured.kind === 'lost') one.restore()
      return captured.kind === 'whole' ? { ...captured, read: narrowed.read } : captured
    } catch (error) {
      one.restore()
      throw error
    } finally {
      narrowed.restore()
    }
  }

  answered(): Promise<void> {
    const { response } = this
    const { clock } = this.#settled
    if (response.destroyed) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const cancels = [
        clock.after(ANSWER_BUDGET, () => {
          if (!this.#isAnswered) reject(new Error('the old response was not served'))
        }),
        clock.after(CLOSE_BUDGET, () => reject(new Error('the client is slow to take the old response'))),
      ]
      response.once('close', () => {
        for (const cancel of cancels) cancel()
        resolve()
      })
    })
  }
}

function mark(response: ServerResponse, outcome: Outcome): void {
  for (const [name, value] of marksOf(outcome)) response.setHeader(name, value)
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
