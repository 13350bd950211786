// Hono on Node: handlers from a Request to a Response. The console is one too, so it is mounted as it is.
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { createConsole } from '@palier/console'
import { clientKey, honoCache } from '@palier/http'
import { type Context, Hono } from 'hono'
import { createCache, createMonitor } from 'palier'
import { addProduct, listProducts } from './products.ts'

const cache = createCache({ namespace: 'shop', types: { page: { ttl: '5m', grace: '1h' }, profile: { ttl: '1m' } } })
const monitor = createMonitor(cache)
const { cacheResponse, invalidates } = honoCache(cache, { fetch: (request, env) => app.fetch(request, env as object) })
const writes = cache.limiter('write', { limit: 5, window: '1m', onOutage: 'local' })
const operations = createConsole(cache, { monitor })

const app = new Hono()

app.get('/products', cacheResponse('page', { scope: 'public', tags: ['products'] }), context => {
  return context.json(listProducts())
})

app.post(
  '/products',
  async (context, next) => {
    const { allowed, retryAfter } = await writes.take(clientKey(getConnInfo(context).remote.address))
    if (allowed) return next()
    return context.json({ error: 'too many' }, 429, { 'retry-after': String(Math.ceil(retryAfter / 1000)) })
  },
  invalidates({ tags: ['products'] }),
  async context => {
    const { name } = (await context.req.json().catch(() => ({}))) as { name?: unknown }
    const product = addProduct(name)
    return product === undefined ? context.json({ error: 'name: expected a text' }, 400) : context.json(product, 201)
  },
)

/** Stands for a verified token: here whoever names a user is that user. */
const userOf = (authorization: string | undefined): string | undefined =>
  /^Bearer (\w+)$/.exec(authorization ?? '')?.[1]

app.get(
  '/me',
  cacheResponse<Context>('profile', {
    scope: { user: context => userOf(context.req.header('authorization')) },
  }),
  context => {
    const user = userOf(context.req.header('authorization'))
    return user === undefined
      ? context.json({ error: 'nobody is logged in' }, 401)
      : context.json({ user, madeAt: Date.now() })
  },
)

app.all('/ops/*', context => {
  const { address } = getConnInfo(context).remote
  return operations.handle(context.req.raw, { mount: '/ops', ...(address !== undefined && { address }) })
})

const server = serve(
  { fetch: app.fetch, port: Number(process.env['PORT'] ?? 3000), hostname: '127.0.0.1' },
  ({ port }) => {
    console.log(`listening on http://127.0.0.1:${port}`)
  },
)
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close(() => void Promise.all([monitor.close(), cache.close()]))
  })
}
