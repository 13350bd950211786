import { problem, type Problem } from '../answer.ts'
import { bytesOf, MOST_BODY } from '../input.ts'

/** The fields of a form that was sent. */
export interface Form {
  /** Trimmed; empty when it was left out. */
  text(name: string): string
  /** As it was typed: for passwords. */
  raw(name: string): string
  /** Undefined when it was left empty. */
  optional(name: string): string | undefined
  /** As it may stand on a page again: a password in an address is left out. */
  shown(name: string): string
}

/** The form in the body, or why it is none. */
export async function readForm(request: Request): Promise<{ readonly form: Form } | { readonly problem: Problem }> {
  const bytes = await bytesOf(request)
  if (bytes === undefined) return { problem: problem(413, 'too-large', `the body is longer than ${MOST_BODY} bytes`) }
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') {
    return { problem: problem(415, 'wrong-method', 'a form is expected: application/x-www-form-urlencoded') }
  }
  const fields = new URLSearchParams(new TextDecoder().decode(bytes))
  const raw = (name: string): string => fields.get(name) ?? ''
  const text = (name: string): string => raw(name).trim()
  const optional = (name: string): string | undefined => (text(name) === '' ? undefined : text(name))
  // To the last `@`: a password may hold one that nobody escaped.
  const shown = (name: string): string => text(name).replace(/^([a-z][a-z0-9+.-]*:\/\/)?([^:@/\s]*):.*@/is, '$1$2@')
  return { form: { text, raw, optional, shown } }
}

/**
 * Why a form may have been sent by another site; undefined when it was not. Only the host is compared: behind a proxy that
 * ends TLS the scheme is not the one the browser knows. The token in the form decides besides.
 */
export function foreign(request: Request): string | undefined {
  const site = request.headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin' && site !== 'none') return 'the browser says that another site sent this'
  const origin = request.headers.get('origin')
  if (origin === null) return 'a form needs the header Origin'
  const host = URL.canParse(origin) ? new URL(origin).host : undefined
  return host === new URL(request.url).host ? undefined : 'forms are taken from the pages of this site only'
}
