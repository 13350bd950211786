import { badOption } from 'palier'

/** What a page of the console may do, and who may show it in a frame. */
function policyOf(frameAncestors: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ')}`,
    "require-trusted-types-for 'script'",
  ].join('; ')
}

/** Throws PALIER_BAD_OPTION for what is neither `'self'` nor an origin: it would become part of a header. */
export function frameAncestorsOf(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw badOption('frameAncestors', 'a list of origins', value)
  return value.map((one: unknown) => {
    const isOrigin = typeof one === 'string' && URL.canParse(one) && new URL(one).origin === one
    if (one === "'self'" || isOrigin) return one
    throw badOption('frameAncestors', "'self' in single quotes, or an origin such as 'https://admin.example.org'", one)
  })
}

/** Puts on an answer what belongs on every one, whatever it says. Nothing is kept by anybody unless the answer itself says so. */
export function createSeal(frameAncestors: readonly string[]): (answer: Response) => Response {
  const always = {
    'Content-Security-Policy': policyOf(frameAncestors),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'X-Robots-Tag': 'noindex',
  }
  return answer => {
    for (const [name, value] of Object.entries(always)) answer.headers.set(name, value)
    if (!answer.headers.has('Cache-Control')) answer.headers.set('Cache-Control', 'no-store')
    return answer
  }
}
