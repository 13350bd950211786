// Fastify 5: cached pages for everybody and for one user, sessions, a limit on logins, the console.
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { createConsole, fastifyConsole } from '@palier/console'
import { createSessionCache, fastifyCache, fastifySessionStore, limitRequestsHook } from '@palier/http'
import fastify, { type FastifyRequest } from 'fastify'
import { createCache, createMonitor } from 'palier'
import { addProduct, listProducts } from './products.ts'

declare module 'fastify' {
  interface Session {
    user?: string
  }
}

const cache = createCache({ namespace: 'shop', types: { page: { ttl: '5m', grace: '1h' }, profile: { ttl: '1m' } } })
const sessions = createSessionCache()
const monitor = createMonitor(cache)
const { cacheResponse, invalidates } = fastifyCache(cache)
const logins = cache.limiter('login', { limit: 5, window: '1m', onOutage: 'local' })

const app = fastify()
await app.register(fastifyCookie)
await app.register(fastifySession, {
  store: fastifySessionStore({ cache: sessions }),
  secret: process.env['SESSION_SECRET'] ?? 'only for trying it out, and long enough',
  saveUninitialized: false,
  // A cookie on every response would keep every response out of the cache.
  rolling: false,
  cookie: { maxAge: 3_600_000, sameSite: 'lax', secure: false },
})

app.get('/products', cacheResponse('page', { scope: 'public', tags: ['products'] }), () => listProducts())

app.post('/products', invalidates({ tags: ['products'] }), (request, reply) => {
  const product = addProduct((request.body as { name?: unknown } | undefined)?.name)
  if (product === undefined) return reply.code(400).send({ error: 'name: expected a text' })
  return reply.code(201).send(product)
})

const userOf = (request: FastifyRequest): string | undefined => request.session.user

app.get('/me', cacheResponse<FastifyRequest>('profile', { scope: { user: userOf } }), (request, reply) => {
  const user = userOf(request)
  return user === undefined ? reply.code(401).send({ error: 'nobody is logged in' }) : { user, madeAt: Date.now() }
})

app.post('/login', { onRequest: limitRequestsHook(logins) }, async (request, reply) => {
  const { name } = (request.body ?? {}) as { name?: unknown }
  if (typeof name !== 'string' || name === '') return reply.code(400).send({ error: 'name: expected a text' })
  // A new id at login: one that somebody planted before is worth nothing.
  await request.session.regenerate()
  request.session.user = name
  return { user: name }
})

app.post('/logout', async (request, reply) => {
  await request.session.destroy()
  return reply.code(204).send()
})

await app.register(fastifyConsole(createConsole(cache, { monitor })), { prefix: '/ops' })
app.addHook('onClose', async () => {
  await Promise.all([monitor.close(), cache.close(), sessions.close()])
})

console.log(`listening on ${await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: '127.0.0.1' })}`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void app.close())
