import type { Clock } from '../../clock.ts'
import { isAuthFailure } from './faults.ts'
import type { Connection, Open } from './open.ts'
import { backoff, type ClientPort, LONGEST_PAUSE, patience } from './port.ts'
import { type Place, placeName } from './target.ts'

/*
 * One server and always the next connection to it: opened, proven, watched, and opened anew whenever it ends. A
 * connection is watched by a PING each second, because a frozen server or a path that drops packets closes nothing:
 * with no answer until the next second (or for twice the deadline, if that is longer) it is given up.
 */
export interface Lane {
  /** The connection in use; undefined while there is none. */
  port(): ClientPort | undefined
  /** Why there is none. */
  trouble(): unknown
  /** Resolves with the connection in use, or with nothing once the next attempt has failed. */
  settled(): Promise<ClientPort | undefined>
  /** Gives the connection up and opens another one at once; does nothing while one is being opened. */
  drop(reason: string): void
  close(): Promise<void>
}

export interface LaneParts {
  readonly clock: Clock
  readonly deadline: number
  readonly open: () => Promise<Open>
  /** Where the server is now; asked before each attempt. */
  readonly place: () => Promise<Place>
  /** Whether the place may change under a living connection, so that it is asked for each second. */
  readonly follows: boolean
  /** Rejects when the server is not to be used; what it rejects with is the trouble. */
  readonly prove: (port: ClientPort) => Promise<void>
  /** In the same tick in which it becomes known, and before anything else happens. */
  lost(reason: string): void
  ready(): void
  trouble(error: unknown): void
}

const BEAT = 1000
/** A timer later than this means a blocked event loop: the answer may lie in the socket's buffer, unread. */
const LATE = 50
/** A connection that lived less long counts as a failure, so that a flapping server is not stormed. */
const STABLE = 1000

class Late extends Error {}

export function createLane(parts: LaneParts): Lane {
  const { clock, deadline } = parts
  const silence = Math.max(BEAT, 2 * deadline)
  let current: Connection | undefined
  let making: Connection | undefined
  let where: Place | undefined
  let trouble: unknown
  let isClosed = false
  let failures = 0
  let timeouts = 0
  let readyAt = 0
  let cancelNext: () => void = () => {}
  let cancelBeat: () => void = () => {}
  let cut: () => void = () => {}
  let running: Promise<void> = Promise.resolve()
  const waiting = new Set<() => void>()

  const settle = (): void => {
    for (const wake of [...waiting]) wake()
    waiting.clear()
  }

  /** One attempt: a connection whose server has answered, within the patience of this attempt. */
  async function attempt(): Promise<Connection> {
    const open = await parts.open()
    const place = await parts.place()
    if (isClosed) throw new Error('closed')
    const limit = patience(deadline, timeouts)
    return new Promise<Connection>((resolve, reject) => {
      const fail = (error: unknown): void => {
        cancel()
        connection.end()
        making = undefined
        reject(error)
      }
      const connection = open(place, limit, error => {
        if (connection === current) gone(error instanceof Error ? error.message : 'connection closed')
        else fail(error)
      })
      making = connection
      cut = () => fail(new Error('closed'))
      const cancel = clock.after(limit, () => fail(new Late(`no answer within ${limit} ms`)))
      connection.connected
        .then(() => parts.prove(connection.port))
        .then(() => {
          cancel()
          where = place
          resolve(connection)
        }, fail)
    })
  }

  async function run(): Promise<void> {
    try {
      const connection = await attempt()
      if (making !== connection) throw new Error('connection closed')
      making = undefined
      if (isClosed) return connection.end()
      use(connection)
    } catch (error) {
      if (isClosed) return
      trouble = error
      const isLate = error instanceof Late
      timeouts = isLate ? timeouts + 1 : 0
      parts.trouble(error)
      const longest = isLate ? LONGEST_PAUSE.late : isAuthFailure(error) ? LONGEST_PAUSE.refused : LONGEST_PAUSE.failed
      again(backoff(failures++, longest))
      settle()
    }
  }

  function again(delay: number): void {
    if (isClosed) return
    cancelNext = clock.after(delay, () => {
      running = run()
    })
  }

  function use(connection: Connection): void {
    current = connection
    trouble = undefined
    timeouts = 0
    readyAt = clock.now()
    watch(connection)
    parts.ready()
    settle()
  }

  /** The connection in use is over, or is given up. */
  function gone(reason: string, delay?: number): void {
    const connection = current
    if (connection === undefined) return
    current = undefined
    cancelBeat()
    trouble = new Error(reason)
    failures = clock.now() - readyAt < STABLE ? failures + 1 : 0
    connection.end()
    parts.lost(reason)
    again(delay ?? backoff(failures))
  }

  function watch(connection: Connection): void {
    let askedAt: number | undefined
    let cancel: () => void = () => {}
    const heard = (): void => {
      askedAt = undefined
    }
    const beat = (wait: number): void => {
      const dueAt = clock.now() + wait
      cancel = clock.after(wait, () => {
        if (connection !== current) return
        const now = clock.now()
        if (askedAt !== undefined) {
          if (now - dueAt > LATE) return beat(2 * LATE)
          if (now - askedAt >= silence) return gone('the connection is silent', 0)
          return beat(Math.max(1, askedAt + silence - now))
        }
        askedAt = now
        // Any answer will do, a refusal too: somebody is there.
        connection.port.send(['PING'], {}).then(heard, heard)
        if (parts.follows) follow(connection)
        beat(Math.min(BEAT, silence))
      })
    }
    cancelBeat = () => cancel()
    beat(BEAT)
  }

  /** Sentinels that cannot be asked say nothing against the server in use. */
  function follow(connection: Connection): void {
    parts.place().then(
      place => {
        if (connection !== current || where === undefined || placeName(place) === placeName(where)) return
        gone(`the primary is ${placeName(place)} now`, 0)
      },
      () => {},
    )
  }

  running = run()
  return {
    port: () => current?.port,
    trouble: () => trouble,
    settled: () =>
      current === undefined && !isClosed
        ? new Promise(resolve => waiting.add(() => resolve(current?.port)))
        : Promise.resolve(current?.port),
    drop: reason => gone(reason, 0),
    async close() {
      isClosed = true
      cancelNext()
      cancelBeat()
      const connection = current
      current = undefined
      connection?.end()
      if (making !== undefined) cut()
      settle()
      await running
    },
  }
}
