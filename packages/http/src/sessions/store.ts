import { createHash } from 'node:crypto'
import { PalierError } from 'palier'
import { contentOf } from './content.ts'
import { type Base, createKeeper, type Found } from './keeper.ts'
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

/** What is known of one session object of a request. */
interface Handle {
  readonly id: string
  base: Base | undefined
  /** The save before: those of one object go one after the other. */
  tail: Promise<unknown>
}

/** How a framework sees sessions. */
export interface Framework<S> {
  /** The object to hand out, from which `baseOf` can be told again, perhaps by another object made of it. */
  show(id: string, found: Found): S
  /** What the object, or the one that it was made of, was shown with. */
  baseOf(id: string, session: object): Base | undefined
  /** Top-level fields that are the framework's own. */
  readonly leave: readonly string[]
  emit(event: 'refused' | 'pending' | 'destroyed', told: { readonly id: string }): void
}

const UNAVAILABLE = new Set(['PALIER_STORE_TIMEOUT', 'PALIER_STORE_FAILED', 'PALIER_STORE_REFUSED'])

/** The error as the request gets it. */
function forRequest(error: unknown): unknown {
  if (!(error instanceof PalierError) || 'status' in error || !UNAVAILABLE.has(error.code)) return error
  const told = new PalierError(error.code, `sessions are not available: ${error.message}`, { cause: error })
  return Object.assign(told, { status: 503, statusCode: 503 })
}

type Callback<T> = (error: unknown, value?: T) => void

function idOf(sid: string): string {
  return createHash('sha256').update(sid).digest('base64url')
}

/** Reads and writes of one store; `keeper` does the work. */
export function createStore<S>(settled: Settled, framework: Framework<S>): SessionStore<S> {
  const keeper = createKeeper(settled)
  const handles = new WeakMap<object, Handle>()

  const handleOf = (id: string, session: object): Handle => {
    const known = handles.get(session)
    if (known?.id === id) return known
    const handle: Handle = { id, base: framework.baseOf(id, session), tail: Promise.resolve() }
    handles.set(session, handle)
    return handle
  }

  /** One after the other for one session object, each knowing what the one before has left. */
  const inTurn = <T>(handle: Handle, work: () => Promise<T>): Promise<T> => {
    const done = handle.tail.then(work)
    handle.tail = done.catch(() => undefined)
    return done
  }

  async function answer<T>(work: Promise<T>, callback: Callback<T> | undefined): Promise<T | undefined> {
    try {
      const value = await work
      if (callback === undefined) return value
      // Out of the promise: what a callback throws is the application's, and no rejection of ours.
      setImmediate(callback, null, value)
    } catch (cause) {
      const error = forRequest(cause)
      settled.onError(error)
      if (callback === undefined) throw error
      setImmediate(callback, error)
    }
    return undefined
  }

  const get = async (sid: string): Promise<S | null> => {
    const id = idOf(sid)
    const found = await keeper.read(id)
    return found === undefined ? null : framework.show(id, found)
  }

  const set = async (sid: string, session: object): Promise<void> => {
    const id = idOf(sid)
    // As it is at the call, whatever the request does to it afterwards.
    const mine = contentOf(session, framework.leave)
    const handle = handleOf(id, session)
    await inTurn(handle, async () => {
      const saved = await keeper.save(id, mine, handle.base)
      if (saved === 'destroyed') framework.emit('refused', { id })
      else if (saved !== 'over') handle.base = saved
    })
  }

  const destroy = async (sid: string): Promise<void> => {
    const id = idOf(sid)
    const shared = await keeper.destroy(id)
    if (shared === 'refused') throw new PalierError('PALIER_STORE_REFUSED', 'the backend refuses to end the session')
    framework.emit('destroyed', { id })
    if (shared === 'pending') framework.emit('pending', { id })
  }

  const touch = async (sid: string, session: object): Promise<void> => {
    const id = idOf(sid)
    const { cookie } = contentOf('cookie' in session ? { cookie: session.cookie } : {}, [])
    const handle = handleOf(id, session)
    await inTurn(handle, async () => {
      handle.base = (await keeper.touch(id, cookie, handle.base)) ?? handle.base
    })
  }

  const all = async (): Promise<S[]> => (await keeper.all()).map(({ id, found }) => framework.show(id, found))
  const length = async (): Promise<number> => (await keeper.all()).length

  const methods = {
    get: (sid: string, callback?: Callback<S | null>) => answer(get(sid), callback),
    set: (sid: string, session: object, callback?: Callback<void>) => answer(set(sid, session), callback),
    destroy: (sid: string, callback?: Callback<void>) => answer(destroy(sid), callback),
    touch: (sid: string, session: object, callback?: Callback<void>) => answer(touch(sid, session), callback),
    all: (callback?: Callback<readonly S[]>) => answer(all(), callback),
    length: (callback?: Callback<number>) => answer(length(), callback),
    clear: (callback?: Callback<void>) => answer(keeper.clear(), callback),
    close: () => keeper.close(),
  }
  return methods as SessionStore<S>
}
