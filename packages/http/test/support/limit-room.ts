import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cache, CacheOptions } from 'palier'
import { type RedisServer, startRedis } from '../../../palier/test/support/redis-server.ts'
import { rateLimitCache } from '../../src/limits/limit-cache.ts'
import { type LimitedSite, limitedSite, type SiteOptions, type Way } from './limit-site.ts'

export const BACKENDS = ['memory', 'filesystem', 'redis'] as const
export type BackendName = (typeof BACKENDS)[number]

/** Where the tests of one file keep their limits; closes all that was opened in it. */
export interface LimitRoom {
  readonly redis: RedisServer
  readonly dir: string
  /** A cache that answers. */
  open(backend: BackendName, options?: CacheOptions): Promise<Cache>
  site(way: Way, options: SiteOptions): Promise<LimitedSite>
  close(): Promise<void>
}

export async function limitRoom(): Promise<LimitRoom> {
  const redis = await startRedis()
  const dir = await mkdtemp(join(tmpdir(), 'palier-limits-'))
  const caches: Cache[] = []
  const sites: LimitedSite[] = []
  return {
    redis,
    dir,
    async open(backend, options = {}) {
      const cache = rateLimitCache({
        backend,
        redisUrl: redis.url,
        dir,
        detectBudget: 30_000,
        logger: false,
        ...options,
      })
      caches.push(cache)
      await cache.ready()
      return cache
    },
    async site(way, options) {
      const site = await limitedSite(way, options)
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
