import type { TierStatus } from './cache.ts'
import { type Core, nearTrusted } from './core.ts'
import type { HealthState } from './events.ts'
import type { ManagedTier } from './tier.ts'

/** So long after its return a backend is warming: other processes may still be on their way back, and memory is empty. */
export const WARM_FOR = 2000

export interface Health {
  readonly state: HealthState
  readonly reason: string
}

/** What beside the tiers decides how a cache is. */
export interface Circumstances {
  /** Detection is over. */
  readonly settled: boolean
  /** Monotonic moment until which the cache counts as warming. */
  readonly warmUntil: number
  /** The longest that anything loaded during an outage may live. */
  readonly outageTtl: number
}

const plural = (count: number, one: string): string => (count === 1 ? `1 ${one}` : `${count} ${one}s`)

/** How a cache is, in one word and one sentence: what is wrong, what people see of it, and what happens next. */
export function healthOf(core: Core, { settled, warmUntil, outageTtl }: Circumstances): Health {
  const { home, tier } = core
  if (!core.enabled) return { state: 'HEALTHY', reason: 'the cache is disabled: each read goes to the source' }
  if (!settled) return { state: 'WARMING', reason: 'looking for a backend' }
  const waiting = home.outbox.size
  if (home.link?.state === 'draining') {
    return {
      state: 'WARMING',
      reason: `${home.name} answers again; ${plural(waiting, 'invalidation')} to deliver first`,
    }
  }
  if (home.link?.state === 'open') {
    // Nothing is kept anywhere: every read goes to the source.
    const state = tier !== home && core.longest === 0 ? 'DOWN' : 'DEGRADED'
    return { state, reason: outage(core, outageTtl) }
  }
  if (waiting > 0) return { state: 'DEGRADED', reason: `${plural(waiting, 'invalidation')} waiting for ${home.name}` }
  if (core.clock.now() < warmUntil) return { state: 'WARMING', reason: `${home.name} is back; memory is filling again` }
  if (!nearTrusted(core)) return { state: 'DEGRADED', reason: 'the bus is not heard: the near tier is off' }
  if (home.link?.state === 'suspect')
    return { state: 'HEALTHY', reason: `${home.name} failed a call, and is being asked` }
  return { state: 'HEALTHY', reason: tier.link?.reason ?? 'nothing is shared: entries live in this process' }
}

function outage(core: Core, outageTtl: number): string {
  const { home, tier } = core
  const next = home.link?.nextTrialIn
  const again = next === undefined ? '' : `; next try in ${next} ms`
  const waiting = home.outbox.size === 0 ? '' : `; ${plural(home.outbox.size, 'invalidation')} waiting`
  const instead =
    tier === home
      ? 'memory goes on with what it had'
      : outageTtl === 0
        ? 'reads go to the source'
        : `${tier.name} serves in its place, nothing older than ${outageTtl} ms`
  return `${home.name} is out (${home.link?.reason ?? ''}): ${instead}${waiting}${again}`
}

/** Every tier as operators see it, nearest first. */
export function tierStatuses(core: Core, opened: readonly ManagedTier[]): readonly TierStatus[] {
  if (!core.enabled) return []
  const near: TierStatus = { name: 'memory', role: 'near', state: nearTrusted(core) ? 'up' : 'in doubt', used: true }
  const shared = opened
    .filter(({ link }) => link !== undefined)
    .map((tier): TierStatus => {
      const { name, role, link } = tier
      const next = link?.nextTrialIn
      return {
        name,
        role: role === 'home' ? 'shared' : role,
        state: link?.state ?? 'up',
        used: core.tier === tier,
        reason: link?.reason ?? '',
        since: link?.since ?? 0,
        ...(next !== undefined && { nextTryIn: next }),
      }
    })
  return [near, ...shared]
}
