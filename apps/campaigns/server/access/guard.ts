import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { READS } from '../cache-map.ts'
import type { Role, UserTable } from '../database/schema.ts'
import { Problem } from '../problem.ts'
import { hashToken } from '../secrets.ts'
import type { Services } from '../services.ts'
import { type Actor, NOBODY } from './actor.ts'
import { isUnsafe, refuseForeign, requireToken } from './csrf.ts'
import { createKeyUse, type KeyUse } from './key-use.ts'
import { actorKey, placeOf } from './limits.ts'
import { type Permission, ROLE_PERMISSIONS } from './permissions.ts'

/**
 * Who a request comes from, and whether its route is for them. Each route says what it asks for in `config.access`; a
 * route that says nothing is a mistake, found when the server is built.
 */
export type Access =
  | Permission
  /** Anybody. */
  | 'public'
  /** Whoever is logged in, with a key or without. */
  | 'member'
  /** A session, not a key: what only the person may do. */
  | 'person'
  /** The route proves by its own means who calls: a signature, a token. */
  | 'own'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  interface FastifyRequest {
    actor: Actor
  }
}

/** What the guard needs of a user: kept in the cache, deleted by each change of that user. */
export type Member = Pick<UserTable, 'id' | 'email' | 'name' | 'role' | 'status' | 'locale' | 'session_epoch'>

const COLUMNS = ['id', 'email', 'name', 'role', 'status', 'locale', 'session_epoch'] as const

export async function readMember({ caching, database }: Services, id: string): Promise<Member | null> {
  const { value } = await caching.read(READS.user, [id], async () => {
    const row = await database.reader.selectFrom('users').select(COLUMNS).where('id', '=', id).executeTakeFirst()
    return row ?? null
  })
  return value
}

/** An API key that is not revoked, with its owner, who is active. */
interface KeyOwner {
  readonly id: string
  readonly name: string
  readonly userId: string
  readonly role: Role
  readonly scopes: readonly string[]
  readonly expiresAt: number | null
}

async function readKey({ caching, database }: Services, hash: string): Promise<KeyOwner | null> {
  const { value } = await caching.read(READS.apiKey, [hash], async () => {
    const row = await database.reader
      .selectFrom('api_keys')
      .innerJoin('users', 'users.id', 'api_keys.user_id')
      .select(['api_keys.id', 'api_keys.name', 'api_keys.scopes', 'api_keys.expires_at', 'users.role'])
      .select('users.id as user_id')
      .where('hash', '=', hash)
      .where('revoked_at', 'is', null)
      .where('users.status', '=', 'active')
      .executeTakeFirst()
    if (row === undefined) return null
    const { id, name, role, user_id: userId, expires_at: expiresAt } = row
    return { id, name, role, userId, expiresAt, scopes: JSON.parse(row.scopes) as string[] }
  })
  return value
}

const BEARER = /^Bearer ([\w-]{20,200})$/

/** The actor of the key that came; undefined when none did; null when it is none of ours, or no longer. */
async function keyActor(services: Services, request: FastifyRequest, use: KeyUse): Promise<Actor | null | undefined> {
  const { authorization } = request.headers
  if (authorization === undefined) return undefined
  const token = BEARER.exec(authorization)?.[1]
  const key = token === undefined ? null : await readKey(services, hashToken(token))
  if (key === null || (key.expiresAt !== null && key.expiresAt <= services.now())) return null
  use.note(key.id)
  const permissions = new Set([...ROLE_PERMISSIONS[key.role]].filter(permission => key.scopes.includes(permission)))
  const { userId, role } = key
  return { kind: 'key', userId, name: `key ${key.name}`, role, permissions, ip: request.ip, requestId: request.id }
}

async function sessionActor(services: Services, request: FastifyRequest): Promise<Actor | undefined> {
  const { userId, epoch } = request.session
  if (userId === undefined) return undefined
  const member = await readMember(services, userId)
  if (member === null || member.status !== 'active' || member.session_epoch !== epoch) return undefined
  const { role, email } = member
  const permissions = ROLE_PERMISSIONS[role]
  return { kind: 'user', userId, name: email, role, permissions, ip: request.ip, requestId: request.id }
}

function refuse(access: Access, actor: Actor): void {
  if (access === 'public' || access === 'own') return
  if (actor.kind === 'nobody') throw new Problem(401, 'Log in, or send an API key: Authorization: Bearer ….')
  if (access === 'member') return
  if (access === 'person') {
    if (actor.kind !== 'user') throw new Problem(403, 'An API key may not do this: it is for people who are logged in.')
    return
  }
  if (!actor.permissions.has(access)) throw new Problem(403, `This needs the permission ${access}.`)
}

const accessOf = (request: FastifyRequest): Access => request.routeOptions.config.access ?? 'public'

const plugin: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const use = createKeyUse(services)
  const refused = new WeakSet<FastifyRequest>()
  const actors = new WeakMap<FastifyRequest, Actor>()
  app.decorateRequest('actor', {
    // Nobody is known of a request that ended before it came to this: while sessions cannot be read, for instance.
    getter() {
      return actors.get(this) ?? NOBODY
    },
    setter(actor: Actor) {
      actors.set(this, actor)
    },
  })
  app.addHook('onRoute', route => {
    if (route.config?.access === undefined)
      throw new Error(`the route ${String(route.method)} ${route.url} does not say what access it asks for`)
  })
  app.addHook('onRequest', async request => {
    const nobody = { ...NOBODY, ip: request.ip, requestId: request.id }
    // Such a route reads the headers by its own rules: what is no key of ours may be all it asks for.
    if (accessOf(request) === 'own') {
      request.actor = nobody
      return
    }
    const key = await keyActor(services, request, use)
    if (key === null) refused.add(request)
    request.actor = key ?? (key === null ? undefined : await sessionActor(services, request)) ?? nobody
  })
  // Before anybody is refused: keys that are tried out count too.
  const byActor = services.limits.hook('api', ({ actor }) => actorKey(actor))
  const byPlace = services.limits.hook('anonymous', placeOf)
  app.addHook('onRequest', async (request, reply) => {
    if (accessOf(request) === 'own') return undefined
    return await (request.actor.kind === 'nobody' ? byPlace : byActor)(request, reply)
  })
  app.addHook('onRequest', async request => {
    const { actor } = request
    if (refused.has(request))
      throw new Problem(401, 'header.authorization: expected Bearer and an API key that is valid, received another')
    refuse(accessOf(request), actor)
    if (actor.kind === 'key' || accessOf(request) === 'own' || !isUnsafe(request)) return
    refuseForeign(request, services.mailer.siteUrl)
    if (actor.kind === 'user') await requireToken(app, request)
  })
  app.addHook('onClose', () => use.settle())
}

/** Sets `request.actor` and refuses who may not; asks for `services.sessions` and `services.limits`. */
export const guard: FastifyPluginAsync<{ services: Services }> = fastifyPlugin(plugin, { name: 'campaigns-guard' })
