import type { Transaction } from 'kysely'
import type { Tag } from './cache-map.ts'
import type { Caching } from './caching.ts'
import type { Database } from './database/open.ts'
import type { Tables } from './database/schema.ts'
import type { IdSource } from './ids.ts'

/**
 * Notes of what the cache must forget, stored with the change itself. The cache's own outbox covers a backend that is
 * away; these cover a process that dies after the commit and before it could tell the cache anything.
 */
export interface CacheOutbox {
  /** Notes the tags in the transaction that touched them. Undefined when there is nothing to note. */
  note(trx: Transaction<Tables>, tags: readonly Tag[], at: number): Promise<string | undefined>
  /** The cache has heard: the note goes, together with others, within a second. */
  told(id: string): void
  /** Tells the cache what nobody has told it for ten seconds. Returns how many notes it heard. */
  sweep(): Promise<number>
  /** Takes away the notes that are done with. */
  close(): Promise<void>
}

const UNTOLD_AFTER_MS = 10_000
const GATHER_MS = 1000
const PART = 500

export interface CacheOutboxOptions {
  readonly database: Database
  readonly caching: Caching
  readonly newId: IdSource
  readonly now: () => number
  readonly enabled: boolean
}

export function createCacheOutbox({ database, caching, newId, now, enabled }: CacheOutboxOptions): CacheOutbox {
  let done: string[] = []
  let timer: NodeJS.Timeout | undefined
  const discard = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const ids = done
    done = []
    for (let start = 0; start < ids.length; start += PART) {
      await database.writer
        .deleteFrom('cache_outbox')
        .where('id', 'in', ids.slice(start, start + PART))
        .execute()
    }
  }
  return {
    async note(trx, tags, at) {
      if (!enabled || tags.length === 0) return undefined
      const id = newId()
      await trx
        .insertInto('cache_outbox')
        .values({ id, tags: JSON.stringify(tags), created_at: at })
        .execute()
      return id
    },
    told(id) {
      done.push(id)
      // A note that could not be taken away is told a second time by the next sweep, which is harmless.
      timer ??= setTimeout(() => void discard().catch(() => undefined), GATHER_MS)
      timer.unref()
    },
    async sweep() {
      await discard()
      const notes = await database.writer
        .selectFrom('cache_outbox')
        .select(['id', 'tags'])
        .where('created_at', '<=', now() - UNTOLD_AFTER_MS)
        .orderBy('created_at')
        .orderBy('id')
        .limit(PART)
        .execute()
      if (notes.length === 0) return 0
      const tags = new Set(notes.flatMap(note => JSON.parse(note.tags) as Tag[]))
      let heard = 0
      await caching.forget([...tags], 'now', () => {
        heard = notes.length
        done.push(...notes.map(note => note.id))
      })
      await discard()
      return heard
    },
    close: discard,
  }
}
