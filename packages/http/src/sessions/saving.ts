import { randomBytes } from 'node:crypto'
import { type Document, type Documents, PalierError, type Revision } from 'palier'
import { type Content, merge } from './content.ts'
import { type Base, baseOf, type Kept, keptIn, lifeOf, type Limits } from './kept.ts'
import type { OnConflict } from './options.ts'

interface Saving {
  readonly id: string
  readonly mine: Content
  /** What the request began with; undefined when it did not read the session. */
  readonly base: Base | undefined
  readonly limits: Limits
  readonly conflict: OnConflict
}

/** The new base; or why nothing was written: the session was ended, or its cookie is over. */
export type Saved = Base | 'ended' | 'over'

function conflictError(): PalierError {
  const message = 'another request has changed the session since this one read it'
  return Object.assign(new PalierError('PALIER_STORE_REFUSED', message), { status: 409, statusCode: 409 })
}

/** What to leave behind where `before` lies; undefined when nothing is to be changed, for it was ended or is over. */
function revise(before: Kept | undefined, saving: Saving): Revision<Kept> | 'ended' | 'over' {
  const { mine, base, limits, conflict } = saving
  // Known to the request, and gone: it is not made again.
  if (before === undefined && base !== undefined) return 'ended'
  const madeAt = before?.madeAt ?? Date.now()
  const ttl = lifeOf({ cookie: mine.cookie, madeAt }, limits)
  if (ttl <= 0) return 'over'
  if (before !== undefined && base?.data === mine.data) return { value: { ...before, cookie: mine.cookie }, ttl }
  const kept: Kept = { ...mine, madeAt, stamp: randomBytes(8).toString('base64url') }
  if (before === undefined || base === undefined || before.stamp === base.stamp) return { value: kept, ttl }
  if (conflict === 'reject') throw conflictError()
  return { value: { ...kept, data: merge(base.data, mine.data, before.data) }, ttl }
}

/** Saves by compare and set. */
export async function save(documents: Documents<Kept>, saving: Saving): Promise<Saved> {
  const { id, mine, base } = saving
  // Stays when the backend does not ask: then it was deleted, and not long ago.
  let refused: 'ended' | 'over' | undefined = 'ended'
  const now: Document<Kept> | undefined = await documents.change(id, document => {
    const revised = revise(keptIn(document), saving)
    refused = typeof revised === 'string' ? revised : undefined
    return typeof revised === 'string' ? undefined : revised
  })
  if (refused !== undefined || now === undefined) return refused ?? 'ended'
  // What the request holds, not what others made of it: its next save changes what it has changed since.
  const left = baseOf(now.value, now.remaining)
  if (base?.data === mine.data) return { ...left, data: mine.data, stamp: base.stamp }
  return { ...left, data: mine.data, stamp: now.value.data === mine.data ? left.stamp : '' }
}
