import { randomBytes } from 'node:crypto'
import { PalierError } from 'palier'

/** What a route answers with: JSON, unless it is a text of another kind; or why it cannot. */
export type Answer = Given | { readonly problem: Problem; readonly count?: number }

export interface Given {
  /** 200 unless said. */
  readonly status?: number
  /** Undefined for no body at all. */
  readonly body: unknown
  /** The media type, for a body that is a text already. */
  readonly type?: string
  /** What the audit log counts of it. */
  readonly count?: number
}

/** Codes of problems that are not errors of the cache itself. */
export type ProblemCode =
  | 'no-access'
  | 'role-too-low'
  | 'cross-origin'
  | 'no-token'
  | 'too-many'
  | 'not-json'
  | 'too-large'
  | 'not-found'
  | 'wrong-method'
  | 'busy'
  | 'not-restored'
  | 'not-set-up'
  | 'not-built'
  | 'internal'

export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  /** What the log calls it, where it stands there. */
  readonly id?: string
  readonly headers?: Readonly<Record<string, string>>
  /** More members of the answer. */
  readonly more?: Readonly<Record<string, unknown>>
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

export function problem(
  status: number,
  code: ProblemCode,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Problem {
  return { status, code, detail, headers }
}

const STATUS: Readonly<Partial<Record<PalierError['code'], number>>> = {
  PALIER_BAD_OPTION: 400,
  PALIER_BAD_KEY: 400,
  PALIER_PROTECTED: 403,
  PALIER_STORE_TIMEOUT: 503,
  PALIER_STORE_FAILED: 503,
  PALIER_STORE_REFUSED: 503,
  PALIER_CLOSED: 503,
}

/**
 * What an error may tell the outside: the message of a wrong request; of a failing backend that it fails; of anything else
 * nothing, because it may hold what is nobody's business.
 */
export function problemOf(error: unknown): Problem {
  const status = error instanceof PalierError ? STATUS[error.code] : undefined
  if (!(error instanceof PalierError) || status === undefined) {
    return problem(500, 'internal', 'the request failed; the log has the reason under this id')
  }
  const said = status === 503 ? 'the backend of the cache cannot answer now' : error.message
  return { status, code: error.code, detail: error.code === 'PALIER_CLOSED' ? 'the cache is closed' : said }
}

/** Names one problem, in the answer and in the log. */
export const newId = (): string => randomBytes(8).toString('hex')

/** RFC 9457. */
export function problemResponse({ status, code, detail, headers, more, id = newId() }: Problem): Response {
  const body = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail, id, ...more }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  })
}

export function givenResponse(
  { status = 200, body, type }: Given,
  headers: Readonly<Record<string, string>>,
): Response {
  const kind = body !== undefined && { 'Content-Type': type ?? 'application/json' }
  const isText = type !== undefined && typeof body === 'string'
  return new Response(body === undefined ? null : isText ? body : JSON.stringify(body), {
    status,
    headers: { ...kind, ...headers },
  })
}
