import type { FastifyReply } from 'fastify'
import { type CacheOptions, createCache, type Logger, type Stats, type Status } from 'palier'

/**
 * The only file that knows the cache. Reads name a type, a key and tags; writes name the tags they touched. The cache
 * is never needed: when it fails, reads go to the database, writes stay written, and the failure is a log line.
 */
export const CACHE_TYPES = {
  dashboard: { ttl: '5m', grace: '1h' },
  stats: { ttl: '5m', grace: '1h' },
  categories: { ttl: '2m', grace: '10m' },
} as const

export type CacheType = keyof typeof CACHE_TYPES

/** What a cached read depends on. `category:<id>` stands for one category: its own row and who is in it. */
export type Tag = 'contacts' | 'categories' | 'messages' | 'campaigns' | `category:${string}`

export interface Served<V> {
  /** Frozen: it is handed to every reader of the entry. */
  readonly value: V
  readonly outcome: 'hit' | 'stale' | 'miss'
  /** Milliseconds since it was loaded. */
  readonly age: number
}

export interface Caching {
  read<V>(type: CacheType, key: string, tags: readonly Tag[], load: Load<V>): Promise<Served<V>>
  /** Call it after the commit and before the answer. Never rejects. */
  forget(tags: readonly Tag[]): Promise<void>
  stats(): Stats
  status(): Status
  ready(): Promise<void>
  close(): Promise<void>
}

type Load<V> = (signal: AbortSignal) => Promise<V>

export interface CachingOptions extends Pick<CacheOptions, 'backend' | 'detectBudget' | 'dir' | 'enabled'> {
  /** The database whose answers are kept: part of the namespace, so that a new database never sees an old one's. */
  readonly databaseId: string
  /** Where failures are told; the console unless said. */
  readonly logger?: Logger
}

export function openCaching({ databaseId, logger = console, ...given }: CachingOptions): Caching {
  const cache = createCache({ namespace: `campaigns-${databaseId}`, types: CACHE_TYPES, logger, ...given })
  const report = (operation: string, error: unknown): void =>
    logger.warn(`[CACHE ERROR] ${operation}: ${error instanceof Error ? error.message : String(error)}`)
  return {
    async read(type, key, tags, load) {
      let source: { readonly error: unknown } | undefined
      try {
        return await cache.type(type).fetch(
          key,
          async context => {
            try {
              return await load(context.signal)
            } catch (error) {
              source = { error }
              throw error
            }
          },
          { tags },
        )
      } catch (error) {
        // The database's own failure is the answer; only a failure of the cache is worth asking the database again.
        if (source !== undefined) throw error
        report(`${type} read`, error)
        return { value: await load(new AbortController().signal), outcome: 'miss', age: 0 }
      }
    },
    async forget(tags) {
      if (tags.length === 0) return
      try {
        await cache.deleteByTags([...new Set(tags)])
      } catch (error) {
        report(`delete by tags ${tags.join(', ')}`, error)
      }
    },
    stats: () => cache.stats(),
    status: () => cache.status(),
    ready: async () => void (await cache.ready()),
    close: () => cache.close(),
  }
}

/** Says on the answer where its value came from and how old it is, and returns the value. */
export function answerWith<V>(reply: FastifyReply, { value, outcome, age }: Served<V>): V {
  reply.header('x-cache', outcome.toUpperCase()).header('age', Math.floor(age / 1000))
  return value
}
