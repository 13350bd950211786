import { gunzipSync } from 'node:zlib'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createLog } from '../../server/log.ts'
import { startApp } from '../support/app.ts'

interface Description {
  readonly openapi: string
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly tags: string[]; readonly summary?: string }>>>
  >
}

describe('every answer', () => {
  test('carries the headers that keep browsers out of trouble, and the id of its request', async () => {
    const { get, send } = await startApp()
    const { headers } = await get('/api/v1/categories')
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'private, no-store',
    })
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['x-powered-by']).toBeUndefined()
    expect(headers['x-request-id']).toMatch(/^[\w-]{8,64}$/)
    const kept = await send({ url: '/healthz', headers: { 'x-request-id': 'proxy-1234567' } })
    expect(kept.headers['x-request-id']).toBe('proxy-1234567')
    const odd = await send({ url: '/healthz', headers: { 'x-request-id': 'a b\tc' } })
    expect(odd.headers['x-request-id']).toMatch(/^[\w-]{36}$/)
  })

  test('is compressed when it is large, to less than 30 % for a list, and validated by its ETag', async () => {
    const { send, get } = await startApp({ data: { contacts: 300 } })
    const url = '/api/v1/contacts?limit=200'
    const plain = await get(url)
    const zipped = await send({ url, headers: { 'accept-encoding': 'gzip' } })
    expect(zipped.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(zipped.rawPayload).toString()).toBe(plain.body)
    expect(zipped.rawPayload.length / plain.rawPayload.length).toBeLessThan(0.3)
    const brotli = await send({ url, headers: { 'accept-encoding': 'br, gzip' } })
    expect(brotli.headers['content-encoding']).toBe('br')
    const again = await send({ url, headers: { 'if-none-match': String(plain.headers['etag']) } })
    expect([again.statusCode, again.body]).toEqual([304, ''])
    const small = await send({ url: '/healthz', headers: { 'accept-encoding': 'gzip' } })
    expect(small.headers['content-encoding']).toBeUndefined()
  })
})

describe('the description of the API', () => {
  test('names every route with a tag and a summary, and is there to browse', async () => {
    const { get, app } = await startApp()
    const described = (await get('/openapi.json')).json<Description>()
    expect(described.openapi).toBe('3.1.0')
    const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ line: `${method} ${path}`, ...operation })),
    )
    expect(operations.filter(({ tags, summary }) => tags.length !== 1 || !summary)).toEqual([])
    const known = new Set(Object.keys(described.paths))
    const routes = [...app.printRoutes({ commonPrefix: false }).matchAll(/(\/api\/v1[^\s(]*) \(/g)].map(([, url]) =>
      (url ?? '').replaceAll(/:(\w+)/g, '{$1}').replace(/(.)\/$/, '$1'),
    )
    expect(routes.filter(url => !known.has(url) && !known.has(`${url}/`) && !url.includes('cache/'))).toEqual([])
    expect((await get('/docs/')).statusCode).toBe(200)
  })
})

describe('probes', () => {
  test('tell alive from ready: without its database the process lives and cannot serve', async () => {
    const { get, services } = await startApp()
    expect((await get('/readyz')).json()).toEqual({ status: 'ok', database: 'ok', cache: 'HEALTHY' })
    await services.database.writer.schema.dropTable('settings').execute()
    const answer = await get('/readyz')
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ status: 'not ready', database: 'failed' })
    expect((await get('/healthz')).json()).toEqual({ status: 'ok' })
  })
})

describe('metrics', () => {
  test('are for who may look, and count requests, queries, sessions and the cache', async () => {
    const app = await startApp()
    await app.get('/api/v1/dashboard')
    await app.get('/api/v1/dashboard')
    const { body, headers } = await app.get('/metrics')
    expect(headers['content-type']).toContain('text/plain; version=0.0.4')
    expect(body).toMatch(
      /campaigns_http_request_seconds_count\{route="\/api\/v1\/dashboard\/?",method="GET",status="200"\} 2/,
    )
    expect(body).toMatch(/^campaigns_database_queries_total \d+$/m)
    expect(body).toMatch(/^palier_sessions_active/m)
    expect(body).toMatch(/^palier_cache_requests_total\{.*type="dashboard",result="hit"\} 1$/m)
    const agent = await app.as('agent')
    expect((await agent.get('/metrics')).statusCode).toBe(403)
    expect((await app.app.inject({ url: '/metrics' })).statusCode).toBe(401)
  })
})

describe('the log', () => {
  test('has a line for each request with its id, and nothing secret: no query, no body, no header', async () => {
    let text = ''
    const destination = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk)
        done()
      },
    })
    const app = await startApp({ log: createLog('info', destination) })
    await app.get('/api/v1/contacts?q=Ada+Secret')
    await app.post('/api/v1/contacts', { name: 'Grace Secret', phone: '+33612345678' })
    const credentials = { email: 'grace@example.org', password: 'Secret of Grace' }
    const login = await app.app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: credentials })
    expect(login.statusCode).toBe(401)
    const lines = text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
      .filter(line => line['msg'] === 'request')
    expect(lines.map(({ method, path, status }) => [method, path, status])).toEqual([
      ['GET', '/api/v1/contacts', 200],
      ['POST', '/api/v1/contacts', 201],
      ['POST', '/api/v1/auth/login', 401],
    ])
    expect(lines.every(line => typeof line['reqId'] === 'string')).toBe(true)
    expect(text).not.toContain('Secret')
    expect(text).not.toContain(app.key)
  })

  test('hides what is secret even where an object holding it is logged', () => {
    let text = ''
    const destination = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk)
        done()
      },
    })
    const log = createLog('info', destination)
    log.info({ password: 'one', body: { token: 'two', deep: { app_secret: 'three' } } }, 'careless')
    expect(text).toContain('careless')
    expect(text).not.toMatch(/one|two|three/)
  })
})

describe('CACHE_ENABLED=false', () => {
  test('is really off: every read asks the database, and nothing is written anywhere', async () => {
    const { readdirSync, existsSync } = await import('node:fs')
    const app = await startApp({ cache: false, data: {} })
    const answers = await Promise.all([1, 2, 3].map(() => app.get('/api/v1/dashboard')))
    expect(answers.map(({ headers }) => headers['x-cache'])).toEqual(['MISS', 'MISS', 'MISS'])
    await app.post('/api/v1/categories', { name: 'Press' })
    const cache = `${app.directory}/cache`
    expect(existsSync(cache) ? readdirSync(cache, { recursive: true }) : []).toEqual([])
    const notes = await app.services.database.writer.selectFrom('cache_outbox').selectAll().execute()
    expect(notes).toEqual([])
  })
})
