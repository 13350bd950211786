import type { Cache } from 'palier'
import type { Identity } from './access.ts'
import { problem, type Problem } from './answer.ts'
import { digest } from './token.ts'

/** How often something may be done in a minute, over all processes of the namespace. */
export interface ConsoleLimits {
  /** Changes of one person, previews apart from them. Default 30. */
  readonly changes?: number
  /** Clears of everything, of one person. Default 3. */
  readonly clears?: number
  /** Wrong tokens from one address; and so many refusals of requests from it are in the audit log. Default 10. */
  readonly failures?: number
}

/** Why a request is one too many. `isFirst`: of a series, so that the audit log holds the series once. */
export interface Stopped {
  readonly problem: Problem
  readonly isFirst: boolean
}

export interface Brakes {
  /** Counts one change, preview or clear of everything. */
  take(
    kind: 'changes' | 'looks' | 'clears',
    identity: Identity,
    address: string | undefined,
  ): Promise<Stopped | undefined>
  /** Counts one wrong token. Whoever has access is never held up by those who have not. */
  guess(address: string | undefined): Promise<Stopped | undefined>
  /** Counts one request that was refused to somebody with access; false when there were too many to tell of. */
  refuse(address: string | undefined): Promise<boolean>
}

/** So many series of refusals are known at a time; more, and some are told as new. */
const MOST_SERIES = 1000

export function createBrakes(
  cache: Pick<Cache, 'limiter'>,
  limits: Required<ConsoleLimits>,
  now: () => number,
): Brakes {
  const limiter = (name: string, limit: number) =>
    cache.limiter(`palier-console-${name}`, { limit, window: '1m', onOutage: 'local' })
  const limiters = {
    changes: limiter('changes', limits.changes),
    looks: limiter('looks', limits.changes),
    clears: limiter('clears', limits.clears),
    guesses: limiter('guesses', limits.failures),
    refusals: limiter('refusals', limits.failures),
  }
  const until = new Map<string, number>()

  const take = async (kind: keyof typeof limiters, who: string): Promise<Stopped | undefined> => {
    // Names and addresses of people do not stand in the backend.
    const key = digest(who).toString('hex')
    const { allowed, retryAfter } = await limiters[kind].take(key)
    const series = `${kind} ${key}`
    if (allowed) {
      until.delete(series)
      return undefined
    }
    const isFirst = (until.get(series) ?? 0) <= now()
    if (until.size >= MOST_SERIES) until.clear()
    until.set(series, now() + retryAfter)
    const seconds = Math.max(1, Math.ceil(retryAfter / 1000))
    return {
      problem: problem(429, 'too-many', `too many requests; try again in ${seconds} s`, {
        'Retry-After': String(seconds),
      }),
      isFirst,
    }
  }

  return {
    take: (kind, { by, role, name }, address) => take(kind, JSON.stringify([by, name ?? [role, address ?? null]])),
    guess: address => take('guesses', address ?? ''),
    refuse: async address => (await take('refusals', address ?? '')) === undefined,
  }
}
