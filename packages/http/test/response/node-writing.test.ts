import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as send, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import express from 'express'
import { describe, expect, it } from 'vitest'
import { expressCache, nodeCache, type ResponseCacheOptions } from '../../src/index.ts'
import { gate, later, memory, serve, type Site, until } from './support/http.ts'

type Handler = (response: ServerResponse, run: number) => unknown

async function front(
  handler: Handler,
  options: ResponseCacheOptions = {},
): Promise<{ site: Site; runs: () => number }> {
  const { cache, clock } = memory()
  const route = { type: 'dashboard', scope: 'public' } as const
  let runs = 0
  const listener = nodeCache(cache, { clock, ...options }).listen(
    (_request, response) => void handler(response, ++runs),
    () => route,
  )
  return { site: await serve(listener), runs: () => runs }
}

describe('whatever way a handler writes in', () => {
  const WAYS: readonly (readonly [string, Handler])[] = [
    ['end', response => response.setHeader('X-A', '1').end('hello')],
    ['write and end', response => (response.setHeader('x-a', ['1']), response.write('hel'), response.end('lo'))],
    ['writeHead with an object', response => response.writeHead(200, { 'X-A': 1 }).end('hello')],
    ['writeHead with a reason', response => response.writeHead(200, 'Fine', { 'X-A': 1 }).end(Buffer.from('hello'))],
    ['writeHead with a list', response => response.writeHead(200, ['X-A', '1', 'X-B', '2']).end('68656c6c6f', 'hex')],
    ['a stream', response => (response.setHeader('x-a', '1'), Readable.from(['hel', 'lo']).pipe(response))],
    ['a pipeline', response => (response.setHeader('x-a', '1'), pipeline(Readable.from(['hel', 'lo']), response))],
    [
      'call-backs',
      response => response.appendHeader('x-a', '1').write('hel', () => response.end('lo', () => undefined)),
    ],
  ]

  it.each(WAYS)('%s', async (_name, handler) => {
    const { site, runs } = await front(handler)
    const first = await site.ask('/')
    const second = await site.ask('/')
    expect([first.text, first.headers['x-a'], first.cache]).toEqual(['hello', '1', 'MISS'])
    expect([second.text, second.headers['x-a'], second.cache, runs()]).toEqual(['hello', '1', 'HIT', 1])
  })

  it('a file, a redirect and JSON of Express', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'palier-response-'))
    later(() => rm(dir, { recursive: true }))
    await writeFile(join(dir, 'page.txt'), 'from a file')
    const { cache, clock } = memory()
    const { cacheResponse } = expressCache(cache, { clock })
    const app = express()
    const cached = cacheResponse('dashboard', { scope: 'public' })
    app.get('/file', cached, (_request, response) => response.sendFile(join(dir, 'page.txt'), { maxAge: 60_000 }))
    // A redirect of Express looks at Accept, and says so.
    const negotiated = cacheResponse('dashboard', { scope: 'public', vary: ['Accept'] })
    app.get('/moved', negotiated, (_request, response) => response.redirect(301, '/there'))
    app.get('/json', cached, (_request, response) => void response.json({ a: 1 }))
    const site = await serve(app)
    for (const path of ['/file', '/moved', '/json']) {
      const [first, second] = [await site.ask(path), await site.ask(path)]
      expect([path, first.cache, second.cache, second.text]).toEqual([path, 'MISS', 'HIT', first.text])
      expect([second.status, second.headers.location]).toEqual([first.status, first.headers.location])
    }
    expect((await site.ask('/file')).text).toBe('from a file')
    expect((await site.ask('/file')).headers['last-modified']).toBeDefined()
  })
})

describe('what is not kept goes to the client as it was written', () => {
  it('a body above the limit', async () => {
    const { site, runs } = await front(response => (response.write('a'.repeat(600)), response.end('b'.repeat(600))), {
      maxBodyBytes: 1000,
    })
    const replies = [await site.ask('/'), await site.ask('/')]
    for (const { text, line } of replies) {
      expect([text, line]).toEqual(['a'.repeat(600) + 'b'.repeat(600), 'Palier; fwd=uri-miss; detail=too-large'])
    }
    expect(runs()).toBe(2)
  })

  it('a stream of events, as they come', async () => {
    const finish = gate()
    const { site } = await front(async response => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      await finish.opened
      response.end('data: 2\n\n')
    })
    const sent = send({ port: site.port, host: '127.0.0.1' })
    sent.end()
    const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { headers: Record<string, string> }]
    const [first] = (await once(answer, 'data')) as [Buffer]
    expect([String(first), answer.headers['cache-status']]).toEqual([
      'data: 1\n\n',
      'Palier; fwd=uri-miss; detail=stream',
    ])
    finish.open()
    const [second] = (await once(answer, 'data')) as [Buffer]
    expect(String(second)).toBe('data: 2\n\n')
  })

  it('a response that goes on being written', async () => {
    const finish = gate()
    const { cache, clock } = memory()
    const route = { type: 'dashboard', scope: 'public' } as const
    const listener = nodeCache(cache, { clock }).listen(
      async (_request, response) => {
        response.write('first, ')
        await finish.opened
        response.end('last')
      },
      () => route,
    )
    const site = await serve(listener)
    const sent = send({ port: site.port, host: '127.0.0.1' })
    sent.end()
    const answered = once(sent, 'response')
    let isAnswered = false
    void answered.then(() => (isAnswered = true))
    await until(async () => {
      await clock.advance(100)
      return isAnswered
    })
    const [answer] = (await answered) as [NodeJS.ReadableStream]
    finish.open()
    let text = ''
    for await (const chunk of answer) text += String(chunk)
    expect(text).toBe('first, last')
    expect((await site.ask('/', { headers: { 'cache-control': 'only-if-cached' } })).status).toBe(504)
  })

  it('a body of another length than was said', async () => {
    const { site, runs } = await front(response => response.writeHead(200, { 'content-length': '3' }).end('abc'))
    await site.ask('/')
    expect((await site.ask('/')).cache).toBe('HIT')
    expect(runs()).toBe(1)
    const wrong = await front(response => {
      response.strictContentLength = false
      response.writeHead(200, { 'content-length': '10' })
      response.end('abc')
    })
    wrong.site.server.keepAliveTimeout = 1
    await expect(wrong.site.ask('/')).rejects.toThrow()
    await expect(wrong.site.ask('/')).rejects.toThrow()
    expect(wrong.runs()).toBe(2)
  })

  it.each([
    ['204', 'status', (response: ServerResponse) => response.writeHead(204).end()],
    ['404', 'status', (response: ServerResponse) => response.writeHead(404).end('none')],
    ['302', 'status', (response: ServerResponse) => response.writeHead(302, { location: '/login' }).end()],
    [
      '206',
      'status',
      (response: ServerResponse) => response.writeHead(206, { 'content-range': 'bytes 0-1/4' }).end('ab'),
    ],
  ])('status %s', async (status, detail, handler) => {
    const { site, runs } = await front(handler)
    const replies = [await site.ask('/'), await site.ask('/')]
    for (const reply of replies) {
      expect([String(reply.status), reply.line]).toEqual([status, `Palier; fwd=uri-miss; detail=${detail}`])
    }
    expect(runs()).toBe(2)
  })

  it('what a client did not wait for; who waited with it gets a run of its own', async () => {
    const held = gate()
    const { site, runs } = await front(async (response, run) => {
      if (run === 1) await held.opened
      response.end(`run ${run}`)
    })
    const sent = send({ port: site.port, host: '127.0.0.1', path: '/' })
    sent.on('error', () => undefined)
    sent.end()
    await until(() => runs() === 1)
    let arrived = 0
    site.server.on('request', () => arrived++)
    const waiting = [site.ask('/'), site.ask('/')]
    await until(() => arrived === 2)
    sent.destroy()
    const replies = await Promise.all(waiting)
    expect(new Set(replies.map(({ text }) => text))).toEqual(new Set(['run 2']))
    held.open()
    expect((await site.ask('/')).text).toBe('run 2')
  })
})

describe('headers', () => {
  it('of the handler are kept but for those that are true once', async () => {
    const once = {
      'retry-after': '5',
      ratelimit: '"a";r=1',
      'x-ratelimit-limit': '5',
      'x-request-id': 'abc',
      traceparent: 'x',
      'server-timing': 'db',
      'palier-cache-control': 'max-age=60',
    }
    const { site } = await front(response =>
      response.writeHead(200, { ...once, 'x-kept': 'a', link: ['</a>', '</b>'], 'content-type': 'text/html' }).end('x'),
    )
    const first = await site.ask('/')
    const second = await site.ask('/')
    expect([first.headers['palier-cache-control'], second.line]).toEqual([undefined, 'Palier; hit; ttl=60'])
    for (const name of Object.keys(once)) expect([name, second.headers[name]]).toEqual([name, undefined])
    expect([second.headers['x-kept'], second.headers.link]).toEqual(['a', '</a>, </b>'])
  })

  it.each([
    ['max-age=60', 'Palier; hit; ttl=60'],
    ['max-age=60, s-maxage=30', 'Palier; hit; ttl=30'],
    ['max-age=9999', 'Palier; hit; ttl=300'],
  ])('Cache-Control: %s shortens the life and is given on', async (value, line) => {
    const { site } = await front(response => response.writeHead(200, { 'cache-control': value }).end('x'))
    await site.ask('/')
    const second = await site.ask('/')
    expect([second.line, second.headers['cache-control']]).toEqual([line, value])
  })

  it.each([
    [{ 'cdn-cache-control': 'max-age=20', 'cache-control': 'no-store' }, 'Palier; hit; ttl=20'],
    [{ 'palier-cache-control': 'max-age=10', 'cdn-cache-control': 'max-age=20' }, 'Palier; hit; ttl=10'],
    [{ 'cdn-cache-control': 'max-age=20, ;;', 'cache-control': 'max-age=40' }, 'Palier; hit; ttl=40'],
    [{ 'cdn-cache-control': 'no-store', 'cache-control': 'max-age=40' }, 'Palier; fwd=uri-miss; detail=no-store'],
  ])('the most targeted field that can be read decides: %o', async (headers, line) => {
    const { site } = await front(response => response.writeHead(200, headers).end('x'))
    await site.ask('/')
    expect((await site.ask('/')).line).toBe(line)
  })

  it('what the handler has encoded itself is kept as it is, for those who can read it', async () => {
    const { site, runs } = await front(response =>
      response
        .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' })
        .end(gzipSync('a'.repeat(5000))),
    )
    const asked = { headers: { 'accept-encoding': 'gzip, br' } }
    await site.ask('/', asked)
    const second = await site.ask('/', asked)
    expect([second.cache, second.headers['content-encoding'], second.text]).toEqual(['HIT', 'gzip', 'a'.repeat(5000)])
    expect((await site.ask('/', { headers: { 'accept-encoding': 'br' } })).cache).toBe('BYPASS')
    expect(runs()).toBe(2)
  })
})
