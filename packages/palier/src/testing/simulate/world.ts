import type { OutageOptions } from '../../options.ts'
import { type Checker, createChecker } from './checker.ts'
import { createJournals } from './disk.ts'
import { type Host, type Life, type Part, startLife } from './node.ts'
import { createRandom, type Random } from './random.ts'
import { copyData, createServer, noData, type Server, SOUND } from './server.ts'
import { createTimeline, type Timeline } from './timeline.ts'

/** Everything there is in one run: the clock, the server, the hosts, the processes, the database, and who checks. */
export interface World {
  readonly timeline: Timeline
  readonly checker: Checker
  readonly random: Random
  /** By node; undefined while it is down. */
  readonly lives: (Life | undefined)[]
  /** How often what was done. */
  readonly counts: Record<string, number>
  /** Notes what happens, when somebody wants to read it. */
  readonly say: ((node: number, text: () => string) => void) | undefined
  now(): number
  /** The server that clients are sent to. */
  primary(): Server
  /** Another server takes over, which knows only what was done until `instant`; in a fork the old one keeps what it knows. */
  promote(instant: number, how: 'instead' | 'fork'): void
  start(node: number): void
  hostOf(node: number): Host | undefined
  /** When this node last wrote or deleted the key at a server, or also on a disk; infinitely long ago if never. */
  wroteAt(node: number, key: string, where: 'server' | 'anywhere'): number
  /** What nobody expected. */
  fail(error: unknown): void
  count(what: string): void
}

export interface WorldOptions {
  readonly seed: number
  readonly noise: number
  readonly nodes: number
  readonly without: ReadonlySet<Part>
  readonly note: ((at: number, node: number, text: string) => void) | undefined
}

export function createWorld({ seed, noise, nodes, without, note }: WorldOptions): World {
  /** What the run is like, apart from what happens by chance in it: that may be drawn again. */
  const setting = createRandom(seed, 2)
  const random = createRandom(seed, 16 + noise)
  const timeline = createTimeline(error => world.fail(error))
  const now = (): number => timeline.now()
  const wrote = new Map<string, number>()
  const hosts = createHosts(timeline, setting, nodes, (node, key) => void wrote.set(`${node} ${key}`, now()))
  const checker = createChecker({ nodes, now, journal: hosts.length > 0 })
  const wroteToServer = new Map<string, number>()
  let data = noData()
  const server = (number: number): Server =>
    createServer(`run ${number}`, data, {
      flaws: { lease: without.has('lease'), stamps: without.has('stamps') },
      now,
      wrote(node, key) {
        wrote.set(`${node} ${key}`, now())
        wroteToServer.set(`${node} ${key}`, now())
      },
    })
  let servers = 1
  let primary = server(servers)
  const outage: OutageOptions = {
    ttl: setting.pick([10_000, 10_000, 2000, 0]),
    serveFor: setting.pick([0, 0, 4000]),
    maxPending: setting.pick([10_000, 10_000, 3]),
  }
  const numbers = Array.from({ length: nodes }, () => 0)
  const world: World = {
    timeline,
    checker,
    random,
    lives: [],
    counts: {},
    say: note && ((node, text) => note(now(), node, text())),
    now,
    primary: () => primary,
    promote(instant, how) {
      if (how === 'fork') data = copyData(data)
      primary = server(++servers)
      primary.rewind(instant)
      world.say?.(-1, () => `another server, as of ${instant.toFixed(1)}`)
    },
    start(node) {
      const number = numbers[node] ?? 0
      numbers[node] = number + 1
      world.lives[node] = startLife({ ...world, without, outage }, node, number)
    },
    hostOf: node => hosts[node % Math.max(1, hosts.length)],
    wroteAt(node, key, where) {
      const log = where === 'server' ? wroteToServer : wrote
      return log.get(`${node} ${key}`) ?? Number.NEGATIVE_INFINITY
    },
    fail(error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      checker.fail('unhandled', -1, undefined, text)
    },
    count: what => void (world.counts[what] = (world.counts[what] ?? 0) + 1),
  }
  return world
}

/** All processes on one host, each on its own, or none with a directory at all. */
function createHosts(
  timeline: Timeline,
  random: Random,
  nodes: number,
  wrote: (node: number, key: string) => void,
): readonly Host[] {
  const count = random.pick([1, nodes, 0])
  const around = { flaws: SOUND, now: () => timeline.now(), wrote }
  return Array.from({ length: count }, (_none, i) => ({
    disk: createServer(`disk ${i}`, noData(), around),
    journals: createJournals(timeline, random.fork(5000 + i)),
  }))
}
