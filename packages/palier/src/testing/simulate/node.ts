import type { Cache, Policies } from '../../cache.ts'
import type { Entry } from '../../entry.ts'
import type { NearStore } from '../../store.ts'
import { createEngine, type Surroundings } from '../../engine.ts'
import { readSettings } from '../../environment.ts'
import type { FactoryContext } from '../../load.ts'
import type { Receipt } from '../../invalidate.ts'
import { memoryStore, nearStore } from '../../stores/memory.ts'
import { givenStore } from '../../detect.ts'
import type { OutageOptions, TypePolicy } from '../../options.ts'
import { type Journals, NO_JOURNAL } from './disk.ts'
import { createSubscription, type Subscription } from './bus.ts'
import type { Checker, Value } from './checker.ts'
import { type Command, GROUPS, KEYS, type Of } from './commands.ts'
import type { Random } from './random.ts'
import type { Server } from './server.ts'
import { createStore } from './store.ts'
import { type ProcessClock, processClock, type Timeline } from './timeline.ts'
import { createWire, type Wire } from './wire.ts'

/** A part of the protocol that can be switched off alone. */
export type Part = 'lease' | 'stamps' | 'flush' | 'bus' | 'outbox' | 'replay' | 'window' | 're-arm' | 'journal'

/** One life of a process: from its start to its crash. */
export interface Life {
  readonly name: string
  readonly node: number
  readonly number: number
  readonly cache: Cache<Types>
  readonly wire: Wire
  readonly subscription: Subscription
  /** The ways to its directory, one for each time that was opened. */
  readonly local: (Wire | Subscription)[]
  readonly process: ProcessClock
  /** Calls not settled yet. */
  readonly open: Set<Operation>
  dead: boolean
}

export interface Operation {
  readonly command: Command
  readonly begunAt: number
  /** How long it may take at the most. */
  readonly limit: number
}

const HOUR = 3_600_000
interface Types extends Policies {
  readonly a: TypePolicy
  readonly b: TypePolicy
}
const TYPES: Types = {
  a: { ttl: HOUR, early: 0 },
  b: { ttl: HOUR, early: 0, grace: HOUR, throttle: 1000 },
}

export const NAMESPACE = 'sim'

/** Where a process runs: what it has beside the shared server. */
export interface Host {
  /** The directory that stands in while the server is out. */
  readonly disk: Server
  readonly journals: Journals
}

interface Parts {
  readonly timeline: Timeline
  readonly random: Random
  readonly checker: Checker
  readonly without: ReadonlySet<Part>
  readonly outage: OutageOptions
  readonly say: ((node: number, text: () => string) => void) | undefined
  /** Undefined: no directory. */
  hostOf(node: number): Host | undefined
  primary(): Server
}

export function startLife(parts: Parts, node: number, number: number): Life {
  const { timeline, without, primary } = parts
  const random = parts.random.fork(node * 1000 + number)
  const name = `n${node}.${number}`
  // Each host's wall clock is wrong in its own way.
  const process = processClock(timeline, 1.9e12 + random.below(600_000))
  const { say } = parts
  const note = say && ((text: () => string): void => say(node, text))
  const local: (Wire | Subscription)[] = []
  const host = parts.hostOf(node)
  const connect = (server: () => Server, isLocal: boolean) => {
    const wire = createWire(timeline, random, server)
    const rest = { primary: server, after: process.clock.after, deaf: without.has('bus'), note: note ?? ignore }
    const subscription = createSubscription({ timeline, random, wire, name, ...rest })
    const store = createStore({
      name: isLocal ? 'directory' : 'server',
      node,
      wire,
      subscription,
      local: isLocal,
      note,
    })
    return { wire, subscription, store }
  }
  const { wire, subscription, store } = connect(primary, false)
  const spare = host && {
    backend: 'filesystem' as const,
    wanted: false,
    owned: true,
    open() {
      const way = connect(() => host.disk, true)
      local.push(way.wire, way.subscription)
      return way.store
    },
    prove: () => Promise.resolve(),
  }
  const { places, chosen } = givenStore(store)
  const around: Surroundings = {
    settings: readSettings({}, {}),
    nearStore(options) {
      const near: NearStore<Entry> = nearStore(options)
      return without.has('flush') ? { ...near, clear: () => undefined } : near
    },
    discover: () => Promise.resolve({ backend: 'custom', places: spare ? [...places, spare] : places, chosen }),
    memoryRoom: clock => memoryStore({ clock }),
    ...(host && { openJournal: () => (without.has('journal') ? NO_JOURNAL : host.journals.open(name)) }),
    weaken: without,
  }
  const { outage } = parts
  const cache = createEngine(
    { namespace: NAMESPACE, types: TYPES, logger: false, clock: process.clock, outage },
    around,
  )
  if (note !== undefined) {
    cache.on('error', ({ operation, message }) => note(() => `error in ${operation}: ${message}`))
    cache.on('state', ({ state, reason }) => note(() => `${state}: ${reason}`))
    cache.on('flush', ({ reason }) => note(() => `flush: ${reason}`))
    cache.on('link', ({ store: which, state, reason }) => note(() => `${which} ${state}: ${reason}`))
    cache.on('failover', ({ from, to }) => note(() => `goes from ${from} to ${to}`))
  }
  return { name, node, number, cache, wire, subscription, local, process, open: new Set(), dead: false }
}

const ignore = (): void => undefined

/** The process is killed: nothing of it goes on, but what it has sent may still arrive. */
export function endLife(life: Life): void {
  life.dead = true
  life.process.kill()
  life.wire.kill()
  life.subscription.kill()
  for (const way of life.local) way.kill()
  life.open.clear()
}

/** What the source gives: the version it had when it was asked, some time later. */
function load(life: Life, checker: Checker, ms: number, fails: boolean, key: number): Promise<Value> {
  const value = { k: key, v: checker.version(key) }
  return new Promise((resolve, reject) => {
    life.process.clock.hold(ms, () => {
      if (fails) reject(new Error('the source failed'))
      else resolve(value)
    })
  })
}

/** Runs a read; what it gives is told key by key. A source that fails is no failure of the cache. */
export async function read(life: Life, checker: Checker, command: Of<'read'>): Promise<readonly [number, unknown][]> {
  const { how, keys, load: ms, fails } = command
  const [first = 0] = keys
  const { type, key, tags, late } = KEYS[first] ?? KEYS[0]
  const typed = life.cache.type(type)
  const factory = (context: FactoryContext): Promise<Value> => {
    if (late) context.tags(tags)
    return load(life, checker, ms, fails, first)
  }
  const options = { ...(!late && { tags }), ...(how === 'fresh' && { fresh: true }) }
  switch (how) {
    case 'get':
      return [[first, await typed.get(key)]]
    case 'peek':
      return [[first, (await typed.peek(key))?.value]]
    case 'getOrSet':
    case 'fresh':
      return [[first, await orNothing(typed.getOrSet(key, factory, options))]]
    case 'getMany':
      return perType(keys, async (chosen, names) => life.cache.type(chosen).getMany(names.map(i => nameOf(i))))
    case 'getOrSetMany':
      return perType(keys, async (chosen, names) => {
        const many = (missing: readonly string[]): Promise<Value[]> =>
          Promise.all(
            missing.map(name =>
              load(
                life,
                checker,
                ms,
                fails,
                KEYS.findIndex(one => one.key === name),
              ),
            ),
          )
        // One call has one list of tags: of all its keys, so that no invalidation misses one.
        const all = [...new Set(names.flatMap(i => KEYS[i]?.tags ?? []))]
        const found = orNothing(
          life.cache.type(chosen).getOrSetMany(
            names.map(i => nameOf(i)),
            many,
            { tags: all },
          ),
        )
        return (await found) ?? names.map(() => undefined)
      })
  }
}

function nameOf(index: number): string {
  return KEYS[index]?.key ?? ''
}

async function perType(
  keys: readonly number[],
  run: (type: 'a' | 'b', keys: readonly number[]) => Promise<readonly unknown[]>,
): Promise<readonly [number, unknown][]> {
  const results = await Promise.all(
    (['a', 'b'] as const).map(async type => {
      const own = keys.filter(i => KEYS[i]?.type === type)
      const values = own.length === 0 ? [] : await run(type, own)
      return own.map((key, i): [number, unknown] => [key, values[i]])
    }),
  )
  return results.flat()
}

async function orNothing<T>(given: Promise<T>): Promise<T | undefined> {
  try {
    return await given
  } catch (error) {
    if (error instanceof Error && error.message === 'the source failed') return undefined
    throw error
  }
}

export function invalidate(life: Life, group: number): Promise<Receipt> {
  const { by, name, keys } = GROUPS[group] ?? GROUPS[0]
  const { cache } = life
  const [first = 0] = keys
  const { type, key } = KEYS[first] ?? KEYS[0]
  switch (by) {
    case 'key':
      return cache.type(type).delete(key)
    case 'keys':
      return cache.type(type).deleteMany(keys.map(i => nameOf(i)))
    case 'tag':
      return cache.deleteByTag(name)
    case 'tags':
      return cache.deleteByTags(name.split(' '))
    case 'type':
      return cache.deleteByType(type)
    case 'pattern':
      return cache.deleteByPattern(name)
    case 'pattern of b':
      return cache.type('b').deleteByPattern(name)
    case 'all':
      return cache.clear()
  }
}
