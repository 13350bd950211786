import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import type { Args, Port, Reply } from './port.ts'
import type { Script } from './scripts.ts'
import { safeCause } from './target.ts'
import { storeError, topologyChange } from './faults.ts'

/*
 * Everything the store asks of the server goes through here, and here alone a command gets its deadline. The promise
 * given out is never the client's: when the deadline has passed it rejects, and what the client says later is heard
 * and dropped. All deadlines of a store are equally long, so those waiting form a queue by age and share one timer.
 */
export interface Commands {
  send(args: Args, options?: CommandOptions): Promise<Reply>
  /** EVALSHA, and EVAL once if the server does not know the script. All keys belong to one node. */
  run(script: Script, keys: readonly string[], args: Args, options?: CommandOptions): Promise<Reply>
  /** What to wait for before anything can be known about the server; nothing once it was reached. */
  connected(): Promise<void> | undefined
  /** One sender per node that holds keys; each command has its own deadline. */
  masters(): Promise<((args: Args) => Promise<Reply>)[]>
  /** Rejects all that wait, and everything asked later, with PALIER_CLOSED. */
  close(): void
}

export interface CommandOptions {
  readonly key?: string
  /** The command changes what is stored, so it must not leave after its deadline, and it may be refused. */
  readonly write?: boolean
  /** The command must not leave after its deadline. */
  readonly timely?: boolean
}

interface Waiting {
  at: number
  fail: ((error: PalierError) => void) | undefined
  /** Its deadline was moved once because this process, not the server, was late. */
  excused: boolean
}

/** How often a connection that was never up yet is looked at. */
const STARTING_POLL = 5
/** A timer later than this means a blocked event loop: the reply may lie in the socket's buffer, unread. */
const LATE = 20

export function createCommands(port: Port, clock: Clock, deadline: number, secret: string | undefined): Commands {
  const waitings: Waiting[] = []
  let head = 0
  let isArmed = false
  let isClosed = false
  let wasReady = false

  const arm = (): void => {
    const next = waitings[head]
    isArmed = next !== undefined
    if (next !== undefined) clock.after(Math.max(1, Math.ceil(next.at - clock.now())), expire)
  }

  function expire(): void {
    const now = clock.now()
    for (let next = waitings[head]; next !== undefined; next = waitings[head]) {
      if (next.fail !== undefined) {
        if (next.at > now) break
        if (!next.excused && now - next.at > LATE) {
          for (const waiting of waitings.slice(head)) excuse(waiting, now)
          break
        }
        next.fail(late())
        next.fail = undefined
      }
      head++
    }
    waitings.splice(0, head)
    head = 0
    arm()
  }

  function excuse(waiting: Waiting, now: number): void {
    waiting.at = Math.max(waiting.at, now + LATE)
    waiting.excused = true
  }

  const late = (): PalierError => new PalierError('PALIER_STORE_TIMEOUT', `redis did not answer within ${deadline} ms`)

  function failed(error: unknown, isWrite: boolean): PalierError {
    const moved = topologyChange(error)
    if (moved !== undefined && !isClosed) port.doubt(safeCause(error, secret).message)
    return storeError(error, isWrite, secret)
  }

  /** Waits for the very first connection only: later, a lost one fails at once rather than hold everybody up. */
  async function connected(waiting: Waiting): Promise<void> {
    while (waiting.fail !== undefined && !wasReady && !port.ready()) {
      const trouble = port.trouble()
      if (trouble !== undefined) throw notConnected(trouble)
      await new Promise<void>(resolve => void clock.after(STARTING_POLL, resolve))
    }
  }

  const notConnected = (why: string | undefined): Error =>
    Object.assign(new Error(`not connected${why === undefined ? '' : `: ${why}`}`), { code: 'ENOTCONN' })

  const isTimely = ({ write, timely }: CommandOptions): boolean => write === true || timely === true

  const left = (waiting: Waiting): number => Math.max(1, Math.ceil(waiting.at - clock.now()))

  function start<T>(waiting: Waiting, ask: (waiting: Waiting) => Promise<T>): Promise<T> {
    if (port.ready()) {
      wasReady = true
      return ask(waiting)
    }
    if (wasReady) return Promise.reject(notConnected(port.trouble()))
    return connected(waiting).then(() => {
      if (waiting.fail === undefined) throw notConnected(port.trouble())
      wasReady = true
      return ask(waiting)
    })
  }

  function timed<T>(ask: (waiting: Waiting) => Promise<T>, isWrite: boolean = false): Promise<T> {
    if (isClosed) return Promise.reject(new PalierError('PALIER_CLOSED', 'the redis store is closed'))
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = { at: clock.now() + deadline, fail: reject, excused: false }
      waitings.push(waiting)
      if (!isArmed) arm()
      const rejected = (error: unknown): void => {
        // The client took the command back itself, by the limit it was given: that is our deadline speaking.
        waiting.fail?.(clock.now() >= waiting.at - 1 ? late() : failed(error, isWrite))
        waiting.fail = undefined
      }
      try {
        start(waiting, ask).then(value => {
          waiting.fail = undefined
          resolve(value)
        }, rejected)
      } catch (error) {
        rejected(error)
      }
    })
  }

  return {
    send: (args, options = {}) =>
      timed(
        waiting => port.send(args, { key: options.key, within: isTimely(options) ? left(waiting) : undefined }),
        options.write,
      ),
    run: (script, keys, args, options = {}) =>
      timed(waiting => {
        const tail = [String(keys.length), ...keys, ...args]
        const to = { key: options.key ?? keys[0], within: isTimely(options) ? left(waiting) : undefined }
        return port.send(['EVALSHA', script.sha, ...tail], to).catch((error: unknown) => {
          if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
          if (waiting.fail === undefined) throw error
          return port.send(['EVAL', script.text, ...tail], isTimely(options) ? { ...to, within: left(waiting) } : to)
        })
      }, options.write),
    connected: () => (wasReady ? undefined : timed(async () => {})),
    masters: async () => (await timed(() => port.masters())).map(send => (args: Args) => timed(() => send(args))),
    close() {
      isClosed = true
      for (const waiting of waitings.splice(0)) {
        waiting.fail?.(new PalierError('PALIER_CLOSED', 'the redis store was closed'))
        waiting.fail = undefined
      }
      head = 0
    },
  }
}
