import { TTLCache } from '@isaacs/ttlcache'
import { LRUCache } from 'lru-cache'
import { LRUMap } from 'mnemonist'
import { createCache } from 'palier'
import type { Small } from './fixtures.ts'

/** Something that fills; `put` may answer later. */
export interface Filled {
  put(key: string, value: Small): unknown
  get(key: string): unknown
  size(): number
}

export interface HeapKeeper {
  readonly name: string
  readonly package?: string
  readonly bounded: boolean
  open(max: number): Promise<Filled>
}

const HOUR = 3_600_000

export async function palierCache(maxEntries: number, maxBytes: number): Promise<Filled & { bytes(): number }> {
  const memory = { maxEntries, maxBytes }
  const cache = createCache({ namespace: 'heap', backend: 'memory', logger: false, defaults: { ttl: HOUR }, memory })
  await cache.ready()
  return {
    put: (key, value) => cache.set(key, value),
    get: key => cache.get(key),
    size: () => cache.stats().near.entries,
    bytes: () => cache.stats().near.bytes,
  }
}

export const HEAP_KEEPERS: readonly HeapKeeper[] = [
  {
    name: 'Map of value and expiry',
    bounded: false,
    async open() {
      const map = new Map<string, { value: Small; freshUntil: number }>()
      return {
        put: (key, value) => map.set(key, { value, freshUntil: Date.now() + HOUR }),
        get: key => map.get(key)?.value,
        size: () => map.size,
      }
    },
  },
  {
    name: 'lru-cache with ttl',
    package: 'lru-cache',
    bounded: true,
    async open(max) {
      const cache = new LRUCache<string, Small>({ max, ttl: HOUR })
      return { put: (key, value) => cache.set(key, value), get: key => cache.get(key), size: () => cache.size }
    },
  },
  { name: 'palier', package: 'palier', bounded: true, open: max => palierCache(max, Number.MAX_SAFE_INTEGER) },
  {
    name: 'mnemonist LRUMap of value and expiry',
    package: 'mnemonist',
    bounded: true,
    async open(max) {
      const cache = new LRUMap<string, { value: Small; freshUntil: number }>(max)
      return {
        put: (key, value) => cache.set(key, { value, freshUntil: Date.now() + HOUR }),
        get: key => cache.get(key)?.value,
        size: () => cache.size,
      }
    },
  },
  {
    name: '@isaacs/ttlcache',
    package: '@isaacs/ttlcache',
    bounded: true,
    async open(max) {
      const cache = new TTLCache<string, Small>({ max, ttl: HOUR })
      return { put: (key, value) => cache.set(key, value), get: key => cache.get(key), size: () => cache.size }
    },
  },
]
