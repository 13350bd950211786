import { createRequire } from 'node:module'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import type { Cache } from 'palier'
import type { ManualClock } from 'palier/testing'
import { describe, expect, it } from 'vitest'
import {
  type CacheResponseOptions,
  expressCache,
  fastifyCache,
  fetchCache,
  honoCache,
  nodeCache,
} from '../../src/index.ts'
import { gate, later, memory, portOf, serve, type Site, siteOf, until } from './support/http.ts'

/** What a handler is told and says, in a form every framework can be given. */
interface Play {
  (headers: Record<string, string | undefined>, url: string): Promise<Said>
}
interface Said {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body: string
}
interface Stage {
  readonly cache: Cache
  readonly clock: ManualClock
  readonly options: Omit<CacheResponseOptions<unknown>, 'scope'>
  readonly play: Play
}
type Build = (stage: Stage) => Promise<Site>

/** It comes without types, and is used as if it were its successor. */
const express4 = createRequire(import.meta.url)('express4') as typeof express

function onExpress(make: typeof express): Build {
  return ({ cache, clock, options, play }) => {
    const { cacheResponse, invalidates } = expressCache(cache, { clock })
    const app = make()
    app.get('/page', cacheResponse('dashboard', { scope: 'public', ...options }), (request, response, next) => {
      play(request.headers as Record<string, string>, request.originalUrl)
        .then(({ status = 200, headers = {}, body }) => response.status(status).set(headers).type('text').send(body))
        .catch(next)
    })
    app.post('/page', invalidates({ types: ['dashboard'] }), (_request, response) => void response.json({ ok: true }))
    return serve(app)
  }
}

const onFastify: Build = async ({ cache, clock, options, play }) => {
  const { cacheResponse, invalidates } = fastifyCache(cache, { clock })
  const app = fastify()
  later(() => app.close())
  app.get('/page', cacheResponse('dashboard', { scope: 'public', ...options }), async (request, reply) => {
    const { status = 200, headers = {}, body } = await play(request.headers as Record<string, string>, request.url)
    return reply.code(status).headers(headers).type('text/plain; charset=utf-8').send(body)
  })
  app.post('/page', invalidates({ types: ['dashboard'] }), async () => ({ ok: true }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return siteOf(app.server, portOf(app.server))
}

const onFront: Build = ({ cache, clock, options, play }) => {
  const route = { type: 'dashboard', scope: 'public', ...options } as const
  const { invalidates } = expressCache(cache)
  const forget = invalidates({ types: ['dashboard'] })
  const listener = nodeCache(cache, { clock }).listen(
    (request, response) => {
      if (request.method === 'POST') return forget(request, response, () => response.end('{"ok":true}'))
      void play(request.headers as Record<string, string>, request.url ?? '').then(
        ({ status = 200, headers, body }) => {
          response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
          response.end(body)
        },
      )
    },
    request => (request.method === 'POST' ? undefined : route),
  )
  return serve(listener)
}

async function playFetch(play: Play, request: Request): Promise<Response> {
  const url = new URL(request.url)
  const {
    status = 200,
    headers,
    body,
  } = await play(Object.fromEntries(request.headers), `${url.pathname}${url.search}`)
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } })
}

const onFetch: Build = ({ cache, clock, options, play }) => {
  const { cacheResponse, invalidates } = fetchCache(cache, { clock })
  const page = cacheResponse('dashboard', { scope: 'public', ...options })((request: Request) =>
    playFetch(play, request),
  )
  const change = invalidates({ types: ['dashboard'] })(() => Response.json({ ok: true }))
  const handle = getRequestListener(request => (request.method === 'POST' ? change(request) : page(request)))
  return serve((request, response) => void handle(request, response))
}

const onHono: Build = ({ cache, clock, options, play }) => {
  const app = new Hono()
  const { cacheResponse, invalidates } = honoCache(cache, { clock, fetch: request => app.fetch(request) })
  app.get('/page', cacheResponse('dashboard', { scope: 'public', ...options }), context =>
    playFetch(play, context.req.raw),
  )
  app.post('/page', invalidates({ types: ['dashboard'] }), context => context.json({ ok: true }))
  const handle = getRequestListener(app.fetch)
  return serve((request, response) => void handle(request, response))
}

const FRAMEWORKS: readonly (readonly [string, Build])[] = [
  ['Express 5', onExpress(express)],
  ['Express 4', onExpress(express4)],
  ['Fastify', onFastify],
  ['in front of a listener', onFront],
  ['a fetch handler', onFetch],
  ['Hono', onHono],
]

describe.each(FRAMEWORKS)('%s', (_name, build) => {
  const counting = (said: (run: number) => Said | Promise<Said> = run => ({ body: `run ${run}` })) => {
    const state = { runs: 0, headers: {} as Record<string, string | undefined>, url: '' }
    const play: Play = async (headers, url) => {
      state.headers = { ...headers }
      state.url = url
      return said(++state.runs)
    }
    return { state, play }
  }

  it('runs the handler once, and then answers with what was kept until that is too old', async () => {
    const { state, play } = counting()
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: { ttl: '5m' }, play })
    const first = await site.ask('/page')
    await clock.advance(10_000)
    const second = await site.ask('/page')
    expect([first.status, first.cache, first.text, first.line]).toEqual([
      ...[200, 'MISS', 'run 1', 'Palier; fwd=uri-miss; stored'],
    ])
    expect([second.cache, second.text, second.line]).toEqual(['HIT', 'run 1', 'Palier; hit; ttl=290'])
    expect(second.headers.age).toBe('10')
    expect(second.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(second.headers.etag).toBe(first.headers.etag)
    await clock.advance(290_000)
    expect((await site.ask('/page')).text).toBe('run 2')
    expect(state.runs).toBe(2)
  })

  it('serves what is stale at once, and makes it anew behind', async () => {
    const held = gate()
    const { state, play } = counting(async run => {
      if (run > 1) await held.opened
      return { body: `run ${run}`, headers: { 'x-run': String(run) } }
    })
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: { ttl: '1m', grace: '1h' }, play })
    await site.ask('/page')
    await clock.advance(90_000)
    let stale: Awaited<ReturnType<Site['ask']>> | undefined
    void site.ask('/page').then(reply => (stale = reply))
    await until(async () => {
      await clock.advance(1)
      return stale !== undefined && state.runs === 2
    })
    expect([stale?.cache, stale?.text, stale?.line]).toEqual(['STALE', 'run 1', 'Palier; hit; ttl=-30'])
    held.open()
    await until(async () => (await site.ask('/page')).text === 'run 2')
    const fresh = await site.ask('/page')
    expect([fresh.cache, fresh.headers['x-run'], state.runs]).toEqual(['HIT', '2', 2])
  })

  it('answers a failing handler with what is stale, and with its failure when there is nothing', async () => {
    const { state, play } = counting(run => (run === 1 ? { body: 'well' } : { status: 503, body: 'ill' }))
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: { ttl: '1m', grace: '10m' }, play })
    await site.ask('/page')
    await clock.advance(61_000)
    let stale: Awaited<ReturnType<Site['ask']>> | undefined
    void site.ask('/page').then(reply => (stale = reply))
    await until(async () => {
      await clock.advance(1)
      return stale !== undefined && state.runs === 2
    })
    expect([stale?.status, stale?.text]).toEqual([200, 'well'])
    await clock.advance(600_000)
    const failed = await site.ask('/page')
    expect([failed.status, failed.text, failed.line]).toEqual([503, 'ill', 'Palier; fwd=uri-miss; detail=status'])
  })

  it('runs the handler once for a herd', async () => {
    const held = gate()
    const { state, play } = counting(async run => {
      await held.opened
      return { body: `run ${run}` }
    })
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    const herd = Array.from({ length: 20 }, () => site.ask('/page'))
    await until(() => state.runs === 1)
    held.open()
    const replies = await Promise.all(herd)
    expect(new Set(replies.map(({ text }) => text))).toEqual(new Set(['run 1']))
    expect(replies.filter(({ line }) => line === 'Palier; fwd=uri-miss; stored')).toHaveLength(1)
    for (const { line } of replies)
      expect(line).toMatch(/^Palier; (?:fwd=uri-miss; stored(?:; collapsed)?|hit; ttl=\d+)$/)
    expect(state.runs).toBe(1)
  })

  it('shows the handler no more than the key covers', async () => {
    const { state, play } = counting()
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: { vary: ['accept-language'], query: ['a'] }, play })
    const headers = {
      'accept-language': 'de',
      'x-forwarded-host': 'evil.example',
      cookie: 'theme=dark',
      'user-agent': 'x',
    }
    const reply = await site.ask('/page?b=1&a=2', {
      headers: { ...headers, 'if-none-match': '"x"', 'accept-encoding': 'br' },
    })
    expect(reply.cache).toBe('MISS')
    const { host, ...seen } = state.headers
    expect([seen, typeof host]).toEqual([{ 'accept-language': 'de' }, 'string'])
    expect(state.url).toBe('/page?a=2')
    expect(reply.headers.vary).toBe('accept-language')
    expect((await site.ask('/page?a=2&c=3', { headers: { 'accept-language': 'de' } })).cache).toBe('HIT')
    expect((await site.ask('/page?a=2', { headers: { 'accept-language': 'fr' } })).cache).toBe('MISS')
  })

  it.each([
    ['authorization', { authorization: 'Bearer x' }],
    ['session-cookie', { cookie: 'a=1; connect.sid=x' }],
    ['range', { range: 'bytes=0-1' }],
    ['no-store', { 'cache-control': 'no-store' }],
    ['method-override', { 'x-http-method-override': 'DELETE' }],
  ])('lets a request with %s pass by', async (detail, headers) => {
    const { state, play } = counting()
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    const replies = [await site.ask('/page', { headers }), await site.ask('/page', { headers })]
    expect(replies.map(({ cache: one, text, line }) => [one, text, line])).toEqual([
      ['BYPASS', 'run 1', `Palier; fwd=bypass; detail=${detail}`],
      ['BYPASS', 'run 2', `Palier; fwd=bypass; detail=${detail}`],
    ])
    expect(Object.entries(state.headers)).toEqual(expect.arrayContaining(Object.entries(headers)))
    expect((await site.ask('/page')).text).toBe('run 3')
  })

  it.each([
    ['set-cookie', { 'set-cookie': 'a=1' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['no-store', { 'cache-control': 'no-store' }],
    ['no-cache', { 'cache-control': 'no-cache' }],
    ['max-age', { 'cache-control': 'max-age=0' }],
    ['vary', { vary: '*' }],
    ['vary', { vary: 'user-agent' }],
    ['nonce', { 'content-security-policy': "script-src 'nonce-abc'" }],
  ])('keeps no response with %s', async (detail, headers) => {
    const { play } = counting(run => ({ body: `run ${run}`, headers }))
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    const first = await site.ask('/page')
    const second = await site.ask('/page')
    expect([first.text, second.text, second.cache, second.line]).toEqual([
      ...['run 1', 'run 2', 'MISS', `Palier; fwd=uri-miss; detail=${detail}`],
    ])
    for (const [name, value] of Object.entries(headers)) expect([first.headers[name]].flat()).toEqual([value])
  })

  it('deletes what a handler has changed before its response is over', async () => {
    const { play } = counting()
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    await site.ask('/page')
    expect((await site.ask('/page')).text).toBe('run 1')
    const changed = await site.ask('/page', { method: 'POST' })
    expect([changed.status, changed.text]).toEqual([200, '{"ok":true}'])
    expect((await site.ask('/page')).text).toBe('run 2')
  })

  it('answers HEAD and conditional requests from what a GET has left', async () => {
    const { state, play } = counting(run => ({ body: `run ${run}`.padEnd(2000, '.') }))
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    const early = await site.ask('/page', { method: 'HEAD' })
    expect([early.cache, early.line]).toEqual(['BYPASS', 'Palier; fwd=bypass; detail=head'])
    const full = await site.ask('/page', { headers: { 'accept-encoding': 'gzip' } })
    expect([full.headers['content-encoding'], full.headers.vary]).toEqual(['gzip', 'accept-encoding'])
    const runs = state.runs
    const head = await site.ask('/page', { method: 'HEAD' })
    expect([head.cache, head.headers['content-length'], head.bytes.length]).toEqual(['HIT', '2000', 0])
    const etag = String(full.headers.etag)
    const same = await site.ask('/page', {
      headers: { 'accept-encoding': 'gzip', 'if-none-match': `"other", W/${etag}` },
    })
    expect([same.status, same.headers.etag, same.bytes.length, same.cache]).toEqual([304, etag, 0, 'HIT'])
    expect((await site.ask('/page', { headers: { 'if-none-match': etag } })).status).toBe(200)
    expect(state.runs).toBe(runs)
  })

  it('gives each client the encoding it takes', async () => {
    const { play } = counting(() => ({ body: 'a'.repeat(5000) }))
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    const encodingFor = async (accepted: string): Promise<unknown> => {
      const reply = await site.ask('/page', { headers: { 'accept-encoding': accepted } })
      expect(reply.text).toBe('a'.repeat(5000))
      return reply.headers['content-encoding'] ?? 'identity'
    }
    const asked = ['gzip', 'br', 'gzip, br', 'gzip;q=0', 'br;q=0.1, gzip;q=0.9', '*', 'identity', 'gzip;q=0, *;q=0.5']
    const given = []
    for (const accepted of asked) given.push(await encodingFor(accepted))
    expect(given).toEqual(['gzip', 'br', 'br', 'identity', 'gzip', 'br', 'identity', 'br'])
  })

  it('passes by with a cache that is switched off', async () => {
    const { play } = counting()
    const { cache, clock } = memory({ enabled: false })
    const site = await build({ cache, clock, options: {}, play })
    const replies = [await site.ask('/page'), await site.ask('/page')]
    expect(replies.map(({ text, line }) => [text, line])).toEqual([
      ['run 1', 'Palier; fwd=bypass; detail=disabled'],
      ['run 2', 'Palier; fwd=bypass; detail=disabled'],
    ])
  })

  it('answers only-if-cached with 504 when there is nothing', async () => {
    const { state, play } = counting()
    const { cache, clock } = memory()
    const site = await build({ cache, clock, options: {}, play })
    const headers = { 'cache-control': 'only-if-cached' }
    expect((await site.ask('/page', { headers })).status).toBe(504)
    await site.ask('/page')
    expect((await site.ask('/page', { headers })).text).toBe('run 1')
    expect(state.runs).toBe(1)
  })
})
