import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import express, { type Request } from 'express'
import fastify, { type FastifyRequest } from 'fastify'
import { type Cache, createCache, type Limiter, type LimiterOptions } from 'palier'
import { faulty, type FaultyStore, type ManualClock, manualClock } from 'palier/testing'
import { memoryStore } from 'palier'
import { isInnerList, parseList } from 'structured-headers'
import { afterEach, describe, expect, test } from 'vitest'
import { limitRequests, limitRequestsHook, type LimitRequestsOptions } from '../../src/index.ts'

const express4 = createRequire(import.meta.url)('express4') as typeof express
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Bench {
  readonly clock: ManualClock
  readonly cache: Cache
  readonly store: FaultyStore
  limiter(name: string, options?: Partial<LimiterOptions>): Limiter
}

/** A cache on a clock moved by hand, and a store that fails when told to. */
async function bench(): Promise<Bench> {
  const clock = manualClock()
  const store = faulty(memoryStore({ clock }))
  const cache = createCache({ store, clock, logger: false })
  await cache.ready()
  ends.push(() => cache.close())
  return {
    clock,
    cache,
    store,
    limiter: (name, options = {}) => cache.limiter(name, { limit: 3, window: '1m', onOutage: 'closed', ...options }),
  }
}

const FRAMEWORKS = ['node', 'express 5', 'express 4', 'fastify'] as const
type Framework = (typeof FRAMEWORKS)[number]
type Options = Omit<LimitRequestsOptions<never>, 'key' | 'cost' | 'skip'>

/** A server limited by all of the limiters, one after the other, and a request to it. `?as=` is who asks, `?cost=` how much. */
async function serve(framework: Framework, limiters: readonly Limiter[], options: Options = {}) {
  const asked = (url: string | undefined, name: string): string | null =>
    new URL(url ?? '/', 'http://localhost').searchParams.get(name)
  const told = {
    ...options,
    key: ({ url }: { url?: string | undefined }) => asked(url, 'as') ?? 'somebody',
    cost: ({ url }: { url?: string | undefined }) => Number(asked(url, 'cost') ?? 1),
  }
  let close: () => unknown
  let port: number
  if (framework === 'fastify') {
    const app = fastify()
    for (const limiter of limiters) app.addHook('onRequest', limitRequestsHook<FastifyRequest>(limiter, told))
    app.get('/', async () => 'ok')
    await app.listen({ port: 0, host: '127.0.0.1' })
    port = Number(new URL(app.listeningOrigin).port)
    close = () => app.close()
  } else {
    const app = framework === 'express 4' ? express4() : express()
    for (const limiter of limiters) app.use(limitRequests<Request>(limiter, told))
    app.get('/', (_request, response) => void response.send('ok'))
    app.set('env', 'test')
    const [limiter] = limiters
    const plain = limiter && limitRequests<{ url?: string | undefined }>(limiter, told)
    const server = createServer((request, response) => {
      if (framework !== 'node') return void app(request, response)
      plain?.(request, response, error => {
        response.statusCode = error === undefined ? 200 : 500
        response.end('ok')
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
    close = () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(resolve))
    }
  }
  ends.push(() => close())
  return (query: string = ''): Promise<Response> => fetch(`http://127.0.0.1:${port}/${query}`)
}

/** The members of a List of Strings with their parameters. */
function listOf(response: Response, name: string): Record<string, Record<string, unknown>> {
  const members = parseList(response.headers.get(name) ?? '').map(item => {
    if (isInnerList(item) || typeof item[0] !== 'string') throw new Error(`${name} is no List of Strings`)
    return [item[0], Object.fromEntries(item[1])] as const
  })
  return Object.fromEntries(members)
}

const retryAfter = (response: Response): number => Number(response.headers.get('retry-after'))

describe.each(FRAMEWORKS)('requests of %s', framework => {
  test('are told of their limit in fields of draft 8, and denied as a problem', async () => {
    const { clock, limiter } = await bench()
    const visit = await serve(framework, [limiter('api')])
    for (const remaining of [2, 1, 0]) {
      const response = await visit()
      expect(response.status).toBe(200)
      expect(listOf(response, 'ratelimit-policy')).toEqual({ api: { q: 3, w: 60 } })
      expect(listOf(response, 'ratelimit')).toEqual({ api: { r: remaining, t: 120 } })
      expect(response.headers.get('retry-after')).toBeNull()
    }
    await clock.advance(30_500)
    const denied = await visit()
    expect(denied.status).toBe(429)
    expect(denied.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(denied.headers.get('cache-control')).toBe('no-store')
    const { r, t } = listOf(denied, 'ratelimit')['api'] ?? {}
    expect(r).toBe(0)
    expect(retryAfter(denied)).toBe(t)
    expect(await denied.json()).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too many requests',
      status: 429,
      'violated-policies': ['api'],
    })
    await clock.advance(retryAfter(denied) * 1_000 - 1_000)
    expect((await visit()).status).toBe(429)
    await clock.advance(1_000)
    expect((await visit()).status).toBe(200)
  })

  test('are limited by key and by cost', async () => {
    const { limiter } = await bench()
    const visit = await serve(framework, [limiter('api')])
    expect((await visit('?as=a&cost=3')).status).toBe(200)
    expect((await visit('?as=a')).status).toBe(429)
    expect((await visit('?as=a&cost=0')).status).toBe(200)
    expect((await visit('?as=b')).status).toBe(200)
    expect((await visit('?as=b&cost=4')).status).toBe(500)
  })

  test('get 503 when an outage denies them, and only the policy when one admits them', async () => {
    const { store, limiter } = await bench()
    const closed = await serve(framework, [limiter('api')])
    const open = await serve(framework, [limiter('page', { onOutage: 'open' })])
    store.fail('limits.take')
    const denied = await closed()
    expect([denied.status, retryAfter(denied), denied.headers.get('ratelimit')]).toEqual([503, 1, null])
    expect(await denied.json()).toMatchObject({ status: 503 })
    const admitted = await open()
    expect([admitted.status, admitted.headers.get('ratelimit')]).toEqual([200, null])
    expect(listOf(admitted, 'ratelimit-policy')).toEqual({ page: { q: 3, w: 60 } })
  })
})

test.each(['express 5', 'fastify'] as const)(
  'several limits of %s tell of each, and the first to deny answers',
  async framework => {
    const { limiter } = await bench()
    const visit = await serve(framework, [
      limiter('burst', { limit: 2, window: '1s' }),
      limiter('daily', { limit: 9, window: '1d' }),
    ])
    const first = await visit()
    expect(listOf(first, 'ratelimit-policy')).toEqual({ burst: { q: 2, w: 1 }, daily: { q: 9, w: 86_400 } })
    expect(listOf(first, 'ratelimit')).toEqual({ burst: { r: 1, t: 2 }, daily: { r: 8, t: 172_800 } })
    await visit()
    const denied = await visit()
    expect(Object.keys(listOf(denied, 'ratelimit'))).toEqual(['burst'])
    expect(await denied.json()).toMatchObject({ 'violated-policies': ['burst'] })
  },
)

describe('the fields', () => {
  const fieldsOf = ({ headers }: Response): Record<string, string> =>
    Object.fromEntries([...headers].filter(([name]) => name.includes('ratelimit') || name === 'retry-after'))

  test('may be those of draft 7, of draft 6, the old ones or none', async () => {
    const { limiter } = await bench()
    const told = async (headers: NonNullable<Options['headers']>, limit: number): Promise<Record<string, string>> => {
      const visit = await serve('node', [limiter(`${headers}`, { limit, window: 59_001 })], { headers })
      await visit()
      return fieldsOf(await visit())
    }
    expect(await told('draft-7', 2)).toEqual({
      'ratelimit-policy': '2;w=60',
      ratelimit: 'limit=2, remaining=0, reset=119',
    })
    expect(await told('draft-6', 2)).toEqual({
      'ratelimit-policy': '2;w=60',
      'ratelimit-limit': '2',
      'ratelimit-remaining': '0',
      'ratelimit-reset': '119',
    })
    const old = await told('legacy', 2)
    expect(old).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0' })
    const resetAt = Number(old['x-ratelimit-reset'])
    expect(resetAt * 1_000 - Date.now()).toBeGreaterThan(60_000)
    expect(resetAt * 1_000 - Date.now()).toBeLessThan(125_000)
    const visit = await serve('node', [limiter('none', { limit: 1 })], { headers: false })
    expect(fieldsOf(await visit())).toEqual({})
    expect(Object.keys(fieldsOf(await visit()))).toEqual(['retry-after'])
  })

  test('name the policy as it is, and the key by a part of its hash when asked for', async () => {
    const { limiter } = await bench()
    const visit = await serve('node', [limiter('api')], { name: 'my "best" \\ policy', partition: true })
    const response = await visit('?as=ada')
    const hash = createHash('sha256').update('ada').digest().subarray(0, 9)
    for (const name of ['ratelimit', 'ratelimit-policy']) {
      const { pk } = listOf(response, name)['my "best" \\ policy'] ?? {}
      expect(Buffer.from(pk as ArrayBuffer).equals(hash)).toBe(true)
    }
    expect(JSON.stringify([...response.headers])).not.toContain('ada')
  })
})

test('a client is its address unless a key is given, and who is skipped is not counted', async () => {
  const { limiter } = await bench()
  const limit = limitRequests<{ ip?: string; socket?: { remoteAddress?: string }; free?: boolean }>(
    limiter('api', { limit: 1 }),
    { skip: ({ free }) => free === true },
  )
  const outcome = (request: Parameters<typeof limit>[0]): Promise<unknown> =>
    new Promise(resolve => {
      const response = { statusCode: 200, headersSent: false, getHeader: () => undefined, setHeader: () => undefined }
      const whole = { ...response, end: () => resolve(whole.statusCode) }
      limit(request, whole, error => resolve(error ?? 'next'))
    })
  expect(await outcome({ ip: '2001:db8::1' })).toBe('next')
  expect(await outcome({ ip: '2001:db8:0:ff::2', socket: { remoteAddress: '192.0.2.1' } })).toBe(429)
  expect(await outcome({ ip: '2001:db8::1', free: true })).toBe('next')
  expect(await outcome({ socket: { remoteAddress: '::ffff:192.0.2.1' } })).toBe('next')
  expect(await outcome({ socket: { remoteAddress: '192.0.2.1' } })).toBe(429)
  expect(await outcome({})).toMatchObject({ code: 'PALIER_BAD_OPTION' })
})

test.each([
  ['headers', { headers: 'draft-9' }],
  ['name', { name: 'né' }],
  ['key', { key: 'ip' }],
  ['cost', { cost: 2 }],
  ['partition', { partition: 'yes' }],
  ['ipv6Prefix', { ipv6Prefix: 0 }],
  ['options.limit', { limit: 3 }],
])('options are refused by the name of %s', async (field, options) => {
  const { limiter } = await bench()
  for (const make of [limitRequests, limitRequestsHook]) {
    expect(() => make(limiter('api'), options as never)).toThrow(`${field}: expected`)
  }
})
