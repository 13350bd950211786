import type { Clock } from './clock.ts'
import { createDeadlines } from './deadlines.ts'
import { PalierError } from './errors.ts'
import type { SharedStore } from './store.ts'

/**
 * `up`: in use. `suspect`: in use, but its last call failed. `open`: left alone, but for one trial now and then.
 * `draining`: it answers again, and is told what it missed before anybody reads it.
 */
export type LinkState = 'up' | 'suspect' | 'open' | 'draining'

/** After this many failures in a row the store is left alone. */
const FAILURES_TO_OPEN = 3
/** A store that said nothing for this long is asked whether it is still there, and how often it is asked who it is. */
const BEAT = 1000
const BEATS_PER_IDENTITY = 2
/** Read to find out whether a store answers; no entry or stamp is ever named so. */
const TRIAL_KEY = 'palier:trial'
/** The first trial comes this soon after the store was given up, the later ones ever more rarely. Milliseconds. */
const FIRST_TRIAL = 50
const LAST_TRIAL = 1000

type Kind = 'read' | 'write'

export interface LinkHooks {
  /** The state changed; called after it did. */
  changed(state: LinkState, reason: string): void
  /** The store answers again: what must happen before it is read, through `reach`. Rejects if it could not be done. */
  recover(): Promise<void>
  /** Why the store is not in use yet. */
  readonly refused?: string | undefined
  /** False when another server has taken the store's place. Rejects when it could not be asked. */
  isSameServer(): Promise<boolean>
}

/**
 * One shared store as the engine reaches it. Every call has a deadline of ours, whatever the client promises. A store
 * that closes its connection, or fails three times in a row, is passed over at once, but for one trial at a time; when a
 * trial succeeds the store is told what it missed (`recover`), and only then read again. A store across a network is
 * asked now and then, so that a connection that died in silence is found without a caller paying for it.
 */
export interface Link {
  readonly store: SharedStore
  readonly state: LinkState
  readonly reason: string
  /** Since when, in milliseconds since 1970. */
  readonly since: number
  /** Milliseconds until the next trial; undefined unless `open`. */
  readonly nextTrialIn: number | undefined
  /** Monotonic milliseconds of the last answer. */
  readonly heardAt: number
  /** The store may be read. */
  usable(): boolean
  /** The store may be told of what was deleted. */
  reachable(): boolean
  /**
   * Runs one operation. Rejects with PALIER_STORE_TIMEOUT past the deadline (a late answer is ignored), with
   * PALIER_STORE_FAILED when the store failed or is being left alone, with PALIER_STORE_REFUSED when it did not take a write.
   */
  call<T>(operation: (store: SharedStore) => Promise<T>): Promise<T>
  /** `call` for what only reads: that it succeeds says nothing of a store that takes no writes. */
  read<T>(operation: (store: SharedStore) => Promise<T>): Promise<T>
  /** `call` for what the store must be told: also while draining. */
  reach<T>(operation: (store: SharedStore) => Promise<T>): Promise<T>
  /** The first trial: at once. Resolves when it is known whether the store is up. */
  start(): Promise<void>
  /** Gives the store up: what it says now is not to be believed. */
  lose(reason: string): void
  /** Ends the trials; calls that wait are told that they are late. */
  close(): void
}

export function createLink(clock: Clock, deadline: number, store: SharedStore, hooks: LinkHooks): Link {
  let state: LinkState = 'open'
  let reason = hooks.refused ?? 'not reached yet'
  let since = clock.wall()
  /** In a row, of reads and of all the rest apart: a store may do the one and not the other. */
  let failures: Record<Kind, number> = { read: 0, write: 0 }
  let failedAt = Number.NEGATIVE_INFINITY
  let trials = 0
  let heardAt = clock.now()
  let trialAt = 0
  /** Counts the losses: a recovery that a loss overtook must not open the gate. */
  let losses = 0
  let closed = false
  let trying: Promise<void> | undefined
  let cancelTrial: (() => void) | undefined
  let cancelBeat: (() => void) | undefined
  let beats = 0
  const deadlines = createDeadlines(clock, deadline)
  const remote = store.watch !== undefined || store.identity !== undefined

  const become = (next: LinkState, why: string): void => {
    reason = why
    if (state === next) return
    state = next
    since = clock.wall()
    hooks.changed(next, why)
  }

  const lose = (why: string): void => {
    losses++
    failures = { read: 0, write: 0 }
    cancelBeat?.()
    cancelBeat = undefined
    if (closed) return
    if (usable()) trials = 0
    become('open', why)
    armTrial()
  }

  /** Spread, so that many processes do not come back in one moment. */
  const armTrial = (): void => {
    if (closed || cancelTrial !== undefined || trying !== undefined) return
    const delay = Math.ceil(Math.min(LAST_TRIAL, FIRST_TRIAL * 2 ** trials++) * (0.5 + Math.random() / 2))
    trialAt = clock.now() + delay
    cancelTrial = clock.after(delay, () => void trial())
  }

  const trial = (): Promise<void> => {
    cancelTrial?.()
    cancelTrial = undefined
    trying ??= tryNow().finally(() => {
      trying = undefined
      if (state === 'open') armTrial()
    })
    return trying
  }

  async function tryNow(): Promise<void> {
    if (closed || state !== 'open') return
    const before = losses
    try {
      await ask()
      if (losses !== before || closed) return
      become('draining', 'the store answers again, and is told what it missed')
      await hooks.recover()
    } catch (error) {
      if (losses === before && !closed) lose(messageOf(error))
      replaceSilent(error)
      return
    }
    if (losses !== before || closed) return
    failures = { read: 0, write: 0 }
    trials = 0
    become('up', 'the store answers')
    armBeat()
  }

  /** A silent connection tells nobody that it is dead; a quiet cache must find it out too. */
  const armBeat = (): void => {
    if (!remote || closed || cancelBeat !== undefined) return
    cancelBeat = clock.after(BEAT, () => {
      cancelBeat = undefined
      if (!usable()) return
      if (clock.now() - heardAt >= BEAT) ask().catch(() => undefined)
      if (++beats % BEATS_PER_IDENTITY === 0) identify()
      armBeat()
    })
  }

  const identify = (): void => {
    const before = losses
    hooks.isSameServer().then(
      same => {
        if (!same && losses === before && usable()) lose('another server answers in its place')
      },
      // A question that failed was counted like any other call.
      () => undefined,
    )
  }

  /** Whether it answers at all: what a trial and a heartbeat ask. */
  const ask = (): Promise<unknown> => watched(one => one.get(TRIAL_KEY), 'read', true)

  /** A connection may be dead without having been closed: the next trial gets a new one. */
  const replaceSilent = (error: unknown): void => {
    if (error instanceof PalierError && error.code === 'PALIER_STORE_TIMEOUT' && !closed) store.reconnect?.()
  }

  const failed = (kind: Kind, error: PalierError): void => {
    if (!usable()) return
    failedAt = clock.now()
    failures[kind]++
    if (failures.read + failures.write >= FAILURES_TO_OPEN) {
      lose(error.message)
      replaceSilent(error)
      return
    }
    become('suspect', error.message)
    // Asked at once: whether it was this call or the store is known before the next caller waits.
    ask().catch(() => undefined)
  }

  const succeeded = (kind: Kind, asked: boolean): void => {
    heardAt = clock.now()
    // That it answers a question does not make up for a call that just failed.
    if (asked && clock.now() - failedAt < BEAT) return
    failures[kind] = 0
    // Without a further failure for a while nothing is held against it any more.
    if (clock.now() - failedAt >= BEAT) failures = { read: 0, write: 0 }
    if (state === 'suspect' && failures.read + failures.write === 0) become('up', 'the store answers')
  }

  const usable = (): boolean => !closed && (state === 'up' || state === 'suspect')
  const reachable = (): boolean => !closed && state !== 'open'

  const leftAlone = (): Promise<never> =>
    Promise.reject(new PalierError('PALIER_STORE_FAILED', `${store.name} is not used now: ${reason}`))

  function call<T>(operation: (store: SharedStore) => Promise<T>): Promise<T> {
    return usable() ? watched(operation, 'write') : leftAlone()
  }

  /**
   * Only the first word counts: an answer after the deadline is no success, a failure after it no second one. An answer that
   * was on its way when the store was given up is none either: the server that gave it may no longer be the one that counts.
   */
  function watched<T>(operation: (store: SharedStore) => Promise<T>, kind: Kind, asked = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const before = losses
      let over = false
      const end = (verdict: () => void): boolean => {
        if (over) return false
        over = true
        deadlines.end(wait)
        // What was said before the loss says nothing about what answers now.
        if (losses === before) verdict()
        return true
      }
      const fail = (cause: unknown): void => {
        const error = cause instanceof PalierError ? cause : storeFailure(store, cause)
        // A refused write is an answer: reads go on, and the store is not to be left alone for it.
        const verdict = error.code === 'PALIER_STORE_REFUSED' ? () => succeeded(kind, asked) : () => failed(kind, error)
        if (end(verdict)) reject(error)
      }
      const wait = deadlines.begin(() => {
        const text = `${store.name} did not answer within ${deadline} ms`
        fail(new PalierError('PALIER_STORE_TIMEOUT', text))
      })
      try {
        operation(store).then(value => {
          if (losses !== before && !over) fail(new Error(`its answer came after it was given up: ${reason}`))
          else if (end(() => succeeded(kind, asked))) resolve(value)
        }, fail)
      } catch (cause) {
        fail(cause)
      }
    })
  }

  const unwatch = store.watch?.({
    lost: why => {
      if (state !== 'open') lose(why)
    },
    ready() {
      trials = 0
      if (state === 'open') void trial()
    },
  })

  return {
    store,
    get state() {
      return state
    },
    get reason() {
      return reason
    },
    get since() {
      return since
    },
    get nextTrialIn() {
      if (state !== 'open') return undefined
      return trying === undefined ? Math.max(0, Math.ceil(trialAt - clock.now())) : 0
    },
    get heardAt() {
      return heardAt
    },
    usable,
    reachable,
    call,
    read: operation => (usable() ? watched(operation, 'read') : leftAlone()),
    reach: operation => (reachable() ? watched(operation, 'write') : leftAlone()),
    start: trial,
    lose,
    close() {
      closed = true
      losses++
      unwatch?.()
      cancelTrial?.()
      cancelTrial = undefined
      cancelBeat?.()
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
