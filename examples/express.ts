// Express 5: cached pages for everybody and for one user, sessions, a limit on logins, the console.
import { createServer } from 'node:http'
import { createConsole, expressConsole } from '@palier/console'
import { clientKey, createSessionCache, expressCache, expressSessionStore, limitRequests } from '@palier/http'
import express, { type Request } from 'express'
import session from 'express-session'
import { createCache, createMonitor } from 'palier'
import { serve } from './ending.ts'
import { addProduct, listProducts } from './products.ts'

declare module 'express-session' {
  interface SessionData {
    user: string
  }
}

const cache = createCache({ namespace: 'shop', types: { page: { ttl: '5m', grace: '1h' }, profile: { ttl: '1m' } } })
const sessions = createSessionCache()
const monitor = createMonitor(cache)
const { cacheResponse, invalidates } = expressCache(cache)
const logins = cache.limiter('login', { limit: 5, window: '1m', onOutage: 'local' })

const app = express()
app.use(
  session({
    store: expressSessionStore(session, { cache: sessions }),
    secret: process.env['SESSION_SECRET'] ?? 'only for trying it out',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 3_600_000, sameSite: 'lax' },
  }),
)

app.get('/products', cacheResponse('page', { scope: 'public', tags: ['products'] }), (_request, response) => {
  response.json(listProducts())
})

app.post('/products', express.json(), invalidates({ tags: ['products'] }), (request, response) => {
  const product = addProduct((request.body as { name?: unknown } | undefined)?.name)
  if (product === undefined) response.status(400).json({ error: 'name: expected a text' })
  else response.status(201).json(product)
})

const userOf = (request: Request): string | undefined => request.session.user

app.get('/me', cacheResponse('profile', { scope: { user: userOf } }), (request, response) => {
  const user = userOf(request)
  if (user === undefined) response.status(401).json({ error: 'nobody is logged in' })
  else response.json({ user, madeAt: Date.now() })
})

app.post(
  '/login',
  limitRequests<Request>(logins, { key: request => clientKey(request.ip) }),
  express.json(),
  (request, response, next) => {
    const { name } = (request.body ?? {}) as { name?: unknown }
    if (typeof name !== 'string' || name === '') {
      response.status(400).json({ error: 'name: expected a text' })
      return
    }
    // A new id at login: one that somebody planted before is worth nothing.
    request.session.regenerate(error => {
      if (error !== undefined && error !== null) return next(error)
      request.session.user = name
      response.json({ user: name })
    })
  },
)

app.post('/logout', (request, response, next) => {
  request.session.destroy(error => (error === undefined || error === null ? response.sendStatus(204) : next(error)))
})

// Its pages are at /ops/, and the API behind them at /ops/api/cache.
app.use('/ops', expressConsole(createConsole(cache, { monitor })))

serve(createServer(app), [monitor, cache, sessions])
