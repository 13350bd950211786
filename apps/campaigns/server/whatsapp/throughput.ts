import type { Services } from '../services.ts'

/**
 * How fast messages may leave: each number carries so many a second, whoever sends over it, and a campaign no more a
 * minute than it was given. Counted on the cache's backend for all processes; while that is out each process keeps to
 * its share.
 */
export interface Pace {
  readonly accountId: string
  readonly perSecond: number
  /** Undefined: only the number's own limit counts. */
  readonly campaign?: { readonly id: string; readonly perMinute: number }
}

export interface Room {
  /** How many may leave now: these are taken. */
  readonly granted: number
  /** Milliseconds until it is worth asking again, when it is none. */
  readonly retryAfter: number
}

const MINUTE_SECONDS = 60
const WINDOWS = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, MINUTE_SECONDS] as const

/** The shortest window in which the rate is a whole number: the minute's messages then do not leave all at once. */
export function windowOf(perMinute: number): { readonly limit: number; readonly seconds: number } {
  const seconds = WINDOWS.find(window => (perMinute * window) % MINUTE_SECONDS === 0) ?? MINUTE_SECONDS
  return { limit: (perMinute * seconds) / MINUTE_SECONDS, seconds }
}

/** Takes room for up to `wanted` messages. */
export async function takeRoom({ caching }: Services, pace: Pace, wanted: number): Promise<Room> {
  const { accountId, perSecond, campaign } = pace
  const number = caching.cache.limiter('whatsapp-number', { limit: perSecond, window: '1s', onOutage: 'local' })
  const present = await number.take(accountId, 0)
  let size = Math.max(1, Math.min(wanted, perSecond, present.remaining))
  const { limit, seconds } = windowOf(campaign?.perMinute ?? perSecond * MINUTE_SECONDS)
  const own = caching.cache.limiter('campaign', { limit, window: `${seconds}s`, onOutage: 'local' })
  if (campaign !== undefined) size = Math.max(1, Math.min(size, limit, (await own.take(campaign.id, 0)).remaining))
  // The number first: what is taken there and not used is back within a second.
  const decisions = [await number.take(accountId, size)]
  if (campaign !== undefined && decisions[0]?.allowed === true) decisions.push(await own.take(campaign.id, size))
  const denied = decisions.find(({ allowed }) => !allowed)
  return denied === undefined
    ? { granted: size, retryAfter: 0 }
    : { granted: 0, retryAfter: Math.max(denied.retryAfter, 1) }
}
