import { type Document, type Documents, PalierError } from 'palier'
import { type Content, fieldsOf, type StoredCookie } from './content.ts'
import { type Base, baseOf, isOver, isSlight, type Kept, keptIn, lifeOf } from './kept.ts'
import type { Settled } from './options.ts'
import { createPrevious } from './previous.ts'
import { save, type Saved } from './saving.ts'

/** A session that was found, and is not over. */
export interface Found {
  readonly id: string
  readonly base: Base
  readonly fields: Record<string, unknown>
}

/** Sessions by the hash of their id. */
interface Keeper {
  read(id: string): Promise<Found | undefined>
  save(id: string, mine: Content, base: Base | undefined): Promise<Saved>
  /** The session ends as late as the cookie says from now on; nothing else is changed, and nothing made. */
  touch(id: string, cookie: StoredCookie, base: Base | undefined): Promise<Base | undefined>
  /** Resolves with true when the backend has not heard of it yet; it counts here all the same. */
  destroy(id: string): Promise<boolean>
  all(): Promise<readonly Found[]>
  clear(): Promise<void>
  close(): Promise<void>
}

export function createKeeper(settled: Settled): Keeper {
  const { cache, name, conflict, onError } = settled
  const limits = settled
  const documents: Documents<Kept> = cache.documents<Kept>(name)
  const previous = createPrevious<Kept>(settled)

  const foundIn = (id: string, document: Document<Kept>): Found | undefined => {
    const kept = keptIn(document)
    const fields = kept === undefined || isOver(kept, limits) ? undefined : fieldsOf(kept.data)
    if (kept === undefined || fields === undefined) return undefined
    return { id, base: baseOf(kept, document.remaining), fields }
  }

  const destroy = async (id: string): Promise<boolean> => {
    const here = await documents.delete(id)
    const there = await (await previous.documents())?.delete(id)
    const shared = [here.shared, there?.shared]
    if (shared.includes('refused')) {
      throw new PalierError('PALIER_STORE_REFUSED', 'the backend refuses to end the session')
    }
    return shared.includes('pending')
  }

  /** Of a session that is over anyhow. */
  const end = async (id: string): Promise<void> => void (await destroy(id).catch(onError))

  return {
    async read(id) {
      const document = (await documents.read(id)) ?? (await previous.carry(id))
      const kept = keptIn(document)
      if (kept !== undefined && isOver(kept, limits)) await end(id)
      return document === undefined ? undefined : foundIn(id, document)
    },
    async save(id, mine, base) {
      if (base !== undefined && base.data === mine.data && isSlight(mine.cookie, base, limits)) return base
      const saved = await save(documents, { id, mine, base, limits, conflict })
      if (saved === 'over' && (await documents.read(id)) !== undefined) await end(id)
      return saved
    },
    async touch(id, cookie, base) {
      if (base !== undefined && isSlight(cookie, base, limits)) return base
      let over = false
      const now = await documents.change(id, document => {
        const before = keptIn(document)
        const ttl = before === undefined ? 0 : lifeOf({ ...before, cookie }, limits)
        over = before !== undefined && ttl <= 0
        return before === undefined || over ? undefined : { value: { ...before, cookie }, ttl }
      })
      if (over) await end(id)
      if (over || now === undefined || base === undefined) return base
      return { ...base, cookie, endsAt: baseOf(now.value, now.remaining).endsAt }
    },
    destroy,
    async all() {
      const listed = new Map<string, Found>()
      for (const place of [await previous.documents(), documents]) {
        for await (const some of place?.all() ?? []) {
          for (const document of some) {
            const found = foundIn(document.id, document)
            if (found !== undefined) listed.set(found.id, found)
          }
        }
      }
      return [...listed.values()]
    },
    async clear() {
      for (const place of [await previous.documents(), documents]) {
        for await (const some of place?.all() ?? []) await Promise.all(some.map(({ id }) => destroy(id)))
      }
    },
    async close() {
      await previous.close()
      if (settled.owned) await cache.close()
    },
  }
}
