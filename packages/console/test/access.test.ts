import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache } from 'palier'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { routesOf } from '../src/console.ts'
import { createConsole } from '../src/index.ts'
import { createAudit } from '../src/audit.ts'
import type { Route } from '../src/router.ts'
import { ask, asAdmin, asPerson, BEARER, rig, TOKEN } from './support/rig.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'palier-console-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const BODIES: Readonly<Record<string, unknown>> = {
  preview: { target: { kind: 'all' } },
  'invalidate-pattern': { pattern: '*' },
  'invalidate-tag': { tag: 'org:1' },
  'clear-all': { confirm: 'shop' },
  undo: { token: 'abc' },
  'set-config': { types: { dashboard: { ttl: '1m' } } },
  test: { mode: 'simple' },
  warm: {},
  'clear-keys': { keys: [{ type: 'dashboard', key: 'kpis' }] },
  'policy-preview': { type: 'dashboard', ttl: '1m' },
  'try-now': {},
  'test-alert': {},
  'acknowledge-alert': { signature: 'errors', reason: 'known', for: '1h' },
}

/** What needs a monitor. */
const WATCHED = ['history', 'metrics', 'alerts', 'test-alert', 'acknowledge-alert']

/** Each route as a request that would do something if it were let in. */
function requestsOf(routes: readonly Route[]): readonly { route: Route; line: string; body: unknown }[] {
  return routes.map(route => ({
    route,
    line: `${route.method} ${route.path}${route.path.endsWith('/') ? 'dashboard' : ''}`,
    body: route.method === 'GET' || route.method === 'DELETE' ? undefined : BODIES[route.name],
  }))
}

const PLACE = { monitor: undefined, environment: 'test', version: '0', bornAt: 0 }

async function fullRig() {
  let warmed = 0
  const warm = { dashboard: async () => void warmed++ }
  const made = await rig({}, { warm, limit: { changes: 1000, failures: 1000, clears: 1000 } })
  const { cache } = made
  await cache.type('dashboard').set('kpis', 'kept', { tags: ['org:1'] })
  await cache.set('dashboard', 'kept')
  const clock = { now: () => 0, wall: () => 0, hold: () => () => undefined }
  const log = { info: () => undefined, warn: () => undefined }
  const audit = createAudit(cache, { log, tell: undefined })
  const requests = requestsOf(routesOf({ cache, ...PLACE, warm, clock, log, audit }))
  const unchanged = async () => ({
    kpis: await cache.type('dashboard').get('kpis'),
    own: await cache.get('dashboard'),
    ttl: cache.operator.policies()['dashboard']?.ttl,
    warmed,
    deletes: cache.stats().deletes,
  })
  return { made, requests, unchanged }
}

const UNTOUCHED = { kpis: 'kept', own: 'kept', ttl: 300_000, warmed: 0, deletes: 0 }

describe('without access', () => {
  test('every route answers 401 and changes nothing', async () => {
    const { made, requests, unchanged } = await fullRig()
    await using own = made
    expect(requests.length).toBeGreaterThanOrEqual(18)
    const wrong = `${TOKEN.slice(0, -1)}X`
    const attempts: Readonly<Record<string, string>>[] = [
      {},
      { authorization: `Bearer ${wrong}` },
      { authorization: `Basic ${TOKEN}` },
      { authorization: 'Bearer ' },
      { 'x-palier-token': wrong },
      { cookie: 'who=nobody' },
      { cookie: 'who=root:mallory' },
      { host: 'localhost', 'x-forwarded-for': '127.0.0.1' },
    ]
    for (const { line, body } of requests) {
      for (const headers of attempts) {
        const answer = await ask(own.console, line, { body, headers }, '127.0.0.1')
        expect([line, answer.status]).toEqual([line, 401])
        expect(answer.body).toMatchObject({ status: 401, code: 'no-access' })
        expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="palier"')
        expect(answer.headers.get('x-palier-token')).toBeNull()
      }
    }
    expect(await unchanged()).toEqual(UNTOUCHED)
  })

  test('a path that does not exist, another method and a preflight look the same', async () => {
    await using own = await rig()
    for (const line of ['GET /nothing', 'PATCH /api/cache/stats', 'OPTIONS /api/cache/clear-all', 'HEAD /metrics']) {
      expect((await ask(own.console, line)).status).toBe(401)
    }
  })

  test('what authorize gives besides a role is no access, and its error is nobody’s business', async () => {
    for (const answer of [undefined, null, true, 'root', 'constructor', {}, { role: 'owner' }, 1]) {
      await using own = await rig({}, { authorize: () => answer as never })
      expect((await ask(own.console, 'GET /api/cache/stats')).status).toBe(401)
    }
    const fails = () => Promise.reject(new Error('database password hunter2'))
    await using own = await rig({}, { authorize: fails })
    const answer = await ask(own.console, 'GET /api/cache/stats')
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
    expect(answer.text).not.toContain('hunter2')
    expect(own.lines.some(line => line.includes(String(answer.body['id'])) && line.includes('hunter2'))).toBe(true)
  })
})

describe('an application that has made sure that nothing was forged', () => {
  test('sends changes with neither origin nor token, but not from the page of another site', async () => {
    const authorize = () => ({ role: 'admin', name: 'key of ann', unforgeable: true }) as const
    await using own = await rig({}, { authorize })
    const line = 'POST /api/cache/invalidate-tag'
    expect((await ask(own.console, line, { body: { tag: 'a' } })).status).toBe(200)
    const foreign = { origin: 'https://elsewhere.test', 'sec-fetch-site': 'cross-site' }
    expect((await ask(own.console, line, { body: { tag: 'a' }, headers: foreign })).status).toBe(403)
  })

  test('must say so with true, nothing like it', async () => {
    const authorize = () => ({ role: 'admin', name: 'ann', unforgeable: 'yes' }) as never
    await using own = await rig({}, { authorize })
    expect((await ask(own.console, 'POST /api/cache/invalidate-tag', { body: { tag: 'a' } })).status).toBe(403)
  })
})

describe('roles', () => {
  test('each route needs its role, and a lower one changes nothing', async () => {
    const { made, requests, unchanged } = await fullRig()
    await using own = made
    const rank = { viewer: 1, operator: 2, admin: 3 }
    for (const { route, line, body } of requests) {
      for (const role of ['viewer', 'operator'] as const) {
        if (rank[role] >= rank[route.role]) continue
        const answer = await asPerson(own.console, `${role}:ann`, line, { body })
        expect([line, answer.status, answer.body['code']]).toEqual([line, 403, 'role-too-low'])
      }
    }
    expect(await unchanged()).toEqual(UNTOUCHED)
  })

  test('each route is open to its role', async () => {
    const { made, requests } = await fullRig()
    await using own = made
    for (const { route, line, body } of requests) {
      // Without a monitor; and there is nothing to undo.
      const expected = WATCHED.includes(route.name) ? 501 : route.name === 'undo' ? 409 : 200
      const answer = await asPerson(own.console, `${route.role}:ann`, line, { body })
      expect([line, answer.status]).toEqual([line, expected])
    }
  })
})

describe('a request another site could have sent', () => {
  const body = { tag: 'org:1' }
  const line = 'POST /api/cache/invalidate-tag'

  test('with a session needs its own origin and the token of an answer', async () => {
    await using own = await rig({}, { origins: ['https://admin.example.org'], limit: { failures: 1000 } })
    const cases: readonly (readonly [Readonly<Record<string, string>>, number, string?])[] = [
      [{}, 200],
      [{ 'sec-fetch-site': 'none' }, 200],
      [{ origin: 'https://admin.example.org', 'sec-fetch-site': 'cross-site' }, 200],
      [{ origin: 'https://evil.example' }, 403, 'cross-origin'],
      [{ origin: 'null' }, 403, 'cross-origin'],
      [{ origin: 'https://app.test' }, 403, 'cross-origin'],
      [{ origin: 'http://app.test:8080' }, 403, 'cross-origin'],
      [{ origin: 'http://app.test.evil.example' }, 403, 'cross-origin'],
      [{ 'sec-fetch-site': 'cross-site' }, 403, 'cross-origin'],
      [{ 'sec-fetch-site': 'same-site' }, 403, 'cross-origin'],
      [{ 'x-palier-token': '' }, 403, 'no-token'],
      [{ 'x-palier-token': 'wrong' }, 403, 'no-token'],
    ]
    for (const [headers, status, code] of cases) {
      const answer = await asPerson(own.console, 'operator:ann', line, { body, headers })
      expect([headers, answer.status, answer.body['code']]).toEqual([headers, status, code])
    }
    const seen = await ask(own.console, 'GET /api/cache/health', { headers: { cookie: 'who=operator:ann' } })
    const token = seen.headers.get('x-palier-token') ?? ''
    const bare = { cookie: 'who=operator:ann', 'x-palier-token': token }
    expect((await ask(own.console, line, { body, headers: bare })).body['code']).toBe('cross-origin')
    const other = { cookie: 'who=operator:bob', 'x-palier-token': token, origin: 'http://app.test' }
    expect((await ask(own.console, line, { body, headers: other })).body['code']).toBe('no-token')
    expect((await ask(own.console, line, { body, headers: { ...other, cookie: 'who=operator:ann' } })).status).toBe(200)
  })

  test('with the token of the console needs no more, unless a browser says it came from elsewhere', async () => {
    await using own = await rig()
    expect((await asAdmin(own.console, line, body)).status).toBe(200)
    expect((await ask(own.console, line, { body, headers: { 'x-palier-token': TOKEN } })).status).toBe(200)
    const evil = { ...BEARER, origin: 'https://evil.example' }
    expect((await ask(own.console, line, { body, headers: evil })).body['code']).toBe('cross-origin')
    const crossSite = { ...BEARER, 'sec-fetch-site': 'cross-site' }
    expect((await ask(own.console, line, { body, headers: crossSite })).body['code']).toBe('cross-origin')
  })

  test('the token of an answer holds in every process, and after the backend lost its data', async () => {
    const store = join(dir, 'shared')
    const noToken = { limit: { failures: 1000 } }
    const files = { backend: 'filesystem', dir: store } as const
    const open = () => rig(files, noToken)
    await using a = await open()
    await using b = await open()
    const person = () => ({ role: 'operator', name: 'ann' }) as const
    const first = createConsole(a.cache, { authorize: person, logger: false })
    const second = createConsole(b.cache, { authorize: person, logger: false })
    const token = async () => (await ask(first, 'GET /api/cache/stats')).headers.get('x-palier-token') ?? ''
    const change = async (given: string) =>
      (await ask(second, line, { body, headers: { origin: 'http://app.test', 'x-palier-token': given } })).status
    expect(await change(await token())).toBe(200)
    await a.cache.documents<string>('palier-console').change('anti-forgery', () => ({ value: 'another', ttl: 60_000 }))
    const third = createConsole(a.cache, { authorize: person, logger: false })
    const seen = await ask(third, 'GET /api/cache/stats')
    expect(await change(seen.headers.get('x-palier-token') ?? '')).toBe(200)
  })
})

describe('the token', () => {
  test('is made where none is given, for this user alone, and only its path is told', async () => {
    const lines: string[] = []
    const logger = { info: (line: string) => void lines.push(line), warn: (line: string) => void lines.push(line) }
    const cache = createCache({ backend: 'memory', dir: join(dir, 'made'), logger: false })
    const path = join(dir, 'made', '.palier', 'console-token')
    const first = createConsole(cache, { logger })
    const token = (await readFile(path, 'utf8')).trim()
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(lines).toEqual([expect.stringContaining(path)])
    expect(lines.join()).not.toContain(token)
    const second = createConsole(cache, { logger: false })
    for (const one of [first, second]) {
      const answer = await ask(one, 'GET /api/cache/stats', { headers: { 'x-palier-token': token } })
      expect(answer.status).toBe(200)
    }
    await cache.close()
  })

  test('is not taken from a file that others may read, a link, or one that holds no token', async () => {
    const cache = createCache({ backend: 'memory', logger: false })
    const make = (tokenFile: string) => createConsole(cache, { tokenFile, logger: false })
    const open = join(dir, 'open')
    await writeFile(open, TOKEN)
    await chmod(open, 0o644)
    expect(() => make(open)).toThrow(/^tokenFile: .*others/)
    await symlink(open, join(dir, 'link'))
    expect(() => make(join(dir, 'link'))).toThrow(/^tokenFile: expected .* received ELOOP/)
    await writeFile(join(dir, 'short'), 'hunter2', { mode: 0o600 })
    expect(() => make(join(dir, 'short'))).toThrow(/received 7 characters \(not shown\)/)
    expect(() => make(join(dir, 'open', 'below'))).toThrow(/^tokenFile: expected .* received E/)
    const secret = join(dir, 'secret')
    await writeFile(secret, `${TOKEN}\n`)
    const made = createConsole(cache, { token: { file: secret }, logger: false })
    expect((await asAdmin(made, 'GET /api/cache/stats')).status).toBe(200)
    expect(() => createConsole(cache, { token: { file: join(dir, 'none') } })).toThrow(/^token\.file: .*ENOENT/)
    await cache.close()
  })

  test('wrong options are named, and no token is in the message', async () => {
    const cache = createCache({ backend: 'memory', logger: false })
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ token: 'hunter2' }, /^token: expected at least 32/],
      [{ token: `${TOKEN}\n` }, /^token: /],
      [{ token: 7 }, /^token: .*number/],
      [{ authorise: () => null }, /^options\.authorise: /],
      [{ authorize: 'admin' }, /^authorize: /],
      [{ token: TOKEN, origins: ['admin.example.org'] }, /^origins: /],
      [{ token: TOKEN, origins: ['https://admin.example.org/'] }, /^origins: /],
      [{ token: TOKEN, warm: { a: 1 } }, /^warm\.a: /],
      [{ token: TOKEN, limit: { changes: 0 } }, /^limit\.changes: /],
      [{ token: TOKEN, limit: { tries: 1 } }, /^limit\.tries: /],
    ]
    for (const [options, message] of cases) {
      const make = () => createConsole(cache, options)
      expect(make).toThrow(message)
      expect(make).toThrow(expect.objectContaining({ code: 'PALIER_BAD_OPTION' }))
      expect(make).not.toThrow(/hunter2|0123456789ab/)
    }
    await cache.close()
  })
})
