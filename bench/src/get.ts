import { TTLCache } from '@isaacs/ttlcache'
import { LRUCache } from 'lru-cache'
import { LRUMap } from 'mnemonist'
import { createCache } from 'palier'
import { manualClock, type NearRecord, nearStore } from 'palier/testing'
import { expectSame, KEY_COUNT, KEYS, type Small, small } from './fixtures.ts'
import { type Contestant, measure, type Session, within } from './harness.ts'
import { versionOf } from './surroundings.ts'
import type { RunOptions, Table, TableResult } from './table.ts'

/*
 * A fresh value out of memory with no promise in between, beside the stores that are only that. `cache.get` always
 * gives a promise: without `await` it shows what the library itself does, with it what a caller pays.
 */

const MASK = KEY_COUNT - 1
const HOUR = 3_600_000
const MAX = 100_000
const keyAt = (i: number): string => KEYS[i & MASK] ?? ''

interface Timed {
  readonly value: Small
  readonly freshUntil: number
}

function checked(get: (key: string) => unknown): () => Promise<void> {
  return async () => {
    for (const [i, key] of KEYS.entries()) expectSame(await get(key), small(i), key)
  }
}

function sum(total: number): void {
  if (Number.isNaN(total)) throw new Error('a value was lost')
}

const nothing = async (): Promise<void> => undefined

const plainMap: Contestant = {
  name: 'Map with an expiry check',
  role: 'limit',
  async open(): Promise<Session> {
    const map = new Map<string, Timed>()
    for (const [i, key] of KEYS.entries()) map.set(key, { value: small(i), freshUntil: performance.now() + HOUR })
    const get = (key: string): Small | undefined => {
      const entry = map.get(key)
      return entry !== undefined && performance.now() < entry.freshUntil ? entry.value : undefined
    }
    return {
      check: checked(get),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += get(keyAt(i))?.id ?? Number.NaN
        sum(total)
      },
      close: nothing,
    }
  },
}

const lruCache: Contestant = {
  name: 'lru-cache with ttl',
  role: 'peer',
  package: 'lru-cache',
  note: 'reads the clock once a millisecond',
  async open() {
    const cache = new LRUCache<string, Small>({ max: MAX, ttl: HOUR })
    for (const [i, key] of KEYS.entries()) cache.set(key, small(i))
    return {
      check: checked(key => cache.get(key)),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += cache.get(keyAt(i))?.id ?? Number.NaN
        sum(total)
      },
      close: nothing,
    }
  },
}

const mnemonist: Contestant = {
  name: 'mnemonist LRUMap + expiry check',
  role: 'peer',
  package: 'mnemonist',
  async open() {
    const cache = new LRUMap<string, Timed>(MAX)
    for (const [i, key] of KEYS.entries()) cache.set(key, { value: small(i), freshUntil: performance.now() + HOUR })
    const get = (key: string): Small | undefined => {
      const entry = cache.get(key)
      return entry !== undefined && performance.now() < entry.freshUntil ? entry.value : undefined
    }
    return {
      check: checked(get),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += get(keyAt(i))?.id ?? Number.NaN
        sum(total)
      },
      close: nothing,
    }
  },
}

const ttlCache: Contestant = {
  name: '@isaacs/ttlcache',
  role: 'peer',
  package: '@isaacs/ttlcache',
  note: 'expires by timer',
  async open() {
    const cache = new TTLCache<string, Small>({ max: MAX, ttl: HOUR })
    for (const [i, key] of KEYS.entries()) cache.set(key, small(i))
    return {
      check: checked(key => cache.get(key)),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += cache.get(keyAt(i))?.id ?? Number.NaN
        sum(total)
      },
      close: async () => cache.cancelTimer(),
    }
  },
}

interface Near extends NearRecord {
  readonly value: Small
}

const inside: Contestant = {
  name: 'palier near store + expiry check',
  role: 'palier',
  package: 'palier',
  note: 'what a cache looks into first',
  async open() {
    const store = nearStore<Near>({ maxEntries: MAX, maxBytes: 2 ** 30, clock: manualClock() })
    const space = store.space('')
    for (const [i, key] of KEYS.entries()) {
      space.set(key, { value: small(i), deadAt: performance.now() + HOUR, size: 100, visited: false })
    }
    const get = (key: string): Small | undefined => {
      const entry = space.get(key)
      return entry !== undefined && performance.now() < entry.deadAt ? entry.value : undefined
    }
    return {
      check: checked(get),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += get(keyAt(i))?.id ?? Number.NaN
        sum(total)
      },
      close: async () => store.close(),
    }
  },
}

async function openPalier(): Promise<ReturnType<typeof createCache>> {
  const cache = createCache({ namespace: 'get', backend: 'memory', logger: false, defaults: { ttl: HOUR } })
  await cache.ready()
  for (const [i, key] of KEYS.entries()) await cache.set(key, small(i))
  return cache
}

const unawaited: Contestant = {
  name: 'palier get, not awaited',
  role: 'palier',
  package: 'palier',
  note: 'with its promise',
  async open() {
    const cache = await openPalier()
    return {
      check: checked(key => cache.get(key)),
      async run(n) {
        for (let i = 1; i < n; i++) void cache.get(keyAt(i))
        sum((await cache.get<Small>(keyAt(n)))?.id ?? Number.NaN)
      },
      close: () => cache.close(),
    }
  },
}

const awaited: Contestant = {
  name: 'palier get',
  role: 'palier',
  package: 'palier',
  async open() {
    const cache = await openPalier()
    return {
      check: checked(key => cache.get(key)),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += (await cache.get<Small>(keyAt(i)))?.id ?? Number.NaN
        sum(total)
      },
      close: () => cache.close(),
    }
  },
}

const asyncMap: Contestant = {
  name: 'async get over a Map',
  role: 'limit',
  async open() {
    const map = new Map<string, Timed>()
    for (const [i, key] of KEYS.entries()) map.set(key, { value: small(i), freshUntil: performance.now() + HOUR })
    async function get(key: string): Promise<Small | undefined> {
      const entry = map.get(key)
      return entry !== undefined && performance.now() < entry.freshUntil ? entry.value : undefined
    }
    return {
      check: checked(get),
      async run(n) {
        let total = 0
        for (let i = 0; i < n; i++) total += (await get(keyAt(i)))?.id ?? Number.NaN
        sum(total)
      },
      close: nothing,
    }
  },
}

async function run({ pace }: RunOptions): Promise<TableResult> {
  const bare = {
    name: 'get hit without a wait',
    what: `one fresh value of ${KEY_COUNT} small ones; only "not awaited" makes a promise`,
    contestants: [plainMap, inside, unawaited, lruCache, mnemonist, ttlCache],
    aims: [within(inside.name, plainMap.name, 1.5)],
  }
  const waited = {
    name: 'get hit, awaited',
    what: `one fresh value of ${KEY_COUNT} small ones`,
    contestants: [asyncMap, awaited],
    aims: [within(awaited.name, asyncMap.name, 2)],
  }
  return {
    works: [await measure(bare, pace, versionOf), await measure(waited, pace, versionOf)],
    facts: [],
    missing: [],
  }
}

export const get: Table = { name: 'get', title: 'L1: get of a value this process holds', run }
