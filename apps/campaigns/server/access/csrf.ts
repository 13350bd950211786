import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'
import { received } from '../validation.ts'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

export function isUnsafe({ method }: FastifyRequest): boolean {
  return !SAFE.has(method)
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

/**
 * Refuses what a page of another site has sent. Browsers say so themselves, but for plain http on some other host than this
 * machine; there the origin tells, which is the host asked for or `siteUrl`, where a proxy asks for another one. What says
 * nothing is no browser, and has no cookies that somebody else could use.
 */
export function refuseForeign(request: FastifyRequest, siteUrl: string): void {
  const { 'sec-fetch-site': site, origin } = request.headers
  const from = origin === undefined ? undefined : hostOf(origin)
  const isOwn =
    site === undefined
      ? origin === undefined || (from !== undefined && (from === request.host || from === hostOf(siteUrl)))
      : site === 'same-origin' || site === 'none'
  if (!isOwn)
    throw new Problem(403, `A page of another site may not do this; it came from ${received(origin ?? site)}.`)
}

/** Sessions come with whatever a browser sends, so what they change needs the token that only our own pages know. */
export async function requireToken(app: FastifyInstance, request: FastifyRequest): Promise<void> {
  const expected = 'header.x-csrf-token: expected the csrf_token of GET /api/v1/auth/me'
  await new Promise<void>((resolve, reject) => {
    const refused = (): void => reject(new Problem(403, `${expected}, received another or none`))
    // The plugin answers through the reply; here a refusal is a problem like all others.
    app.csrfProtection(request, { send: refused } as never, resolve)
  })
}
