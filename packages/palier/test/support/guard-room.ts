import { type Clock, systemClock } from '../../src/clock.ts'
import type { GuardRoom } from '../../src/guard-room.ts'
import { createLink, type Link } from '../../src/link.ts'
import type { SharedStore } from '../../src/store.ts'
import { memoryGuards } from '../../src/stores/memory.ts'

export interface RoomOptions {
  readonly clock?: Clock
  readonly deadline?: number
  readonly processes?: number
  readonly namespace?: string
}

export interface TestRoom extends GuardRoom {
  readonly link: Link
  close(): void
}

/** What a cache on one store gives to its locks and limiters: the store behind a link of its own. */
export async function guardRoom(store: SharedStore, options: RoomOptions = {}): Promise<TestRoom> {
  const { clock = systemClock, deadline = 250, processes = 1, namespace = 'test' } = options
  const closing = new AbortController()
  const memory = memoryGuards(clock)
  const link = createLink(clock, deadline, store, {
    changed: () => {},
    recover: async () => {},
    isSameServer: async () => true,
  })
  await link.start()
  return {
    clock,
    namespace,
    link,
    shared: operation => link.call(operation),
    local: () => memory,
    memory,
    processes: () => processes,
    closed: closing.signal,
    close() {
      closing.abort()
      link.close()
    },
  }
}
