import type { ProblemAnswer, SignIn } from '../../../src/api.ts'

/** What the API answered instead of what was asked for, or that it did not answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** 0: no answer came. */
  readonly status: number
  readonly code: string
  /** Names this one failure, here and in the log. */
  readonly reference: string | undefined
  readonly signIn: SignIn | undefined
  /** Seconds after which it may be tried again, as far as the API says so. */
  readonly retryAfter: number | undefined

  constructor(status: number, problem: Partial<ProblemAnswer>, retryAfter?: number) {
    super(problem.detail ?? `HTTP ${status}`)
    this.status = status
    this.code = problem.code ?? (status === 0 ? 'no-answer' : 'unknown')
    this.reference = problem.id
    this.signIn = problem.signIn
    this.retryAfter = retryAfter
  }
}

export type Query = Readonly<Record<string, string | number | undefined>>

/** The management API of this console. Paths are relative to the mount: `cache/snapshot`. Every call rejects with ApiError. */
export interface Client {
  get<T>(path: string, options?: { readonly query?: Query; readonly signal?: AbortSignal }): Promise<T>
  /** A text: the report for a ticket. */
  text(path: string, query?: Query): Promise<string>
  /** Sends a change with what the last GET said in its header; once more when that was no longer good. */
  change<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object, query?: Query): Promise<T>
}

const TOKEN = 'X-Palier-Token'
/** Longer than any answer takes; a test of the backend takes the longest. */
const PATIENCE_MS = 90_000

function addressOf(path: string, query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return `./api/${path}${given.length === 0 ? '' : `?${new URLSearchParams(given)}`}`
}

async function problemIn(response: Response): Promise<Partial<ProblemAnswer>> {
  try {
    return (await response.json()) as Partial<ProblemAnswer>
  } catch {
    // A proxy in between answers with a page of its own.
    return {}
  }
}

/** `onSignedOut` is told when somebody who was known is known no longer. */
export function createClient({ onSignedOut }: { readonly onSignedOut: (error: ApiError) => void }): Client {
  let token: string | undefined

  const send = async (address: string, options: RequestInit): Promise<Response> => {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience
    let response: Response
    try {
      response = await fetch(address, { ...options, signal, cache: 'no-store', credentials: 'same-origin' })
    } catch (error) {
      if (options.signal?.aborted === true) throw error
      throw new ApiError(0, {})
    }
    token = response.headers.get(TOKEN) ?? token
    if (response.ok) return response
    const wait = Number(response.headers.get('Retry-After') ?? Number.NaN)
    const error = new ApiError(response.status, await problemIn(response), Number.isFinite(wait) ? wait : undefined)
    if (error.status === 401) onSignedOut(error)
    throw error
  }

  const get: Client['get'] = async (path, { query, signal } = {}) => {
    const response = await send(addressOf(path, query), { ...(signal !== undefined && { signal }) })
    return response.json()
  }

  const changeOnce = (method: string, address: string, body: object | undefined): Promise<Response> => {
    const headers = {
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(token !== undefined && { [TOKEN]: token }),
    }
    return send(address, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  }

  return {
    get,
    text: async (path, query) => (await send(addressOf(path, query), {})).text(),
    async change(method, path, body, query) {
      const address = addressOf(path, query)
      const attempt = async (): Promise<Response> => {
        try {
          return await changeOnce(method, address, body)
        } catch (error) {
          if (!(error instanceof ApiError) || error.code !== 'no-token') throw error
          // The secret behind the token was made anew. The next answer has the one that is good now.
          await get('cache/bootstrap')
          return changeOnce(method, address, body)
        }
      }
      const response = await attempt()
      return response.status === 204 ? undefined : response.json()
    },
  }
}
