import type { Api } from './api-types.ts'

export type Operation = keyof Api
export type AnswerOf<O extends Operation> = Api[O]['answer']
type Part<O extends Operation, P extends string> = P extends keyof Api[O] ? { readonly [K in P]: Api[O][P] } : object
/** What an operation takes, as the server says of itself. */
export type Given<O extends Operation> = Part<O, 'path'> & Part<O, 'query'> & Part<O, 'body'>
export type QueryOf<O extends Operation> = Api[O] extends { readonly query: infer Q } ? Q : never
export type BodyOf<O extends Operation> = Api[O] extends { readonly body: infer B } ? B : never

/** An answer of the server, and how fresh it is. */
export interface Answer<T> {
  readonly value: T
  /** Milliseconds since 1970, by the server's clock: as of when it is true. Undefined where the server does not say. */
  readonly stamp: number | undefined
  /** Where it came from; undefined for what is never kept. */
  readonly cache: 'HIT' | 'MISS' | 'STALE' | undefined
  /** Seconds since the server computed it, when it answered. */
  readonly age: number
  /** When it arrived here, by this machine's clock. */
  readonly readAt: number
  /** It is a copy of an earlier visit: the server could not be reached. */
  readonly offline: boolean
  /** The turn at which it was asked for, among the changes of this page (`pending.ts`). */
  readonly asked?: number
}

/** What the server refused, or that it could not be reached (`status` 0). */
export class ApiError extends Error {
  readonly status: number
  /** What is wrong with each field, where fields are wrong. */
  readonly fields: Readonly<Record<string, string>>
  /** Finds the request in the log of the server. */
  readonly reference: string | undefined
  /** What else the server says of it, such as which pages show a picture. */
  readonly extra: Readonly<Record<string, unknown>>

  constructor(
    status: number,
    message: string,
    fields: Readonly<Record<string, string>> = {},
    reference?: string,
    extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.fields = fields
    this.reference = reference
    this.extra = extra
  }
}

interface FieldFault {
  readonly field: string
  readonly expected: string
  readonly received: string
}

interface ProblemBody {
  readonly title?: string
  readonly detail?: string
  readonly errors?: readonly FieldFault[]
}

async function problemOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ProblemBody
  const fields = (body.errors ?? []).map(({ field, expected, received }) => [
    // "body.phone" is what the server calls it; a form calls it "phone".
    field.replace(/^(body|query|path)\./, ''),
    `${expected}; ${received}`,
  ])
  const text = body.detail ?? body.title ?? response.statusText
  const reference = response.headers.get('x-request-id') ?? undefined
  return new ApiError(response.status, text, Object.fromEntries(fields) as Record<string, string>, reference, {
    ...body,
  })
}

const numberOf = (text: string | null): number | undefined => (text === null ? undefined : Number(text))

function cacheOf(text: string | null): Answer<unknown>['cache'] {
  return text === 'HIT' || text === 'MISS' || text === 'STALE' ? text : undefined
}

/** The address of an operation; for links and uploads, which are no `ask`. */
export function addressOf(path: string, params: Readonly<Record<string, string>> = {}, query: object = {}): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query as Record<string, string | number | boolean | undefined>)) {
    if (value !== undefined && value !== '') search.append(key, String(value))
  }
  const text = search.toString()
  return `/api/v1${filled}${text === '' ? '' : `?${text}`}`
}

export interface SendOptions {
  readonly signal?: AbortSignal
  /** It is a part of a change under way, and does not wait for its end (`pending.ts`). */
  readonly isPart?: true
}

/** The server, as every screen sees it. */
export interface Client {
  /** The answer with its freshness. Rejects with `ApiError`. */
  ask<O extends Operation>(operation: O, given: Given<O>, options?: SendOptions): Promise<Answer<AnswerOf<O>>>
  /** The same for a body that is no JSON: an upload. `path` is below `/api/v1`. */
  upload<T>(path: string, body: Blob | FormData, headers?: Readonly<Record<string, string>>): Promise<Answer<T>>
  /** Changes of a session carry it; it comes with `/auth/me`. */
  setToken(token: string | null): void
}

export interface ClientOptions {
  /** The session is over: the server says 401. */
  readonly onSignedOut: () => void
}

/** A server that does not answer at all is an error after this time; uploads may take longer. */
const PATIENCE_MS = 30_000

export function createClient({ onSignedOut }: ClientOptions): Client {
  let token: string | null = null

  const send = async <T>(url: string, init: RequestInit): Promise<Answer<T>> => {
    const headers = new Headers(init.headers)
    if (init.method !== 'GET' && token !== null) headers.set('x-csrf-token', token)
    let response: Response
    try {
      response = await fetch(url, { ...init, headers, credentials: 'same-origin' })
    } catch (error) {
      if (
        init.signal?.aborted === true &&
        init.signal.reason instanceof DOMException &&
        init.signal.reason.name === 'AbortError'
      )
        throw error
      throw new ApiError(0, 'The server cannot be reached.')
    }
    if (!response.ok) {
      if (response.status === 401) onSignedOut()
      throw await problemOf(response)
    }
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return {
      value: (isJson ? await response.json() : null) as T,
      stamp: numberOf(response.headers.get('x-stamp')),
      cache: cacheOf(response.headers.get('x-cache')),
      age: numberOf(response.headers.get('age')) ?? 0,
      readAt: Date.now(),
      offline: response.headers.get('x-offline') === 'true',
    }
  }

  return {
    async ask(operation, given, { signal } = {}) {
      const at = operation.indexOf(' ')
      const method = operation.slice(0, at)
      const { path, query, body } = given as {
        readonly path?: Record<string, string>
        readonly query?: object
        readonly body?: unknown
      }
      const late = AbortSignal.timeout(PATIENCE_MS)
      return await send(addressOf(operation.slice(at + 1), path, query), {
        method,
        signal: signal === undefined ? late : AbortSignal.any([signal, late]),
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
    },
    upload: (path, body, headers = {}) => send(`/api/v1${path}`, { method: 'POST', body, headers }),
    setToken(given) {
      token = given
    },
  }
}
