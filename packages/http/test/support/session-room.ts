import type { Cache } from 'palier'
import type { RedisServerOptions } from '../../../palier/test/support/redis-server.ts'
import { createSessionCache, type SessionCacheOptions } from '../../src/index.ts'
import { type Backing, type BackendName, openBacking } from './backing.ts'
import { type FrameworkName, type Site, type SiteOptions, startSite } from './session-site.ts'

/** Where the tests of one file keep their sessions; closes all that was opened in it. */
export interface Room extends Pick<Backing, 'redis' | 'dir' | 'close'> {
  /** A cache that answers, and has all the time it needs for that unless told otherwise; `space` is its namespace. */
  open(backend: BackendName, space: string, options?: SessionCacheOptions): Promise<Cache>
  site(framework: FrameworkName, options: SiteOptions): Promise<Site>
}

export async function openRoom(server: RedisServerOptions = {}): Promise<Room> {
  const { redis, dir, cache, site, close } = await openBacking(server)
  return {
    ...{ redis, dir, close },
    open: (backend, space, options = {}) =>
      cache(
        createSessionCache({
          ...{ namespace: space, backend, redisUrl: redis.url, dir, logger: false },
          ...{ deadline: '20s', detectBudget: 30_000 },
          ...options,
        }),
      ),
    site: async (framework, options) => site(await startSite(framework, options)),
  }
}
