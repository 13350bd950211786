import { cachified } from '@epic-web/cachified'
import KeyvRedis from '@keyv/redis'
import { createCache as createDedupeCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache as createCacheManager } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Keyv } from 'keyv'
import { LRUCache } from 'lru-cache'
import { createCache } from 'palier'
import { expectSame, KEY_COUNT, KEYS, type Small, small, withDirectory } from './fixtures.ts'
import { ahead, type Contestant, measure, type Session, within } from './harness.ts'
import { versionOf } from './surroundings.ts'
import { NO_REDIS, type RunOptions, type Table, type TableResult } from './table.ts'

/*
 * What almost every call of a cache is: `getOrSet` of a value that is fresh in this process, awaited. Each contestant
 * has a loop of its own, written out, so that the engine specialises each for itself.
 */

const MASK = KEY_COUNT - 1
const HOUR = 3_600_000
const keyAt = (i: number): string => KEYS[i & MASK] ?? ''

let loads = 0
const load = async (): Promise<Small> => {
  loads++
  return small(0)
}

/** Warms every key through `getOrSet` itself, and wants its own value back without another load. */
async function warm(getOrSet: (key: string, factory: () => Promise<Small>) => Promise<unknown>): Promise<void> {
  for (const [i, key] of KEYS.entries()) await getOrSet(key, async () => small(i))
  // Some write behind the caller's back.
  await new Promise(resolve => setTimeout(resolve, 20))
  loads = 0
  for (const [i, key] of KEYS.entries()) expectSame(await getOrSet(key, load), small(i), key)
  if (loads > 0) throw new Error(`${loads} of ${KEY_COUNT} warm keys were loaded again`)
}

function sum(total: number): void {
  if (Number.isNaN(total)) throw new Error('a value was lost')
}

const limit: Contestant = {
  name: 'async function over a Map',
  role: 'limit',
  async open(): Promise<Session> {
    const map = new Map<string, { value: Small; freshUntil: number }>()
    async function getOrSet(key: string, factory: () => Promise<Small>): Promise<Small> {
      const entry = map.get(key)
      if (entry !== undefined && Date.now() < entry.freshUntil) return entry.value
      const value = await factory()
      map.set(key, { value, freshUntil: Date.now() + HOUR })
      return value
    }
    return {
      check: () => warm(getOrSet),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += (await getOrSet(keyAt(i), load)).id
        sum(total)
      },
      close: async () => undefined,
    }
  },
}

const palierMemory: Contestant = {
  name: 'palier, memory',
  role: 'palier',
  package: 'palier',
  note: 'frozen values, not copied',
  async open() {
    const cache = createCache({
      namespace: 'l1',
      backend: 'memory',
      logger: false,
      detectBudget: '10s',
      defaults: { ttl: HOUR },
    })
    await cache.ready()
    return {
      check: () => warm((key, factory) => cache.getOrSet(key, factory)),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += (await cache.getOrSet<Small>(keyAt(i), load)).id
        sum(total)
      },
      close: () => cache.close(),
    }
  },
}

function palierFiles(dir: string): Contestant {
  return {
    name: 'palier, memory + files',
    role: 'palier',
    package: 'palier',
    async open() {
      const cache = createCache({
        namespace: 'l1',
        backend: 'filesystem',
        dir,
        logger: false,
        detectBudget: '10s',
        defaults: { ttl: HOUR },
      })
      const { backend, why } = await cache.ready()
      if (backend !== 'filesystem') throw new Error(why)
      return {
        check: () => warm((key, factory) => cache.getOrSet(key, factory)),
        async run(n) {
          let total = 0
          for (let i = 0; i < n; i++) total += (await cache.getOrSet<Small>(keyAt(i), load)).id
          sum(total)
        },
        close: () => cache.close(),
      }
    },
  }
}

function palierRedis(redisUrl: string): Contestant {
  return {
    name: 'palier, memory + redis',
    role: 'palier',
    package: 'palier',
    async open() {
      const cache = createCache({
        namespace: 'l1',
        backend: 'redis',
        redisUrl,
        logger: false,
        detectBudget: '10s',
        defaults: { ttl: HOUR },
      })
      const { backend, why } = await cache.ready()
      if (backend !== 'redis') throw new Error(why)
      return {
        check: () => warm((key, factory) => cache.getOrSet(key, factory)),
        async run(n) {
          let total = 0
          for (let i = 0; i < n; i++) total += (await cache.getOrSet<Small>(keyAt(i), load)).id
          sum(total)
        },
        close: () => cache.close(),
      }
    },
  }
}

function cacheManager(name: string, note: string, stores: () => Keyv[]): Contestant {
  return {
    name,
    role: 'peer',
    package: 'cache-manager',
    note,
    async open() {
      const cache = createCacheManager({ stores: stores(), ttl: HOUR })
      return {
        check: () => warm((key, factory) => cache.wrap(key, factory)),
        async run(n) {
          let total = 0
          for (let i = 0; i < n; i++) total += (await cache.wrap(keyAt(i), load)).id
          sum(total)
        },
        close: () => cache.disconnect(),
      }
    },
  }
}

function cacheable(name: string, secondary: (() => Keyv) | undefined): Contestant {
  return {
    name,
    role: 'peer',
    package: 'cacheable',
    async open() {
      const cache = new Cacheable({ ttl: HOUR, ...(secondary !== undefined && { secondary: secondary() }) })
      return {
        check: () => warm((key, factory) => cache.getOrSet(key, factory)),
        async run(n) {
          let total = 0
          for (let i = 0; i < n; i++) total += (await cache.getOrSet(keyAt(i), load))?.id ?? Number.NaN
          sum(total)
        },
        close: () => cache.disconnect(),
      }
    },
  }
}

function bento(name: string, note: string, serialize: boolean, port: number | undefined): Contestant {
  return {
    name,
    role: 'peer',
    package: 'bentocache',
    note,
    async open() {
      const near = bentostore().useL1Layer(memoryDriver({ maxItems: 100_000, serialize }))
      const tiers =
        port === undefined ? near : near.useL2Layer(redisDriver({ connection: { host: '127.0.0.1', port } }))
      const cache = new BentoCache({ default: 'main', ttl: '1h', prefix: 'l1', stores: { main: tiers } })
      return {
        check: () => warm((key, factory) => cache.getOrSet({ key, factory })),
        async run(n) {
          let total = 0
          for (let i = 0; i < n; i++) total += (await cache.getOrSet({ key: keyAt(i), factory: load })).id
          sum(total)
        },
        close: () => cache.disconnectAll(),
      }
    },
  }
}

const dedupe: Contestant = {
  name: 'async-cache-dedupe, memory',
  role: 'peer',
  package: 'async-cache-dedupe',
  async open() {
    // The function is fixed when the cache is defined, so the one that warms is a variable of it.
    let factory: () => Promise<Small> = load
    const cache = createDedupeCache({ ttl: 3600, storage: { type: 'memory', options: { size: 100_000 } } })
    const defined = cache.define('fetch', async (_key: string): Promise<Small> => factory())
    return {
      check: () =>
        warm((key, given) => {
          factory = given
          return defined.fetch(key)
        }),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += (await defined.fetch(keyAt(i))).id
        sum(total)
      },
      close: async () => undefined,
    }
  },
}

const cachifiedMap: Contestant = {
  name: 'cachified over lru-cache',
  role: 'peer',
  package: '@epic-web/cachified',
  async open() {
    const cache = new LRUCache<string, { metadata: { createdTime: number }; value: unknown }>({ max: 100_000 })
    return {
      check: () => warm((key, getFreshValue) => cachified({ key, cache, getFreshValue, ttl: HOUR })),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++)
          total += (await cachified({ key: keyAt(i), cache, getFreshValue: load, ttl: HOUR })).id
        sum(total)
      },
      close: async () => undefined,
    }
  },
}

const keyv: Contestant = {
  name: 'keyv, memory',
  role: 'peer',
  package: 'keyv',
  note: 'get, then set: it has no getOrSet',
  async open() {
    const cache = new Keyv<Small>({ ttl: HOUR })
    async function getOrSet(key: string, factory: () => Promise<Small>): Promise<Small> {
      const found = await cache.get<Small>(key)
      if (found !== undefined) return found
      const value = await factory()
      await cache.set(key, value)
      return value
    }
    return {
      check: () => warm(getOrSet),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += (await getOrSet(keyAt(i), load)).id
        sum(total)
      },
      close: () => cache.disconnect(),
    }
  },
}

async function run({ pace, servers }: RunOptions): Promise<TableResult> {
  const redis = await servers.redis()
  const keyvRedis = (url: string, namespace: string): Keyv => new Keyv(new KeyvRedis(url), { namespace, ttl: HOUR })
  const twoTierPeers = ['cache-manager, memory + redis', 'cacheable, memory + redis', 'bentocache, memory + redis']
  const withRedis: Contestant[] =
    redis === undefined
      ? []
      : [
          palierRedis(redis.url),
          cacheManager('cache-manager, memory + redis', '', () => [new Keyv(), keyvRedis(redis.url, 'cm')]),
          cacheable('cacheable, memory + redis', () => keyvRedis(redis.url, 'cacheable')),
          bento('bentocache, memory + redis', 'its default: values serialised', true, redis.port),
        ]
  return withDirectory(async dir => {
    const contestants = [
      limit,
      palierMemory,
      palierFiles(dir),
      ...withRedis,
      cacheManager('cache-manager, memory', '', () => [new Keyv()]),
      cacheable('cacheable, memory', undefined),
      bento('bentocache, memory', 'its default: values serialised', true, undefined),
      bento('bentocache, memory, not serialised', 'values shared, not frozen', false, undefined),
      dedupe,
      cachifiedMap,
      keyv,
    ]
    const ours = ['palier, memory', 'palier, memory + files', 'palier, memory + redis']
    const aims = [...ours.map(name => within(name, limit.name, 2)), ahead('palier, memory + redis', twoTierPeers, 3)]
    const what = `one fresh value of ${KEY_COUNT} small ones, awaited, one at a time`
    const work = { name: 'getOrSet hit in memory', what, contestants, aims }
    return { works: [await measure(work, pace, versionOf)], facts: [], missing: redis === undefined ? [NO_REDIS] : [] }
  })
}

export const l1: Table = { name: 'l1', title: 'L1: getOrSet of a value this process holds', run }
