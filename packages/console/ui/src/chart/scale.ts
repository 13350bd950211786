/** Round steps of an axis from 0 to above `most`: at most `count` of them. */
export function roundSteps(most: number, count = 4): readonly number[] {
  const rough = Math.max(1, most) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = Math.max(1, ([1, 2, 5, 10].find(one => one * power >= rough) ?? 10) * power)
  return Array.from({ length: Math.ceil(Math.max(1, most) / step) + 1 }, (_, i) => i * step)
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const STEPS = [MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR]
const LONG_STEPS = [DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY]

/** Round moments between two, at most `count`, round by the clock on the wall: `offset` is what that is ahead of UTC. */
export function roundMoments(
  from: number,
  to: number,
  count: number,
  { days, offset }: { readonly days: boolean; readonly offset: number },
): readonly number[] {
  const steps = days ? LONG_STEPS : [...STEPS, ...LONG_STEPS]
  const step = steps.find(one => (to - from) / one <= count) ?? 30 * DAY
  const first = Math.ceil((from + offset) / step) * step - offset
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, i) => first + i * step)
}

/** Neighbours that belong together: stretches in which `has` is true. */
export function runsOf<T>(items: readonly T[], has: (item: T) => boolean): readonly (readonly T[])[] {
  const runs: T[][] = []
  let isOpen = false
  for (const item of items) {
    if (!has(item)) {
      isOpen = false
      continue
    }
    if (!isOpen) runs.push([])
    runs.at(-1)?.push(item)
    isOpen = true
  }
  return runs
}
