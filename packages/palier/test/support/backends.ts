import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cache, type CacheOptions, createCache, fileStore, memoryStore, redisStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { startRedis } from './redis-server.ts'

/** Several caches as several processes would have them: each with its own store object on the same backing. */
export interface Group extends AsyncDisposable {
  readonly caches: [Cache, Cache]
  /** One more cache on the same backing, with other options. */
  sibling(options: CacheOptions): Promise<Group>
}

export interface BackendUnderTest {
  readonly name: string
  readonly shared: boolean
  open(count: 1 | 2, options?: CacheOptions): Promise<Group>
}

const QUIET: CacheOptions = { logger: false, backend: 'memory' }

async function group(
  count: number,
  options: CacheOptions,
  connect: () => SharedStore | undefined,
  end: () => Promise<void>,
): Promise<Group> {
  const stores: SharedStore[] = []
  const open = async (own: CacheOptions): Promise<Cache> => {
    const store = connect()
    if (store !== undefined) stores.push(store)
    const cache = createCache({ ...QUIET, ...own, ...(store && { store }) })
    await cache.ready()
    return cache
  }
  const first = await open(options)
  const caches: [Cache, Cache] = [first, count > 1 ? await open(options) : first]
  const close = async (): Promise<void> => {
    for (const cache of caches) await cache.close()
    for (const store of stores) await store.close()
  }
  return {
    caches,
    sibling: own => group(1, own, connect, () => Promise.resolve()),
    async [Symbol.asyncDispose]() {
      await close()
      await end()
    },
  }
}

const nothing = (): Promise<void> => Promise.resolve()

export const BACKENDS: readonly BackendUnderTest[] = [
  {
    name: 'memory alone',
    shared: false,
    open: (count, options = {}) => group(count, options, () => undefined, nothing),
  },
  {
    name: 'memory store',
    shared: true,
    open(count, options = {}) {
      const store = memoryStore()
      return group(count, options, () => store.connect(), nothing)
    },
  },
  {
    name: 'files',
    shared: true,
    async open(count, options = {}) {
      const dir = await mkdtemp(join(tmpdir(), 'palier-'))
      return group(
        count,
        options,
        () => fileStore({ dir: join(dir, 'cache') }),
        () => rm(dir, { recursive: true, force: true }),
      )
    },
  },
  {
    name: 'redis',
    shared: true,
    async open(count, options = {}) {
      const server = await startRedis()
      return group(
        count,
        options,
        () => redisStore({ url: server.url }),
        () => server.stop(),
      )
    },
  },
]
