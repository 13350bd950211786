import { randomUUID } from 'node:crypto'
import { type Bus, type BusListener, createSequenceTracker, type SequenceTracker } from '../bus.ts'
import { PalierError } from '../errors.ts'

/*
 * The bus of caches that live in one process: whoever publishes calls the others, there and then. A listener may
 * publish in its turn, so messages go through one queue per channel and the outermost call empties it; otherwise the
 * listeners further down would hear the answer before the question.
 */
export interface BusHub {
  openBus(channel: string): Bus
}

interface Member {
  readonly id: string
  readonly listener: BusListener
  readonly tracker: SequenceTracker
}

interface Message {
  readonly from: string
  readonly seq: number
  readonly text: string
}

interface Channel {
  readonly members: Set<Member>
  readonly queue: Message[]
  /** The last number each open bus has used, told to whoever attaches later: what was before it is no gap for it. */
  readonly spoken: Map<string, number>
  emptying: boolean
}

export function createBusHub(): BusHub {
  const channels = new Map<string, Channel>()
  return {
    openBus(name) {
      let channel = channels.get(name)
      if (channel === undefined) {
        channel = { members: new Set(), queue: [], spoken: new Map(), emptying: false }
        channels.set(name, channel)
      }
      return openMemoryBus(channel)
    },
  }
}

function openMemoryBus(channel: Channel): Bus {
  const id = randomUUID()
  let seq = 0
  let member: Member | undefined
  let closed = false
  const assertOpen = (): void => {
    if (closed) throw new PalierError('PALIER_CLOSED', 'this bus is closed')
  }
  return {
    get trustedUntil() {
      return member === undefined ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    },
    bound: 0,
    async attach(listener) {
      assertOpen()
      if (member !== undefined) channel.members.delete(member)
      const tracker = createSequenceTracker()
      for (const [sender, last] of channel.spoken) tracker.judge(sender, last, 0)
      member = { id, listener, tracker }
      channel.members.add(member)
    },
    async publish(text) {
      assertOpen()
      channel.spoken.set(id, ++seq)
      channel.queue.push({ from: id, seq, text })
      if (!channel.emptying) empty(channel)
    },
    poll: () => member !== undefined,
    peers: () => channel.members.size,
    async close() {
      closed = true
      if (member !== undefined) channel.members.delete(member)
      member = undefined
      channel.spoken.delete(id)
    },
  }
}

function empty(channel: Channel): void {
  channel.emptying = true
  try {
    for (let message = channel.queue.shift(); message !== undefined; message = channel.queue.shift()) {
      for (const member of [...channel.members]) if (member.id !== message.from) deliver(member, message)
    }
  } finally {
    channel.emptying = false
  }
}

function deliver({ listener, tracker }: Member, { from, seq, text }: Message): void {
  const verdict = tracker.judge(from, seq, 0)
  if (verdict === 'repeat') return
  if (verdict === 'gap') listener.lost('messages of another cache are missing')
  try {
    listener.message(text)
  } catch {
    // What it did not take in, it has missed, and being told so is how a listener recovers. The others still hear.
    listener.lost('the listener failed on a message')
  }
}
