import type { Place } from '../../src/detect.ts'
import { type Cache, type CacheOptions, memoryStore } from '../../src/index.ts'
import type { MemoryStore } from '../../src/stores/memory.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { countedClock, engineOn, place, type Remote, remoteServer, type Server } from './remote.ts'

/** A directory that several processes share: each opening of it is a store of its own. */
export interface Disk {
  readonly backing: MemoryStore
  readonly opened: FaultyStore[]
  closed(): number
  open(): FaultyStore
}

function disk(clock: ManualClock): Disk {
  const backing = memoryStore({ clock })
  const opened: FaultyStore[] = []
  let closed = 0
  return {
    backing,
    opened,
    closed: () => closed,
    open() {
      const store = { ...backing.connect(), name: 'filesystem' }
      const watched = faulty({ ...store, close: () => (closed++, store.close()) })
      opened.push(watched)
      return watched
    },
  }
}

export interface Node {
  readonly cache: Cache
  readonly redis: Remote
  readonly disk: Disk
  readonly moves: string[]
  readonly errors: string[]
  down(): Promise<void>
  up(): Promise<void>
}

export interface House {
  readonly clock: ManualClock
  readonly server: Server
  readonly backing: MemoryStore
  /** Those that the caches set and that still wait. */
  timers(): string[]
  node(
    options?: CacheOptions,
    places?: (node: { redis: Remote; disk: Disk }) => [readonly Place[], number],
  ): Promise<Node>
}

/** A Redis and a directory, and processes that know both. */
export function house(): House {
  const clock = manualClock()
  const server = remoteServer(clock)
  const shared = disk(clock)
  const counted = countedClock(clock)
  return {
    clock,
    server,
    backing: shared.backing,
    timers: counted.timers,
    async node(options = {}, placesOf) {
      const redis = server.connect()
      const own: Disk = { ...disk(clock), backing: shared.backing }
      const open = (): FaultyStore => {
        const store = shared.open()
        own.opened.push(store)
        return store
      }
      const [places, chosen] = placesOf?.({ redis, disk: { ...own, open } }) ?? [
        [place('redis', redis, { wanted: true }), place('filesystem', undefined, { open }), place('memory', undefined)],
        0,
      ]
      const cache = engineOn({ clock: counted, places, chosen, options })
      const moves: string[] = []
      const errors: string[] = []
      cache.on('failover', ({ from, to }) => moves.push(`${from} > ${to}`))
      cache.on('error', ({ operation }) => errors.push(operation))
      await Promise.all([cache.ready(), clock.advance(5)])
      return {
        cache,
        redis,
        disk: { ...own, open, closed: shared.closed },
        moves,
        errors,
        async down() {
          redis.fail('*')
          redis.lost()
          await clock.advance(300)
        },
        async up() {
          redis.heal()
          redis.ready()
          await clock.advance(300)
        },
      }
    },
  }
}
