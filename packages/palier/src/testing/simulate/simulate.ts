import { setImmediate } from 'node:timers'
import type { Violation } from './checker.ts'
import { type Command, drawHistory, PROFILES } from './commands.ts'
import type { Part } from './node.ts'
import { createRandom, seedGlobals } from './random.ts'
import { createWorld } from './world.ts'

export interface SimulateOptions {
  /** Keep the last events of the run, also when nothing is wrong. */
  readonly trace?: boolean
  /** Parts of the protocol to switch off, to see that it is then found out. */
  readonly without?: Part | readonly Part[]
  /** What the run is about; drawn from the seed by default. */
  readonly profile?: string
  /** Only these commands of the history, by number: for cutting a failing one down. */
  readonly only?: readonly number[]
}

export interface Report {
  readonly seed: number
  readonly profile: string
  readonly nodes: number
  /** The first promise that was broken; undefined when none was. */
  readonly violation: Violation | undefined
  /** What happened, a line each, oldest first. Empty when nothing is wrong and no trace was asked for. */
  readonly trace: readonly string[]
  readonly commands: number
  /** Milliseconds of virtual time. */
  readonly time: number
  /** How often what was done. */
  readonly counts: Readonly<Record<string, number>>
}

/** Lines kept of a failing run. */
const TRACE = 400

/**
 * Runs the real engine on several simulated processes, a simulated server and one virtual clock through the history of
 * `seed`, and checks the promises of docs/guarantees.md on the way. The same seed and options give the same history, to the
 * last byte. While it runs, everything random in this process follows from the seed, so one simulation runs at a time.
 * Rejects only for wrong options; what the cache does wrong is in the report.
 */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Report> {
  const random = createRandom(seed)
  const nodes = random.chance(0.6) ? 2 : 3
  const drawn = random.pick(PROFILES)
  const profile = PROFILES.find(one => one.name === options.profile) ?? drawn
  const all = drawHistory(seed, nodes, profile)
  const history = options.only === undefined ? all : options.only.flatMap(i => all[i] ?? [])
  const report = await runHistory(history, {
    seed,
    nodes,
    profile: profile.name,
    without: options.without,
    trace: options.trace,
  })
  // Recorded only when there is something to read: writing it down takes longer than running it.
  if (report.violation === undefined || options.trace === true) return report
  return runHistory(history, { seed, nodes, profile: profile.name, without: options.without, trace: true })
}

export interface HistoryOptions {
  readonly seed: number
  readonly nodes: number
  readonly profile: string
  readonly without: Part | readonly Part[] | undefined
  readonly trace: boolean | undefined
}

/** Runs the commands and checks the promises. */
export async function runHistory(history: readonly Command[], options: HistoryOptions): Promise<Report> {
  const { seed, nodes, profile, without, trace } = options
  const lines: string[] = []
  const note = (at: number, node: number, text: string): void => {
    if (lines.length >= 4 * TRACE) lines.splice(0, 2 * TRACE)
    lines.push(`${at.toFixed(1).padStart(10)} ${node < 0 ? '  ' : `n${node}`} ${text}`)
  }
  const restore = seedGlobals(createRandom(seed, 3))
  const parts = new Set(without === undefined ? [] : typeof without === 'string' ? [without] : without)
  const world = createWorld({ seed, nodes, without: parts, note: trace === true ? note : undefined })
  const onRejection = (error: unknown): void => world.fail(error)
  process.on('unhandledRejection', onRejection)
  const { timeline, checker } = world
  const failed = (): boolean => checker.violations.length > 0
  try {
    await timeline.run(timeline.now() + 100, failed)
    for (const command of history) {
      await timeline.run(timeline.now() + command.gap, failed)
      if (failed()) break
      if (command.do === 'settle') await world.settle()
      else world.run(command)
    }
    if (!failed()) await world.settle()
    if (!failed()) await world.close()
    // What was rejected without anybody listening is told once the microtasks are through.
    await new Promise(resolve => void setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', onRejection)
    restore()
  }
  const [violation] = checker.violations
  if (violation !== undefined && trace === true)
    note(violation.at, violation.node, `!! ${violation.promise} ${violation.text}`)
  return {
    seed,
    profile,
    nodes,
    violation,
    trace: lines.slice(-TRACE),
    commands: history.length,
    time: timeline.now(),
    counts: world.counts,
  }
}
