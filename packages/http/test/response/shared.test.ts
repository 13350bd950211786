import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCache } from 'palier'
import { type RedisServer, startRedis } from '../../../palier/test/support/redis-server.ts'
import { expressCache, nodeCache } from '../../src/index.ts'
import { later, type Reply, serve, type Site, until } from './support/http.ts'

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(() => redis.stop())

/** An application of its own, as another process would have it, on the one Redis. */
async function application(body: () => Promise<string> | string): Promise<{ site: Site; runs: () => number }> {
  const cache = createCache({ namespace: 'site', backend: 'redis', redisUrl: redis.url, logger: false })
  later(() => cache.close())
  await cache.ready()
  const route = { type: 'dashboard', scope: 'public', tags: ['contacts'] } as const
  const forget = expressCache(cache).invalidates({ tags: ['contacts'] })
  let runs = 0
  const listener = nodeCache(cache).listen(
    async (request, response) => {
      if (request.method === 'POST') return forget(request, response, () => response.end('changed'))
      runs++
      const text = await body()
      response.setHeader('content-type', 'text/html')
      return response.end(text)
    },
    request => (request.method === 'POST' ? undefined : route),
  )
  return { site: await serve(listener), runs: () => runs }
}

it('one application answers with what another has made, byte for byte, until a third party changes it', async () => {
  let content = 'é'.repeat(3000)
  const [one, two] = [await application(() => content), await application(() => content)]
  const asked = { headers: { host: 'site.example', 'accept-encoding': 'gzip' } }
  const made = await one.site.ask('/page', asked)
  const found = await two.site.ask('/page', asked)
  expect([made.cache, found.cache, found.text]).toEqual(['MISS', 'HIT', content])
  expect(found.bytes.equals(made.bytes)).toBe(true)
  expect(found.headers.etag).toBe(made.headers.etag)
  content = 'other'
  expect((await two.site.ask('/page', { method: 'POST', headers: { host: 'site.example' } })).text).toBe('changed')
  expect((await two.site.ask('/page', asked)).text).toBe('other')
  await until(async () => (await one.site.ask('/page', asked)).text === 'other')
  expect(one.runs() + two.runs()).toBe(2)
})

it('runs the handler once for a herd on two applications', async () => {
  const sites = [await application(() => 'herd'), await application(() => 'herd')]
  const headers = { host: 'site.example' }
  const asking: Promise<Reply>[] = []
  for (let i = 0; i < 20; i++) for (const { site } of sites) asking.push(site.ask('/herd', { headers }))
  const replies = await Promise.all(asking)
  expect(new Set(replies.map(({ text }) => text))).toEqual(new Set(['herd']))
  expect(sites.reduce((sum, { runs }) => sum + runs(), 0)).toBe(1)
})

it('goes on answering when the backend dies', async () => {
  const own = await startRedis()
  later(() => own.stop())
  const cache = createCache({ backend: 'redis', redisUrl: own.url, logger: false })
  later(() => cache.close())
  await cache.ready()
  let runs = 0
  const listener = nodeCache(cache).listen(
    (_request, response) => response.end(`run ${++runs}`),
    () => ({ type: 'dashboard', scope: 'public' }),
  )
  const site = await serve(listener)
  await site.ask('/')
  expect((await site.ask('/')).cache).toBe('HIT')
  await own.kill()
  for (let i = 0; i < 3; i++) {
    const reply = await site.ask(`/${i}`)
    expect([reply.status, reply.text.slice(0, 3)]).toEqual([200, 'run'])
  }
})
