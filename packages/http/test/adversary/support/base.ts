import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AnyPolicy, type Cache, createCache } from 'palier'
import type { CacheResponseOptions } from '../../../src/index.ts'
import { EVERYBODY, type Page, type Running, type Site, type User } from './site.ts'

/** What all sites keep their responses in. */
const TYPES: Readonly<Record<string, AnyPolicy>> = {
  page: { ttl: '5m', early: 0 },
  mine: { ttl: '5m', early: 0, scope: 'user' },
  ours: { ttl: '5m', early: 0, scope: 'role' },
}

export type SiteCache = Cache<typeof TYPES>

/** What every adapter needs: the cache, who is logged in, and how often each handler ran. */
export interface Base {
  readonly cache: SiteCache
  readonly logins: Map<string, User>
  count(path: string): void
  /** Makes a site of the server. Its listener must be there. */
  run(server: Server, closeToo?: () => Promise<unknown>): Promise<Running>
}

export function baseOf(site: Site): Base {
  const cache = createCache({ logger: false, backend: 'memory', ...site.cache, types: TYPES })
  const logins = new Map(EVERYBODY.map(user => [user.secret, user]))
  const runs = new Map<string, number>()
  return {
    cache,
    logins,
    count: path => void runs.set(path, (runs.get(path) ?? 0) + 1),
    async run(server, closeToo) {
      // A handler may leave an answer open for ever: who asks decides how long that may take.
      server.keepAliveTimeout = 60_000
      let asked = 0
      server.prependListener('request', () => void asked++)
      if (!server.listening) {
        server.listen(0, '127.0.0.1')
        await once(server, 'listening')
      }
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('no port was given')
      return {
        port: address.port,
        logins,
        asked: () => asked,
        runs: path => runs.get(path) ?? 0,
        keys: async () => JSON.stringify(await cache.operator.keys({})),
        clear: async () => void (await cache.clear()),
        async close() {
          server.closeAllConnections()
          await (closeToo === undefined ? new Promise(resolve => void server.close(resolve)) : closeToo())
          await cache.close()
        },
      }
    },
  }
}

export function serverOf(listener: RequestListener): Server {
  return createServer(listener)
}

/** The options of a page, for requests of any kind. */
export function optionsOf<Req>(
  page: Page,
  read: { readonly user: (request: Req) => User | undefined; readonly target: (request: Req) => string },
): CacheResponseOptions<Req> {
  const { ttl, grace, tags, vary, query, statuses, key } = page
  const options = {
    ...(ttl !== undefined && { ttl }),
    ...(grace !== undefined && { grace }),
    ...(tags !== undefined && { tags }),
    ...(vary !== undefined && { vary }),
    ...(query !== undefined && { query }),
    ...(statuses !== undefined && { statuses }),
    ...(key !== undefined && { key: (request: Req) => key(read.target(request)) }),
  }
  const { whose = (user: User | undefined) => (page.scope === 'role' ? user?.role : user?.name) } = page
  const subject = (request: Req): string | undefined => whose(read.user(request)) as string | undefined
  if (page.scope === 'user') return { ...options, scope: { user: subject } }
  if (page.scope === 'role') return { ...options, scope: { role: subject } }
  // A page without a scope is one whose author forgot it.
  return { ...options, scope: page.scope as 'public' }
}

export function typeOf(page: Page): 'page' | 'mine' | 'ours' {
  const { type } = page
  return type === 'mine' || type === 'ours' ? type : 'page'
}
