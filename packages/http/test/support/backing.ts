import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cache } from 'palier'
import { type RedisServer, type RedisServerOptions, startRedis } from '../../../palier/test/support/redis-server.ts'

export const BACKENDS = ['memory', 'filesystem', 'redis'] as const
export type BackendName = (typeof BACKENDS)[number]

/** A server and a directory for the caches of one test file; `close` ends everything that was added, and the two. */
export interface Backing {
  readonly redis: RedisServer
  readonly dir: string
  /** Resolves when the cache answers. */
  cache(cache: Cache): Promise<Cache>
  /** Closed before any cache is. */
  site<S extends { close(): Promise<void> }>(site: S): S
  close(): Promise<void>
}

export async function openBacking(options: RedisServerOptions = {}): Promise<Backing> {
  const redis = await startRedis(options)
  const dir = await mkdtemp(join(tmpdir(), 'palier-http-'))
  const caches: Cache[] = []
  const sites: { close(): Promise<void> }[] = []
  return {
    redis,
    dir,
    async cache(cache) {
      caches.push(cache)
      await cache.ready()
      return cache
    },
    site(site) {
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
