import { connect } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { type Cache, createCache } from 'palier'
import { manualClock } from 'palier/testing'
import { describe, expect, it } from 'vitest'
import {
  type CacheResponseOptions,
  expressCache,
  fastifyCache,
  type NodeRequest,
  nodeCache,
  type ResponseCacheOptions,
} from '../../src/index.ts'
import { later, memory, portOf, serve, type Site, siteOf } from './support/http.ts'

type Options = CacheResponseOptions<NodeRequest>

/** A front whose handler answers with a count, the host and the URL it was shown. */
async function front(route: Options, options: ResponseCacheOptions = {}, given = memory()) {
  const { cache, clock } = given
  let runs = 0
  const fixed = { type: 'dashboard', ...route } as const
  const listener = nodeCache(cache, { clock, ...options }).listen(
    (request, response) => {
      response.setHeader('content-type', 'text/plain')
      response.end(`${++runs} ${request.url} ${request.headers.cookie ?? '-'}`)
    },
    () => fixed,
  )
  return { site: await serve(listener), cache, clock, runs: () => runs }
}

/** Sends bytes as they are, and gives the head of the answer. */
function raw(site: Site, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(site.port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('error', reject)
    socket.on('data', (chunk: string) => (answer += chunk))
    socket.on('close', () => resolve(answer))
    socket.write(text)
  })
}

const userOf = (request: NodeRequest): string | undefined => /user=(\w+)/.exec(request.headers.cookie ?? '')?.[1]

describe('whose a response is', () => {
  it('one user never gets the response of another, and without a user nothing is kept', async () => {
    const { site, cache } = await front({ scope: { user: userOf } })
    const ask = async (user: string): Promise<string> => {
      const { text, cache: outcome } = await site.ask('/me', { headers: { cookie: `user=${user}; connect.sid=1` } })
      return `${outcome} ${text}`
    }
    expect(await ask('ann')).toBe('MISS 1 /me user=ann; connect.sid=1')
    expect(await ask('bob')).toBe('MISS 2 /me user=bob; connect.sid=1')
    expect(await ask('ann')).toBe('HIT 1 /me user=ann; connect.sid=1')
    const nobody = await site.ask('/me')
    expect([nobody.text, nobody.line]).toEqual(['3 /me -', 'Palier; fwd=bypass; detail=no-subject'])
    expect((await site.ask('/me', { headers: { cookie: 'user=ann' } })).headers['cache-control']).toBe(
      'private, no-cache',
    )
    const { keys } = await cache.operator.keys({ type: 'dashboard' })
    expect(keys.map(({ key }) => key).join()).not.toMatch(/ann|bob/)
  })

  it('users and roles of one name do not meet, and a secret changes the digests', async () => {
    const given = memory()
    const asUser = await front({ scope: { user: () => 'admin' }, key: () => 'k' }, {}, given)
    const asRole = await front({ scope: { role: () => 'admin' }, key: () => 'k' }, {}, given)
    const secret = await front({ scope: { user: () => 'admin' }, key: () => 'k' }, { secret: 'x'.repeat(32) }, given)
    for (const { site } of [asUser, asRole, secret]) expect((await site.ask('/')).cache).toBe('MISS')
    const { keys } = await given.cache.operator.keys({ type: 'dashboard' })
    expect(new Set(keys.map(({ key }) => key)).size).toBe(3)
  })

  it('a type of users keeps subjects apart itself, and takes no public route', async () => {
    const given = memory({ types: { mine: { scope: 'user' } } })
    const { cacheResponse } = expressCache(given.cache, { clock: given.clock })
    expect(() => cacheResponse('mine', { scope: 'public' })).toThrow(/scope: expected .*user/)
    const app = express()
    let runs = 0
    const user = (request: NodeRequest): string | undefined => userOf(request)
    app.get('/me', cacheResponse('mine', { scope: { user }, key: () => 'me' }), (_request, response) => {
      response.send(`run ${++runs}`)
    })
    const site = await serve(app)
    const asked = { headers: { cookie: 'user=ann' } }
    await site.ask('/me', asked)
    expect((await site.ask('/me', asked)).cache).toBe('HIT')
    expect((await site.ask('/me', { headers: { cookie: 'user=bob' } })).text).toBe('run 2')
  })

  it('without a scope nothing is kept', async () => {
    const { site } = await front({} as Options)
    const replies = [await site.ask('/'), await site.ask('/')]
    expect(replies.map(({ line }) => line)).toEqual(Array(2).fill('Palier; fwd=bypass; detail=no-scope'))
    expect(replies[0]?.text).not.toBe(replies[1]?.text)
  })

  it.each(['session', 'user'])('a public handler that reads request.%s is not kept', async name => {
    const { cache, clock } = memory()
    const { cacheResponse } = expressCache(cache, { clock })
    const app = express()
    app.use((request, _response, next) => {
      Object.assign(request, { [name]: { name: new URL(request.url, 'http://a').searchParams.get('as') } })
      next()
    })
    app.get('/reads', cacheResponse('dashboard', { scope: 'public', query: [] }), (request, response) => {
      response.send((Reflect.get(request, name) as { name: string }).name)
    })
    app.get('/ignores', cacheResponse('dashboard', { scope: 'public', query: [] }), (_request, response) => {
      response.send('same for all')
    })
    const site = await serve(app)
    expect([(await site.ask('/reads?as=a')).text, (await site.ask('/reads?as=b')).text]).toEqual(['a', 'b'])
    expect((await site.ask('/reads')).line).toBe(`Palier; fwd=uri-miss; detail=read-${name}`)
    await site.ask('/ignores')
    expect((await site.ask('/ignores')).cache).toBe('HIT')
  })

  it('cookies that cookie parsers made of what is hidden are seen to be read in Fastify too', async () => {
    const { cache, clock } = memory()
    const { cacheResponse } = fastifyCache(cache, { clock })
    const app = fastify()
    later(() => app.close())
    app.decorateRequest('cookies', null as unknown as Record<string, string>)
    app.addHook('onRequest', async request => {
      Reflect.set(request, 'cookies', { theme: request.headers.cookie ?? '' })
    })
    app.get('/', cacheResponse('dashboard', { scope: 'public' }), async request =>
      String(Reflect.get(Reflect.get(request, 'cookies') as object, 'theme')),
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
    const site = siteOf(app.server, portOf(app.server))
    const reply = await site.ask('/', { headers: { cookie: 'theme=dark' } })
    expect([reply.text, reply.line]).toEqual(['theme=dark', 'Palier; fwd=uri-miss; detail=read-cookies'])
    expect((await site.ask('/')).text).toBe('')
  })
})

describe('keys', () => {
  it('are text that patterns match: method, host, path, sorted query, headers', async () => {
    const { site, cache } = await front({ scope: 'public', vary: ['accept-language'] })
    await site.ask('/a?b=2&a=1&b=1', { headers: { host: 'Shop.Example', 'accept-language': 'de|x' } })
    const { keys } = await cache.operator.keys({ type: 'dashboard' })
    expect(keys.map(({ key }) => key)).toEqual(['GET shop.example/a?a=1&b=2&b=1|accept-language=de||x'])
    await cache.type('dashboard').deleteByPattern('GET shop.example/a*')
    expect(
      (await site.ask('/a?a=1&b=2&b=1', { headers: { host: 'shop.example', 'accept-language': 'de|x' } })).text,
    ).toMatch(/^2 /)
  })

  it('with scope public and no vary are exactly what `key` says', async () => {
    const { site, cache } = await front({ scope: 'public', key: request => `page:${request.url}`, tags: ['pages'] })
    await site.ask('/1')
    expect((await site.ask('/1')).text).toMatch(/^1 /)
    await cache.type('dashboard').delete('page:/1')
    expect((await site.ask('/1')).text).toMatch(/^2 /)
    await cache.deleteByTag('pages')
    expect((await site.ask('/1')).text).toMatch(/^3 /)
    for (const [path, value] of [
      ['/2', { unstored: 'else' }] as const,
      ['/3', 'text'] as const,
      ['/4', null] as const,
    ]) {
      await cache.type('dashboard').set(`page:${path}`, value)
      expect((await site.ask(path)).line).toBe('Palier; fwd=uri-miss; detail=foreign')
    }
  })

  it('of differently ordered parameters are the same, of other duplicates not', async () => {
    const { site } = await front({ scope: 'public' })
    await site.ask('/a?x=1&y=2')
    expect((await site.ask('/a?y=2&x=1')).cache).toBe('HIT')
    for (const query of ['x=1&y=2&x=3', 'x=3&y=2&x=1', '%78=9&x=1', 'x=1&%78=9', 'x=1', 'x=1&y=2&', 'X=1&y=2']) {
      expect([query, (await site.ask(`/a?${query}`)).cache]).toEqual([query, 'MISS'])
    }
    for (const path of ['/A?x=1&y=2', '/a/?x=1&y=2', '/%61?x=1&y=2', '/b/../a?x=1&y=2', '/a;v=1?x=1&y=2']) {
      expect([path, (await site.ask(path)).cache]).toEqual([path, 'MISS'])
    }
  })

  it('of the application may be equal to ours, and open nothing all the same', async () => {
    const given = memory()
    const own = await front({ scope: { user: userOf } }, {}, given)
    const asked = { headers: { cookie: 'user=ann', host: 'a' } }
    await own.site.ask('/me', asked)
    const { keys } = await given.cache.operator.keys({ type: 'dashboard' })
    const thief = await front({ scope: 'public', key: () => keys[0]?.key ?? '' }, {}, given)
    const stolen = await thief.site.ask('/me')
    expect([stolen.text, stolen.line]).toEqual(['1 /me -', 'Palier; fwd=uri-miss; detail=foreign'])
    expect((await own.site.ask('/me', asked)).cache).toBe('HIT')
  })

  it('hold the host, or else the handler does not see it; nobody sees an address', async () => {
    const { cache, clock } = memory()
    const { cacheResponse } = expressCache(cache, { clock })
    const app = express()
    const tell = (request: express.Request, response: express.Response): void => {
      response.json([
        request.headers.host ?? 'no host',
        request.ip ?? 'no address',
        request.socket.remoteAddress ?? 'none',
      ])
    }
    app.get('/ours', cacheResponse('dashboard', { scope: 'public' }), tell)
    app.get('/keyed', cacheResponse('dashboard', { scope: 'public', key: () => 'keyed' }), tell)
    const site = await serve(app)
    const asked = { headers: { host: 'Shop.Example' } }
    expect((await site.ask('/ours', asked)).text).toBe('["shop.example","no address","none"]')
    expect((await site.ask('/keyed', asked)).text).toBe('["no host","no address","none"]')
  })

  it('come from allowed hosts only', async () => {
    const { site } = await front({ scope: 'public' }, { hosts: ['shop.example'] })
    const ask = async (host: string): Promise<string> => (await site.ask('/', { headers: { host } })).line
    expect(await ask('shop.example')).toBe('Palier; fwd=uri-miss; stored')
    expect(await ask('SHOP.example')).toMatch(/hit/)
    for (const host of ['evil.example', 'shop.example:81', 'shop.example.']) {
      expect([host, await ask(host)]).toEqual([host, 'Palier; fwd=bypass; detail=host'])
    }
  })

  it.each([
    ['GET //evil.example/a HTTP/1.1\r\nHost: a', 'target'],
    ['GET http://evil.example/a HTTP/1.1\r\nHost: a', 'target'],
    ['GET /a\\b HTTP/1.1\r\nHost: a', 'target'],
    ['GET /a%00b HTTP/1.1\r\nHost: a', 'target'],
    ['GET /a HTTP/1.1\r\nHost: a\r\nHost: b', 'host'],
    ['GET /a HTTP/1.1\r\nHost: a/b', 'host'],
    [`GET /${'a'.repeat(2050)} HTTP/1.1\r\nHost: a`, 'long-target'],
    ['GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1', 'body'],
  ])('are not made of %s', async (head, detail) => {
    const { site } = await front({ scope: 'public' })
    const answer = await raw(site, `${head}\r\nConnection: close\r\n\r\nx`)
    expect(answer).toContain(`cache-status: Palier; fwd=bypass; detail=${detail}`)
  })

  it('that anybody can make up do not drive out what is asked for', async () => {
    const { site, runs } = await front(
      { scope: 'public' },
      { queryVariants: 50 },
      memory({ memory: { maxEntries: 200 } }),
    )
    for (let i = 0; i < 3; i++) for (const path of ['/hot?a=1', '/hot?a=2', '/hot']) await site.ask(path)
    const before = runs()
    for (let i = 0; i < 400; i += 8) {
      await Promise.all(Array.from({ length: 8 }, (_none, j) => site.ask(`/hot?made-up=${i + j}`)))
    }
    for (const path of ['/hot?a=1', '/hot?a=2', '/hot']) expect((await site.ask(path)).cache).toBe('HIT')
    expect(runs()).toBe(before + 400)
    const late = await site.ask('/hot?made-up=late')
    expect(late.line).toBe('Palier; fwd=uri-miss; detail=admission')
    expect((await site.ask('/hot?made-up=late')).line).toBe('Palier; fwd=uri-miss; stored')
  })
})

describe('a cache that fails', () => {
  it('never fails a response', async () => {
    const clock = manualClock()
    const cache: Cache = createCache({ backend: 'memory', logger: false, clock })
    const { site } = await front({ scope: 'public' }, {}, { cache, clock })
    await site.ask('/')
    await cache.close()
    const reply = await site.ask('/')
    expect([reply.status, reply.text, reply.line]).toEqual([200, '2 / -', 'Palier; fwd=uri-miss; detail=store'])
  })

  it.each([
    [{ scope: 'all' }, /scope: expected 'public'/],
    [{ scope: 'public', ttl: 'soon' }, /ttl: expected/],
    [{ scope: 'public', vary: ['*'] }, /vary: expected/],
    [{ scope: 'public', vary: ['Accept-Encoding'] }, /vary: expected/],
    [{ scope: 'public', statuses: [500] }, /statuses: expected/],
    [{ scope: 'public', max: 1 }, /options\.max: expected one of/],
    [{ scope: 'public', key: 'x' }, /key: expected a function/],
  ])('is no excuse for wrong options: %o', (options, message) => {
    const { cacheResponse } = expressCache(memory().cache)
    expect(() => cacheResponse('dashboard', options as never)).toThrow(message)
  })

  it('nor for wrong options of the application', () => {
    const { cache } = memory()
    expect(() => expressCache(cache, { secret: 'short' })).toThrow(/secret: expected/)
    expect(() => expressCache(cache, { hosts: 'a' } as never)).toThrow(/hosts: expected/)
    expect(() => expressCache({} as never)).toThrow(/cache: expected/)
  })
})
