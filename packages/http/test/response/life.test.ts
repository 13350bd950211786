import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import express from 'express'
import { Hono } from 'hono'
import { createCache } from 'palier'
import { parseList, Token } from 'structured-headers'
import { describe, expect, it } from 'vitest'
import { expressCache, fetchCache, type FrontRoute, honoCache, nodeCache } from '../../src/index.ts'
import { gate, later, memory, type Reply, serve, type Site, until } from './support/http.ts'

interface Said {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly wait?: Promise<void>
}

async function front(say: (run: number) => Said, route: Partial<FrontRoute<Record<never, never>, never>> = {}) {
  const { cache, clock } = memory()
  let runs = 0
  const fixed = { type: 'dashboard', scope: 'public', ttl: '1m', grace: '1h', ...route } as const
  const listener = nodeCache(cache, { clock }).listen(
    async (_request, response) => {
      const run = ++runs
      const { status = 200, headers = {}, wait } = say(run)
      await wait
      response.writeHead(status, headers)
      response.end(`run ${run}`)
    },
    () => fixed as never,
  )
  const site = await serve(listener)
  /** Asks while time goes on by moments. */
  const ask = async (path = '/'): Promise<Reply> => {
    let reply: Reply | undefined
    const asking = site.ask(path).then(one => (reply = one))
    await until(async () => {
      await clock.advance(1)
      return reply !== undefined
    })
    return asking
  }
  return { site, ask, cache, clock, runs: () => runs }
}

describe('what is stale', () => {
  it.each(['must-revalidate', 'proxy-revalidate'])('is never served against %s', async directive => {
    const headers = { 'cache-control': `max-age=60, ${directive}` }
    const { ask, clock } = await front(run => (run === 2 ? { status: 500 } : { headers }))
    await ask()
    await clock.advance(60_000)
    const failed = await ask()
    expect([failed.status, failed.text]).toEqual([500, 'run 2'])
    await clock.advance(10_000)
    const again = await ask()
    expect([again.cache, again.text]).toEqual(['MISS', 'run 3'])
  })

  it('is served behind only as long as stale-while-revalidate says, and for an error as stale-if-error says', async () => {
    const headers = { 'cache-control': 'max-age=60, stale-while-revalidate=10, stale-if-error=100' }
    const { ask, clock, runs } = await front(run => (run === 1 ? { headers } : { status: 503 }))
    await ask()
    await clock.advance(65_000)
    expect((await ask()).cache).toBe('STALE')
    await until(() => runs() === 2)
    await clock.advance(25_000)
    const held = await ask()
    expect([held.cache, held.text, runs()]).toEqual(['STALE', 'run 1', 3])
    await clock.advance(100_000)
    expect((await ask()).status).toBe(503)
  })

  it('goes when what replaces it may not be kept', async () => {
    const held = gate()
    const { ask, clock, runs } = await front(run => (run === 1 ? {} : { status: 404, wait: held.opened }))
    await ask()
    await clock.advance(61_000)
    expect((await ask()).cache).toBe('STALE')
    await until(() => runs() === 2)
    held.open()
    await until(async () => (await ask()).status === 404)
  })

  it('in Hono without a way to send a request again, is served only when the handler fails', async () => {
    const { cache, clock } = memory()
    const app = new Hono()
    let runs = 0
    const { cacheResponse } = honoCache(cache, { clock })
    app.get('/', cacheResponse('dashboard', { scope: 'public', ttl: '1m', grace: '1h' }), context => {
      runs++
      return runs === 2 ? context.text('ill', 500) : context.text(`run ${runs}`)
    })
    const ask = async (): Promise<Response> => {
      let response: Response | undefined
      const asking = Promise.resolve(app.request('http://a.example/')).then(one => (response = one))
      await until(async () => {
        await clock.advance(1)
        return response !== undefined
      })
      return asking
    }
    await ask()
    await clock.advance(60_000)
    const failed = await ask()
    expect([failed.headers.get('x-cache'), await failed.text(), runs]).toEqual(['STALE', 'run 1', 2])
    await clock.advance(10_000)
    expect(await (await ask()).text()).toBe('run 3')
  })
})

describe('what is declared', () => {
  it('opts other statuses in', async () => {
    const { ask } = await front(() => ({ status: 404 }), { statuses: [404, 410] })
    await ask()
    const second = await ask()
    expect([second.status, second.cache, second.headers.etag]).toEqual([404, 'HIT', undefined])
  })

  it('lets requests pass by with `when`', async () => {
    const { ask } = await front(() => ({}), { when: () => false })
    expect((await ask()).line).toBe('Palier; fwd=bypass; detail=when')
  })

  it('deletes types, tags, patterns and keys, and what a function of the request names, unless the handler failed', async () => {
    const { cache, clock } = memory()
    const { cacheResponse, invalidates } = expressCache(cache, { clock })
    const app = express()
    let runs = 0
    const shown = cacheResponse('dashboard', { scope: 'public', tags: request => [`of:${request.url}`] })
    app.get('/:page', shown, (_request, response) => void response.send(`run ${++runs}`))
    const keyed = cacheResponse('search', { scope: 'public', key: () => 'the key' })
    app.get('/s/keyed', keyed, (_request, response) => void response.send(`run ${++runs}`))
    const done = (_request: unknown, response: express.Response): void => void response.sendStatus(204)
    app.post('/types', invalidates({ types: ['dashboard'] }), done)
    app.post('/patterns', invalidates({ patterns: ['dashboard:GET */a'] }), done)
    app.post('/keys', invalidates({ keys: [{ type: 'search', key: 'the key' }] }), done)
    app.post(
      '/tag/:page',
      invalidates(request => ({ tags: [`of:/${(request.url ?? '').split('/')[2]}`] })),
      done,
    )
    app.post('/failing', invalidates({ types: ['dashboard'] }), (_request, response) => void response.status(422).end())
    const site = await serve(app)
    const gone = async (post: string): Promise<string[]> => {
      const paths = ['/a', '/b', '/s/keyed']
      for (const path of paths) await site.ask(path)
      await site.ask(post, { method: 'POST' })
      const replies = await Promise.all(paths.map(path => site.ask(path)))
      return paths.filter((_path, i) => replies[i]?.cache === 'MISS')
    }
    expect(await gone('/types')).toEqual(['/a', '/b'])
    expect(await gone('/patterns')).toEqual(['/a'])
    expect(await gone('/keys')).toEqual(['/s/keyed'])
    expect(await gone('/tag/b')).toEqual(['/b'])
    expect(await gone('/failing')).toEqual([])
    expect(() => invalidates({ type: ['x'] } as never)).toThrow(/invalidates\.type: expected one of/)
  })

  it('works under a mounted router, whose handlers see another URL', async () => {
    const { cache, clock } = memory()
    const { cacheResponse } = expressCache(cache, { clock })
    const app = express()
    const router = express.Router()
    router.get(
      '/',
      cacheResponse('dashboard', { scope: 'public' }),
      (request, response) => void response.send(request.baseUrl),
    )
    app.use('/one', router)
    app.use('/two', router)
    const site = await serve(app)
    for (const path of ['/one', '/two', '/one/']) expect((await site.ask(path)).cache).toBe('MISS')
    expect((await site.ask('/one')).text).toBe('/one')
    expect((await site.ask('/two')).text).toBe('/two')
  })

  it('keeps middleware before the cache in force on a hit', async () => {
    const { cache, clock } = memory()
    const { cacheResponse } = expressCache(cache, { clock })
    const app = express()
    let count = 0
    app.use((request, response, next) => {
      response.set({
        'x-count': String(++count),
        vary: 'Origin',
        'access-control-allow-origin': request.headers.origin ?? '*',
      })
      next()
    })
    app.get(
      '/',
      cacheResponse('dashboard', { scope: 'public', vary: ['origin'] }),
      (_request, response) => void response.send('x'),
    )
    const site = await serve(app)
    await site.ask('/')
    const hit = await site.ask('/')
    expect([hit.cache, hit.headers['x-count'], hit.headers.vary]).toEqual(['HIT', '2', 'origin'])
    expect(
      (await site.ask('/', { headers: { origin: 'https://a.example' } })).headers['access-control-allow-origin'],
    ).toBe('https://a.example')
  })
})

describe('Cache-Status', () => {
  it('is a list that parsers of structured fields read', async () => {
    const { ask } = await front(run => (run === 3 ? { headers: { 'set-cookie': 'a=1' } } : {}))
    const lines = [await ask(), await ask(), await ask('//x'), await ask('/other')].map(
      ({ line }) => parseList(line)[0],
    )
    const read = lines.map(item => [item?.[0], Object.fromEntries(item?.[1] ?? [])])
    const palier = new Token('Palier')
    expect(read).toEqual([
      [palier, { fwd: new Token('uri-miss'), stored: true }],
      [palier, { hit: true, ttl: expect.any(Number) }],
      [palier, { fwd: new Token('bypass'), detail: new Token('target') }],
      [palier, { fwd: new Token('uri-miss'), detail: new Token('set-cookie') }],
    ])
  })
})

describe('a backend that is out', () => {
  it('fails no response: what was a hit is a miss, and what is changed waits', async () => {
    const nobody = createServer(socket => socket.pause())
    nobody.listen(0, '127.0.0.1')
    await once(nobody, 'listening')
    const address = nobody.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const cache = createCache({
      backend: 'redis',
      redisUrl: `redis://127.0.0.1:${port}`,
      logger: false,
      detectBudget: 50,
      deadline: 50,
    })
    later(async () => {
      await cache.close()
      nobody.close()
    })
    const { cacheResponse } = fetchCache(cache)
    let runs = 0
    const handle = cacheResponse('dashboard', { scope: 'public' })(() => new Response(`run ${++runs}`))
    const first = await handle(new Request('http://a.example/'))
    expect([first.status, await first.text()]).toEqual([200, 'run 1'])
    const second = await handle(new Request('http://a.example/'))
    expect([second.status, (await second.text()).slice(0, 3)]).toEqual([200, 'run'])
  })
})

describe('a handler that throws', () => {
  it('is heard by everybody who waited, in a fetch handler', async () => {
    const { cache, clock } = memory()
    const { cacheResponse } = fetchCache(cache, { clock })
    const handle = cacheResponse('dashboard', { scope: 'public' })(() => Promise.reject(new Error('broken')))
    await expect(handle(new Request('http://a.example/'))).rejects.toThrow('broken')
  })

  it('is answered by Express, and by what waited with it', async () => {
    const { cache, clock } = memory()
    const { cacheResponse } = expressCache(cache, { clock })
    const held = gate()
    const app = express()
    let runs = 0
    app.get('/', cacheResponse('dashboard', { scope: 'public' }), async () => {
      runs++
      await held.opened
      throw new Error('broken')
    })
    app.use((_error: Error, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
      response.status(500).send('sorry')
    })
    const site: Site = await serve(app)
    const asking = [site.ask('/'), site.ask('/')]
    await until(() => runs === 1)
    held.open()
    for (const { status, text } of await Promise.all(asking)) expect([status, text]).toEqual([500, 'sorry'])
  })
})

it('answers pipelined requests in their order', async () => {
  const { site } = await front(() => ({}))
  const socket = connect(site.port, '127.0.0.1')
  later(() => socket.destroy())
  let answer = ''
  socket.on('data', chunk => (answer += String(chunk)))
  socket.write(['/a', '/b', '/a'].map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  await until(() => answer.split('run').length === 4)
  expect([...answer.matchAll(/run \d/g)].map(([text]) => text)).toEqual(['run 1', 'run 2', 'run 1'])
})
