import { cachified } from '@epic-web/cachified'
import KeyvRedis from '@keyv/redis'
import { createCache as createDedupeCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { fileDriver } from 'bentocache/drivers/file'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { createCache as createCacheManager } from 'cache-manager'
import { Cacheable, CacheableMemory } from 'cacheable'
import { Redis } from 'ioredis'
import { Keyv } from 'keyv'
import { createCache } from 'palier'

/** Where a loader keeps what it loads. */
export interface Place {
  readonly redisUrl?: string
  readonly dir?: string
  /** At most so many entries in this process's memory. */
  readonly nearEntries?: number
}

export interface Loader {
  getOrSet(key: string, factory: () => Promise<object>): Promise<unknown>
  close(): Promise<unknown>
}

export type Shared = 'memory' | 'files' | 'redis'

/** A cache that loads what is missing, as an application would set it up: memory in front of what is shared. */
export interface LoaderKind {
  readonly name: string
  readonly package: string
  readonly shared: Shared
  open(place: Place): Promise<Loader>
}

const HOUR = 3_600_000
const MANY = 100_000

function redisOf({ redisUrl }: Place): string {
  if (redisUrl === undefined) throw new Error('no Redis was given')
  return redisUrl
}

function dirOf({ dir }: Place): string {
  if (dir === undefined) throw new Error('no directory was given')
  return dir
}

function palier(shared: Shared): LoaderKind {
  return {
    name: shared === 'memory' ? 'palier, memory' : `palier, memory + ${shared}`,
    package: 'palier',
    shared,
    async open(place) {
      const backend = shared === 'files' ? 'filesystem' : shared
      const cache = createCache({
        namespace: 'loader',
        backend,
        logger: false,
        detectBudget: '10s',
        defaults: { ttl: HOUR },
        memory: { maxEntries: place.nearEntries ?? MANY },
        ...(shared === 'redis' && { redisUrl: redisOf(place) }),
        ...(shared === 'files' && { dir: dirOf(place) }),
      })
      const found = await cache.ready()
      if (found.backend !== backend) throw new Error(found.why)
      return { getOrSet: (key, factory) => cache.getOrSet(key, factory), close: () => cache.close() }
    },
  }
}

function bento(shared: Shared): LoaderKind {
  return {
    name: shared === 'memory' ? 'bentocache, memory' : `bentocache, memory + ${shared}`,
    package: 'bentocache',
    shared,
    async open(place) {
      const near = bentostore().useL1Layer(memoryDriver({ maxItems: place.nearEntries ?? MANY }))
      const tiers = (): typeof near => {
        if (shared === 'memory') return near
        if (shared === 'files') return near.useL2Layer(fileDriver({ directory: dirOf(place), pruneInterval: false }))
        const connection = { host: '127.0.0.1', port: Number(new URL(redisOf(place)).port) }
        return near.useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection }))
      }
      const cache = new BentoCache({ default: 'main', ttl: '1h', prefix: 'bento', stores: { main: tiers() } })
      return { getOrSet: (key, factory) => cache.getOrSet({ key, factory }), close: () => cache.disconnectAll() }
    },
  }
}

const keyvOnRedis = (url: string, namespace: string): Keyv => new Keyv(new KeyvRedis(url), { namespace, ttl: HOUR })
const keyvInMemory = ({ nearEntries }: Place): Keyv =>
  new Keyv({ store: new CacheableMemory({ lruSize: nearEntries ?? MANY }), ttl: HOUR })

function cacheable(shared: 'memory' | 'redis'): LoaderKind {
  return {
    name: shared === 'memory' ? 'cacheable, memory' : 'cacheable, memory + redis',
    package: 'cacheable',
    shared,
    async open(place) {
      const secondary = shared === 'redis' ? { secondary: keyvOnRedis(redisOf(place), 'cacheable') } : {}
      const cache = new Cacheable({ ttl: HOUR, primary: keyvInMemory(place), ...secondary })
      return { getOrSet: (key, factory) => cache.getOrSet(key, factory), close: () => cache.disconnect() }
    },
  }
}

function cacheManager(shared: 'memory' | 'redis'): LoaderKind {
  return {
    name: shared === 'memory' ? 'cache-manager, memory' : 'cache-manager, memory + redis',
    package: 'cache-manager',
    shared,
    async open(place) {
      const near = keyvInMemory(place)
      const stores = shared === 'memory' ? [near] : [near, keyvOnRedis(redisOf(place), 'cm')]
      const cache = createCacheManager({ stores, ttl: HOUR })
      return { getOrSet: (key, factory) => cache.wrap(key, factory), close: () => cache.disconnect() }
    },
  }
}

function dedupe(shared: 'memory' | 'redis'): LoaderKind {
  return {
    name: shared === 'memory' ? 'async-cache-dedupe, memory' : 'async-cache-dedupe, redis only',
    package: 'async-cache-dedupe',
    shared,
    async open(place) {
      const client = shared === 'redis' ? new Redis(redisOf(place)) : undefined
      const storage =
        client === undefined
          ? { type: 'memory' as const, options: { size: place.nearEntries ?? MANY } }
          : { type: 'redis' as const, options: { client } }
      let latest: () => Promise<object> = () => Promise.reject(new Error('no factory was given'))
      const cache = createDedupeCache({ ttl: 3600, storage })
      const defined = cache.define('fetch', async (_key: string): Promise<object> => latest())
      return {
        getOrSet(key, factory) {
          latest = factory
          return defined.fetch(key)
        },
        close: async () => client?.quit(),
      }
    },
  }
}

const cachifiedInMemory: LoaderKind = {
  name: 'cachified over a Map',
  package: '@epic-web/cachified',
  shared: 'memory',
  async open() {
    const cache = new Map<string, { metadata: { createdTime: number }; value: unknown }>()
    return {
      getOrSet: (key, getFreshValue) => cachified({ key, cache, getFreshValue, ttl: HOUR }),
      close: async () => undefined,
    }
  },
}

export const LOADERS: readonly LoaderKind[] = [
  palier('memory'),
  palier('files'),
  palier('redis'),
  bento('memory'),
  bento('files'),
  bento('redis'),
  cacheable('memory'),
  cacheable('redis'),
  cacheManager('memory'),
  cacheManager('redis'),
  dedupe('memory'),
  dedupe('redis'),
  cachifiedInMemory,
]
