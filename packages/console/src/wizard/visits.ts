import { createHmac, randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Language } from 'palier/setup'
import { isSame, ownToken } from '../token.ts'

export type Theme = 'system' | 'light' | 'dark'

/** Who looks, as far as the cookies tell. Every process of the application reads them alike. */
export interface Visit {
  readonly id: string
  /** The cookie is to be set: there was none. */
  readonly isNew: boolean
  readonly unlocked: boolean
  readonly language: Language
  readonly theme: Theme
  /** The script ran on an earlier page: it moves the bars, and the page need not reload as often. */
  readonly script: boolean
}

export interface Visits {
  read(request: Request, preferred: Language | undefined): Visit
  /** What each form of this visit holds, so that no other site can have made it. */
  formToken(visit: Visit): string
  isFormToken(visit: Visit, given: string): boolean
  /** Value of the header `Set-Cookie` that lets this visit in. */
  unlockCookie(visit: Visit, place: Place): string
  cookie(name: 'visit' | 'language' | 'theme', value: string, place: Place): string
}

/** Where cookies belong. */
export interface Place {
  readonly mount: string
  readonly secure: boolean
}

const NAMES = {
  visit: 'palier-setup',
  unlocked: 'palier-setup-key',
  language: 'palier-language',
  theme: 'palier-theme',
  script: 'palier-script',
} as const
/** How long somebody stays in, in milliseconds. */
const STAYS = 8 * 3_600_000

function cookiesOf(headers: Headers): ReadonlyMap<string, string> {
  const pairs = (headers.get('cookie') ?? '').split(';').map(pair => pair.trim().split('=', 2) as [string, string?])
  return new Map(pairs.map(([name, value = '']) => [name, value]))
}

const isLanguage = (text: string | undefined): text is Language => text === 'en' || text === 'fr'

function acceptedLanguage(header: string | null): Language {
  const first = (header ?? '')
    .split(',')
    .map(part => part.trim().slice(0, 2).toLowerCase())
    .find(isLanguage)
  return first ?? 'en'
}

/** The secret is a file beside the token, made by whichever process needs it first. */
export function createVisits(tokenFile: string, now: () => number): Visits {
  let secret: string | undefined
  const sign = (text: string): string => {
    secret ??= ownToken(join(dirname(tokenFile), 'setup-session'))
    return createHmac('sha256', secret).update(text).digest('base64url')
  }
  const isUnlocked = (id: string, value: string | undefined): boolean => {
    const [until = '', mark = ''] = (value ?? '').split('.')
    return Number(until) > now() && isSame(sign(`unlocked ${id} ${until}`), mark)
  }
  const line = (name: string, value: string, { mount, secure }: Place): string =>
    `${name}=${value}; Path=${mount === '' ? '/' : mount}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
  return {
    read({ headers }, preferred) {
      const cookies = cookiesOf(headers)
      const given = cookies.get(NAMES.visit)
      const id = given !== undefined && /^[\w-]{22}$/.test(given) ? given : undefined
      const language = cookies.get(NAMES.language)
      const theme = cookies.get(NAMES.theme)
      return {
        id: id ?? randomBytes(16).toString('base64url'),
        isNew: id === undefined,
        unlocked: id !== undefined && isUnlocked(id, cookies.get(NAMES.unlocked)),
        language: isLanguage(language) ? language : (preferred ?? acceptedLanguage(headers.get('accept-language'))),
        theme: theme === 'light' || theme === 'dark' ? theme : 'system',
        script: cookies.get(NAMES.script) === '1',
      }
    },
    formToken: ({ id }) => sign(`form ${id}`),
    isFormToken: ({ id }, given) => isSame(sign(`form ${id}`), given),
    unlockCookie({ id }, place) {
      const until = String(now() + STAYS)
      return line(NAMES.unlocked, `${until}.${sign(`unlocked ${id} ${until}`)}`, place)
    },
    cookie: (name, value, place) => line(NAMES[name], value, place),
  }
}
