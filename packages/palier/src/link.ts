import type { Clock } from './clock.ts'
import { createDeadlines } from './deadlines.ts'
import { PalierError } from './errors.ts'
import type { SharedStore } from './store.ts'

export type LinkState = 'detecting' | 'none' | 'up' | 'open'

/** After this many failures in a row the store is left alone for a while. */
const FAILURES_TO_OPEN = 3
/** How long it is left alone before one call may try again. */
const OPEN_FOR = 1000
/** Read to find out whether a store answers; no entry or stamp is ever named so. */
export const TRIAL_KEY = 'palier:trial'

export interface LinkHooks {
  /** The state changed; called after it did. */
  changed(state: LinkState, reason: string): void
}

/**
 * One shared store as the engine reaches it: every call has a deadline of ours, whatever the client promises, and a
 * store that fails three times in a row is passed over at once, but for one trial call a second. `detecting` until
 * a backend was chosen, `none` when nothing is shared.
 */
export interface Link {
  readonly state: LinkState
  readonly reason: string
  readonly since: number
  readonly store: SharedStore | undefined
  /** Resolves when detection is over; never rejects. */
  readonly settled: Promise<void>
  /** True when a shared store exists and may be called now. */
  usable(): boolean
  /**
   * Runs one operation. Rejects with PALIER_STORE_TIMEOUT past the deadline (a late answer is ignored), with
   * PALIER_STORE_FAILED when the store failed or is being left alone, with PALIER_STORE_REFUSED when it did not take a write.
   */
  call<T>(operation: (store: SharedStore) => Promise<T>): Promise<T>
  /** Ends `detecting`. */
  settle(store: SharedStore | undefined, reason: string): void
  /** Ends the trials. */
  close(): void
}

export function createLink(clock: Clock, deadline: number, hooks: LinkHooks): Link {
  let finish: () => void = () => undefined
  const settled = new Promise<void>(resolve => {
    finish = resolve
  })
  let state: LinkState = 'detecting'
  let reason = 'looking for a backend'
  let since = clock.wall()
  let store: SharedStore | undefined
  let failures = 0
  let tryAt = 0
  let closed = false
  let cancelTrial: (() => void) | undefined
  const deadlines = createDeadlines(clock, deadline)

  const become = (next: LinkState, why: string): void => {
    if (state === next) return
    state = next
    reason = why
    since = clock.wall()
    hooks.changed(next, why)
  }

  const failed = (error: PalierError): void => {
    failures++
    tryAt = clock.now() + OPEN_FOR
    if (failures < FAILURES_TO_OPEN) return
    become('open', error.message)
    armTrial()
  }

  /** Without anybody asking, the store is tried once a second: a quiet cache must find it again too. */
  const armTrial = (): void => {
    if (closed || cancelTrial !== undefined) return
    cancelTrial = clock.after(OPEN_FOR, () => {
      cancelTrial = undefined
      if (state !== 'open') return
      if (usable()) call(one => one.get(TRIAL_KEY)).catch(() => undefined)
      armTrial()
    })
  }

  const succeeded = (): void => {
    failures = 0
    if (state === 'open') become('up', 'the store answers again')
  }

  const usable = (): boolean => store !== undefined && (state === 'up' || (state === 'open' && clock.now() >= tryAt))

  function call<T>(operation: (store: SharedStore) => Promise<T>): Promise<T> {
    if (store === undefined || !usable()) {
      return Promise.reject(new PalierError('PALIER_STORE_FAILED', `the shared store is not used now: ${reason}`))
    }
    // Claimed before the answer is known, so that a store left alone gets one trial call, not a herd of them.
    if (state === 'open') tryAt = clock.now() + OPEN_FOR
    return watched(store, operation)
  }

  /** Only the first word counts: an answer after the deadline is no success, a failure after it no second one. */
  function watched<T>(target: SharedStore, operation: (store: SharedStore) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let over = false
      const end = (verdict: () => void): boolean => {
        if (over) return false
        over = true
        deadlines.end(wait)
        verdict()
        return true
      }
      const fail = (cause: unknown): void => {
        const error = cause instanceof PalierError ? cause : storeFailure(target, cause)
        // A refused write is an answer: reads go on, and the store is not to be left alone for it.
        const verdict = error.code === 'PALIER_STORE_REFUSED' ? succeeded : () => failed(error)
        if (end(verdict)) reject(error)
      }
      const wait = deadlines.begin(() => {
        const text = `${target.name} did not answer within ${deadline} ms`
        fail(new PalierError('PALIER_STORE_TIMEOUT', text))
      })
      try {
        operation(target).then(value => {
          if (end(succeeded)) resolve(value)
        }, fail)
      } catch (cause) {
        fail(cause)
      }
    })
  }

  return {
    get state() {
      return state
    },
    get reason() {
      return reason
    },
    get since() {
      return since
    },
    get store() {
      return store
    },
    settled,
    usable,
    call,
    settle(chosen, why) {
      store = chosen
      become(chosen === undefined ? 'none' : 'up', why)
      finish()
    },
    close() {
      closed = true
      cancelTrial?.()
      deadlines.close()
    },
  }
}

function storeFailure(store: SharedStore, cause: unknown): PalierError {
  return new PalierError('PALIER_STORE_FAILED', `${store.name} failed: ${messageOf(cause)}`, { cause })
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
