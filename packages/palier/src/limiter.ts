import { type Duration, toMilliseconds } from './duration.ts'
import type { Decision, Rate } from './guard.ts'
import {
  checkFields,
  checkOnOutage,
  checkWhole,
  closedError,
  type GuardRoom,
  type OnOutage,
  TRY_AGAIN,
} from './guard-room.ts'
import { checkName, part } from './key.ts'

export interface LimiterOptions {
  /** How much may be taken under one key in a window: a whole number, at least 1. */
  readonly limit: number
  readonly window: Duration
  /**
   * While the backend does not decide: `closed` denies, `open` admits, `local` counts in this process, each with its
   * share of the limit. There is no default, because the right one differs: a login wants `closed` or `local`, a page `open`.
   */
  readonly onOutage: OnOutage
  /** By how many processes `local` divides the limit. Default: as many as shared the backend before it went out. */
  readonly processes?: number
}

/** Who decided: the backend, this process alone, or nobody but the policy. */
export type DecisionSource = 'shared' | 'local' | 'policy'

export interface Limited extends Decision {
  readonly source: DecisionSource
}

export interface Limiter {
  readonly name: string
  readonly limit: number
  /** In milliseconds. */
  readonly window: number
  /**
   * Takes `cost` (a whole number from 0, which only looks, to the limit) under the key, in one step and exactly, for all
   * processes that share the backend. Answers within the deadline of the backend, and is never sent twice: where no
   * answer came, it is not known whether the backend counted the request, and the policy decides.
   */
  take(key: string, cost?: number): Promise<Limited>
  /** Forgets what was taken under the key; false when the backend could not be told. */
  reset(key: string): Promise<boolean>
}

const FIELDS = ['limit', 'window', 'onOutage', 'processes']

export function createLimiter(room: GuardRoom, name: string, options: LimiterOptions): Limiter {
  checkName('limiter name', name)
  checkFields('limiter options', options, FIELDS)
  const rate = rateOf(options)
  const { onOutage, processes } = options
  checkOnOutage('onOutage', onOutage)
  if (processes !== undefined) checkWhole('processes', processes, 1, 1_000_000)
  // With the window in it: after a change of the window counters of another meaning are not taken up.
  const prefix = `${part(room.namespace)}:r:${part(name)}:${rate.window}:`

  const local = async (full: string, cost: number): Promise<Limited> => {
    const share = Math.max(1, Math.ceil(rate.limit / Math.max(1, processes ?? room.processes())))
    // What costs more than the share would never be admitted: it takes all of it.
    const mine = Math.min(cost, share)
    const decision = await room.memory.limits.take(full, { limit: share, window: rate.window }, mine)
    return { ...decision, source: 'local' }
  }

  const withoutBackend = (full: string, cost: number): Promise<Limited> => {
    if (onOutage === 'local') return local(full, cost)
    const after = onOutage === 'open' ? 0 : Math.min(TRY_AGAIN, rate.window)
    // Nothing is known to remain, even where everybody may.
    const decision = { allowed: onOutage === 'open', remaining: 0, resetAfter: after, retryAfter: after }
    return Promise.resolve({ ...decision, source: 'policy' })
  }

  return {
    name,
    ...rate,
    async take(key, cost = 1) {
      checkName('key', key)
      checkWhole('cost', cost, 0, rate.limit)
      if (room.closed.aborted) throw closedError()
      const full = prefix + key
      try {
        return { ...(await room.shared(({ limits }) => limits.take(full, rate, cost))), source: 'shared' }
      } catch {
        // Whoever reaches the backend for us counted the failure and told of it.
        if (room.closed.aborted) throw closedError()
        return withoutBackend(full, cost)
      }
    },
    async reset(key) {
      checkName('key', key)
      if (room.closed.aborted) throw closedError()
      await room.memory.limits.reset(prefix + key)
      try {
        await room.shared(({ limits }) => limits.reset(prefix + key))
        return true
      } catch {
        return false
      }
    },
  }
}

function rateOf({ limit, window }: LimiterOptions): Rate {
  const ms = toMilliseconds('window', window)
  // A limit times its window must be a whole number that a double holds exactly.
  checkWhole('limit', limit, 1, Math.floor(Number.MAX_SAFE_INTEGER / ms))
  return { limit, window: ms }
}
