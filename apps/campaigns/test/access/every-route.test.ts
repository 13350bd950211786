import Fastify, { type HTTPMethods } from 'fastify'
import { expect, test } from 'vitest'
import type { Access } from '../../server/access/guard.ts'
import { PERMISSIONS, type Permission, ROLE_PERMISSIONS } from '../../server/access/permissions.ts'
import { ROLES, type Role } from '../../server/database/schema.ts'
import { registerRoutes } from '../../server/routes.ts'
import { hashToken, randomToken } from '../../server/secrets.ts'
import type { Services } from '../../server/services.ts'
import { openSite } from './site.ts'
import { comeIn } from './visitor.ts'

interface Route {
  readonly method: HTTPMethods
  readonly url: string
  readonly access: Access | undefined
}

/** What `routes.ts` registers, as it says itself. */
async function routesOf(services: Services): Promise<readonly Route[]> {
  const routes: Route[] = []
  const app = Fastify()
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, access: config?.access })
  })
  await registerRoutes(app, services)
  return routes.filter(({ method }) => method !== 'HEAD')
}

type Caller = Role | 'nobody' | 'key'

/** What the roles say that a request meets: the answer of its route, or one of these. */
function expected(access: Access | undefined, caller: Caller): 'in' | 401 | 403 {
  if (access === 'public' || access === 'own') return 'in'
  if (caller === 'nobody') return 401
  if (access === 'member') return 'in'
  if (access === 'person') return caller === 'key' ? 403 : 'in'
  const granted = ROLE_PERMISSIONS[caller === 'key' ? 'agent' : caller].has(access as Permission)
  return granted ? 'in' : 403
}

test('every route lets in whom the roles let in, and nobody else', async () => {
  const { app, services } = await openSite()
  const routes = await routesOf(services)
  expect(routes.length).toBeGreaterThan(15)
  const key = `pk_${randomToken()}`
  const visitors = new Map<Caller, Record<string, string>>([
    ['nobody', {}],
    ['key', { authorization: `Bearer ${key}` }],
  ])
  for (const role of ROLES) {
    const { id, cookie = '', token = '' } = await comeIn(app, services, role)
    visitors.set(role, { cookie, 'x-csrf-token': token })
    // The owner has less than the key asks for.
    const scopes = JSON.stringify(PERMISSIONS)
    const row = { id: services.newId(), user_id: id, name: 'all', prefix: 'pk', scopes, created_at: services.now() }
    if (role === 'agent')
      await services.database.writer
        .insertInto('api_keys')
        .values({ ...row, hash: hashToken(key) })
        .execute()
  }
  const wrong: string[] = []
  for (const { method, url, access } of routes) {
    // A stream that does not end, or a route that proves by itself who calls, says nothing here.
    if (access === 'own' || url.includes('/events')) continue
    for (const [caller, headers] of visitors) {
      const isRead = method === 'GET'
      // A media type nobody reads: it is refused behind the guard and before the handler, so nothing is changed.
      const unread = isRead ? {} : { headers: { ...headers, 'content-type': 'application/x-nothing' }, payload: 'x' }
      const target = url.replaceAll(/:\w+|\*/g, 'none')
      const { statusCode } = await app.inject({ method: method as 'GET', url: target, headers, ...unread })
      const outcome = statusCode === 401 || statusCode === 403 ? statusCode : 'in'
      if (outcome !== expected(access, caller)) wrong.push(`${method} ${url} (${access}) as ${caller}: ${statusCode}`)
    }
  }
  expect(wrong).toEqual([])
})
