import type { Bus } from '../bus.ts'
import type { SharedStore } from '../store.ts'

/*
 * A cache answers as soon as its invalidation holds, and leaves two things to do behind: telling the other processes,
 * and deleting the dead entries. A process that ends at once would cut both off. The witness stands between the cache
 * and its store and knows when both are over, and how they went.
 */
export interface Witness {
  readonly store: SharedStore
  /** What the store deleted so far. */
  readonly deleted: number
  /** Why a message could not be sent to the other processes; undefined when all were sent. */
  readonly untold: string | undefined
  /** True once nothing is under way any more; false when that took longer than `ms`, or the signal was given. */
  quiet(ms: number, signal: AbortSignal): Promise<boolean>
}

/** Between two looks: a sweep rests a few milliseconds between its batches. */
const LOOK = 10
/** So many looks in a row that find nothing under way: what follows a sweep begins right after it. */
const LOOKS = 3

export function witness(store: SharedStore): Witness {
  let underWay = 0
  let deleted = 0
  let untold: string | undefined

  function watched<T>(work: Promise<T>): Promise<T> {
    underWay++
    const over = (): void => void underWay--
    work.then(over, over)
    return work
  }

  async function* scan(prefix: string): AsyncGenerator<readonly string[]> {
    try {
      yield* store.scan(prefix)
    } finally {
      underWay--
    }
  }

  function watchedBus(bus: Bus): Bus {
    return {
      get trustedUntil() {
        return bus.trustedUntil
      },
      bound: bus.bound,
      attach: listener => bus.attach(listener),
      publish(text) {
        const sent = watched(bus.publish(text))
        sent.catch((error: unknown) => {
          untold = error instanceof Error ? error.message : String(error)
        })
        return sent
      },
      poll: () => bus.poll(),
      peers: () => bus.peers(),
      close: () => bus.close(),
    }
  }

  return {
    store: {
      name: store.name,
      get: key => watched(store.get(key)),
      getMany: keys => watched(store.getMany(keys)),
      claim: (key, claim) => watched(store.claim(key, claim)),
      commit: (key, token, bytes, ttl) => watched(store.commit(key, token, bytes, ttl)),
      renew: (key, token, ttl) => watched(store.renew(key, token, ttl)),
      release: (key, token) => watched(store.release(key, token)),
      set: (key, bytes, ttl) => watched(store.set(key, bytes, ttl)),
      async delete(keys) {
        await watched(store.delete(keys))
        deleted += keys.length
      },
      scan(prefix) {
        // Counted from the call on, not from the first page: in between the sweep would look as if it were over.
        underWay++
        return scan(prefix)
      },
      usage: prefix => watched(store.usage(prefix)),
      openBus: channel => watchedBus(store.openBus(channel)),
      locks: store.locks,
      limits: store.limits,
      close: () => store.close(),
    },
    get deleted() {
      return deleted
    },
    get untold() {
      return untold
    },
    async quiet(ms, signal) {
      const end = performance.now() + ms
      for (let looks = 0; looks < LOOKS; ) {
        if (signal.aborted || performance.now() > end) return false
        await new Promise(resolve => setTimeout(resolve, LOOK))
        looks = underWay === 0 ? looks + 1 : 0
      }
      return true
    },
  }
}
