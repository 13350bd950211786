import { createHash } from 'node:crypto'
import { PalierError } from 'palier'
import { contentOf } from './content.ts'
import type { Base } from './kept.ts'
import { createKeeper, type Found } from './keeper.ts'
import type { Settled } from './options.ts'

/** A session as a store gives it: its fields, and its cookie with `expires` as a text. */
export interface StoredSession {
  readonly [field: string]: unknown
}

/**
 * What a session store offers. With a callback a method answers through it, once, never before it returns, with `null` for no
 * error; without one it gives a promise. Errors carry `status` and `statusCode` for the framework: 503 when the backend does not
 * answer in time, fails or refuses (PALIER_STORE_TIMEOUT, PALIER_STORE_FAILED, PALIER_STORE_REFUSED), 409 for a conflict that is
 * not to be merged. Others: PALIER_NOT_ENCODABLE, PALIER_TOO_LARGE, PALIER_CLOSED.
 *
 * Ids are nowhere kept, only their SHA-256 in base64url: that is the `id` of these events of a store. `destroyed`: a session was
 * ended by request. `pending`: the backend has not heard of that yet; it counts in this process at once, waits in its outbox and
 * is told when it is back. `refused`: a save came after the session had ended and was dropped, which is no error for who saved.
 */
export interface SessionStore<S = StoredSession> {
  /** `null` when there is none, or it has ended. A backend that cannot answer is an error, never `null`. */
  get(sid: string, callback: (error: unknown, session?: S | null) => void): void
  get(sid: string): Promise<S | null>
  /** Saves by compare and set. A session that was destroyed is not made again, nor one that ended since it was read. */
  set(sid: string, session: object, callback: (error?: unknown) => void): void
  set(sid: string, session: object): Promise<void>
  /** Ends a session everywhere; what is under way in other requests cannot bring it back. */
  destroy(sid: string, callback: (error?: unknown) => void): void
  destroy(sid: string): Promise<void>
  /**
   * Moves the end of a session to that of its cookie, and nothing else. Left out while the end would move by less than a
   * thousandth of the session's life, or a minute if that is less.
   */
  touch(sid: string, session: object, callback: (error?: unknown) => void): void
  touch(sid: string, session: object): Promise<void>
  /** All sessions, without their ids, which nobody knows. Reads every one: for operators, not for requests. */
  all(callback: (error: unknown, sessions?: readonly S[]) => void): void
  all(): Promise<readonly S[]>
  /** How many sessions there are. Reads every one. */
  length(callback: (error: unknown, length?: number) => void): void
  length(): Promise<number>
  /** Ends every session, and nothing else in the cache. */
  clear(callback: (error?: unknown) => void): void
  clear(): Promise<void>
  /** Closes what the store has opened itself: the cache, unless it was given one. */
  close(): Promise<void>
}

/** How a framework sees sessions. */
interface Framework<S> {
  /** The object to hand out, from which `baseOf` can be told again, perhaps by another object made of it. */
  show(found: Found): S
  /** What the object, or the one that it was made of, was shown with. */
  baseOf(id: string, session: object): Base | undefined
  /** Top-level fields that are the framework's own. */
  readonly leave: readonly string[]
  emit(event: 'refused' | 'pending' | 'destroyed', told: { readonly id: string }): void
}

/** What is known of one session object of a request. */
interface Handle {
  readonly id: string
  base: Base | undefined
  /** The save before: those of one object go one after the other, each knowing what the one before has left. */
  tail: Promise<unknown>
}

function inTurn<T>(handle: Handle, work: () => Promise<T>): Promise<T> {
  const done = handle.tail.then(work)
  handle.tail = done.catch(() => undefined)
  return done
}

function idOf(sid: string): string {
  return createHash('sha256').update(sid).digest('base64url')
}

const UNAVAILABLE = new Set(['PALIER_STORE_TIMEOUT', 'PALIER_STORE_FAILED', 'PALIER_STORE_REFUSED'])

/** The error as the request gets it. */
function forRequest(error: unknown): unknown {
  if (!(error instanceof PalierError) || 'status' in error || !UNAVAILABLE.has(error.code)) return error
  const told = new PalierError(error.code, `sessions are not available: ${error.message}`, { cause: error })
  return Object.assign(told, { status: 503, statusCode: 503 })
}

type Callback<T> = (error: unknown, value?: T) => void

/** Answers through the callback, as the stores of the frameworks do, or by the promise where there is none. */
async function answer<T>(
  work: Promise<T>,
  callback: Callback<T> | undefined,
  onError: (error: unknown) => void,
): Promise<T | undefined> {
  try {
    const value = await work
    if (callback === undefined) return value
    // Out of the promise: what a callback throws is the application's, and no rejection of ours.
    setImmediate(callback, null, value)
  } catch (cause) {
    const error = forRequest(cause)
    // Before anything else, so that the request gets its answer whatever the listener does.
    if (callback !== undefined) setImmediate(callback, error)
    onError(error)
    if (callback === undefined) throw error
  }
  return undefined
}

/** The store of one framework. */
export function createStore<S>(settled: Settled, framework: Framework<S>): SessionStore<S> {
  const { onError } = settled
  const keeper = createKeeper(settled)
  const handles = new WeakMap<object, Handle>()

  const handleOf = (id: string, session: object): Handle => {
    const known = handles.get(session)
    if (known?.id === id) return known
    const handle: Handle = { id, base: framework.baseOf(id, session), tail: Promise.resolve() }
    handles.set(session, handle)
    return handle
  }

  const get = async (sid: string): Promise<S | null> => {
    const found = await keeper.read(idOf(sid))
    return found === undefined ? null : framework.show(found)
  }

  const set = async (sid: string, session: object): Promise<void> => {
    const id = idOf(sid)
    // As it is at the call, whatever the request does to it afterwards.
    const mine = contentOf(session, framework.leave)
    const handle = handleOf(id, session)
    await inTurn(handle, async () => {
      const saved = await keeper.save(id, mine, handle.base)
      if (saved === 'ended') framework.emit('refused', { id })
      else if (saved !== 'over') handle.base = saved
    })
  }

  const destroy = async (sid: string): Promise<void> => {
    const id = idOf(sid)
    const isPending = await keeper.destroy(id)
    framework.emit('destroyed', { id })
    if (isPending) framework.emit('pending', { id })
  }

  const touch = async (sid: string, session: object): Promise<void> => {
    const id = idOf(sid)
    const { cookie } = contentOf('cookie' in session ? { cookie: session.cookie } : {}, [])
    const handle = handleOf(id, session)
    await inTurn(handle, async () => {
      handle.base = await keeper.touch(id, cookie, handle.base)
    })
  }

  const all = async (): Promise<S[]> => (await keeper.all()).map(found => framework.show(found))
  const length = async (): Promise<number> => (await keeper.all()).length

  const methods = {
    get: (sid: string, callback?: Callback<S | null>) => answer(get(sid), callback, onError),
    set: (sid: string, session: object, callback?: Callback<void>) => answer(set(sid, session), callback, onError),
    destroy: (sid: string, callback?: Callback<void>) => answer(destroy(sid), callback, onError),
    touch: (sid: string, session: object, callback?: Callback<void>) => answer(touch(sid, session), callback, onError),
    all: (callback?: Callback<readonly S[]>) => answer(all(), callback, onError),
    length: (callback?: Callback<number>) => answer(length(), callback, onError),
    clear: (callback?: Callback<void>) => answer(keeper.clear(), callback, onError),
    close: () => keeper.close(),
  }
  // Which of its two forms a method has is told by the callback, which the compiler cannot see.
  return methods as SessionStore<S>
}
