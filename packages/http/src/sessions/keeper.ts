import { randomBytes } from 'node:crypto'
import { type Document, type Documents, PalierError, type Receipt, type Revision } from 'palier'
import { type Content, cookieEnd, fieldsOf, merge, sameCookie, type StoredCookie } from './content.ts'
import { LONGEST, type Settled } from './options.ts'
import { createPrevious } from './previous.ts'

/** A session as it lies in the backend. */
export interface Kept extends Content {
  /** Random, another one with each change of the data. */
  readonly stamp: string
  /** When it was first saved, in milliseconds since 1970. */
  readonly madeAt: number
}

/** What a request knows of a session: what it is to be compared with when it is saved. */
export interface Base extends Content {
  /** That of the document with exactly these data; empty when there is none, for others' changes were merged in. */
  readonly stamp: string
  readonly madeAt: number
  /** When it ends in the backend, in milliseconds since 1970. */
  readonly endsAt: number
}

/** What became of a save: the new base, or why nothing was written. */
export type Saved = Base | 'destroyed' | 'over'

/** A session that was found, and is not over. */
export interface Found {
  readonly base: Base
  readonly fields: Record<string, unknown>
}

/** Sessions by the hash of their id. */
export interface Keeper {
  read(id: string): Promise<Found | undefined>
  save(id: string, mine: Content, base: Base | undefined): Promise<Saved>
  /** The session ends as late as the cookie says from now on; nothing else is changed, and nothing made. */
  touch(id: string, cookie: StoredCookie, base: Base | undefined): Promise<Base | undefined>
  /** `pending` when the backend has not heard of it yet; it counts here all the same. */
  destroy(id: string): Promise<Receipt['shared']>
  all(): Promise<readonly { readonly id: string; readonly found: Found }[]>
  clear(): Promise<void>
  close(): Promise<void>
}

/** A move of its end by less than this share of its life, and less than a minute, is not worth a write. */
const WORTH = 1 / 1000
const WORTH_MOST = 60_000

/** What the backend gives may be of another program: then it is no session. */
function keptIn(document: Document<Kept> | undefined): Kept | undefined {
  const kept: Partial<Kept> | null | undefined = document?.value
  if (typeof kept !== 'object' || kept === null) return undefined
  const { stamp, madeAt, data } = kept
  const whole = typeof stamp === 'string' && typeof madeAt === 'number' && typeof data === 'string'
  return whole ? (kept as Kept) : undefined
}

function conflict(): PalierError {
  const error = new PalierError(
    'PALIER_STORE_REFUSED',
    'another request has changed the session since this one read it',
  )
  return Object.assign(error, { status: 409, statusCode: 409 })
}

/** What the receipts of two places come to: the worse. */
function worse(one: Receipt['shared'], other: Receipt['shared']): Receipt['shared'] {
  return [one, other].find(shared => shared === 'refused' || shared === 'pending') ?? one
}

export function createKeeper(settled: Settled): Keeper {
  const { cache, name, ttl: idle, absolute, onError } = settled
  const documents: Documents<Kept> = cache.documents<Kept>(name)
  const previous = createPrevious<Kept>(settled)
  const stampNow = (): string => randomBytes(8).toString('base64url')

  /** Milliseconds from now until it ends; 0 or less when it has. */
  const life = (cookie: StoredCookie, madeAt: number): number => {
    const now = Date.now()
    const end = cookieEnd(cookie) ?? now + idle
    return Math.min(Math.ceil(end - now), madeAt + absolute - now, LONGEST)
  }

  const baseOf = ({ stamp, madeAt, data, cookie }: Kept, remaining: number): Base => {
    return { stamp, madeAt, data, cookie, endsAt: Date.now() + remaining }
  }

  const foundIn = (document: Document<Kept>): Found | undefined => {
    const kept = keptIn(document)
    if (kept === undefined || life(kept.cookie, kept.madeAt) <= 0) return undefined
    const fields = fieldsOf(kept.data)
    return fields === undefined ? undefined : { base: baseOf(kept, document.remaining), fields }
  }

  const deleteBoth = async (id: string): Promise<Receipt['shared']> => {
    const { shared } = await documents.delete(id)
    const before = await previous.documents()
    const there = before === undefined ? shared : (await before.delete(id)).shared
    return worse(shared, there)
  }

  const end = async (id: string): Promise<void> => {
    await deleteBoth(id).catch(onError)
  }

  /** Nothing changed but, perhaps, the end: true when that is not worth telling the backend. */
  const isSlight = (cookie: StoredCookie, base: Base): boolean => {
    if (!sameCookie(cookie, base.cookie)) return false
    const left = life(cookie, base.madeAt)
    return Math.abs(Date.now() + left - base.endsAt) < Math.min(left * WORTH, WORTH_MOST)
  }

  /** `before` with another cookie. */
  const renewed = (before: Kept, cookie: StoredCookie): Revision<Kept> | undefined => {
    const ttl = life(cookie, before.madeAt)
    return ttl > 0 ? { value: { ...before, cookie }, ttl } : undefined
  }

  return {
    async read(id) {
      const document = (await documents.read(id)) ?? (await previous.carry(id))
      if (document === undefined) return undefined
      const found = foundIn(document)
      if (found === undefined) await end(id)
      return found
    },
    async save(id, mine, base) {
      const unchanged = base?.data === mine.data
      if (base !== undefined && unchanged && isSlight(mine.cookie, base)) return base
      let over = false
      let foreign = false
      const decide = (document: Document<Kept> | undefined): Revision<Kept> | undefined => {
        const before = keptIn(document)
        over = false
        foreign = false
        // Known to the request, and gone: it ended meanwhile, and is not made again.
        if (before === undefined && base !== undefined) return undefined
        const madeAt = before?.madeAt ?? Date.now()
        const ttl = life(mine.cookie, madeAt)
        over = ttl <= 0
        if (over) return undefined
        if (before !== undefined && unchanged) return renewed(before, mine.cookie)
        const kept: Kept = { ...mine, stamp: stampNow(), madeAt }
        if (before === undefined || base === undefined || before.stamp === base.stamp) return { value: kept, ttl }
        if (settled.conflict === 'reject') throw conflict()
        const data = merge(base.data, mine.data, before.data)
        foreign = data !== mine.data
        return { value: { ...kept, data }, ttl }
      }
      const now = await documents.change(id, decide)
      if (over) {
        if (now !== undefined) await end(id)
        return 'over'
      }
      if (now === undefined) return 'destroyed'
      // What the request holds, not what others made of it: its next save changes what it has changed since.
      const left = baseOf(now.value, now.remaining)
      return { ...left, data: mine.data, stamp: unchanged ? base.stamp : foreign ? '' : left.stamp }
    },
    async touch(id, cookie, base) {
      if (base !== undefined && isSlight(cookie, base)) return base
      const now = await documents.change(id, document => {
        const before = keptIn(document)
        return before === undefined ? undefined : renewed(before, cookie)
      })
      const kept = keptIn(now)
      if (now === undefined || kept === undefined) return undefined
      if (life(cookie, kept.madeAt) <= 0) await end(id)
      const seen = baseOf(kept, now.remaining)
      return base === undefined ? seen : { ...base, cookie, endsAt: seen.endsAt }
    },
    destroy: deleteBoth,
    async all() {
      const listed = new Map<string, Found>()
      for (const place of [await previous.documents(), documents]) {
        for await (const some of place?.all() ?? []) {
          for (const document of some) {
            const found = foundIn(document)
            if (found !== undefined) listed.set(document.id, found)
          }
        }
      }
      return [...listed].map(([id, found]) => ({ id, found }))
    },
    async clear() {
      for (const place of [await previous.documents(), documents]) {
        for await (const some of place?.all() ?? []) await Promise.all(some.map(({ id }) => deleteBoth(id)))
      }
    },
    async close() {
      await previous.close()
      if (settled.owned) await cache.close()
    },
  }
}
