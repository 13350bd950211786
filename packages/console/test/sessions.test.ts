import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache } from 'palier'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createConsole } from '../src/index.ts'
import { digest } from '../src/token.ts'
import { type Answered, ask, rig, TOKEN } from './support/rig.ts'
import type { CacheConsole, ConsoleClock } from '../src/index.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'palier-console-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const login = (to: CacheConsole, token: unknown = TOKEN, headers: Readonly<Record<string, string>> = {}) =>
  ask(to, 'POST /api/session', { body: { token }, headers })

const cookieOf = ({ headers }: Answered): string => (headers.get('set-cookie') ?? '').split(';')[0] ?? ''

/** A clock that is moved by hand. */
function handClock() {
  let moved = 0
  const clock: ConsoleClock = {
    now: () => performance.now() + moved,
    wall: () => Date.now() + moved,
    hold: () => () => undefined,
  }
  return { clock, move: (ms: number) => void (moved += ms) }
}

/** What a page sends to change something in its session. */
async function pageHeaders(to: CacheConsole, cookie: string): Promise<Record<string, string>> {
  const seen = await ask(to, 'GET /api/cache/bootstrap', { headers: { cookie } })
  return { cookie, origin: 'http://app.test', 'x-palier-token': seen.headers.get('x-palier-token') ?? '' }
}

describe('a session', () => {
  test('begins with the token, opens the API, and holds nothing of the token', async () => {
    await using own = await rig()
    const answer = await login(own.console)
    expect(answer).toMatchObject({ status: 200, body: { role: 'admin' } })
    expect(Number(answer.body['until']) - Date.now()).toBeGreaterThan(7.9 * 3_600_000)
    const header = answer.headers.get('set-cookie') ?? ''
    expect(header).toMatch(
      /^palier-console=[\w-]{22}\.\d{13}\.[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/,
    )
    expect(header).not.toContain(TOKEN)
    const cookie = cookieOf(answer)
    const seen = await ask(own.console, 'GET /api/cache/bootstrap', { headers: { cookie } })
    expect(seen).toMatchObject({ status: 200, body: { role: 'admin', name: 'token', features: { signOut: true } } })
  })

  test('is bound to the mount, and to https where it began there', async () => {
    await using own = await rig()
    const requestAt = (mount: string): Request =>
      new Request(`https://app.test${mount}/api/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'https://app.test', 'sec-fetch-site': 'same-origin' },
        body: JSON.stringify({ token: TOKEN }),
      })
    const odd = (await own.console.handle(requestAt('/a;Domain=evil.test'), { mount: '/a;Domain=evil.test' })).headers
    expect(odd.get('set-cookie')).toContain('; Path=/; Max-Age=28800;')
    const header = (await own.console.handle(requestAt('/ops'), { mount: '/ops/' })).headers.get('set-cookie')
    expect(header).toMatch(/; Path=\/ops; Max-Age=28800; HttpOnly; SameSite=Strict; Secure$/)
  })

  test('changes nothing for another site, nor without the token of an answer to it', async () => {
    await using own = await rig({}, { limit: { failures: 1000 } })
    const cookie = cookieOf(await login(own.console))
    const other = await pageHeaders(own.console, cookieOf(await login(own.console)))
    const good = await pageHeaders(own.console, cookie)
    const line = 'POST /api/cache/invalidate-tag'
    const cases: readonly (readonly [Record<string, string>, number])[] = [
      [good, 200],
      [{ ...good, origin: 'https://elsewhere.test' }, 403],
      [{ ...good, 'sec-fetch-site': 'cross-site' }, 403],
      [{ ...good, 'x-palier-token': other['x-palier-token'] ?? '' }, 403],
      [{ cookie, origin: 'http://app.test' }, 403],
      [{ cookie, 'x-palier-token': good['x-palier-token'] ?? '' }, 403],
    ]
    for (const [headers, status] of cases) {
      expect((await ask(own.console, line, { body: { tag: 'a' }, headers })).status).toBe(status)
    }
  })

  test('that was forged or is over is none', async () => {
    const { clock, move } = handClock()
    await using own = await rig({}, { clock })
    const cookie = cookieOf(await login(own.console))
    const [id = '', until = '', signature = ''] = cookie.slice('palier-console='.length).split('.')
    const resigned = (secret: string): string =>
      createHmac('sha256', digest(secret)).update(`${id}.${until}`).digest('base64url')
    const bad = [
      `${id}.${Number(until) + 1}.${signature}`,
      `${'A'.repeat(22)}.${until}.${signature}`,
      `${id}.${until}.${resigned('palier console session ')}`,
      `${id}.${until}.${resigned(TOKEN)}`,
      `${id}.${until}.`,
      `${id}.${until}`,
      'true',
    ]
    for (const value of bad) {
      const answer = await ask(own.console, 'GET /api/cache/stats', { headers: { cookie: `palier-console=${value}` } })
      expect([value, answer.status]).toEqual([value, 401])
    }
    expect((await ask(own.console, 'GET /api/cache/stats', { headers: { cookie: `a=b; ${cookie}` } })).status).toBe(200)
    move(8 * 3_600_000)
    expect((await ask(own.console, 'GET /api/cache/stats', { headers: { cookie } })).status).toBe(401)
  })

  test('holds in every process, and once ended in none', async () => {
    const { clock, move } = handClock()
    const place = { backend: 'filesystem', dir: join(dir, 'shared'), deadline: '10s' } as const
    await using one = await rig(place, { clock })
    await using two = await rig(place, { clock })
    const cookie = cookieOf(await login(one.console))
    const status = async (to: CacheConsole): Promise<number> =>
      (await ask(to, 'GET /api/cache/stats', { headers: { cookie } })).status
    expect([await status(one.console), await status(two.console)]).toEqual([200, 200])

    const headers = await pageHeaders(one.console, cookie)
    expect((await ask(one.console, 'DELETE /api/session', { headers: { cookie } })).status).toBe(403)
    const ended = await ask(one.console, 'DELETE /api/session', { headers })
    expect(ended.status).toBe(204)
    expect(ended.headers.get('set-cookie')).toMatch(/^palier-console=; Path=\/; Max-Age=0; /)
    expect(await status(one.console)).toBe(401)
    move(2001)
    expect(await status(two.console)).toBe(401)
    expect((await ask(one.console, 'DELETE /api/session', { headers })).status).toBe(401)
    const { body } = await ask(one.console, 'GET /api/cache/audit', { headers: { 'x-palier-token': TOKEN } })
    expect(body['entries']).toMatchObject([{ what: 'sign-out' }, { what: 'sign-in', who: { name: 'token' } }])
  })
})

describe('wrong tokens', () => {
  test('are counted with all others, and never shown again', async () => {
    await using own = await rig({}, { limit: { failures: 3 } })
    const wrong = `${TOKEN.slice(0, -1)}X`
    const answers: Answered[] = []
    for (let i = 0; i < 4; i++) answers.push(await login(own.console, wrong))
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 429])
    for (const given of [1234567890, { a: wrong }, null]) {
      expect((await login(own.console, given)).text).not.toContain('1234567890')
    }
    expect(answers.map(({ text }) => text).join()).not.toContain(wrong)
    expect((await login(own.console)).status).toBe(200)
  })

  test('and right ones are not taken from the page of another site, nor as a form', async () => {
    await using own = await rig()
    expect((await login(own.console, TOKEN, { origin: 'https://elsewhere.test' })).status).toBe(403)
    expect((await login(own.console, TOKEN, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await login(own.console, TOKEN, { 'content-type': 'text/plain' })).status).toBe(415)
  })
})

test('who has no access is told where the token is, unless the application lets people in', async () => {
  const cache = createCache({ backend: 'memory', logger: false, dir: join(dir, 'own') })
  const silent = createConsole(cache, { logger: false })
  expect((await ask(silent, 'GET /api/cache/stats')).body).toMatchObject({
    code: 'no-access',
    signIn: { token: true, application: false, file: '.palier/console-token' },
  })
  await cache.close()
  await using both = await rig()
  expect((await ask(both.console, 'GET /api/cache/stats')).body['signIn']).toEqual({ token: true, application: true })
  await using open = await rig({}, { token: undefined as never })
  expect((await ask(open.console, 'GET /api/cache/stats')).body['signIn']).toEqual({ token: false, application: true })
  expect((await login(open.console)).status).toBe(401)
})
