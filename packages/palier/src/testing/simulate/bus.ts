import { type Bus, type BusListener, createSequenceTracker } from '../../bus.ts'
import { PalierError } from '../../errors.ts'
import type { Random } from './random.ts'
import { isSilent, type Published, type Server, type Subscriber } from './server.ts'
import type { Timeline } from './timeline.ts'
import { latency, type Wire } from './wire.ts'

/*
 * The simulated bus, as the one on Redis: messages go up with the commands, and come down on a connection of their own.
 * Heartbeats are not sent one by one: what they would have proved is worked out when it is asked for. Only where a
 * message went missing, the heartbeat that tells of it comes up to a second later.
 */
export interface Subscription {
  open(): Bus
  /** The connection breaks. Nobody connects again while `blocked`. */
  cut(reason: string): void
  blocked: boolean
  /** Messages stay on their way, and nothing tells. */
  hold(): void
  release(): void
  slow: number
  /** The next messages are lost on their way. */
  drop(messages: number): void
  /** Its connection to a server that is no more is found to be dead. */
  stale(server: Server): void
  wake(): void
  kill(): void
  /** Since when something it said may not have been heard; infinite if all was. */
  untoldSince(): number
}

interface Link extends Subscriber {
  readonly server: Server
  readonly since: number
  /** Messages on their way, oldest first. */
  readonly coming: { readonly sentAt: number; readonly message: Published }[]
  last: number
  gone: boolean
}

/** As on Redis: two heartbeats may be missed, and a little more. */
export const TRUST = 2250
const BEAT = 1000
const SILENT = 3000
const ATTACH = 1000
const PUBLISH = 500
const BACKOFF = 800

interface Parts {
  readonly timeline: Timeline
  readonly random: Random
  readonly wire: Wire
  primary(): Server
  /** Timers of the process: they die with it. */
  after(ms: number, run: () => void): () => void
  /** True: messages arrive nowhere, and nobody is told (to show that the checker finds it). */
  readonly deaf: boolean
  readonly name: string
  /** What happened, for a reader. */
  note(text: () => string): void
}

export function createSubscription(parts: Parts): Subscription {
  const { timeline, random, wire, primary, after, name } = parts
  const tracker = createSequenceTracker()
  let link: Link | undefined
  let listener: BusListener | undefined
  let waiting: (() => void) | undefined
  let held = false
  let badSince = 0
  let dropping = 0
  let connecting = false
  let wanted = false
  let wasListening = false
  let dead = false
  let closed = false
  let seq = 0
  let beating = false

  const lost = (reason: string): void => {
    parts.note(() => `bus lost: ${reason}`)
    listener?.lost(reason)
  }

  const hear = ({ from, seq: number, text }: Published): void => {
    if (closed || from === name) return
    const verdict = tracker.judge(from, number, timeline.now())
    if (text === undefined) {
      if (verdict !== 'repeat') lost(`a message of ${from} was missed`)
      return
    }
    if (verdict === 'gap') lost(`messages of ${from} were missed`)
    if (verdict === 'repeat') return
    parts.note(() => `hears ${text}`)
    listener?.message(text)
  }

  const flow = (one: Link, at: number): void => {
    timeline.after(at - timeline.now(), () => {
      if (one.gone || held || isSilent(one.server)) return
      const next = one.coming.shift()
      if (next !== undefined) hear(next.message)
    })
  }

  const openLink = (): void => {
    connecting = false
    const server = primary()
    if (dead || closed || link !== undefined || subscription.blocked || held || isSilent(server)) return
    const one: Link = {
      server,
      since: timeline.now(),
      coming: [],
      last: 0,
      gone: false,
      send(message) {
        if (parts.deaf || message.from === name) return
        if (dropping > 0 && message.text !== undefined) {
          dropping--
          parts.note(() => `is not told ${message.text}`)
          const { from } = message
          timeline.after(random.below(BEAT), () =>
            one.send({ from, seq: server.spoken.get(from) ?? 0, text: undefined }),
          )
          return
        }
        const now = timeline.now()
        one.coming.push({ sentAt: now, message })
        one.last = Math.max(one.last, now + latency(random) + subscription.slow)
        flow(one, one.last)
      },
    }
    link = one
    server.subscribers.add(one)
    for (const [sender, last] of server.spoken) tracker.judge(sender, last, timeline.now())
    if (wasListening) lost('reconnected')
    wasListening = true
    waiting?.()
  }

  const endLink = (reason: string): void => {
    const one = link
    if (one === undefined) return
    one.gone = true
    one.server.subscribers.delete(one)
    link = undefined
    if (!dead && !closed) lost(reason)
    subscription.wake()
  }

  const trustedUntil = (): number => {
    if (link === undefined || closed) return 0
    const oldest = link.coming[0]?.sentAt ?? Number.POSITIVE_INFINITY
    const bad = held ? badSince : link.server.silentSince
    const { end } = wire
    // Heartbeats that go up to one server do not come down from another.
    if (end !== undefined && end.server !== link.server) return Math.max(end.since, link.since) + TRUST
    return Math.min(timeline.now() - subscription.slow, oldest, bad, wire.goodUntil()) + TRUST
  }

  /** After a message that may not have arrived: the next heartbeats carry its number until one gets through. */
  const beat = (): void => {
    if (beating || closed) return
    beating = true
    after(BEAT, () => {
      beating = false
      wire
        .call(server => {
          server.spoken.set(name, seq)
          for (const one of [...server.subscribers]) one.send({ from: name, seq, text: undefined })
        })
        .catch(beat)
    })
  }

  const attach = (next: BusListener): Promise<void> => {
    listener = next
    wanted = true
    if (link !== undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const cancel = after(ATTACH, () => {
        waiting = undefined
        reject(new PalierError('PALIER_STORE_FAILED', 'the bus could not listen'))
      })
      waiting = () => {
        waiting = undefined
        cancel()
        resolve()
      }
      subscription.wake()
    })
  }

  /** When each message not yet answered was sent, and since when one is known to have failed. */
  const unanswered = new Map<number, number>()
  let failedSince = Number.POSITIVE_INFINITY

  const publish = (text: string): Promise<void> => {
    if (closed) return Promise.reject(new PalierError('PALIER_CLOSED', 'the bus is closed'))
    const number = ++seq
    const sentAt = timeline.now()
    unanswered.set(number, sentAt)
    const failed = (): void => {
      failedSince = Math.min(failedSince, sentAt)
      beat()
    }
    const told = (): void => {
      unanswered.delete(number)
      if (text.includes('flush')) failedSince = Number.POSITIVE_INFINITY
    }
    parts.note(() => `tells ${text}`)
    return new Promise((resolve, reject) => {
      const cancel = after(PUBLISH, () => {
        failed()
        reject(new PalierError('PALIER_STORE_TIMEOUT', 'the message got no answer'))
      })
      wire
        .call(server => {
          server.spoken.set(name, number)
          for (const one of [...server.subscribers]) one.send({ from: name, seq: number, text })
        })
        .then(
          () => {
            told()
            resolve()
          },
          (error: unknown) => {
            unanswered.delete(number)
            failed()
            reject(error instanceof Error ? error : new Error(String(error)))
          },
        )
        .finally(cancel)
    })
  }

  const subscription: Subscription = {
    blocked: false,
    slow: 0,
    open: () => ({
      get trustedUntil() {
        return trustedUntil()
      },
      bound: 50,
      attach,
      publish,
      poll: () => timeline.now() < trustedUntil(),
      peers: () => 1,
      async close() {
        closed = true
        endLink('the bus was closed')
      },
    }),
    cut: endLink,
    hold() {
      if (held) return
      held = true
      badSince = timeline.now()
      // A silent connection is replaced; what was on its way is gone with it.
      const one = link
      after(SILENT, () => {
        if (held && link === one) endLink('the connection is silent')
      })
    },
    release() {
      held = false
      const one = link
      if (one === undefined) return subscription.wake()
      for (let i = 0; i < one.coming.length; i++) {
        one.last = Math.max(one.last, timeline.now() + latency(random))
        flow(one, one.last)
      }
      return undefined
    },
    stale(server) {
      if (link?.server === server) endLink('the server is another one')
    },
    drop(messages) {
      dropping = messages
    },
    wake() {
      if (connecting || dead || closed || !wanted || link !== undefined) return
      connecting = true
      timeline.after(wasListening ? 10 + random.below(BACKOFF) : latency(random), openLink)
    },
    untoldSince: () => Math.min(failedSince, unanswered.values().next().value ?? Number.POSITIVE_INFINITY),
    kill() {
      dead = true
      listener = undefined
      endLink('the process died')
    },
  }
  return subscription
}
