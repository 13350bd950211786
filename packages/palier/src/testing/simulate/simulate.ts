import { setImmediate } from 'node:timers'
import { type Calls, createCalls } from './calls.ts'
import type { Violation } from './checker.ts'
import { type Command, drawHistory, KEYS, type Of, PROFILES, shown } from './commands.ts'
import { createFaults, type Faults } from './faults.ts'
import type { Part } from './node.ts'
import { createRandom, seedGlobals } from './random.ts'
import { createWorld, type World } from './world.ts'

export interface SimulateOptions {
  /** Keep the last events of the run, also when nothing is wrong. */
  readonly trace?: boolean
  /** Parts of the protocol to switch off, to see that it is then found out. */
  readonly without?: Part | readonly Part[]
  /** What the run is about, by name; drawn from the seed by default. */
  readonly profile?: string
  /** Only these commands of the history, by position: for cutting a failing one down. */
  readonly only?: readonly number[]
  /** Another draw of the latencies for the same commands. */
  readonly noise?: number
}

/** What came of one run. */
export interface Report {
  readonly seed: number
  readonly profile: string
  readonly nodes: number
  /** The first promise that was broken; undefined when none was. */
  readonly violation: Violation | undefined
  /** What happened last, a line each, oldest first. Empty when nothing is wrong and no trace was asked for. */
  readonly trace: readonly string[]
  readonly commands: number
  /** Milliseconds of virtual time. */
  readonly time: number
  /** How often what was done. */
  readonly counts: Readonly<Record<string, number>>
}

/** Lines kept of a run. */
const TRACE = 400
/** From the end of all faults until every process must give current data. */
const SETTLE = 10_000

/**
 * Runs the real engine on several simulated processes, a simulated server and one virtual clock through the history of
 * `seed`, and checks the promises on the way. The same seed and options give the same history, to the last byte. While
 * it runs, everything random in this process follows from the seed, so one simulation runs at a time. Rejects with a
 * RangeError for a profile it does not know; what the cache does wrong is in the report.
 */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Report> {
  const random = createRandom(seed)
  const nodes = random.chance(0.6) ? 2 : 3
  const drawn = random.pick(PROFILES)
  const profile = options.profile === undefined ? drawn : PROFILES.find(one => one.name === options.profile)
  if (profile === undefined) {
    throw new RangeError(`profile: expected one of ${PROFILES.map(one => one.name).join(', ')}, got ${options.profile}`)
  }
  const all = drawHistory(seed, nodes, profile)
  const history = options.only === undefined ? all : options.only.flatMap(i => all[i] ?? [])
  const { without, trace, noise } = options
  const run = { seed, noise, nodes, profile: profile.name, without }
  const report = await runHistory(history, { ...run, trace })
  // Recorded only when there is something to read: writing it down takes longer than running it.
  return report.violation === undefined || trace === true ? report : runHistory(history, { ...run, trace: true })
}

export interface HistoryOptions {
  readonly seed: number
  readonly noise?: number | undefined
  readonly nodes: number
  readonly profile: string
  readonly without?: Part | readonly Part[] | undefined
  readonly trace?: boolean | undefined
}

/** Runs commands of whatever origin; latencies and all else that is random follow from the seed. */
export async function runHistory(history: readonly Command[], options: HistoryOptions): Promise<Report> {
  const { seed, noise = 0, nodes, profile, without, trace } = options
  const lines: string[] = []
  const note = (at: number, node: number, text: string): void => {
    if (lines.length >= 4 * TRACE) lines.splice(0, 2 * TRACE)
    lines.push(`${at.toFixed(1).padStart(10)} ${node < 0 ? '  ' : `n${node}`} ${text}`)
  }
  const restore = seedGlobals(createRandom(seed, 3), trace === true)
  const parts = new Set(without === undefined ? [] : typeof without === 'string' ? [without] : without)
  const world = createWorld({ seed, noise, nodes, without: parts, note: trace === true ? note : undefined })
  const onRejection = (error: unknown): void => world.fail(error)
  process.on('unhandledRejection', onRejection)
  try {
    await act(world, nodes, history)
    // What was rejected without anybody listening is told once the microtasks are through.
    await new Promise(resolve => void setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', onRejection)
    restore()
  }
  const [violation] = world.checker.violations
  if (violation !== undefined && trace === true)
    note(violation.at, violation.node, `!! ${violation.promise}: ${violation.text}`)
  const { counts } = world
  return {
    seed,
    profile,
    nodes,
    violation,
    trace: lines.slice(-TRACE),
    commands: history.length,
    time: world.now(),
    counts,
  }
}

async function act(world: World, nodes: number, history: readonly Command[]): Promise<void> {
  const { timeline, checker, say } = world
  const faults = createFaults(world, nodes, life => {
    const isDrained = life.cache.status().outbox.pending === 0
    calls.forget(life)
    checker.died(life.node, life.number, isDrained, life.subscription.untoldSince())
  })
  const calls: Calls = createCalls(world, faults)
  const failed = (): boolean => checker.violations.length > 0
  for (let node = 0; node < nodes; node++) world.start(node)
  await timeline.run(timeline.now() + 100, failed)
  for (const command of history) {
    await timeline.run(timeline.now() + command.gap, failed)
    if (failed()) return
    say?.('node' in command ? command.node : -1, () => `-- ${shown(command)}`)
    world.count(command.do)
    if (command.do === 'settle') await settle(world, faults, calls)
    else {
      faults.run(command)
      calls.run(command)
    }
  }
  if (!failed()) await settle(world, faults, calls)
  if (!failed()) await close(world)
}

/** Ends every fault, lets time pass, and compares what every process gives with the database. */
async function settle(world: World, faults: Faults, calls: Calls): Promise<void> {
  const { timeline, checker, lives } = world
  const failed = (): boolean => checker.violations.length > 0
  world.say?.(-1, () => 'everything is made well')
  faults.heal()
  await timeline.run(timeline.now() + SETTLE, failed)
  for (const life of lives) {
    if (life === undefined || failed()) continue
    const { pending } = life.cache.status().outbox
    if (pending > 0) checker.fail('G4', life.node, undefined, `${pending} invalidations still wait when all is well`)
    for (const { command, begunAt, limit } of life.open) {
      const overdue = begunAt + limit < timeline.now()
      if (overdue) checker.fail('latency', life.node, undefined, `${shown(command)} of ${begunAt.toFixed(1)} hangs`)
    }
  }
  for (const how of ['getOrSet', 'get'] as const) {
    if (failed()) return
    for (const life of lives) {
      if (life === undefined) continue
      KEYS.forEach((_key, key) => {
        const command: Of<'read'> = { gap: 0, do: 'read', node: life.node, how, keys: [key], load: 1, fails: false }
        calls.read(life, command, 2000, (_same, version) => checker.settled(life.node, key, version))
      })
    }
    await timeline.run(timeline.now() + 2500, failed)
  }
}

/** Closes the caches, and looks what they leave behind. */
async function close(world: World): Promise<void> {
  const { timeline, checker, lives } = world
  let open = 0
  for (const life of lives) {
    if (life === undefined) continue
    open++
    life.cache.close().then(() => open--, world.fail)
  }
  await timeline.run(timeline.now() + 3000)
  if (open > 0) checker.fail('latency', -1, undefined, `${open} caches do not close`)
  for (const life of lives) {
    const pending = life?.process.pending() ?? 0
    if (pending > 0) checker.fail('leak', life?.node ?? -1, undefined, `${pending} timers are left after close`)
  }
}
