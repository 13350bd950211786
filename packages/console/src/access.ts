import { problem, type Problem } from './answer.ts'
import type { ForgeryGuard } from './forgery.ts'
import { type Session, type Sessions, showsSession } from './sessions.ts'
import { isSame } from './token.ts'

/** What somebody may: look; also test, warm, clear parts and undo; also clear everything and change policies. */
export type Role = 'viewer' | 'operator' | 'admin'

const RANK: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 }

/** Who asks. The name is what the audit log calls them. */
export interface Granted {
  readonly role: Role
  readonly name?: string
  /**
   * True when no other site can have sent this, and the application has made sure: an API key in a header, or an
   * anti-forgery token of its own. Changes then need neither `Origin` nor the console's token.
   */
  readonly unforgeable?: boolean
}

/**
 * Decides by the host application's own means (a session, a header) who may what; null: nobody known, no access. It must
 * not read the body. Whatever else it gives, or throwing, is no access either.
 */
export type Authorize = (
  request: Request,
) => Role | Granted | null | undefined | Promise<Role | Granted | null | undefined>

/**
 * Somebody who may ask. By `token`: the header held the console's token. By `session`: it was shown before, and the cookie
 * says so. By `authorize`: the application said so.
 */
export interface Identity extends Granted {
  readonly by: 'token' | 'session' | 'authorize'
  readonly session?: Session
}

export interface Access {
  /** Who asks, or undefined for somebody without access. Rejects with what `authorize` throws. */
  identify(request: Request): Promise<Identity | undefined>
  /** Whether somebody without access showed a token: who shows none tries nothing. */
  triesToken(request: Request): boolean
  /** Whether this is the console's token. */
  isToken(shown: string): boolean
  /** Why a request that a browser sent comes from another site; undefined when it does not, or no browser sent it. */
  foreign(request: Request): Problem | undefined
  /** Why a request that is more than a read may have been sent by another site; undefined when it was not. */
  forged(request: Request, identity: Identity): Promise<Problem | undefined>
  /** Headers of an answer to a read: what a later change must send back. */
  headersFor(identity: Identity): Promise<Readonly<Record<string, string>>>
}

export interface AccessOptions {
  readonly token: string | undefined
  readonly authorize: Authorize | undefined
  readonly origins: readonly string[]
  readonly guard: ForgeryGuard
  readonly sessions: Sessions | undefined
}

const TOKEN_HEADER = 'X-Palier-Token'

export const mayAs = (identity: Identity, role: Role): boolean => RANK[identity.role] >= RANK[role]

function grantedOf(answer: unknown): Granted | undefined {
  const granted = (typeof answer === 'object' && answer !== null ? answer : { role: answer }) as Granted
  const { role, name } = granted
  if (typeof role !== 'string' || !Object.hasOwn(RANK, role)) return undefined
  const called = typeof name === 'string' && name !== '' ? { name: name.slice(0, 200) } : {}
  return { role, ...called, ...(granted.unforgeable === true && { unforgeable: true }) }
}

/** What the headers show as the console's token: either header will do. */
function shownTokens(headers: Headers): readonly string[] {
  const bearer = /^Bearer +([^\s]+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  return [headers.get(TOKEN_HEADER), bearer].filter(token => typeof token === 'string')
}

/** Whether a browser says that a page of this origin, or of one that may, sent the request. */
function crossOrigin(
  request: Request,
  identity: Pick<Identity, 'by' | 'unforgeable'>,
  origins: readonly string[],
): string | undefined {
  const site = request.headers.get('sec-fetch-site')
  const origin = request.headers.get('origin')
  const own = new URL(request.url).origin
  if (origin === null) {
    // Without a browser there is no origin, and nothing a browser adds by itself: the token was put there on purpose.
    if (identity.by !== 'token' && identity.unforgeable !== true) return 'a change needs the header Origin'
  } else if (origin !== own && !origins.includes(origin)) {
    return `changes are taken from ${[own, ...origins].join(', ')} only; behind a proxy, see the option \`origins\``
  }
  const isAllowed =
    site === null || site === 'same-origin' || site === 'none' || (origin !== null && origins.includes(origin))
  return isAllowed ? undefined : 'the browser says that another site sent this'
}

export function createAccess({ token, authorize, origins, guard, sessions }: AccessOptions): Access {
  /** A session has a token of its own; whom the application knows, one for the name it gives. */
  const guarded = ({ session, name }: Identity): string | undefined =>
    session === undefined ? name : `session ${session.id}`
  const isToken = (shown: string): boolean => token !== undefined && isSame(shown, token)

  return {
    async identify(request) {
      // Both are compared, so that the time does not tell which header is looked at first.
      const matches = shownTokens(request.headers).filter(isToken)
      if (matches.length > 0) return { role: 'admin', name: 'token', by: 'token' }
      const session = showsSession(request.headers) ? await sessions?.find(request.headers) : undefined
      if (session !== undefined) return { role: 'admin', name: 'token', by: 'session', session }
      const granted = authorize === undefined ? undefined : grantedOf(await authorize(request))
      return granted === undefined ? undefined : { ...granted, by: 'authorize' }
    },
    triesToken: ({ headers }) => headers.has(TOKEN_HEADER) || headers.has('authorization'),
    isToken,
    foreign(request) {
      const found = crossOrigin(request, { by: 'token' }, origins)
      return found === undefined ? undefined : problem(403, 'cross-origin', found)
    },
    async forged(request, identity) {
      const foreign = crossOrigin(request, identity, origins)
      if (foreign !== undefined) return problem(403, 'cross-origin', foreign)
      if (identity.by === 'token' || identity.unforgeable === true) return undefined
      const given = request.headers.get(TOKEN_HEADER)
      if (given !== null && (await guard.check(guarded(identity), given))) return undefined
      return problem(403, 'no-token', `a change needs the header ${TOKEN_HEADER} with what a GET answered in it`)
    },
    async headersFor(identity) {
      if (identity.by === 'token') return {}
      try {
        return { [TOKEN_HEADER]: await guard.issue(guarded(identity)) }
      } catch {
        // Reading goes on while the backend is out; who wants to change something hears of it then.
        return {}
      }
    },
  }
}
