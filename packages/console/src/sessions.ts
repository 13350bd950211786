import { createHmac, randomBytes } from 'node:crypto'
import type { Documents } from 'palier'
import type { ConsoleClock } from './room.ts'
import { digest, isSame } from './token.ts'

/** A session that began with the console's token. */
export interface Session {
  readonly id: string
  /** In milliseconds since 1970. */
  readonly until: number
}

/** Sessions by a signed cookie: nothing is kept of them but of those that were ended before their time. */
export interface Sessions {
  begin(): { readonly session: Session; readonly cookie: string }
  /** The session of the cookie in a request; undefined for one that was forged, is over or was ended. Never rejects. */
  find(headers: Headers): Promise<Session | undefined>
  /** Ends it in every process within seconds, here at once. Rejects with PALIER_STORE_* when the backend does not take it. */
  end(session: Session): Promise<void>
}

export interface SessionsOptions {
  /** The console's token, which every process has: from it the signatures are made. */
  readonly token: string
  readonly documents: Documents<Ended>
  readonly clock: ConsoleClock
}

/** By the id of the session: until when it would have been good. */
export type Ended = Readonly<Record<string, number>>

const NAME = 'palier-console'
const LASTS = 8 * 3_600_000
const ENDED = 'ended'
/** Which sessions were ended is asked this often. */
const ASK_EVERY = 2000
const MOST_ENDED = 2000

const SHAPE = /^([\w-]{22})\.(\d{13})\.([\w-]{43})$/

/** Whether somebody shows a session at all. */
export const showsSession = (headers: Headers): boolean => (headers.get('cookie') ?? '').includes(`${NAME}=`)

/** The header that gives a browser the cookie, or takes it away where `value` is empty. */
export function cookieHeader(value: string, { mount, secure }: { mount: string; secure: boolean }): string {
  // A mount may have parameters, and so hold what would begin another attribute.
  const path = /^\/[^;\s]+$/.test(mount) ? mount : '/'
  const attributes = [`Path=${path}`, `Max-Age=${value === '' ? 0 : LASTS / 1000}`]
  return [`${NAME}=${value}`, ...attributes, 'HttpOnly', 'SameSite=Strict', ...(secure ? ['Secure'] : [])].join('; ')
}

export function createSessions({ token, documents, clock }: SessionsOptions): Sessions {
  const secret = digest(`palier console session ${token}`)
  const sign = (id: string, until: number): string =>
    createHmac('sha256', secret).update(`${id}.${until}`).digest('base64url')
  /** Ended here, whatever the backend knows of it. */
  let own: Ended = {}
  let ended: Ended = {}
  let asked: { readonly at: number; readonly answer: Promise<void> } | undefined

  const refresh = async (): Promise<void> => {
    try {
      ended = { ...(await documents.read(ENDED))?.value, ...own }
    } catch {
      // While the backend is out a signature is worth what it says: whoever must look after the outage must get in.
    }
  }
  const isEnded = async (id: string): Promise<boolean> => {
    if (asked === undefined || clock.now() - asked.at >= ASK_EVERY) asked = { at: clock.now(), answer: refresh() }
    await asked.answer
    return Object.hasOwn(ended, id)
  }

  const living = (all: Ended): [string, number][] =>
    Object.entries(all)
      .filter(([, until]) => until > clock.wall())
      .slice(-MOST_ENDED)

  return {
    begin() {
      const session = { id: randomBytes(16).toString('base64url'), until: clock.wall() + LASTS }
      return { session, cookie: `${session.id}.${session.until}.${sign(session.id, session.until)}` }
    },
    async find(headers) {
      for (const pair of (headers.get('cookie') ?? '').split(';')) {
        const [name, value = ''] = pair.trim().split('=', 2)
        const [, id = '', until = '', signature = ''] = (name === NAME && SHAPE.exec(value)) || []
        if (id === '' || !isSame(sign(id, Number(until)), signature)) continue
        if (Number(until) > clock.wall() && !(await isEnded(id))) return { id, until: Number(until) }
      }
      return undefined
    },
    async end({ id, until }) {
      own = Object.fromEntries([...living(own), [id, until]])
      ended = { ...ended, ...own }
      await documents.change(ENDED, before => ({
        value: Object.fromEntries([...living(before?.value ?? {}), [id, until]]),
        ttl: LASTS,
      }))
    },
  }
}
