import { type Duration, toMilliseconds } from './duration.ts'
import { badOption } from './errors.ts'
import type { Counted, Penalty } from './guard.ts'
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

export interface CounterOptions {
  /** How long a window lasts. It begins with the first count under a key that is empty. */
  readonly window: Duration
  /**
   * While the backend does not count: `closed` and `open` count nothing and tell whoever asks to deny or to admit,
   * `local` counts in this process, as if every other one had counted as much before.
   */
  readonly onOutage: OnOutage
  /** By how many processes `local` multiplies what was counted here. Default: as many as shared the backend before it went out. */
  readonly processes?: number
}

/** What was counted, by the backend or by this process alone. */
export interface CountedBy extends Counted {
  readonly source: 'shared' | 'local'
}

/** Nobody counted: the backend is out, and the policy says whether to go on. */
export interface Uncounted {
  readonly source: 'policy'
  readonly count: undefined
  readonly allowed: boolean
  /** When to ask again, in milliseconds. */
  readonly resetAfter: number
}

/** Counts without a limit of its own, in fixed windows: what the stores of other limiters are made of. */
export interface Counter {
  /**
   * Adds `cost` (a whole number; 0 only looks, one below 0 takes back, never below 0) under the key and tells the sum, in
   * one step and exactly, for all processes that share the backend. With a penalty, counting above its number lets the
   * window begin anew. Answers within the deadline of the backend, and is never sent twice: where no answer came, it is
   * not known whether the backend counted, and the policy decides.
   */
  count(key: string, cost?: number, penalty?: Penalty): Promise<CountedBy | Uncounted>
  /** Forgets what was counted under the key; false when the backend could not be told. */
  reset(key: string): Promise<boolean>
}

const FIELDS = ['window', 'onOutage', 'processes']

export function createCounter(room: GuardRoom, name: string, options: CounterOptions): Counter {
  checkName('counter name', name)
  checkFields('counter options', options, FIELDS)
  const window = toMilliseconds('window', options.window)
  const { onOutage, processes } = options
  checkOnOutage('onOutage', onOutage)
  if (processes !== undefined) checkWhole('processes', processes, 1, 1_000_000)
  const prefix = `${part(room.namespace)}:n:${part(name)}:`

  const local = async (full: string, cost: number, penalty: Penalty | undefined): Promise<CountedBy> => {
    const all = Math.max(1, processes ?? room.processes())
    const mine = penalty && { ...penalty, above: Math.ceil(penalty.above / all) }
    const { count, resetAfter } = await room.memory.limits.count(full, window, cost, mine)
    const added = Math.min(count, Math.max(0, cost))
    return { count: Math.min(Number.MAX_SAFE_INTEGER, (count - added) * all + added), resetAfter, source: 'local' }
  }

  return {
    async count(key, cost = 1, penalty) {
      checkName('key', key)
      checkWhole('cost', cost, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
      if (penalty !== undefined) checkPenalty(penalty)
      if (room.closed.aborted) throw closedError()
      const full = prefix + key
      try {
        const counted = await room.shared(({ limits }) => limits.count(full, window, cost, penalty))
        return { ...counted, source: 'shared' }
      } catch {
        // Whoever reaches the backend for us counted the failure and told of it.
        if (room.closed.aborted) throw closedError()
        if (onOutage === 'local') return local(full, cost, penalty)
        const resetAfter = Math.min(TRY_AGAIN, window)
        return { source: 'policy', count: undefined, allowed: onOutage === 'open', resetAfter }
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

function checkPenalty(penalty: unknown): void {
  checkFields('penalty', penalty, ['above', 'growth'])
  const { above, growth } = penalty as Penalty
  checkWhole('penalty.above', above, 0, Number.MAX_SAFE_INTEGER)
  if (growth !== 1 && growth !== 2) throw badOption('penalty.growth', '1 or 2', growth)
}
