import type { Cache, CacheOptions } from 'palier'
import { rateLimitCache } from '../../src/limits/limit-cache.ts'
import { type Backing, type BackendName, openBacking } from './backing.ts'
import { type LimitedSite, limitedSite, type SiteOptions, type Way } from './limit-site.ts'

/** Where the tests of one file keep their limits; closes all that was opened in it. */
export interface LimitRoom extends Pick<Backing, 'redis' | 'dir' | 'close'> {
  /** A cache that answers. */
  open(backend: BackendName, options?: CacheOptions): Promise<Cache>
  site(way: Way, options: SiteOptions): Promise<LimitedSite>
}

export async function limitRoom(): Promise<LimitRoom> {
  const { redis, dir, cache, site, close } = await openBacking()
  return {
    ...{ redis, dir, close },
    open: (backend, options = {}) =>
      cache(rateLimitCache({ backend, redisUrl: redis.url, dir, detectBudget: 30_000, logger: false, ...options })),
    site: async (way, options) => site(await limitedSite(way, options)),
  }
}
