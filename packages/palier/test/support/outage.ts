import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'

/** A cache whose store can be made to fail or hang, under a manual clock. */
export interface Outage {
  readonly a: Cache
  /** On the same backing, without faults. */
  readonly b: Cache
  readonly store: FaultyStore
  readonly clock: ManualClock
  /** Runs an operation of the cache while `ms` pass. */
  during<T>(ms: number, run: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Both caches are ready when this resolves; whoever calls closes it. */
export async function outage(options: CacheOptions = {}): Promise<Outage> {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  const peer = backing.connect()
  const store = faulty(backing)
  const own: CacheOptions = { logger: false, backend: 'memory', clock, ...options }
  const a = createCache({ ...own, store })
  const b = createCache({ ...own, store: peer })
  await Promise.all([a.ready(), b.ready()])
  return {
    a,
    b,
    store,
    clock,
    async during(ms, run) {
      const [value] = await Promise.all([run(), clock.advance(ms)])
      return value
    },
    async close() {
      store.heal()
      await Promise.all([a.close(), b.close(), clock.advance(1000)])
      await Promise.all([backing.close(), peer.close()])
    },
  }
}
