import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cache } from 'palier'
import { type RedisServer, type RedisServerOptions, startRedis } from '../../../palier/test/support/redis-server.ts'
import { createSessionCache, type SessionCacheOptions } from '../../src/index.ts'
import { type FrameworkName, type Site, type SiteOptions, startSite } from './session-site.ts'

export type BackendName = 'memory' | 'filesystem' | 'redis'
export const BACKENDS: readonly BackendName[] = ['memory', 'filesystem', 'redis']

/** Where the tests of one file keep their sessions; closes all that was opened in it. */
export interface Room {
  readonly redis: RedisServer
  readonly dir: string
  /** A cache that answers, and has all the time it needs for that unless told otherwise; `space` is its namespace. */
  open(backend: BackendName, space: string, options?: SessionCacheOptions): Promise<Cache>
  site(framework: FrameworkName, options: SiteOptions): Promise<Site>
  close(): Promise<void>
}

export async function openRoom(options: RedisServerOptions = {}): Promise<Room> {
  const redis = await startRedis(options)
  const dir = await mkdtemp(join(tmpdir(), 'palier-sessions-'))
  const caches: Cache[] = []
  const sites: Site[] = []
  return {
    redis,
    dir,
    async open(backend, space, options = {}) {
      const cache = createSessionCache({
        namespace: space,
        backend,
        redisUrl: redis.url,
        dir,
        logger: false,
        deadline: '20s',
        ...options,
      })
      caches.push(cache)
      await cache.ready()
      return cache
    },
    async site(framework, options) {
      const site = await startSite(framework, options)
      sites.push(site)
      return site
    },
    async close() {
      await Promise.all(sites.map(site => site.close()))
      await Promise.all(caches.map(cache => cache.close()))
      await redis.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
