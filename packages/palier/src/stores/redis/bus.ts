import { randomBytes } from 'node:crypto'
import { type Bus, type BusListener, createSequenceTracker } from '../../bus.ts'
import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import type { Commands } from './commands.ts'
import { isDenied } from './faults.ts'
import { channelName, channelRoute } from './keys.ts'
import { backoff, type Port, reasonOf, SUBSCRIBE_BUDGET } from './port.ts'
import type { Script } from './scripts.ts'

/*
 * Pub/sub says nothing when it drops a message, so the bus proves its own path. Each bus publishes a heartbeat every
 * second with the number of its last message: others notice by it that they missed the last one, and the bus itself,
 * hearing its own heartbeat come back, knows that everything published before it has come too. Trust is reckoned from
 * the moment that heartbeat was sent, not from when it was heard, so a slow path cannot stretch it.
 *
 * The subscriber's connection is opened anew whenever it ends, and `lost` is called both when it ends and when the new
 * one listens: what was learned in between was learned deaf.
 *
 * On the wire: `sender seq text`, and for a heartbeat `~sender seq sentAt`.
 */
export interface RedisBusParts {
  readonly port: Port
  readonly commands: Commands
  readonly script: Script
  readonly clock: Clock
  readonly channel: string
  readonly deadline: number
}

const BEAT = 1000
/** Two beats may be missed, and a little more, before the path is doubted. */
const TRUST = 2 * BEAT + 250
/** No heartbeat of our own for this long: the connection is silent, not closed, and is replaced, trusted no more. */
const SILENT = TRUST
const PEER_ALIVE = 3 * BEAT
/** How long `attach` waits to hear itself: a first connection, a client that is loaded, a cluster that is looked up. */
const FIRST = 2 * BEAT
/** A sender silent this long is forgotten; if it speaks again it counts as one never heard. */
const FORGET = 60 * BEAT
/** The stated bound: the time a message is on its way through a server that is not overloaded. */
const BOUND = 50

interface Wire {
  readonly isBeat: boolean
  readonly sender: string
  readonly seq: number
  readonly text: string
}

function parse(message: string): Wire | undefined {
  const parts = /^(~?)([0-9a-f]{16}) (\d{1,15}) ([^]*)$/.exec(message)
  if (parts === null) return undefined
  const [, beat, sender = '', seq, text = ''] = parts
  return { isBeat: beat === '~', sender, seq: Number(seq), text }
}

/** A subscription that is always wanted: opened again, after a pause, whenever it ends. */
interface Keeper {
  start(): void
  /** Gives up the present connection for a new one. */
  renew(reason: string): void
  stop(): void
}

function keepSubscribed(
  { port, clock, channel }: RedisBusParts,
  events: {
    message(text: string): void
    ready(): void
    lost(reason: string): void
    /** An attempt to listen failed. */
    failed(reason: string): void
  },
): Keeper {
  let end: (() => void) | undefined
  let cancel: () => void = () => {}
  let attempts = 0
  let isReady = false
  let isStopped = false

  function open(): void {
    cancel = clock.after(SUBSCRIBE_BUDGET, () => renew('no connection in time'))
    const ended = port.subscribe(channelName(channel), {
      message: events.message,
      ready() {
        cancel()
        attempts = 0
        isReady = true
        events.ready()
      },
      lost: again,
    })
    end = ended
  }

  function again(reason: string): void {
    cancel()
    end = undefined
    if (isStopped) return
    const wasReady = isReady
    isReady = false
    cancel = clock.after(backoff(attempts++), open)
    if (wasReady) events.lost(reason)
    else events.failed(reason)
  }

  function renew(reason: string): void {
    end?.()
    again(reason)
  }

  return {
    start: open,
    renew,
    stop() {
      isStopped = true
      cancel()
      end?.()
    },
  }
}

export function createRedisBus(parts: RedisBusParts): Bus {
  const { port, commands, script, clock, channel, deadline } = parts
  const me = randomBytes(8).toString('hex')
  const tracker = createSequenceTracker()
  const heard = new Map<string, number>()
  let listener: BusListener | undefined
  let seq = 0
  let trustedUntil = 0
  let isListening = false
  let isStarted = false
  let isClosed = false
  let wasEverReady = false
  let lastOwnBeat = 0
  let lastBeat = 0
  let cancelBeat: () => void = () => {}
  const arrivals = new Set<(error?: PalierError) => void>()
  let trouble: string | undefined

  const send = (message: string): Promise<unknown> =>
    commands.run(script, [channelRoute(channel)], [channelName(channel), message], { timely: true })

  let last: Promise<unknown> = Promise.resolve()
  /** Where messages could overtake each other, each waits for the one before it: a swap would look like a loss. */
  function say(message: string): Promise<unknown> {
    if (port.keepsOrder) return send(message)
    const next = (): Promise<unknown> => send(message)
    last = last.then(next, next)
    return last
  }

  const lost = (reason: string): void => {
    trustedUntil = 0
    listener?.lost(reason)
  }

  function heardMyself(wire: Wire): void {
    if (!wire.isBeat || !isListening) return
    const sentAt = Number(wire.text)
    if (!Number.isFinite(sentAt)) return
    lastOwnBeat = clock.now()
    trustedUntil = Math.max(trustedUntil, sentAt + TRUST)
    trouble = undefined
    for (const arrived of [...arrivals]) arrived()
  }

  function receive(message: string): void {
    const wire = parse(message)
    if (wire === undefined || isClosed) return
    if (wire.sender === me) return heardMyself(wire)
    const now = clock.now()
    heard.set(wire.sender, now)
    const verdict = tracker.judge(wire.sender, wire.seq, now)
    if (wire.isBeat) {
      // A heartbeat repeats the number of a message that should have been heard before it.
      if (verdict !== 'repeat' && wire.seq > 0) lost(`a message of ${wire.sender} was missed`)
      return
    }
    if (verdict === 'gap') lost(`messages of ${wire.sender} were missed`)
    if (verdict !== 'repeat') listener?.message(wire.text)
  }

  const keeper = keepSubscribed(parts, {
    message: receive,
    ready() {
      isListening = true
      lastOwnBeat = clock.now()
      if (wasEverReady) lost('reconnected')
      wasEverReady = true
      sendBeat()
    },
    lost(reason) {
      isListening = false
      lost(reason)
    },
    failed,
  })

  /** What the user is not allowed to do will not be allowed a moment later either, so nobody is left waiting for it. */
  function failed(reason: string): void {
    trouble = reason
    if (isDenied(reason)) for (const arrived of [...arrivals]) arrived(deaf())
  }

  function deaf(): PalierError {
    const why = trouble ?? port.trouble()
    return new PalierError(
      'PALIER_STORE_FAILED',
      `the redis bus could not listen${why === undefined ? '' : `: ${why}`}`,
    )
  }

  function sendBeat(): void {
    // A beat that could not be sent needs no word of its own: the trust it would have renewed runs out.
    say(`~${me} ${seq} ${clock.now()}`).catch((error: unknown) => failed(reasonOf(error)))
  }

  function beat(): void {
    const now = clock.now()
    for (const [sender, at] of heard) {
      if (now - at <= FORGET) continue
      heard.delete(sender)
      tracker.forget(sender)
    }
    // After a stop of the process itself its heartbeats may lie unread in a sound connection: the next beat judges it.
    const wasHeldUp = now - lastBeat > BEAT + BEAT / 2
    lastBeat = now
    if (isListening && !wasHeldUp && now - lastOwnBeat > SILENT) keeper.renew('the connection is silent')
    sendBeat()
    cancelBeat = clock.after(BEAT, beat)
  }

  function start(): void {
    if (isStarted) return
    isStarted = true
    lastBeat = clock.now()
    cancelBeat = clock.after(BEAT, beat)
  }

  const arrival = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const arrived = (error?: PalierError): void => {
        arrivals.delete(arrived)
        cancel()
        if (isClosed) reject(new PalierError('PALIER_CLOSED', 'the bus was closed'))
        else if (error === undefined) resolve()
        else reject(error)
      }
      const cancel = clock.after(Math.max(deadline, FIRST), () => arrived(deaf()))
      arrivals.add(arrived)
    })

  let isKept = false
  return {
    get trustedUntil() {
      return trustedUntil
    },
    bound: BOUND,
    /** May be called again after it rejected; the bus goes on trying to listen in between. */
    async attach(next) {
      if (isClosed) throw new PalierError('PALIER_CLOSED', 'the bus is closed')
      listener = next
      start()
      if (!isKept) {
        isKept = true
        keeper.start()
      }
      if (clock.now() >= trustedUntil) await arrival()
    },
    async publish(text) {
      if (isClosed) throw new PalierError('PALIER_CLOSED', 'the bus is closed')
      start()
      // The number is spent even if the message fails: a listener then finds a gap, which is the truth.
      seq++
      await say(`${me} ${seq} ${text}`)
    },
    poll: () => clock.now() < trustedUntil,
    peers: () => 1 + tracker.alive(clock.now() - PEER_ALIVE),
    async close() {
      if (isClosed) return
      isClosed = true
      trustedUntil = 0
      cancelBeat()
      keeper.stop()
      for (const arrived of [...arrivals]) arrived()
    },
  }
}
