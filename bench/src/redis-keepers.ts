import KeyvRedis from '@keyv/redis'
import { createCache as createDedupeCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache as createCacheManager } from 'cache-manager'
import { Redis } from 'ioredis'
import { Keyv } from 'keyv'
import { createCache } from 'palier'
import { createClient } from 'redis'
import { createStorage } from 'unstorage'
import redisStorage from 'unstorage/drivers/redis'
import type { KeeperKind } from './keeper.ts'
import type { RedisServer } from './redis-server.ts'

/*
 * Whoever keeps values in Redis, with nothing kept in this process. Each has a connection of its own. Those on ioredis
 * are compared with the bare ioredis, those on node-redis with the bare node-redis.
 */

const HOUR = 3_600_000
export const IOREDIS = 'ioredis, JSON'
export const NODE_REDIS = 'redis, JSON'

type Kind = KeeperKind<RedisServer>

const parsed = (text: string | null): unknown => (text === null ? undefined : JSON.parse(text))

const rawIoredis: Kind = {
  name: IOREDIS,
  role: 'limit',
  package: 'ioredis',
  async open({ url }) {
    const client = new Redis(url)
    return {
      get: async key => parsed(await client.get(`raw:${key}`)),
      set: (key, value) => client.set(`raw:${key}`, JSON.stringify(value), 'PX', HOUR),
      delete: key => client.unlink(`raw:${key}`),
      getMany: async keys => (await client.mget(keys.map(key => `raw:${key}`))).map(parsed),
      async getOrSet(key, factory) {
        const found = parsed(await client.get(`raw:${key}`))
        if (found !== undefined) return found
        const value = await factory()
        await client.set(`raw:${key}`, JSON.stringify(value), 'PX', HOUR)
        return value
      },
      close: () => client.quit(),
    }
  },
}

const rawNodeRedis: Kind = {
  name: NODE_REDIS,
  role: 'limit',
  package: 'redis',
  async open({ url }) {
    const client = createClient({ url })
    client.on('error', () => undefined)
    await client.connect()
    return {
      get: async key => parsed(await client.get(`raw2:${key}`)),
      set: (key, value) =>
        client.set(`raw2:${key}`, JSON.stringify(value), { expiration: { type: 'PX', value: HOUR } }),
      delete: key => client.unlink(`raw2:${key}`),
      getMany: async keys => (await client.mGet(keys.map(key => `raw2:${key}`))).map(parsed),
      async getOrSet(key, factory) {
        const found = parsed(await client.get(`raw2:${key}`))
        if (found !== undefined) return found
        const value = await factory()
        await client.set(`raw2:${key}`, JSON.stringify(value), { expiration: { type: 'PX', value: HOUR } })
        return value
      },
      close: () => client.close(),
    }
  },
}

async function lend(kind: 'ioredis' | 'redis', url: string): Promise<{ client: object; end(): Promise<unknown> }> {
  if (kind === 'ioredis') {
    const client = new Redis(url)
    return { client, end: () => client.quit() }
  }
  const client = createClient({ url })
  client.on('error', () => undefined)
  await client.connect()
  return { client, end: () => client.close() }
}

function palier(kind: 'ioredis' | 'redis', compress: boolean): Kind {
  const name = `palier on ${kind}${compress ? '' : ', compress: false'}`
  return {
    name,
    role: 'palier',
    package: 'palier',
    against: kind === 'ioredis' ? IOREDIS : NODE_REDIS,
    ...(compress && { note: 'its default: compressed above 1 KB' }),
    async open({ url }) {
      const lent = await lend(kind, url)
      const defaults = { ttl: HOUR, near: false as const, ...(!compress && { compress: false as const }) }
      const cache = createCache({
        namespace: `redis-${kind}-${compress}`,
        backend: 'redis',
        redis: lent.client,
        logger: false,
        detectBudget: '10s',
        defaults,
      })
      const { backend, why } = await cache.ready()
      if (backend !== 'redis') throw new Error(why)
      return {
        get: key => cache.get(key),
        set: (key, value) => cache.set(key, value),
        delete: key => cache.delete(key),
        getMany: keys => cache.getMany(keys),
        getOrSet: (key, factory) => cache.getOrSet(key, factory),
        async close() {
          await cache.close()
          await lent.end()
        },
      }
    },
  }
}

const bento: Kind = {
  name: 'bentocache, redis only',
  role: 'peer',
  package: 'bentocache',
  against: IOREDIS,
  async open({ port }) {
    const tiers = bentostore().useL2Layer(redisDriver({ connection: { host: '127.0.0.1', port } }))
    const cache = new BentoCache({ default: 'main', ttl: '1h', prefix: 'bento', stores: { main: tiers } })
    return {
      get: key => cache.get({ key }),
      set: (key, value) => cache.set({ key, value }),
      delete: key => cache.delete({ key }),
      getOrSet: (key, factory) => cache.getOrSet({ key, factory }),
      close: () => cache.disconnectAll(),
    }
  },
}

const keyvOnRedis = (url: string, namespace: string): Keyv => new Keyv(new KeyvRedis(url), { namespace, ttl: HOUR })

const keyv: Kind = {
  name: 'keyv + @keyv/redis',
  role: 'peer',
  package: 'keyv',
  against: NODE_REDIS,
  async open({ url }) {
    const cache = keyvOnRedis(url, 'keyv')
    return {
      get: key => cache.get(key),
      set: (key, value) => cache.set(key, value),
      delete: key => cache.delete(key),
      getMany: keys => cache.get([...keys]),
      close: () => cache.disconnect(),
    }
  },
}

const cacheManager: Kind = {
  name: 'cache-manager + @keyv/redis',
  role: 'peer',
  package: 'cache-manager',
  against: NODE_REDIS,
  async open({ url }) {
    const cache = createCacheManager({ stores: [keyvOnRedis(url, 'cm')], ttl: HOUR })
    return {
      get: key => cache.get(key),
      set: (key, value) => cache.set(key, value),
      delete: key => cache.del(key),
      getMany: keys => cache.mget([...keys]),
      getOrSet: (key, factory) => cache.wrap(key, factory),
      close: () => cache.disconnect(),
    }
  },
}

const dedupe: Kind = {
  name: 'async-cache-dedupe, redis',
  role: 'peer',
  package: 'async-cache-dedupe',
  against: IOREDIS,
  async open({ url }) {
    const client = new Redis(url)
    const factories = new Map<string, () => Promise<object>>()
    const cache = createDedupeCache({ ttl: 3600, storage: { type: 'redis', options: { client } } })
    const defined = cache.define('fetch', async (key: string): Promise<unknown> => factories.get(key)?.())
    return {
      // Its `fetch` keeps values under its own name and a tilde; `get` and `set` take the whole key.
      get: key => cache.get('fetch', `fetch~${key}`),
      set: (key, value) => cache.set('fetch', `fetch~${key}`, value, 3600),
      async getOrSet(key, factory) {
        factories.set(key, factory)
        try {
          return await defined.fetch(key)
        } finally {
          factories.delete(key)
        }
      },
      close: () => client.quit(),
    }
  },
}

const unstorage: Kind = {
  name: 'unstorage, redis',
  role: 'peer',
  package: 'unstorage',
  against: IOREDIS,
  async open({ url }) {
    const storage = createStorage({ driver: redisStorage({ url, base: 'unstorage', ttl: 3600 }) })
    return {
      get: key => storage.getItem(key),
      set: (key, value) => storage.setItem(key, value),
      delete: key => storage.removeItem(key),
      getMany: async keys => (await storage.getItems([...keys])).map(({ value }) => value),
      close: () => storage.dispose(),
    }
  },
}

export const REDIS_KEEPERS: readonly Kind[] = [
  rawIoredis,
  rawNodeRedis,
  palier('ioredis', true),
  palier('ioredis', false),
  palier('redis', true),
  palier('redis', false),
  bento,
  keyv,
  cacheManager,
  dedupe,
  unstorage,
]
