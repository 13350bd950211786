import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import session from 'express-session'
import type { Cache } from 'palier'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { until } from '../../../palier/test/support/redis-server.ts'
import {
  createSessionCache,
  expressSessionStore,
  fastifySessionStore,
  type SessionStoreOptions,
} from '../../src/index.ts'

let dir: string
const open: Cache[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'palier-session-cache-'))
  // No Redis of the machine the tests run on.
  vi.stubEnv('REDIS_URL', 'redis://127.0.0.1:1')
  vi.stubEnv('SESSION_DIR', join(dir, 'sessions'))
  for (const level of ['info', 'warn'] as const) vi.spyOn(console, level).mockReturnValue()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map(cache => cache.close()))
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await rm(dir, { recursive: true, force: true })
})

function sessionCache(options: Parameters<typeof createSessionCache>[0] = {}): Cache {
  const cache = createSessionCache({ logger: false, deadline: '20s', ...options })
  open.push(cache)
  return cache
}

test('SESSIONS_REDIS chooses the backend, and an option comes before it', () => {
  const backendFor = (text: string, options = {}): unknown => {
    vi.stubEnv('SESSIONS_REDIS', text)
    return sessionCache(options).status().configuration['backend']?.value
  }
  expect(backendFor('')).toBe('auto')
  expect(backendFor('auto')).toBe('auto')
  expect(backendFor(' TRUE ')).toBe('redis')
  expect(backendFor('redis')).toBe('redis')
  expect(backendFor('false')).toBe('filesystem')
  expect(backendFor('filesystem')).toBe('filesystem')
  expect(backendFor('nonsense', { backend: 'memory' })).toBe('memory')
})

test('a wrong SESSIONS_REDIS is named', () => {
  vi.stubEnv('SESSIONS_REDIS', 'maybe')
  const wrong = expect.objectContaining({
    code: 'PALIER_BAD_OPTION',
    message: expect.stringMatching(/^SESSIONS_REDIS: expected one of auto, true, .* received "maybe"$/),
  })
  expect(() => sessionCache()).toThrow(wrong)
  expect(() => fastifySessionStore()).toThrow(wrong)
})

test('sessions lie in SESSION_DIR, even where caches are switched off or have another backend', async () => {
  vi.stubEnv('CACHE_ENABLED', 'false')
  vi.stubEnv('CACHE_BACKEND', 'memory')
  vi.stubEnv('CACHE_DIR', join(dir, 'cache'))
  vi.stubEnv('SESSIONS_REDIS', 'false')
  const store = expressSessionStore(session)
  const set = (): Promise<boolean> =>
    store.set('a', { user: 'ada', cookie: {} }).then(
      () => true,
      () => false,
    )
  await until('a disk that may be busy has taken the session', set)
  expect(await store.get('a')).toMatchObject({ user: 'ada' })
  await store.close()
  await expect(store.get('a')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  expect(await readdir(dir)).toEqual(['sessions'])
  expect((await stat(join(dir, 'sessions'))).mode & 0o777).toBe(0o700)
  const again = fastifySessionStore()
  expect(await again.get('a')).toMatchObject({ user: 'ada' })
  await again.close()
})

test('a full directory refuses new sessions, and ends no old one', async () => {
  const cache = sessionCache({ backend: 'filesystem', files: { maxBytes: 2 ** 20 } })
  const store = fastifySessionStore({ cache })
  // Of random digits, which no compression makes much smaller.
  const text = Array.from({ length: 20_000 }, () => Math.random().toString(36).slice(2, 9)).join('')
  const kept: string[] = []
  let refusal: unknown
  while (refusal === undefined && kept.length < 40) {
    const sid = `session-${kept.length}`
    await store.set(sid, { text, cookie: {} }).then(
      () => kept.push(sid),
      (error: unknown) => (refusal = error),
    )
  }
  expect(refusal).toMatchObject({ code: 'PALIER_STORE_REFUSED', statusCode: 503 })
  expect(kept.length).toBeGreaterThan(2)
  for (const sid of kept) expect(await store.get(sid)).toMatchObject({ text })
})

test('a cache that was given stays open, one of its own is closed', async () => {
  const cache = sessionCache({ backend: 'memory' })
  await fastifySessionStore({ cache }).close()
  await cache.set('a', 1)
  expect(await cache.get('a')).toBe(1)
})

test('wrong options are named, with what was expected and what came', () => {
  const cache = sessionCache({ backend: 'memory' })
  const cases: [object, RegExp][] = [
    [{ ttl: 0 }, /^ttl: expected a whole number of milliseconds .* received 0$/],
    [{ ttl: '1 fortnight' }, /^ttl: .* received "1 fortnight"$/],
    [{ absolute: true }, /^absolute: /],
    [{ conflict: 'ask' }, /^conflict: expected 'merge' or 'reject', received "ask"$/],
    [{ name: '' }, /^name: /],
    [{ previous: 'files' }, /^previous: expected a cache or false/],
    [{ previous: cache }, /^previous: expected another cache/],
    [{ cache: {} }, /^cache: /],
    [{ onError: 'log' }, /^onError: /],
    [{ prefix: 'sess:' }, /^options.prefix: expected one of cache, .* received "prefix"$/],
  ]
  for (const [options, message] of cases) {
    const given = { cache, ...options } as SessionStoreOptions
    const wrong = expect.objectContaining({ code: 'PALIER_BAD_OPTION', message: expect.stringMatching(message) })
    expect(() => expressSessionStore(session, given)).toThrow(wrong)
    expect(() => fastifySessionStore(given)).toThrow(wrong)
  }
})

test('a session lives for 30 days at most, unless told otherwise', async () => {
  const days = async (options: SessionStoreOptions): Promise<number> => {
    const cache = sessionCache({ backend: 'memory' })
    const expires = new Date(Date.now() + 60 * 86_400_000).toISOString()
    await fastifySessionStore({ cache, ...options }).set('a', { cookie: { expires } })
    for await (const [one] of cache.documents('sessions').all()) return (one?.remaining ?? 0) / 86_400_000
    return 0
  }
  expect(await days({})).toBeCloseTo(30, 1)
  expect(await days({ absolute: '2d' })).toBeCloseTo(2, 1)
  expect(await days({ absolute: false })).toBeCloseTo(60, 1)
})

test('times are texts or milliseconds', async () => {
  const cache = sessionCache({ backend: 'memory' })
  const store = fastifySessionStore({ cache, ttl: '1h 30m' })
  await store.set('a', { user: 'ada', cookie: {} })
  for await (const [one] of cache.documents('sessions').all()) {
    expect(one?.remaining).toBeGreaterThan(80 * 60_000)
    expect(one?.remaining).toBeLessThanOrEqual(90 * 60_000)
  }
  expect(await store.length()).toBe(1)
})
