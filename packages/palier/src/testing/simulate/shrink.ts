import { type Report, simulate, type SimulateOptions } from './simulate.ts'

/** A failing run with as few commands as could be found. */
export interface Shrunk {
  /** Positions of the commands that are left: the option `only` of `simulate`. */
  readonly only: readonly number[]
  /** The draw of latencies with which they fail: the option `noise`. */
  readonly noise: number
  readonly report: Report
}

/** Fewer commands meet other latencies; so many draws are tried before commands count as needed. */
const DRAWS = 12

/**
 * Takes commands away from the history of a failing seed as long as the same promise stays broken: halves first, then ever
 * smaller parts (delta debugging, Zeller and Hildebrandt 2002). Undefined when the seed does not fail.
 */
export async function shrink(seed: number, options: SimulateOptions = {}): Promise<Shrunk | undefined> {
  const first = await simulate(seed, options)
  const promise = first.violation?.promise
  if (promise === undefined) return undefined
  const all = Array.from({ length: first.commands }, (_none, i) => options.only?.[i] ?? i)
  let found: Shrunk = { only: all, noise: options.noise ?? 0, report: first }

  const attempt = async (only: readonly number[]): Promise<boolean> => {
    for (let draw = 0; draw < DRAWS; draw++) {
      const noise = found.noise + draw
      const report = await simulate(seed, { ...options, only, noise })
      if (report.violation?.promise !== promise) continue
      found = { only, noise, report }
      return true
    }
    return false
  }

  for (let size = Math.ceil(all.length / 2); ; size = Math.ceil(size / 2)) {
    for (let from = 0; from < found.only.length; ) {
      const { only } = found
      if (!(await attempt([...only.slice(0, from), ...only.slice(from + size)]))) from += size
    }
    if (size <= 1) return found
  }
}
