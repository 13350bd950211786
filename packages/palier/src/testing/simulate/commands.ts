import { createRandom, type Random } from './random.ts'
import type { Loss } from './wire.ts'

/*
 * A history is a list of commands: what callers do, what breaks, and how much time passes. It is plain data, so that it
 * can be printed, replayed and cut down.
 */
export type Command = { /** Milliseconds before it. */ readonly gap: number } & (
  | {
      readonly do: 'read'
      readonly node: number
      readonly how: 'get' | 'peek' | 'getMany' | 'getOrSet' | 'fresh' | 'getOrSetMany'
      readonly keys: readonly number[]
      /** How long the source takes, in milliseconds. */
      readonly load: number
      readonly fails: boolean
    }
  | { readonly do: 'set' | 'add'; readonly node: number; readonly key: number }
  | { readonly do: 'touch' | 'expire'; readonly node: number; readonly key: number }
  | {
      readonly do: 'invalidate'
      readonly node: number
      readonly group: number
      /** Which of the keys concerned change in the database: a bit each. */
      readonly changes: number
    }
  | { readonly do: 'cut'; readonly node: number; readonly what: Way; readonly ms: number }
  | { readonly do: 'hold'; readonly node: number; readonly what: Way; readonly ms: number; readonly breaks: boolean }
  | { readonly do: 'slow'; readonly node: number; readonly by: number; readonly ms: number }
  | { readonly do: 'lose'; readonly node: number; readonly how: Loss; readonly calls: number }
  | { readonly do: 'drop'; readonly node: number; readonly messages: number }
  | { readonly do: 'refuse'; readonly what: 'sets' | 'writes'; readonly ms: number }
  /** Another server takes over `down` later, which knows what this one knew `lag` ago. */
  | { readonly do: 'failover'; readonly lag: number; readonly down: number; readonly silent: boolean }
  /** The same, but this one goes on serving whoever is connected to it for a while: at the most `ms`. */
  | { readonly do: 'split'; readonly lag: number; readonly ms: number }
  | { readonly do: 'crash'; readonly node: number; readonly down: number }
  /** The wall clock of its host is set, forward or back. */
  | { readonly do: 'jump'; readonly node: number; readonly by: number }
  /** Everything is well again, time passes, and all must agree. */
  | { readonly do: 'settle' }
)

export type Of<D extends Command['do']> = Extract<Command, { do: D }>

/** Both connections of a process, or the one its commands or its messages take; `answers`: what comes back only. */
export type Way = 'all' | 'commands' | 'messages' | 'answers'

export interface Key {
  readonly type: 'a' | 'b'
  readonly key: string
  readonly tags: readonly string[]
  /** Its tags are known only from its value. */
  readonly late: boolean
}

export const KEYS: readonly [Key, ...Key[]] = [
  { type: 'a', key: 'k0', tags: ['x'], late: false },
  { type: 'a', key: 'k1', tags: ['x', 'y'], late: false },
  { type: 'b', key: 'k2', tags: ['y'], late: false },
  { type: 'b', key: 'k3', tags: ['x'], late: true },
]

/** What an invalidation names, and the keys it concerns. */
export interface Group {
  readonly by: 'key' | 'keys' | 'tag' | 'tags' | 'type' | 'pattern' | 'pattern of b' | 'all'
  readonly name: string
  readonly keys: readonly number[]
}

export const GROUPS: readonly [Group, ...Group[]] = [
  { by: 'key', name: 'a:k0', keys: [0] },
  { by: 'key', name: 'a:k1', keys: [1] },
  { by: 'key', name: 'b:k2', keys: [2] },
  { by: 'key', name: 'b:k3', keys: [3] },
  { by: 'keys', name: 'a:k0 a:k1', keys: [0, 1] },
  { by: 'tag', name: 'x', keys: [0, 1, 3] },
  { by: 'tag', name: 'y', keys: [1, 2] },
  { by: 'tags', name: 'x y', keys: [0, 1, 2, 3] },
  { by: 'type', name: 'a', keys: [0, 1] },
  { by: 'type', name: 'b', keys: [2, 3] },
  { by: 'pattern', name: 'a:*', keys: [0, 1] },
  { by: 'pattern', name: '*1', keys: [1] },
  { by: 'pattern of b', name: 'k?', keys: [2, 3] },
  { by: 'all', name: '', keys: [0, 1, 2, 3] },
]

/** What a run is about: how often each kind of command comes, and how much time passes between them. */
export interface Profile {
  readonly name: string
  readonly faults: readonly (readonly [Fault, number])[]
  /** Stories that chance alone would tell too rarely. */
  readonly scenes?: readonly [Scene, ...Scene[]]
  /** Share of commands that are faults. */
  readonly broken: number
  /** Share of gaps that are long, and how long at most, in milliseconds. */
  readonly long: number
  readonly longest: number
}

type Fault = 'cut' | 'hold' | 'slow' | 'lose' | 'drop' | 'refuse' | 'failover' | 'split' | 'crash' | 'jump' | 'settle'

const NETWORK = [
  ['cut', 4],
  ['hold', 4],
  ['slow', 2],
  ['lose', 3],
  ['drop', 2],
  ['jump', 1],
] as const

/** A short story of commands that belong together. */
type Scene = 'late failover' | 'two failovers' | 'killed while out' | 'missed message' | 'late tag'

export const PROFILES: readonly [Profile, ...Profile[]] = [
  { name: 'calm', faults: [], broken: 0, long: 0.05, longest: 5000 },
  { name: 'network', faults: [...NETWORK, ['settle', 1]], broken: 0.12, long: 0.1, longest: 5000 },
  {
    name: 'server',
    faults: [
      ['refuse', 3],
      ['failover', 3],
      ['split', 1],
      ['lose', 1],
      ['settle', 1],
    ],
    broken: 0.1,
    long: 0.1,
    longest: 5000,
  },
  {
    name: 'failovers',
    faults: [
      ['failover', 4],
      ['split', 2],
      ['cut', 1],
      ['hold', 1],
      ['settle', 1],
    ],
    broken: 0.08,
    long: 0.2,
    longest: 30_000,
  },
  {
    name: 'crashes',
    faults: [
      ['crash', 3],
      ['cut', 2],
      ['hold', 1],
      ['failover', 2],
      ['split', 1],
      ['settle', 1],
    ],
    broken: 0.12,
    long: 0.1,
    longest: 5000,
  },
  {
    name: 'scenes',
    faults: [],
    broken: 0,
    long: 0.05,
    longest: 5000,
    scenes: ['late failover', 'two failovers', 'killed while out', 'missed message', 'late tag'],
  },
  {
    name: 'everything',
    faults: [...NETWORK, ['refuse', 2], ['failover', 2], ['crash', 2], ['settle', 1]],
    broken: 0.15,
    long: 0.1,
    longest: 10_000,
  },
]

/** The most acknowledged writes a failover may lose, by time. */
export const WINDOW = 60_000

function weighted<T>(random: Random, from: readonly (readonly [T, number])[]): T | undefined {
  let left = random.next() * from.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [one, weight] of from) {
    left -= weight
    if (left < 0) return one
  }
  return from[0]?.[0]
}

function drawGap(random: Random, { long, longest }: Profile): number {
  if (random.chance(long)) return random.between(longest / 10, longest)
  if (random.chance(0.15)) return random.between(50, 600)
  return random.chance(0.4) ? random.below(4) : random.below(40)
}

/** Mostly quick; now and then longer than a lease lives without being renewed. */
function drawLoad(random: Random): number {
  if (random.chance(0.8)) return random.below(60)
  return random.chance(0.9) ? random.between(60, 1500) : random.between(1500, 9000)
}

function drawUse(random: Random, gap: number, nodes: number): Command {
  const node = random.below(nodes)
  const key = random.below(KEYS.length)
  const some = random.pick([[key], [key, (key + 1) % KEYS.length], KEYS.map((_key, i) => i)])
  const load = drawLoad(random)
  const fails = random.chance(0.08)
  const kind = random.next()
  if (kind < 0.3) return { gap, do: 'read', node, how: 'getOrSet', keys: [key], load, fails }
  if (kind < 0.46)
    return { gap, do: 'read', node, how: random.chance(0.8) ? 'get' : 'peek', keys: [key], load: 0, fails: false }
  if (kind < 0.53) return { gap, do: 'read', node, how: 'getMany', keys: some, load: 0, fails: false }
  if (kind < 0.59) return { gap, do: 'read', node, how: 'getOrSetMany', keys: some, load, fails }
  if (kind < 0.62) return { gap, do: 'read', node, how: 'fresh', keys: [key], load, fails: false }
  if (kind < 0.725) return { gap, do: kind < 0.71 ? 'set' : 'add', node, key }
  if (kind < 0.77) return { gap, do: random.chance(0.3) ? 'touch' : 'expire', node, key }
  const group = random.chance(0.5) ? random.below(KEYS.length) : random.below(GROUPS.length)
  return { gap, do: 'invalidate', node, group, changes: random.below(16) | (1 << random.below(4)) }
}

function drawFault(random: Random, gap: number, nodes: number, fault: Fault): Command {
  const node = random.below(nodes)
  const ms = random.pick([random.between(20, 400), random.between(400, 4000), random.between(3000, 15_000)])
  switch (fault) {
    case 'cut':
      return {
        gap,
        do: 'cut',
        node,
        what: random.pick(['all', 'commands', 'messages']),
        ms: random.chance(0.4) ? 0 : ms,
      }
    case 'hold':
      return {
        gap,
        do: 'hold',
        node,
        what: random.pick(['all', 'commands', 'messages', 'answers']),
        ms,
        breaks: random.chance(0.5),
      }
    case 'slow':
      return { gap, do: 'slow', node, by: random.pick([30, 100, 240, 400, 2000]), ms }
    case 'lose':
      return { gap, do: 'lose', node, how: random.pick(['request', 'reply', 'silence']), calls: random.between(1, 4) }
    case 'drop':
      return { gap, do: 'drop', node, messages: random.between(1, 2) }
    case 'refuse':
      return { gap, do: 'refuse', what: random.pick(['sets', 'writes']), ms }
    case 'failover': {
      const lag = random.pick([
        0,
        random.below(1000),
        random.below(WINDOW - 2000),
        WINDOW - 2000 - random.below(5000),
        WINDOW * 100,
      ])
      return {
        gap,
        do: 'failover',
        lag,
        down: random.chance(0.7) ? random.below(3000) : random.below(25_000),
        silent: random.chance(0.3),
      }
    }
    case 'split': {
      const split = random.between(50, 12_000)
      return {
        gap,
        do: 'split',
        lag: random.chance(0.5) ? random.below(500) : random.below(WINDOW - split - 2000),
        ms: split,
      }
    }
    case 'crash':
      return { gap, do: 'crash', node, down: random.chance(0.8) ? random.below(2000) : random.below(20_000) }
    case 'jump':
      return { gap, do: 'jump', node, by: random.pick([3_600_000, -7_200_000, 5000, -5000]) }
    case 'settle':
      return { gap, do: 'settle' }
  }
}

const ALL_KEYS = KEYS.map((_key, i) => i)

function drawScene(random: Random, nodes: number, scene: Scene): Command[] {
  const node = random.below(nodes)
  const group = random.below(random.chance(0.5) ? KEYS.length : GROUPS.length)
  const fill = (): Command => {
    const read = {
      do: 'read',
      node: random.below(nodes),
      how: 'getOrSetMany',
      keys: ALL_KEYS,
      load: 5,
      fails: false,
    } as const
    return { gap: random.between(100, 3000), ...read }
  }
  const invalidate: Command = { gap: random.between(20, 500), do: 'invalidate', node, group, changes: 15 }
  /** One that takes back just what was done `since` before it. */
  const failover = (gap: number, since: number, down: number): Command => {
    const lag = Math.min(WINDOW - 1500, since + random.between(300, 3000))
    return { gap, do: 'failover', lag, down, silent: random.chance(0.2) }
  }
  if (scene === 'late failover') {
    const gap = random.between(20_000, 55_000)
    return [fill(), fill(), invalidate, failover(gap, gap, random.between(2000, 40_000)), fill()]
  }
  if (scene === 'two failovers') {
    const first = random.between(3000, 30_000)
    const second = random.between(25_000, 54_000)
    const one = failover(first, first, random.below(2000))
    return [fill(), fill(), invalidate, one, failover(second, second, random.below(2000)), fill()]
  }
  if (scene === 'missed message') {
    const other = (node + 1) % nodes
    const read = { do: 'read', node: other, how: 'getOrSetMany', keys: ALL_KEYS, load: 5, fails: false } as const
    const missed: Command = random.chance(0.5)
      ? { gap: 200, do: 'drop', node: other, messages: 2 }
      : { gap: 200, do: 'cut', node: other, what: 'messages', ms: random.between(20, 400) }
    const again: Command = { ...read, gap: random.between(10_000, 25_000) }
    return [{ ...read, gap: 100 }, { ...read, gap: 100 }, missed, { ...invalidate, gap: 10 }, again]
  }
  if (scene === 'late tag') {
    // The tag of a load is deleted while it runs, and learnt anew by another read, before its load names it.
    const tag = GROUPS.findIndex(({ by, name }) => by === 'tag' && name === 'x')
    const gone = { do: 'invalidate', node: (node + 1) % nodes, group: tag, changes: 15 } as const
    const read = { do: 'read', node, fails: false } as const
    const load: Command = { gap: 200, ...read, how: 'getOrSet', keys: [3], load: random.between(20, 40) }
    const deaf: Command = { gap: 1, do: 'hold', node, what: 'messages', ms: random.between(50, 150), breaks: false }
    const look: Command = { gap: random.between(1, 8), ...read, how: 'getMany', keys: [0, 1], load: 0 }
    return [fill(), { gap: 200, ...gone }, load, deaf, { gap: random.between(2, 12), ...gone }, look, fill()]
  }
  const cut: Command = { gap: random.below(500), do: 'cut', node, what: 'all', ms: random.between(2000, 15_000) }
  const crash: Command = { gap: random.between(5, 2000), do: 'crash', node, down: random.below(3000) }
  return [fill(), fill(), cut, invalidate, crash, fill()]
}

/** The history of a seed. */
export function drawHistory(seed: number, nodes: number, profile: Profile): Command[] {
  const random = createRandom(seed, 1)
  const length = random.between(50, 130)
  const { scenes } = profile
  if (scenes !== undefined) {
    return Array.from({ length: random.between(3, 5) }, () => {
      const few = Array.from({ length: random.below(12) }, () => drawUse(random, drawGap(random, profile), nodes))
      return [...few, ...drawScene(random, nodes, random.pick(scenes))]
    }).flat()
  }
  return Array.from({ length }, () => {
    const gap = drawGap(random, profile)
    const fault = random.chance(profile.broken) ? weighted(random, profile.faults) : undefined
    return fault === undefined ? drawUse(random, gap, nodes) : drawFault(random, gap, nodes, fault)
  })
}

/** A command as it is printed. */
export function shown(command: Command): string {
  if (command.do === 'invalidate') {
    const { by, name } = GROUPS[command.group] ?? GROUPS[0]
    return `delete by ${by} ${name}`.trim()
  }
  const { gap: _gap, do: what, ...rest } = command
  const parts = Object.entries(rest).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(',') : value}`)
  return `${what} ${parts.join(', ')}`.trim()
}
