import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import express from 'express'
import session from 'express-session'
import fastify, { type FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import { expressCache, fastifyCache } from '../../src/index.ts'
import { later, memory, portOf, serve, type Site, siteOf } from './support/http.ts'

declare module 'express-session' {
  interface SessionData {
    user: string
  }
}
declare module 'fastify' {
  interface Session {
    user?: string
  }
}

const SECRET = 'a secret that is long enough for both of them'

/** `/plain` looks at nothing, `/named` at the user of the session, `/counted` has a hook that does. */
async function onFastify(): Promise<Site> {
  const { cache, clock } = memory()
  const { cacheResponse } = fastifyCache(cache, { clock })
  const app = fastify()
  later(() => app.close())
  await app.register(fastifyCookie)
  await app.register(fastifySession, {
    secret: SECRET,
    saveUninitialized: false,
    rolling: false,
    cookieName: 'own-name',
    cookie: { secure: false },
  })
  app.get('/login', request => {
    request.session.user = 'ann'
    return { ok: true }
  })
  const options = cacheResponse('dashboard', { scope: 'public' })
  app.get('/plain', options, () => ({ made: true }))
  app.get('/named', options, request => ({ user: request.session.user ?? null }))
  app.get('/id', options, request => ({ id: request.session.sessionId }))
  app.get(
    '/counted',
    {
      ...options,
      onSend: async (request: FastifyRequest, _reply, payload) => `${request.session.user} ${String(payload)}`,
    },
    () => 'x',
  )
  await app.listen({ port: 0, host: '127.0.0.1' })
  return siteOf(app.server, portOf(app.server))
}

async function onExpress(): Promise<Site> {
  const { cache, clock } = memory()
  const { cacheResponse } = expressCache(cache, { clock })
  const app = express()
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false, name: 'own-name' }))
  app.get('/login', (request, response) => {
    request.session.user = 'ann'
    response.json({ ok: true })
  })
  const kept = cacheResponse('dashboard', { scope: 'public' })
  app.get('/plain', kept, (_request, response) => void response.json({ made: true }))
  app.get('/named', kept, (request, response) => void response.json({ user: request.session.user ?? null }))
  app.get('/id', kept, (request, response) => void response.json({ id: request.session.id }))
  return serve(app)
}

describe.each([
  ['@fastify/session', onFastify, ['/named', '/id', '/counted']],
  ['express-session', onExpress, ['/named', '/id']],
] as const)('beside %s', (_name, build, personal) => {
  it('a page that looks at no session is kept, with a session and without', async () => {
    const site = await build()
    const login = await site.ask('/login')
    const cookie = login.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
    expect(cookie).toMatch(/^own-name=/)
    for (const [headers, expected] of [
      [{}, 'MISS'],
      [{}, 'HIT'],
      [{ cookie }, 'HIT'],
    ] as const) {
      const answer = await site.ask('/plain', { headers })
      expect([answer.status, answer.cache]).toEqual([200, expected])
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
  })

  it.each(personal)('%s, which looks at it, is not', async path => {
    const site = await build()
    const login = await site.ask('/login')
    const cookie = login.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
    for (let i = 0; i < 2; i++) {
      const answer = await site.ask(path, { headers: { cookie } })
      expect([answer.status, answer.cache]).toEqual([200, 'MISS'])
      expect(answer.line).toMatch(/detail=read-(session|cookies)$/)
    }
  })
})
