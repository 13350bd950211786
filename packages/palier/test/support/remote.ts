import type { Backend, Place } from '../../src/detect.ts'
import { createEngine } from '../../src/engine.ts'
import { readSettings } from '../../src/environment.ts'
import { type Cache, type CacheOptions, memoryStore } from '../../src/index.ts'
import type { Journal } from '../../src/journal.ts'
import type { ConnectionListener, SharedStore } from '../../src/store.ts'
import { nearStore } from '../../src/stores/memory.ts'
import { type FaultyStore, faulty, type ManualClock } from '../../src/testing.ts'

/** The connection of one process to a server that several reach across a network. */
export interface Remote extends FaultyStore {
  /** Says that the connection is gone; calls go on as they are told to. */
  lost(reason?: string): void
  ready(): void
  /** How often other connections were asked for. */
  readonly reconnects: number
  /** Who listens to the connection. */
  readonly watchers: number
  readonly isClosed: boolean
}

/** A server whose place another one can take. */
export interface Server {
  connect(): Remote
  /** What a replica holds that has heard everything by now. */
  copy(): Promise<SharedStore>
  /** The replica answers from now on, under another identity; nobody is told. */
  replace(replica: SharedStore): void
}

export function remoteServer(clock: ManualClock, name = 'redis'): Server {
  // Whoever listens is not cut off by a failover here: what is lost with the data is what matters.
  const hub = memoryStore({ clock })
  let current: SharedStore = memoryStore({ clock })
  let run = 1

  const through = (): SharedStore => ({
    name,
    get: key => current.get(key),
    getMany: keys => current.getMany(keys),
    claim: (key, claim) => current.claim(key, claim),
    commit: (key, token, bytes, ttl) => current.commit(key, token, bytes, ttl),
    renew: (key, token, ttl) => current.renew(key, token, ttl),
    release: (key, token) => current.release(key, token),
    set: (key, bytes, ttl) => current.set(key, bytes, ttl),
    delete: keys => current.delete(keys),
    scan: prefix => current.scan(prefix),
    usage: prefix => current.usage(prefix),
    openBus: channel => hub.openBus(channel),
    locks: current.locks,
    limits: current.limits,
    close: () => Promise.resolve(),
  })

  return {
    connect() {
      const calls = faulty(through())
      const listeners = new Set<ConnectionListener>()
      let reconnects = 0
      let isClosed = false
      return {
        ...calls,
        watch(listener) {
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
        async identity() {
          // A question like any other: it meets the faults that `get` meets.
          await calls.get('identity')
          return `run ${run}`
        },
        reconnect() {
          reconnects++
        },
        async close() {
          isClosed = true
        },
        lost(reason = 'the connection was closed') {
          for (const listener of listeners) listener.lost(reason)
        },
        ready() {
          for (const listener of listeners) listener.ready()
        },
        get reconnects() {
          return reconnects
        },
        get watchers() {
          return listeners.size
        },
        get isClosed() {
          return isClosed
        },
      }
    },
    async copy() {
      const replica = memoryStore({ clock })
      for await (const keys of current.scan('')) {
        for (const key of keys) {
          const record = await current.get(key)
          if (record !== undefined) await replica.set(key, record.bytes, record.remaining)
        }
      }
      return replica
    },
    replace(replica) {
      current = replica
      run++
    },
  }
}

/** A clock that knows which of its timers, set through it and not through `clock`, still wait: by where they were set. */
export function countedClock(clock: ManualClock): ManualClock & { timers(): string[] } {
  const live = new Map<object, string>()
  const counted =
    (set: ManualClock['after']): ManualClock['after'] =>
    (ms, run) => {
      const timer = {}
      const where = new Error('timer').stack?.split('\n').find(line => line.includes('/src/')) ?? ''
      live.set(timer, `${ms} ms${where.replace(/^.*\/src\//, ', ').replace(/\)$/, '')}`)
      const cancel = set(ms, () => {
        live.delete(timer)
        run()
      })
      return () => {
        live.delete(timer)
        cancel()
      }
    }
  return { ...clock, after: counted(clock.after), hold: counted(clock.hold), timers: () => [...live.values()] }
}

/** A backend as detection would give it. */
export function place(
  backend: Backend,
  store: SharedStore | undefined,
  given: Partial<Omit<Place, 'backend'>> = {},
): Place {
  return {
    backend,
    wanted: false,
    owned: true,
    open: () => store,
    prove: () => Promise.resolve(),
    ...given,
  }
}

export interface EngineSetup {
  readonly clock: ManualClock
  /** Best first. */
  readonly places: readonly Place[]
  readonly chosen?: number
  readonly journal?: Journal
  readonly options?: CacheOptions
}

/** A cache as it is after a search for a backend that found these. */
export function engineOn({ clock, places, chosen = 0, journal, options = {} }: EngineSetup): Cache {
  const found = places[chosen]
  const opened = found === undefined ? undefined : { ...found, opened: { store: found.open() } }
  return createEngine(
    { logger: false, clock, ...options },
    {
      settings: readSettings(options, {}),
      nearStore,
      memoryRoom: clock => memoryStore({ clock }),
      discover: () =>
        Promise.resolve({
          backend: found?.backend === 'custom' || found === undefined ? 'memory' : found.backend,
          why: 'the test says so',
          trace: [],
          places: places.map((one, i) => (i === chosen && opened !== undefined ? opened : one)),
          chosen,
          store: opened?.opened.store,
          fellBack: false,
        }),
      ...(journal !== undefined && { openJournal: () => journal }),
    },
  )
}
