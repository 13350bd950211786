import { type Clock, patiently } from './clock.ts'
import { PalierError } from './errors.ts'
import type { SharedStore } from './store.ts'

export type LinkState = 'detecting' | 'none' | 'up' | 'open'

/** After this many failures in a row the store is left alone for a while. */
const FAILURES_TO_OPEN = 3
/** How long it is left alone before one call may try again. */
const OPEN_FOR = 1000

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
    if (failures >= FAILURES_TO_OPEN) become('open', error.message)
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
    const target = store
    return new Promise<T>((resolve, reject) => {
      const cancel = patiently(clock, deadline, () => {
        const error = new PalierError('PALIER_STORE_TIMEOUT', `${target.name} did not answer within ${deadline} ms`)
        failed(error)
        reject(error)
      })
      operation(target).then(
        value => {
          cancel()
          succeeded()
          resolve(value)
        },
        (cause: unknown) => {
          cancel()
          const error =
            cause instanceof PalierError
              ? cause
              : new PalierError('PALIER_STORE_FAILED', `${target.name} failed: ${messageOf(cause)}`, { cause })
          // A refused write is an answer: reads go on, and the store is not to be left alone for it.
          if (error.code === 'PALIER_STORE_REFUSED') succeeded()
          else failed(error)
          reject(error)
        },
      )
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
  }
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
