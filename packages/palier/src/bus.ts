/** What a cache hears from its bus. */
export interface BusListener {
  /** Another cache said this; its own messages never come back to a cache. At least once, in each sender's order. */
  message(text: string): void
  /** Messages may have been missed: everything learned through the bus must be forgotten. */
  lost(reason: string): void
}

/**
 * Tells the other caches of a channel what changed. Messages are short texts; each carries its sender and a sequence
 * number, so that a gap, a reconnect or a silence is noticed and reported as `lost`, never passed over.
 */
export interface Bus {
  /**
   * Monotonic milliseconds until which the bus vouches that nothing was missed. Once past, `poll()` first; if that
   * returns false the near tier is in doubt. Read on each near hit, so it is a plain property.
   */
  readonly trustedUntil: number
  /** How long, in milliseconds, another cache may go on without having heard: the stated bound of this bus. */
  readonly bound: number
  /** Begins to listen; resolves when messages sent from now on will be heard. Rejects if the store failed. */
  attach(listener: BusListener): Promise<void>
  /** Resolves when the message is on its way to every listener. Rejects if the store failed. */
  publish(text: string): Promise<void>
  /** Brings a pull-based bus up to date now (`listener.message` may be called inside). True: the bus is trusted. */
  poll(): boolean
  /** Caches seen alive on this channel, this one included. */
  peers(): number
  /** Stops listening. May be called twice. */
  close(): Promise<void>
}

interface Sender {
  seq: number
  heardAt: number
}

/** Judges the sequence numbers of all senders on one channel. Push and pull buses share it. */
export interface SequenceTracker {
  /** `next`: deliver. `repeat`: seen before, drop. `gap`: deliver, and report a loss. */
  judge(sender: string, seq: number, now: number): 'next' | 'repeat' | 'gap'
  forget(sender: string): void
  /** Senders heard from since `since`. */
  alive(since: number): number
}

/**
 * Sequences start at 1. A sender first heard with a higher number has spoken before: whether we should have heard it
 * cannot be known, so it counts as a gap.
 */
export function createSequenceTracker(): SequenceTracker {
  const senders = new Map<string, Sender>()
  return {
    judge(sender, seq, now) {
      const known = senders.get(sender)
      if (known === undefined) {
        senders.set(sender, { seq, heardAt: now })
        return seq <= 1 ? 'next' : 'gap'
      }
      known.heardAt = now
      if (seq <= known.seq) return 'repeat'
      const verdict = seq === known.seq + 1 ? 'next' : 'gap'
      known.seq = seq
      return verdict
    },
    forget: sender => void senders.delete(sender),
    alive(since) {
      let count = 0
      for (const sender of senders.values()) if (sender.heardAt >= since) count++
      return count
    },
  }
}
