import { join } from 'node:path'
import cookie from '@fastify/cookie'
import csrf from '@fastify/csrf-protection'
import session, { type FastifySessionOptions } from '@fastify/session'
import { createSessionCache, fastifySessionStore, type SessionCacheOptions, sessionMetrics } from '@palier/http'
import type { FastifyPluginAsync, FastifyRequest, Session } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { MetricSource } from 'palier'
import type { Services } from '../services.ts'

declare module 'fastify' {
  interface Session {
    userId?: string
    /** The user's `session_epoch` at login. */
    epoch?: number
  }
}

/** Where sessions lie: not in the cache, which may forget, but in a store of their own on the best backend there is. */
export interface Sessions {
  readonly store: ReturnType<typeof fastifySessionStore<Session>>
  /** With the prefix that binds it to the host where the site is on https: no other site can plant it there. */
  readonly cookieName: string
  /** The site is reached by https, and the cookie goes no other way. */
  readonly secure: boolean
  /** How many sessions there are: for `createMonitor(cache, { extra })`. */
  readonly metrics: MetricSource
  /** Resolves when the backend is found. */
  ready(): Promise<void>
  close(): Promise<void>
}

export interface SessionsOptions
  extends Pick<SessionCacheOptions, 'backend' | 'redisUrl' | 'dir' | 'deadline' | 'detectBudget' | 'logger'> {
  readonly databaseId: string
  /** Files of sessions lie in it where neither `dir` nor SESSION_DIR says otherwise. */
  readonly dataDir: string
  readonly secure?: boolean
}

/** Milliseconds without a request, and in all. */
const IDLE_MS = 12 * 3_600_000
const ABSOLUTE = '30d'

/** The caller closes it, after the servers that use it. Throws PALIER_BAD_OPTION for a SESSIONS_REDIS nobody can act on. */
export function openSessions({ databaseId, dataDir, secure = false, ...given }: SessionsOptions): Sessions {
  const fromEnvironment = (process.env['SESSION_DIR'] ?? '').trim() !== ''
  const cache = createSessionCache({
    namespace: `sessions-${databaseId}`,
    ...(fromEnvironment ? {} : { dir: join(dataDir, 'sessions') }),
    ...given,
  })
  const store = fastifySessionStore<Session>({ cache, ttl: IDLE_MS, absolute: ABSOLUTE })
  return {
    store,
    cookieName: secure ? '__Host-session' : 'session',
    secure,
    metrics: sessionMetrics(store),
    ready: async () => void (await cache.ready()),
    async close() {
      await store.close()
      await cache.close()
    },
  }
}

const plugin: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const { store, cookieName, secure } = services.sessions
  const options: FastifySessionOptions = {
    store,
    secret: services.secrets.sessionKey,
    cookieName,
    // Each answer moves the end of the cookie; the store leaves out the writes that would move it by less than a minute.
    rolling: true,
    saveUninitialized: false,
    cookie: { path: '/', httpOnly: true, sameSite: 'lax', secure: secure ? true : 'auto', maxAge: IDLE_MS },
  }
  await app.register(cookie)
  await app.register(session, options)
  // The header alone: a form of another site can send fields, and not this.
  const getToken = ({ headers }: FastifyRequest): string =>
    [headers['x-csrf-token'] ?? headers['x-palier-token']].flat().at(0) ?? ''
  await app.register(csrf, { sessionPlugin: '@fastify/session', getToken })
}

/** Cookies, sessions and their tokens against forged requests, on `services.sessions`. */
export const sessions: FastifyPluginAsync<{ services: Services }> = fastifyPlugin(plugin, {
  name: 'campaigns-sessions',
})
