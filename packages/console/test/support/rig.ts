import { type Cache, type CacheOptions, createCache } from 'palier'
import { createConsoleOf } from '../../src/console.ts'
import type { CacheConsole, ConsoleOptions, Granted } from '../../src/index.ts'

export const TOKEN = 'test-token-of-forty-eight-characters-0123456789ab'

/** A person as `authorize` of these tests finds them in the header `Cookie: who=role:name`. */
export const person = (request: Request): Granted | null => {
  const [role, name] = (/who=([^;]*)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? '').split(':')
  return role === 'viewer' || role === 'operator' || role === 'admin' ? { role, name: name ?? role } : null
}

export interface Asked {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  /** The JSON of the answer, or its text. */
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
}

/** Sends as curl would, with these headers. */
export async function ask(
  to: CacheConsole,
  line: string,
  { body, headers = {} }: Asked = {},
  address = '192.0.2.1',
): Promise<Answered> {
  const [method = 'GET', path = '/'] = line.split(' ')
  const request = new Request(`http://app.test${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const response = await to.handle(request, { address })
  const text = await response.text()
  const isJson = (response.headers.get('content-type') ?? '').includes('json')
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : {},
    text,
  }
}

export const BEARER = { authorization: `Bearer ${TOKEN}` }

/** With the token of the console, as an administrator on the command line. */
export const asAdmin = (to: CacheConsole, line: string, body?: unknown): Promise<Answered> =>
  ask(to, line, { body, headers: BEARER })

/** As a page of the application would, signed in as `who` (`role:name`): fetches what changes need, then asks. */
export async function asPerson(to: CacheConsole, who: string, line: string, asked: Asked = {}): Promise<Answered> {
  const cookie = `who=${who}`
  const seen = await ask(to, 'GET /api/cache/health', { headers: { cookie } })
  const headers = {
    cookie,
    origin: 'http://app.test',
    'sec-fetch-site': 'same-origin',
    'x-palier-token': seen.headers.get('x-palier-token') ?? '',
  }
  return ask(to, line, { ...asked, headers: { ...headers, ...asked.headers } })
}

export interface Rig extends AsyncDisposable {
  readonly cache: Cache
  readonly console: CacheConsole
  /** What was written to the console's log. */
  readonly lines: string[]
}

/** A cache of its own and a console on it that takes both kinds of access; without pages unless a directory of them is given. */
export async function rig(
  options: CacheOptions = {},
  consoleOptions: ConsoleOptions = {},
  pages = 'no-such-directory',
): Promise<Rig> {
  const cache = createCache({ backend: 'memory', logger: false, namespace: 'shop', ...options })
  await cache.ready()
  const lines: string[] = []
  const keep = (line: string): void => void lines.push(line)
  const logger = { info: keep, warn: keep }
  const made = createConsoleOf(cache, { token: TOKEN, authorize: person, logger, ...consoleOptions }, pages)
  return {
    cache,
    console: made,
    lines,
    async [Symbol.asyncDispose]() {
      await made.close()
      await cache.close()
    },
  }
}
