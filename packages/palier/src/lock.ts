import { randomUUID } from 'node:crypto'
import type { Clock } from './clock.ts'
import { type Duration, toMilliseconds } from './duration.ts'
import { badOption, PalierError, shown } from './errors.ts'
import type { Locks } from './guard.ts'
import { checkFields, checkOnOutage, closedError, type GuardRoom, type OnOutage } from './guard-room.ts'
import { checkName, part } from './key.ts'

export interface LockOptions {
  /** How long the lock outlives a holder that no longer renews it, at least 100 ms. Default 30 s. */
  readonly ttl?: Duration
  /** How long to wait for a lock that somebody holds. Default 0: not at all. */
  readonly wait?: Duration
  /**
   * While the backend is out: `closed`, nobody gets the lock; `open`, everybody does; `local`, one in this process, or
   * on this machine where it has a store. Default `closed`.
   */
  readonly onOutage?: OnOutage
  /** Ends the waiting: the call rejects with its reason. */
  readonly signal?: AbortSignal
}

/** A lock that is held, and renewed at a third of its ttl until it is released. Renewing keeps no process alive. */
export interface Lock {
  readonly name: string
  /**
   * A number greater than those of all earlier holders: send it along with what the lock protects, and let the receiver
   * refuse smaller ones. Undefined when the lock was got without the backend.
   */
  readonly fence: number | undefined
  /** Fires when the lock was lost, or when its ttl passed since the last renewal that is known to have worked was sent. */
  readonly signal: AbortSignal
  /** Whether the lock is certainly held now, by this process's monotonic clock. Exact even where timers are late. */
  held(): boolean
  /** Ends the lock; true if it was held until now. Never rejects: a lock that cannot be released ends by its ttl. */
  release(): Promise<boolean>
  [Symbol.asyncDispose](): Promise<void>
}

export interface LockDoor {
  /** The lock; undefined when somebody else held it all the time, or the backend was out and the policy is `closed`. */
  lock(name: string, options?: LockOptions): Promise<Lock | undefined>
  /** Runs under the lock and releases it. Rejects with PALIER_LOCKED, without running, when the lock is not to be had. */
  withLock<T>(name: string, options: LockOptions, run: (lock: Lock) => T | Promise<T>): Promise<T>
}

/** Calls the locks of one place, which stays the same as long as a lock is held there. */
type Place = <T>(operation: (locks: Locks) => Promise<T>) => Promise<T>

interface Wanted {
  readonly name: string
  /** The name at the store. */
  readonly full: string
  readonly ttl: number
}

interface Settings extends Wanted {
  readonly wait: number
  readonly onOutage: OnOutage
  readonly signal: AbortSignal | undefined
}

const FIELDS = ['ttl', 'wait', 'onOutage', 'signal']
/** A shorter one would end before a slow answer arrives. */
const SHORTEST_TTL = 100
/** Between two tries, growing, and each shortened by up to a half so that waiters do not march in step. */
const FIRST_REST = 20
const LAST_REST = 250

export function createLockDoor(room: GuardRoom): LockDoor {
  const held = new Set<() => void>()
  // One listener for all: a signal warns of too many.
  room.closed.addEventListener('abort', () => {
    for (const end of held) end()
  })
  const keep = (place: Place, wanted: Wanted, owner: string, fence: number | undefined, sentAt: number): Lock => {
    const keeper = keepLock(room.clock, place, wanted, owner, fence, sentAt, () => held.delete(keeper.end))
    held.add(keeper.end)
    return keeper.lock
  }
  const shared: Place = operation => room.shared(({ locks }) => operation(locks))

  /** Asks one place; undefined when somebody holds the lock there. */
  const ask = async (place: Place, wanted: Wanted): Promise<Lock | undefined> => {
    const owner = randomUUID()
    const sentAt = room.clock.now()
    const release = (): void => void place(locks => locks.release(wanted.full, owner)).catch(() => undefined)
    let fence: number | undefined
    try {
      fence = await place(locks => locks.acquire(wanted.full, owner, wanted.ttl))
    } catch (error) {
      // It may have been granted and the answer lost; nobody is to wait for the ttl of a lock that nobody holds.
      release()
      throw error
    }
    if (fence === undefined) return undefined
    if (!room.closed.aborted && room.clock.now() < sentAt + wanted.ttl) {
      return keep(place, wanted, owner, place === shared ? fence : undefined, sentAt)
    }
    release()
    return undefined
  }

  const withoutBackend = async (wanted: Settings): Promise<Lock | undefined> => {
    if (wanted.onOutage === 'closed') return undefined
    if (wanted.onOutage === 'open') return openLock(wanted.name, room.closed)
    const { locks } = room.local()
    // The next best place failed too: no lock is better than two.
    return ask(operation => operation(locks), wanted).catch(() => undefined)
  }

  const attempt = async (wanted: Settings): Promise<Lock | undefined> => {
    try {
      return await ask(shared, wanted)
    } catch {
      // Whoever reaches the backend for us counted the failure and told of it.
      if (room.closed.aborted) throw closedError()
      return withoutBackend(wanted)
    }
  }

  const lock = async (name: string, options: LockOptions = {}): Promise<Lock | undefined> => {
    const wanted = settingsOf(room.namespace, name, options)
    const { signal } = wanted
    const until = room.clock.now() + wanted.wait
    for (let tries = 0; ; tries++) {
      if (room.closed.aborted) throw closedError()
      signal?.throwIfAborted()
      const got = await attempt(wanted)
      if (got !== undefined && signal?.aborted === true) await got.release()
      signal?.throwIfAborted()
      const left = until - room.clock.now()
      if (got !== undefined || left <= 0) return got
      const longest = Math.min(LAST_REST, FIRST_REST * 2 ** Math.min(tries, 10))
      await rest(room.clock, Math.max(1, Math.min(left, longest * (0.5 + Math.random() / 2))), signal)
    }
  }

  return {
    lock,
    async withLock(name, options, run) {
      if (typeof run !== 'function') throw badOption('run', 'a function', run)
      const got = await lock(name, options)
      if (got === undefined) {
        throw new PalierError('PALIER_LOCKED', `the lock ${shown(name)} is held elsewhere, or its backend is out`)
      }
      try {
        return await run(got)
      } finally {
        await got.release()
      }
    },
  }
}

function settingsOf(namespace: string, name: string, options: LockOptions): Settings {
  checkName('lock name', name)
  checkFields('lock options', options, FIELDS)
  const { ttl = '30s', wait = 0, onOutage = 'closed', signal } = options
  checkOnOutage('onOutage', onOutage)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw badOption('signal', 'an AbortSignal', signal)
  return {
    name,
    // Never where entries (`e`) or stamps (`s`) are: see key.ts.
    full: `${part(namespace)}:k:${name}`,
    ttl: toMilliseconds('ttl', ttl, { min: SHORTEST_TTL }),
    wait: toMilliseconds('wait', wait, { min: 0 }),
    onOutage,
    signal,
  }
}

/** Resolves after `ms` or when the signal fires, whichever is first. */
function rest(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.hold(ms, done)
    signal?.addEventListener('abort', done)
  })
}

interface Keeper {
  readonly lock: Lock
  /** The cache is closed: nobody renews any more. */
  end(): void
}

/** Renews a lock. `sentAt`: when it was asked for; what the store grants begins no earlier. */
function keepLock(
  clock: Clock,
  place: Place,
  { name, full, ttl }: Wanted,
  owner: string,
  fence: number | undefined,
  sentAt: number,
  ended: () => void,
): Keeper {
  const lost = new AbortController()
  let until = sentAt + ttl
  let isOver = false
  let cancel: () => void = () => {}

  const end = (): void => {
    isOver = true
    cancel()
    ended()
  }
  const lose = (error: PalierError): void => {
    if (isOver) return
    end()
    lost.abort(error)
  }
  const lostBecause = (why: string): void =>
    lose(new PalierError('PALIER_LOCKED', `the lock ${shown(name)} was lost: ${why}`))

  /** After `ms`, or when the lock ends if that is sooner. */
  const renewIn = (ms: number): void => {
    cancel = clock.after(Math.max(0, Math.min(ms, until - clock.now())), () => {
      if (clock.now() >= until) lostBecause(`it could not be renewed within ${ttl} ms`)
      else renew()
    })
  }

  const renew = (): void => {
    const askedAt = clock.now()
    // Armed meanwhile, should no answer come at all.
    renewIn(Number.POSITIVE_INFINITY)
    place(locks => locks.renew(full, owner, ttl)).then(
      done => {
        if (isOver) return
        cancel()
        if (!done) return lostBecause('it ended at the store, or was granted to another')
        until = askedAt + ttl
        renewIn(ttl / 3)
      },
      () => {
        if (isOver) return
        cancel()
        renewIn(ttl / 12)
      },
    )
  }

  const release = async (): Promise<boolean> => {
    if (!isOver) end()
    try {
      return await place(locks => locks.release(full, owner))
    } catch {
      // It ends by its ttl.
      return false
    }
  }

  renewIn(ttl / 3)
  const lock = lockOf(name, fence, lost.signal, () => !isOver && clock.now() < until, release)
  return { lock, end: () => lose(closedError()) }
}

function lockOf(
  name: string,
  fence: number | undefined,
  signal: AbortSignal,
  held: () => boolean,
  end: () => Promise<boolean>,
): Lock {
  let ending: Promise<boolean> | undefined
  const release = (): Promise<boolean> => (ending ??= end())
  return {
    name,
    fence,
    signal,
    held,
    release,
    async [Symbol.asyncDispose]() {
      await release()
    },
  }
}

/** A lock that excludes nobody. */
function openLock(name: string, closed: AbortSignal): Lock {
  let isOver = false
  const held = (): boolean => !isOver && !closed.aborted
  // A signal of its own: listeners of many locks must not gather on one.
  return lockOf(name, undefined, AbortSignal.any([closed]), held, async () => {
    const was = held()
    isOver = true
    return was
  })
}
