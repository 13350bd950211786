import type { ConnectionListener } from '../../store.ts'
import type { Random } from './random.ts'
import { isSilent, type Server } from './server.ts'
import type { Timeline } from './timeline.ts'

/*
 * The way of one process to the server: one connection at a time, on which commands arrive in the order they were sent
 * and answers in the order they were given. What was sent may be carried out long after the caller gave up waiting, but
 * not after its connection is gone.
 */
export interface Wire {
  /** Carries out `command` at the server and brings its result; rejects when the connection is not there or breaks. */
  call<T>(command: (server: Server) => T): Promise<T>
  watch(listener: ConnectionListener): () => void
  /** The process gives up its connection and opens another. */
  reconnect(): void
  /** Until when what was sent is known to have got through: now, or the moment the way became bad. */
  goodUntil(): number
  /** The connection breaks, and both ends know. Nobody connects again while `blocked`. */
  cut(reason: string): void
  /** No connection can be made. */
  blocked: boolean
  /** Commands, answers, or both stay on their way. */
  hold(up: boolean, down: boolean): void
  /** What was held goes on. */
  release(): void
  /** Each way takes so much longer. */
  slow: number
  /** The next calls go wrong: never carried out, carried out without the caller knowing, or never answered. */
  lose(how: Loss, calls: number): void
  /** Its connection to a server that is no more is found to be dead. */
  stale(server: Server): void
  /** Something that kept it from connecting may be over. */
  wake(): void
  /** The process is dead: what it has sent may still arrive, and nothing comes back. */
  kill(): void
  /** The server it is connected to, and since when. */
  readonly end: { readonly server: Server; readonly since: number } | undefined
}

export type Loss = 'request' | 'reply' | 'silence'

interface Call {
  readonly run: (server: Server) => unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  readonly loss: Loss | undefined
  executed: boolean
}

interface Connection {
  readonly server: Server
  readonly since: number
  readonly calls: Set<Call>
  readonly heldUp: Call[]
  readonly heldDown: (() => void)[]
  lastUp: number
  lastDown: number
  gone: boolean
}

/** Longest time a way takes when nothing is wrong. */
export const LATENCY = 20
/** Longest pause before a client connects again. */
const BACKOFF = 800

export function latency(random: Random): number {
  return random.chance(0.9) ? random.below(30) / 10 : random.between(3, LATENCY)
}

export function createWire(timeline: Timeline, random: Random, primary: () => Server): Wire {
  const listeners = new Set<ConnectionListener>()
  let connection: Connection | undefined
  let holdUp = false
  let holdDown = false
  let badSince: number | undefined
  let loss: { how: Loss; left: number } | undefined
  let connecting = false
  let dead = false

  const delay = (): number => latency(random) + wire.slow

  /** Notes when the way up became bad. */
  const judge = (): void => {
    const bad = connection === undefined || holdUp
    badSince = bad ? (badSince ?? timeline.now()) : undefined
  }

  const execute = (one: Connection, call: Call): { value: unknown } | { error: unknown } => {
    call.executed = true
    if (call.loss === 'request') return { error: new Error('the request was lost') }
    try {
      const value = call.run(one.server)
      return call.loss === 'reply' ? { error: new Error('the answer was lost') } : { value }
    } catch (error) {
      return { error }
    }
  }

  const arrive = (one: Connection, call: Call): void => {
    if (one.gone || isSilent(one.server)) return
    if (holdUp) {
      one.heldUp.push(call)
      return
    }
    const outcome = execute(one, call)
    if (call.loss === 'silence') return
    const at = Math.max(one.lastDown, timeline.now() + delay())
    one.lastDown = at
    const answer = (): void => {
      if (one.gone) return
      if (holdDown) {
        one.heldDown.push(answer)
        return
      }
      one.calls.delete(call)
      if ('error' in outcome) call.reject(outcome.error)
      else call.resolve(outcome.value as never)
    }
    timeline.after(at - timeline.now(), answer)
  }

  const send = (one: Connection, call: Call): void => {
    const at = Math.max(one.lastUp, timeline.now() + delay())
    one.lastUp = at
    timeline.after(at - timeline.now(), () => arrive(one, call))
  }

  /** `delivered`: of what was on its way, some still gets through. */
  const end = (one: Connection, reason: string, delivered: boolean): void => {
    if (one.gone) return
    let through = delivered && !isSilent(one.server) && !holdUp
    for (const call of one.calls) {
      if (call.executed) continue
      // Commands arrive in order: what comes after a lost one is lost.
      through = through && random.chance(0.6)
      if (through && call.loss !== 'request') execute(one, call)
    }
    one.gone = true
    if (connection === one) connection = undefined
    judge()
    if (!dead) for (const listener of [...listeners]) listener.lost(reason)
    for (const call of one.calls) if (!dead) call.reject(new Error(reason))
    one.calls.clear()
    wire.wake()
  }

  const connect = (): void => {
    connecting = false
    if (dead || connection !== undefined || wire.blocked || holdUp || holdDown || isSilent(primary())) return
    const server = primary()
    connection = {
      server,
      since: timeline.now(),
      calls: new Set(),
      heldUp: [],
      heldDown: [],
      lastUp: 0,
      lastDown: 0,
      gone: false,
    }
    judge()
    for (const listener of [...listeners]) listener.ready()
  }

  const wire: Wire = {
    blocked: false,
    slow: 0,
    call(command) {
      if (dead) return new Promise(() => undefined)
      const one = connection
      if (one === undefined) return Promise.reject(new Error('not connected'))
      let lost: Loss | undefined
      if (loss !== undefined) {
        lost = loss.how
        if (--loss.left <= 0) loss = undefined
      }
      return new Promise((resolve, reject) => {
        const call: Call = { run: command, resolve, reject, loss: lost, executed: false }
        one.calls.add(call)
        send(one, call)
      })
    },
    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    reconnect() {
      if (connection !== undefined) end(connection, 'the connection was given up', true)
      wire.wake()
    },
    goodUntil: () => Math.min(badSince ?? timeline.now() - wire.slow, connection?.server.silentSince ?? 0),
    cut(reason) {
      if (connection !== undefined) end(connection, reason, true)
    },
    hold(up, down) {
      holdUp = up
      holdDown = down
      judge()
    },
    release() {
      holdUp = false
      holdDown = false
      judge()
      const one = connection
      if (one === undefined) return wire.wake()
      for (const answer of one.heldDown.splice(0)) answer()
      for (const call of one.heldUp.splice(0)) send(one, call)
      return undefined
    },
    lose(how, calls) {
      loss = calls > 0 ? { how, left: calls } : undefined
    },
    stale(server) {
      if (connection?.server === server) end(connection, 'the server is another one', false)
    },
    wake() {
      if (connecting || dead || connection !== undefined) return
      connecting = true
      timeline.after(10 + random.below(BACKOFF), connect)
    },
    kill() {
      dead = true
      listeners.clear()
      const one = connection
      if (one !== undefined) end(one, 'the process died', true)
    },
    get end() {
      return connection
    },
  }
  connect()
  return wire
}
