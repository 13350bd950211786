import type { Document } from 'palier'
import { type Content, cookieEnd, sameCookie, type StoredCookie } from './content.ts'
import { LONGEST } from './options.ts'

/** A session as it lies in the backend. */
export interface Kept extends Content {
  /** Random, another one with each change of the data. */
  readonly stamp: string
  /** When it was first saved, in milliseconds since 1970. */
  readonly madeAt: number
}

/** What a request knows of a session: what it is to be compared with when it is saved. */
export interface Base extends Kept {
  /** That of the document with exactly these data; empty when there is none, for others' changes were merged in. */
  readonly stamp: string
  /** When it ends in the backend, in milliseconds since 1970. */
  readonly endsAt: number
}

/** What the backend gives may be of another program: then it is no session. */
export function keptIn(document: Document<Kept> | undefined): Kept | undefined {
  const kept: Partial<Kept> | null | undefined = document?.value
  if (typeof kept !== 'object' || kept === null) return undefined
  const { stamp, madeAt, data } = kept
  const whole = typeof stamp === 'string' && typeof madeAt === 'number' && typeof data === 'string'
  return whole ? (kept as Kept) : undefined
}

/** `remaining`: milliseconds that the backend keeps it. */
export function baseOf({ stamp, madeAt, data, cookie }: Kept, remaining: number): Base {
  // Whichever comes first: the clock of the backend need not agree with the one that cookies are reckoned by.
  const endsAt = Math.min(cookieEnd(cookie) ?? Number.POSITIVE_INFINITY, Date.now() + remaining)
  return { stamp, madeAt, data, cookie, endsAt }
}

/** How long sessions live. */
export interface Limits {
  /** Milliseconds without being used, when the cookie says nothing. */
  readonly ttl: number
  /** Milliseconds since they were made. */
  readonly absolute: number
}

type Aged = Pick<Kept, 'cookie' | 'madeAt'>

/** Milliseconds from now until it ends; 0 or less when it has. */
export function lifeOf({ cookie, madeAt }: Aged, { ttl, absolute }: Limits): number {
  const now = Date.now()
  const end = cookieEnd(cookie) ?? now + ttl
  return Math.min(Math.ceil(end - now), madeAt + absolute - now, LONGEST)
}

export function isOver(kept: Aged, limits: Limits): boolean {
  return lifeOf(kept, limits) <= 0
}

/** A move of its end by less than this share of its life, and less than a minute, is not worth a write. */
const WORTH = 1 / 1000
const WORTH_MOST = 60_000

/** True when another cookie for the same data changes so little that the backend need not be told. */
export function isSlight(cookie: StoredCookie, base: Base, limits: Limits): boolean {
  if (!sameCookie(cookie, base.cookie)) return false
  const left = lifeOf({ cookie, madeAt: base.madeAt }, limits)
  return Math.abs(Date.now() + left - base.endsAt) < Math.min(left * WORTH, WORTH_MOST)
}
