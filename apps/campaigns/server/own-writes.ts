import type { Kysely } from 'kysely'
import type { Actor } from './access/actor.ts'
import type { Tables } from './database/schema.ts'
import type { Services } from './services.ts'

/**
 * Where a list is read from: the replica, or the primary for whoever has just written, so that nobody misses their own
 * change in a replica that lags. Who wrote is known to every process, through the cache.
 */
export async function listReader({ database, caching }: Services, actor: Actor): Promise<Kysely<Tables>> {
  if (database.replica === database.reader) return database.reader
  if (actor.userId === null) return database.replica
  const wrote = await caching.cache.type('wrote').has(actor.userId)
  return wrote ? database.reader : database.replica
}

/** Called after each write of a person. Costs nothing where there is no replica. Never rejects. */
export async function noteOwnWrite({ database, caching, log, now }: Services, actor: Actor): Promise<void> {
  if (database.replica === database.reader || actor.userId === null) return
  try {
    await caching.cache.type('wrote').set(actor.userId, now())
  } catch (error) {
    log.warn({ err: error }, 'a list may show a replica that lags')
  }
}
