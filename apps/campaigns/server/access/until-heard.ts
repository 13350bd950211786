import { setTimeout } from 'node:timers/promises'
import type { Services } from '../services.ts'

/** Nobody waits longer for the answer of a change, whatever state the cache is in. */
const LONGEST_MS = 1000

/**
 * Resolves when no process goes by what it kept of before: a right that was taken is gone everywhere once the answer says so.
 * While the backend of the cache is out that may take some seconds longer, as `staleBound` of its status says.
 */
export async function untilHeard({ caching }: Services): Promise<void> {
  const { staleBound } = caching.cache.status()
  if (staleBound > 0) await setTimeout(Math.min(staleBound, LONGEST_MS))
}
