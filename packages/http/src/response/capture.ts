import { type IncomingMessage, type OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Clock } from 'palier'
import { shadowing } from './shadow.ts'
import type { Captured } from './storable.ts'

export interface CaptureOptions {
  readonly clock: Clock
  /** A longer body is let through as it comes. */
  readonly maxBodyBytes: number
  /** What earlier middleware has set. */
  readonly preset: ReadonlyMap<string, OutgoingHttpHeader>
  /** True: the client has its answer, so nothing may reach the wire. */
  readonly behind: boolean
  /** Called before anything that was held back is let through. */
  onPass(detail: string): void
}

export interface Capture {
  readonly done: Promise<CapturedBody>
  /** Lets through what was held back, and all that follows. */
  release(detail: string): void
  /** Gives the response its own methods back. */
  restore(): void
}

/** What was captured, before it is known what the handler has read. */
export type CapturedBody = DistributiveOmit<Captured, 'read'>
type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never

/** A response that goes on being written for so long after its first bytes is a stream, and goes out as it comes. */
const STREAM_AFTER = 1000

type HeaderArgument = Readonly<Record<string, OutgoingHttpHeader | undefined>> | readonly unknown[]

/** Sets headers in any of the forms that `writeHead` takes. */
export function applyHeaders(response: ServerResponse, headers: unknown): void {
  if (typeof headers !== 'object' || headers === null) return
  const given = headers as HeaderArgument
  if (!Array.isArray(given)) {
    for (const [name, value] of Object.entries(given))
      if (value !== undefined) response.setHeader(name, value as string)
    return
  }
  const flat: readonly unknown[] = Array.isArray(given[0]) ? (given as readonly unknown[][]).flat(1) : given
  for (let i = 0; i < flat.length; i += 2) response.removeHeader(String(flat[i]))
  for (let i = 0; i < flat.length; i += 2) response.appendHeader(String(flat[i]), flat[i + 1] as string)
}

/** Name and value by turns, a line for each value. */
export function linesOf(headers: Iterable<readonly [string, OutgoingHttpHeader | undefined]>): string[] {
  const lines: string[] = []
  for (const [name, value] of headers) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) lines.push(name.toLowerCase(), String(one))
  }
  return lines
}

function joined(value: OutgoingHttpHeader): string {
  return Array.isArray(value) ? value.join(', ') : String(value)
}

const HEADER_METHODS = [
  ...['setHeader', 'appendHeader', 'removeHeader', 'getHeader', 'getHeaders', 'getHeaderNames', 'getRawHeaderNames'],
  ...['hasHeader', 'setHeaders'],
] as const
const CHANGING = new Set<string>(['setHeader', 'appendHeader', 'removeHeader', 'setHeaders'])

type Method = (...args: unknown[]) => unknown

function methodOf(target: object, name: string): Method | undefined {
  const method: unknown = Reflect.get(target, name)
  return typeof method === 'function' ? (method.bind(target) as Method) : undefined
}

function alreadySent(what: string): Error {
  const error = new Error(`Cannot ${what} headers after they are sent to the client`)
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' })
}

/**
 * Keeps back what a handler writes to `response`, in whatever way it writes it, until it has ended. The object stays
 * the same, because the handler and everything before it hold it.
 */
export function captureResponse(request: IncomingMessage, response: ServerResponse, options: CaptureOptions): Capture {
  const { clock, behind, maxBodyBytes, preset } = options
  /** Holds headers, so that the response itself stays as the middleware before us left it. */
  const sheet = new ServerResponse(request)
  for (const [name, value] of preset) sheet.setHeader(name, value)
  const names = ['writeHead', 'write', 'end', 'flushHeaders', 'addTrailers', 'destroy', ...HEADER_METHODS]
  const own = new Map(names.map(name => [name, methodOf(response, name)]))
  const methods = shadowing(response)
  const views = shadowing(response)
  const chunks: Uint8Array[] = []
  let size = 0
  let state: 'holding' | 'passing' | 'over' = 'holding'
  let headed = false
  let ended = false
  let cancelStream: (() => void) | undefined
  let settle: (captured: CapturedBody) => void = () => undefined
  const done = new Promise<CapturedBody>(resolve => {
    settle = resolve
  })

  const onClose = (): void => lose('aborted')
  if (!behind) response.once('close', onClose)

  function finish(captured: CapturedBody): void {
    cancelStream?.()
    response.off('close', onClose)
    settle(captured)
  }

  function lose(detail: string): void {
    if (state !== 'holding') return
    state = 'over'
    finish({ kind: 'lost', detail })
  }

  function restore(): void {
    views.restore()
    methods.restore()
  }

  function release(detail: string): void {
    if (state !== 'holding') return
    if (behind) return lose(detail)
    state = 'passing'
    views.restore()
    for (const name of response.getHeaderNames()) own.get('removeHeader')?.(name)
    copyHeaders(sheet, own.get('setHeader'))
    options.onPass(detail)
    if (headed) {
      const { statusCode, statusMessage } = response
      own.get('writeHead')?.(...(statusMessage ? [statusCode, statusMessage] : [statusCode]))
    }
    for (const chunk of chunks) own.get('write')?.(chunk)
    chunks.length = 0
    if (ended) own.get('end')?.()
    finish({ kind: 'passed', detail })
  }

  function take(chunk: unknown, encoding: unknown): void {
    if (state !== 'holding') return
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Uint8Array.from(chunk as Uint8Array)
    size += bytes.length
    chunks.push(bytes)
    if (size > maxBodyBytes) release('too-large')
  }

  function writeHead(...args: unknown[]): unknown {
    if (state === 'passing') return own.get('writeHead')?.(...args)
    if (headed) throw alreadySent('write')
    const [status, second, third] = args
    response.statusCode = Number(status)
    if (typeof second === 'string') response.statusMessage = second
    applyHeaders(sheet, typeof second === 'string' ? third : second)
    headed = true
    if (/^text\/event-stream/i.test(String(sheet.getHeader('content-type')))) release('stream')
    else if (Number(sheet.getHeader('content-length') ?? 0) > maxBodyBytes) release('too-large')
    return response
  }

  function write(...args: unknown[]): unknown {
    const [chunk, second, third] = args
    if (state === 'passing') return own.get('write')?.(...args)
    const callback = typeof second === 'function' ? second : third
    // Whoever stands between the handler and us hears of the head first, as usual.
    if (!headed) response.writeHead(response.statusCode)
    if (stateNow() === 'passing') return own.get('write')?.(...args)
    if (chunk !== undefined && chunk !== null) take(chunk, second)
    cancelStream ??= clock.after(STREAM_AFTER, () => release('stream'))
    if (typeof callback === 'function') process.nextTick(callback)
    return true
  }

  const stateNow = (): typeof state => state

  function end(...args: unknown[]): unknown {
    if (state === 'passing') return own.get('end')?.(...args)
    const callback = args.find(arg => typeof arg === 'function')
    if (ended) return response
    if (!headed) response.writeHead(response.statusCode)
    if (stateNow() === 'passing') return own.get('end')?.(...args)
    const [chunk, encoding] = args
    if (typeof callback === 'function') response.once('finish', callback as () => void)
    ended = true
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') take(chunk, encoding)
    if (behind) {
      process.nextTick(() => {
        response.emit('finish')
        response.emit('close')
      })
    }
    if (stateNow() !== 'holding') return response
    state = 'over'
    finish(whole())
    return response
  }

  function whole(): CapturedBody {
    const inherited = new Map([...preset].map(([name, value]) => [name.toLowerCase(), joined(value)]))
    const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
    return {
      kind: 'whole',
      status: response.statusCode,
      headers: linesOf(Object.entries(sheet.getHeaders())),
      inherited,
      body,
    }
  }

  function coverMethods(): void {
    methods.value('writeHead', writeHead)
    methods.value('write', write)
    methods.value('end', end)
    methods.value('flushHeaders', () => {
      if (state === 'holding' && !headed) response.writeHead(response.statusCode)
      release('stream')
      if (state === 'passing') own.get('flushHeaders')?.()
    })
    methods.value('addTrailers', (trailers: unknown) => {
      release('trailers')
      if (state === 'passing') own.get('addTrailers')?.(trailers)
    })
    methods.value('destroy', (error: unknown) => {
      lose('aborted')
      if (!behind) own.get('destroy')?.(error)
      return response
    })
    for (const name of HEADER_METHODS) {
      const held = methodOf(sheet, name)
      if (held === undefined) continue
      methods.value(name, (...args: unknown[]) => {
        if (state === 'passing') return own.get(name)?.(...args)
        if (headed && CHANGING.has(name)) throw alreadySent('set')
        const result = held(...args)
        return result === sheet ? response : result
      })
    }
    if (behind)
      for (const name of ['writeContinue', 'writeProcessing', 'writeEarlyHints']) methods.value(name, () => true)
  }

  function coverViews(): void {
    views.getter('headersSent', () => headed)
    views.getter('_header', () => (headed ? 'held' : null))
    for (const name of ['writableEnded', 'finished']) views.getter(name, () => ended)
    views.getter('writableFinished', () => behind && ended)
    views.getter('writableNeedDrain', () => false)
    if (!behind) return
    for (const name of ['destroyed', 'closed', '_closed', '_headerSent']) views.getter(name, () => false)
    views.getter('writable', () => !ended)
  }

  coverMethods()
  coverViews()
  return { done, release, restore }
}

function copyHeaders(from: ServerResponse, set: Method | undefined): void {
  for (const name of from.getHeaderNames()) set?.(name, from.getHeader(name))
}
