import { type Report, simulate, type SimulateOptions } from './simulate.ts'

/** A failing run with as few commands as could be found. */
export interface Shrunk {
  /** Positions of the commands that are left: the option `only`. */
  readonly only: readonly number[]
  readonly report: Report
}

/**
 * Takes commands away from the history of a failing seed as long as the same promise stays broken: halves first, then ever
 * smaller parts (delta debugging, Zeller and Hildebrandt 2002). Undefined when the seed does not fail.
 */
export async function shrink(seed: number, options: SimulateOptions = {}): Promise<Shrunk | undefined> {
  let report = await simulate(seed, options)
  const promise = report.violation?.promise
  if (promise === undefined) return undefined
  let only = Array.from({ length: report.commands }, (_none, i) => options.only?.[i] ?? i)
  for (let size = Math.ceil(only.length / 2); ; size = Math.ceil(size / 2)) {
    for (let from = 0; from < only.length; ) {
      const fewer = [...only.slice(0, from), ...only.slice(from + size)]
      const next = await simulate(seed, { ...options, only: fewer })
      if (next.violation?.promise === promise) {
        only = fewer
        report = next
      } else from += size
    }
    if (size <= 1) return { only, report }
  }
}
