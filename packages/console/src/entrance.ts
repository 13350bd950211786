import { type Access, mayAs } from './access.ts'
import { givenResponse, type Problem, problem, problemResponse } from './answer.ts'
import type { SessionAnswer, SignIn } from './api.ts'
import type { Audit, AuditEntry } from './audit.ts'
import type { Brakes } from './brakes.ts'
import type { Passage } from './desk.ts'
import { onlyFields, readFields } from './input.ts'
import type { ConsoleClock } from './room.ts'
import { cookieHeader, type Sessions } from './sessions.ts'

/** Where somebody becomes known, and says goodbye. */
export interface Entrance {
  /** Why somebody whom nobody knows may not go on. */
  refuse(passage: Passage): Promise<Response>
  /** `POST` and `DELETE` of a session; undefined where there are no sessions, or for another method. */
  serve(passage: Passage, mount: string): Promise<Response | undefined>
}

export interface EntranceParts {
  readonly access: Access
  readonly brakes: Brakes
  readonly audit: Audit
  readonly clock: ConsoleClock
  /** Undefined where the console has no token. */
  readonly sessions: Sessions | undefined
  readonly signIn: SignIn
}

const CHALLENGE = { 'WWW-Authenticate': 'Bearer realm="palier"' }

export function createEntrance({ access, brakes, audit, clock, sessions, signIn }: EntranceParts): Entrance {
  const noAccess = (): Problem => ({
    ...problem(401, 'no-access', 'access needs a token, or a session of the application', CHALLENGE),
    more: { signIn },
  })

  /** Counts a wrong token, and says so. */
  const wrong = async ({ address }: Passage): Promise<Problem> => (await brakes.guess(address))?.problem ?? noAccess()

  const record = ({ address }: Passage, what: string, status: number, code?: string): Promise<void> => {
    const outcome: AuditEntry['outcome'] = status < 300 ? 'done' : 'refused'
    const from = address === undefined ? {} : { from: address }
    const who = { role: 'admin', name: 'token' } as const
    return audit.record({ at: clock.wall(), who, ...from, what, outcome, status, ...(code !== undefined && { code }) })
  }

  const begin = async (passage: Passage, mount: string, open: Sessions): Promise<Response> => {
    const foreign = access.foreign(passage.request)
    if (foreign !== undefined) return problemResponse(foreign)
    const body = await readFields(passage.request)
    if ('problem' in body) return problemResponse(body.problem)
    onlyFields('body', body.fields, ['token'])
    const { token } = body.fields
    if (typeof token !== 'string' || !access.isToken(token)) return problemResponse(await wrong(passage))
    const { session, cookie } = open.begin()
    await record(passage, 'sign-in', 200)
    const answer: SessionAnswer = { role: 'admin', until: session.until }
    return givenResponse({ body: answer }, { 'Set-Cookie': cookieHeader(cookie, wayTo(passage, mount)) })
  }

  const end = async (passage: Passage, mount: string, open: Sessions): Promise<Response> => {
    const identity = await access.identify(passage.request)
    if (identity?.session === undefined || !mayAs(identity, 'viewer')) return problemResponse(noAccess())
    const forged = await access.forged(passage.request, identity)
    if (forged !== undefined) return problemResponse(forged)
    await open.end(identity.session)
    await record(passage, 'sign-out', 204)
    return givenResponse({ status: 204, body: undefined }, { 'Set-Cookie': cookieHeader('', wayTo(passage, mount)) })
  }

  return {
    async refuse(passage) {
      return problemResponse(access.triesToken(passage.request) ? await wrong(passage) : noAccess())
    },
    async serve(passage, mount) {
      if (sessions === undefined) return undefined
      if (passage.request.method === 'POST') return begin(passage, mount, sessions)
      return passage.request.method === 'DELETE' ? end(passage, mount, sessions) : undefined
    },
  }
}

const wayTo = ({ url }: Passage, mount: string): { mount: string; secure: boolean } => ({
  mount: mount.replace(/\/+$/, ''),
  secure: url.protocol === 'https:',
})
