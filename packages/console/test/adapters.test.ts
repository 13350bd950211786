import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import { connect } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { type AuditEntry, type CacheConsole, expressConsole, fastifyConsole, nodeConsole } from '../src/index.ts'
import { pages } from './support/pages.ts'
import { BEARER, rig } from './support/rig.ts'

interface Running {
  readonly port: number
  stop(): Promise<void>
}

async function listening(server: Server): Promise<Running> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The same console under `/ops/cache` of an application, beside a route of its own at `/hello`. */
const APPLICATIONS: Readonly<Record<string, (console: CacheConsole) => Promise<Running>>> = {
  node: console => {
    const listener = nodeConsole(console, { mount: '/ops/cache' })
    return listening(
      createServer((req, res) => {
        if (/^\/ops\/cache(?:[/?]|$)/.test(req.url ?? '')) listener(req, res)
        else res.end('hello')
      }),
    )
  },
  express: console => {
    const app = express()
    app.get('/hello', (_req, res) => void res.send('hello'))
    app.use('/ops/cache', expressConsole(console))
    return listening(createServer(app))
  },
  'express after a body parser, in a router': console => {
    const app = express()
    app.use(express.json({ limit: '1mb' }))
    app.get('/hello', (_req, res) => void res.send('hello'))
    const ops = express.Router()
    ops.use('/cache', expressConsole(console))
    app.use('/ops', ops)
    return listening(createServer(app))
  },
  async fastify(console) {
    const app = Fastify({ forceCloseConnections: true })
    app.get('/hello', () => 'hello')
    app.post('/hello', req => req.body)
    await app.register(async ops => ops.register(fastifyConsole(console), { prefix: '/cache' }), { prefix: '/ops' })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const address = app.server.address()
    return {
      port: typeof address === 'object' && address !== null ? address.port : 0,
      async stop() {
        await app.close()
      },
    }
  },
}

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** With `node:http`, which leaves paths and headers as they are. */
function send(
  port: number,
  line: string,
  headers: Readonly<Record<string, string>>,
  body?: string | Buffer,
): Promise<Got> {
  const [method = 'GET', path = '/'] = line.split(' ')
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method, path, headers, agent: false }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', chunk => (text += chunk))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

const JSON_BODY = { ...BEARER, 'content-type': 'application/json' }

describe.each(Object.entries(APPLICATIONS))('%s', (_name, start) => {
  test('serves the console below its path, and leaves the rest to the application', async () => {
    const told: AuditEntry[] = []
    await using own = await rig({}, { audit: entry => void told.push(entry) })
    const { port, stop } = await start(own.console)
    const ask = (line: string, body?: string, headers: Readonly<Record<string, string>> = JSON_BODY) =>
      send(port, line.replace(' /', ' /ops/cache/'), headers, body)
    try {
      const { cache } = own
      expect((await send(port, 'GET /hello', {})).text).toBe('hello')
      const stats = await ask('GET /api/cache/stats', undefined, BEARER)
      expect(stats).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
      expect(JSON.parse(stats.text)).toMatchObject({ is_available: true })
      expect((await ask('GET /api/cache/stats', undefined, {})).status).toBe(401)
      expect((await ask('GET /api/cache/none', undefined, BEARER)).status).toBe(404)
      expect((await ask('OPTIONS /api/cache/config', undefined, BEARER)).status).toBe(204)
      const head = await ask('HEAD /api/cache/stats', undefined, BEARER)
      expect(head).toMatchObject({ status: 200, text: '' })

      const key = `a/b%2F?c=d&é😀#;+ ${'x'.repeat(300)}`
      await cache.set(key, 1)
      const line = `keys/${encodeURIComponent(key)}`
      expect(JSON.parse((await ask(`GET /api/cache/explain/${encodeURIComponent(key)}`)).text)).toMatchObject({ key })
      expect(await ask(`DELETE /api/cache/${line}`, undefined, BEARER)).toMatchObject({ status: 200 })
      expect(await cache.peek(key)).toBeUndefined()

      await cache.set('tagged', 1, { tags: ['org:1'] })
      const cleared = await ask('POST /api/cache/invalidate-tag', '{"tag":"org:1"}')
      expect(cleared.status).toBe(200)
      expect(await cache.get('tagged')).toBeUndefined()
      expect((await ask('POST /api/cache/invalidate/product', undefined, BEARER)).status).toBe(200)
      expect(told).toMatchObject([{ from: '127.0.0.1' }, { what: 'invalidate-tag' }, { what: 'invalidate-type' }])
    } finally {
      await stop()
    }
  })

  test('leads to the pages, and serves them as they were built', async () => {
    await using built = await pages()
    await using own = await rig({}, {}, built.directory)
    const { port, stop } = await start(own.console)
    try {
      const moved = await send(port, 'GET /ops/cache?range=7d', {})
      expect(moved).toMatchObject({ status: 308, headers: { location: './cache/?range=7d' } })
      const shell = await send(port, 'GET /ops/cache/', {})
      expect(shell).toMatchObject({
        status: 200,
        text: built.html,
        headers: { 'content-type': 'text/html; charset=utf-8' },
      })
      const etag = String(shell.headers['etag'])
      expect(await send(port, 'GET /ops/cache/', { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' })
      const head = await send(port, 'HEAD /ops/cache/', {})
      expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': String(built.html.length) } })
      const code = await send(port, `GET /ops/cache/${built.code}`, { 'accept-encoding': 'gzip' })
      expect(code).toMatchObject({ status: 200, headers: { 'content-encoding': 'gzip' } })
      expect((await send(port, 'GET /ops/cache/assets/../../package.json', {})).status).toBe(401)
    } finally {
      await stop()
    }
  })

  test('answers bodies that are too long or of another kind, and goes on', async () => {
    await using own = await rig()
    const { port, stop } = await start(own.console)
    const line = 'POST /ops/cache/api/cache/invalidate-tag'
    try {
      const long = JSON.stringify({ tag: 'x'.repeat(70_000) })
      expect(await send(port, line, JSON_BODY, long)).toMatchObject({ status: 413 })
      const chunked = { ...JSON_BODY, 'transfer-encoding': 'chunked' }
      expect(await send(port, line, chunked, long)).toMatchObject({ status: 413 })
      const form = { ...BEARER, 'content-type': 'application/x-www-form-urlencoded' }
      expect(await send(port, line, form, 'tag=a')).toMatchObject({ status: 415 })
      expect(await send(port, line, JSON_BODY, '{"tag":"a"}')).toMatchObject({ status: 200 })
      expect((await send(port, line, {}, '{"tag":"a"}')).status).toBe(401)
    } finally {
      await stop()
    }
  })

  test('takes changes of a session from its own origin only', async () => {
    await using own = await rig()
    const { port, stop } = await start(own.console)
    const host = `127.0.0.1:${port}`
    try {
      const cookie = 'who=operator:ann'
      const seen = await send(port, 'GET /ops/cache/api/cache/health', { cookie, host })
      const headers = { cookie, host, 'x-palier-token': String(seen.headers['x-palier-token']) }
      const line = 'POST /ops/cache/api/cache/invalidate/product'
      expect((await send(port, line, { ...headers, origin: `http://${host}` })).status).toBe(200)
      expect((await send(port, line, { ...headers, origin: `https://${host}` })).status).toBe(403)
      expect((await send(port, line, { ...headers, origin: 'http://127.0.0.1' })).status).toBe(403)
      expect((await send(port, line, headers)).status).toBe(403)
    } finally {
      await stop()
    }
  })
})

test('node: strange requests and clients that leave do no harm', async () => {
  await using own = await rig()
  const { port, stop } = await listening(createServer(nodeConsole(own.console)))
  try {
    expect((await send(port, 'TRACE /api/cache/stats', BEARER)).status).toBe(405)
    expect((await send(port, 'GET //api/cache/stats', BEARER)).status).toBe(404)
    expect((await send(port, 'GET http://other.test/api/cache/stats', BEARER)).status).toBe(404)
    expect((await send(port, 'GET /api/cache/stats', { ...BEARER, host: 'a b' })).status).toBe(200)
    expect((await send(port, 'GET /api/cache/stats', { ...BEARER, host: 'user:pass@app.test' })).status).toBe(200)
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST /api/cache/clear-all HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"confirm"')
    socket.destroy()
    expect((await send(port, 'GET /api/cache/stats', BEARER)).status).toBe(200)
  } finally {
    await stop()
  }
})

test('express: scheme and address are those of the proxy it trusts', async () => {
  const told: AuditEntry[] = []
  await using own = await rig({}, { audit: entry => void told.push(entry) })
  const app = express()
  app.set('trust proxy', 'loopback')
  app.use(expressConsole(own.console))
  const { port, stop } = await listening(createServer(app))
  try {
    const proxied = { ...BEARER, host: 'shop.test', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' }
    const line = 'POST /api/cache/invalidate/product'
    expect((await send(port, line, { ...proxied, origin: 'https://shop.test' })).status).toBe(200)
    expect((await send(port, line, { ...proxied, origin: 'http://shop.test' })).status).toBe(403)
    expect(told.map(({ from }) => from)).toEqual(['192.0.2.7', '192.0.2.7'])
  } finally {
    await stop()
  }
})

test('fastify: a prefix may have parameters', async () => {
  await using own = await rig()
  const app = Fastify()
  await app.register(fastifyConsole(own.console), { prefix: '/:tenant/ops' })
  const answer = await app.inject({ url: '/acme/ops/api/cache/stats', headers: BEARER })
  expect(answer.statusCode).toBe(200)
  await app.close()
})

test('fastify: bodies of other routes are parsed as before', async () => {
  await using own = await rig()
  const { port, stop } = (await APPLICATIONS['fastify']?.(own.console)) ?? { port: 0, stop: async () => undefined }
  try {
    const answer = await send(port, 'POST /hello', { 'content-type': 'application/json' }, '{"a":1}')
    expect(answer).toMatchObject({ status: 200, text: '{"a":1}' })
  } finally {
    await stop()
  }
})
