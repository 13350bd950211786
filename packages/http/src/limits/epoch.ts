import type { LimitCache } from './limit-cache.ts'

/** A number that all processes share, and that stands before every key: a new one resets them all at once. */
export interface Epoch {
  /** The number as it is known now; a new one from elsewhere is known within a second. */
  current(): Promise<number>
  next(): Promise<void>
}

const LOOK_EVERY = 1_000
const KEY = 'epoch'

export function createEpoch(cache: LimitCache, name: string): Epoch {
  const counter = cache.counter(`${name} epoch`, { window: '3650d', onOutage: 'open' })
  let known = 0
  let lookedAt = performance.now()
  let looking: Promise<void> | undefined

  const count = async (cost: number): Promise<void> => {
    const counted = await counter.count(KEY, cost)
    if (counted.source !== 'policy') known = counted.count
  }

  const look = (): Promise<void> => {
    lookedAt = performance.now()
    looking ??= count(0).finally(() => {
      looking = undefined
    })
    return looking
  }

  // The first number is waited for; whoever asks later takes the last one while the next is looked for.
  const first = look()
  first.catch(() => undefined)
  return {
    async current() {
      await first
      if (performance.now() - lookedAt >= LOOK_EVERY) look().catch(() => undefined)
      return known
    },
    next: () => count(1),
  }
}
