import type { FastifyReply } from 'fastify'
import { type Cache, type CacheOptions, createCache, type Logger } from 'palier'
import { CACHE_TYPES, type CachePolicies, type CachedRead, type Tag } from './cache-map.ts'

/**
 * The one place that reads and deletes through the cache; what is kept is in `cache-map.ts`. The cache is never needed:
 * when it fails, reads go to the database, writes stay written, and the failure is a log line.
 */
export interface Served<V> {
  /** Frozen: it is handed to every reader of the entry. */
  readonly value: V
  readonly outcome: 'hit' | 'stale' | 'miss'
  /** Milliseconds since it was loaded. */
  readonly age: number
}

export interface Caching {
  /** For the parts that are made of it: limiters, claims, the console, the monitor. */
  readonly cache: Cache<typeof CACHE_TYPES>
  /** The kept answer, or what `load` gives. Rejects with the error of `load` only. */
  read<A extends readonly unknown[], V>(
    read: CachedRead<A>,
    args: A,
    load: (signal: AbortSignal) => Promise<V>,
  ): Promise<Served<V>>
  /**
   * Deletes the tags: now, or together with others within the coalescing window. `told` is called once the cache has
   * heard of it. Never rejects.
   */
  forget(tags: readonly Tag[], pace: 'now' | 'soon', told: () => void): Promise<void>
  /** Deletes at once what waits for its window. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface CachingOptions
  extends Pick<CacheOptions, 'backend' | 'detectBudget' | 'dir' | 'enabled' | 'files' | 'redisUrl'> {
  /** The database whose answers are kept: part of the namespace, so that a new database never sees an old one's. */
  readonly databaseId: string
  /** Times that somebody chose at the installation, in place of those in `cache-map.ts`. */
  readonly types?: CachePolicies
  /** Milliseconds in which deletions of pace `soon` are put together; 2 s unless said. */
  readonly coalesce?: number
  /** Where failures are told; the console unless said. */
  readonly logger?: Logger
}

const COALESCE_MS = 2000

export function openCaching({
  databaseId,
  logger = console,
  coalesce = COALESCE_MS,
  types = {},
  ...given
}: CachingOptions): Caching {
  const cache = createCache({
    namespace: `campaigns-${databaseId}`,
    types: { ...CACHE_TYPES, ...types } as typeof CACHE_TYPES,
    logger,
    ...given,
  })
  const report = (operation: string, error: unknown): void =>
    logger.warn(`[CACHE ERROR] ${operation}: ${error instanceof Error ? error.message : String(error)}`)
  const remove = async (tags: readonly Tag[]): Promise<boolean> => {
    try {
      return (await cache.deleteByTags(tags)).shared !== 'pending'
    } catch (error) {
      report(`delete by tags ${tags.join(', ')}`, error)
      return false
    }
  }
  const waiting = createWindow(coalesce, remove)
  return {
    cache,
    async read(read, args, load) {
      let source: { readonly error: unknown } | undefined
      try {
        return await cache.type(read.type).fetch(
          read.key(...args),
          async context => {
            try {
              return await load(context.signal)
            } catch (error) {
              source = { error }
              throw error
            }
          },
          { tags: read.tags(...args) },
        )
      } catch (error) {
        // The database's own failure is the answer; only a failure of the cache is worth asking the database again.
        if (source !== undefined) throw error
        report(`${read.type} read`, error)
        return { value: await load(new AbortController().signal), outcome: 'miss', age: 0 }
      }
    },
    async forget(tags, pace, told) {
      if (tags.length === 0) return
      if (pace === 'soon') waiting.add(tags, told)
      else if (await remove(tags)) told()
    },
    settle: () => waiting.flush(),
    async close() {
      await waiting.flush()
      await cache.close()
    },
  }
}

interface Window {
  add(tags: readonly Tag[], told: () => void): void
  flush(): Promise<void>
}

/** Puts deletions together: the first of a burst opens a window, and all of it is deleted when that closes. */
function createWindow(length: number, remove: (tags: readonly Tag[]) => Promise<boolean>): Window {
  const tags = new Set<Tag>()
  let tellers: (() => void)[] = []
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    running = running.then(async () => {
      if (tags.size === 0) return
      const names = [...tags]
      const told = tellers
      tags.clear()
      tellers = []
      if (await remove(names)) for (const tell of told) tell()
    })
    return running
  }
  return {
    add(names, told) {
      for (const name of names) tags.add(name)
      tellers.push(told)
      timer ??= setTimeout(() => void flush(), length)
    },
    flush,
  }
}

/** Says on the answer where its value came from, how old it is and as of when it is true, and returns the value. */
export function answerWith<V>(reply: FastifyReply, { value, outcome, age }: Served<V>): V {
  reply
    .header('x-cache', outcome.toUpperCase())
    .header('age', Math.floor(age / 1000))
    .header('x-stamp', Math.floor(Date.now() - age))
    .header('cache-status', `campaigns; ${outcome === 'miss' ? 'fwd=miss' : 'hit'}`)
  return value
}
