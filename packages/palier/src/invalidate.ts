import { type Core, reportError, type Target, type Tier } from './core.ts'
import { keyTarget, type Pattern, patternTarget, stampTarget } from './targets.ts'

/** What became of a mutation. Nothing is claimed that was not acknowledged. */
export interface Receipt {
  /** Done in this process: no later read here returns what was there before. */
  readonly local: boolean
  /**
   * `acked`: the shared store has taken it. `pending`: it has not yet; it waits here and is tried again, and this
   * process passes the store over for what it touches. `refused`: the store said no, and nothing waits. `none`:
   * nothing is shared, or the cache is disabled.
   */
  readonly shared: 'acked' | 'pending' | 'refused' | 'none'
}

/** The tiers that must hear of an invalidation: the one whose word counts, the one in its place, and those to come. */
function concerned({ home, tier, opened }: Core): readonly Tier[] {
  if (tier === home && opened.length < 2) return [home]
  return [...new Set([home, tier, ...opened.filter(({ link }) => link?.reachable() === true)])]
}

/** Nothing under way for this key may be joined or kept any more. */
export function detach(core: Core, target: Target): void {
  core.loads.detach(target.full)
  core.reads.detach(target.full)
}

export function forgetNear(core: Core, target: Target): void {
  detach(core, target)
  target.space.delete(target.nearKey)
}

/**
 * Tells one tier, or leaves it waiting in its outbox. Up to the first wait nothing is awaited: from the call on the targets are
 * not believed any more.
 */
export async function invalidate(
  core: Core,
  tier: Tier,
  targets: readonly string[],
  at?: Target,
): Promise<Receipt['shared']> {
  const tickets = tier.outbox.put(targets)
  try {
    await tier.deliver(targets)
    tier.outbox.delivered(tickets)
    return tier.link === undefined ? 'none' : 'acked'
  } catch (error) {
    reportError(core, 'delete', error, at)
    await tier.outbox.failed(tickets)
    return 'pending'
  }
}

/** Tells every tier that must hear of it; what counts is the home tier's word. */
async function invalidateAll(core: Core, targets: readonly string[], at?: Target): Promise<Receipt['shared']> {
  const [shared = 'none'] = await Promise.all(concerned(core).map(tier => invalidate(core, tier, targets, at)))
  return shared
}

export async function deleteKeys(core: Core, targets: readonly Target[]): Promise<Receipt> {
  await core.settled
  for (const target of targets) {
    forgetNear(core, target)
    target.type.counters.deletes++
  }
  const keys = targets.map(target => keyTarget(target.full))
  const shared = keys.length === 0 ? 'none' : await invalidateAll(core, keys, targets[0])
  // Reads that began while the store was at it may have brought the old value back.
  for (const target of targets) forgetNear(core, target)
  core.events.emit('delete', { target: 'key', names: targets.map(target => target.key) })
  return { local: true, shared }
}

/** Gives groups new stamps: everything in them is dead, at once here and as soon as they hear elsewhere. */
export async function renewStamps(core: Core, names: readonly string[]): Promise<Receipt> {
  await core.settled
  return { local: true, shared: await invalidateAll(core, names.map(stampTarget)) }
}

/** Makes a pattern a rule that kills, and sweeps behind it once the store has it. */
export async function addPattern(core: Core, pattern: Pattern): Promise<Receipt> {
  await core.settled
  return { local: true, shared: await invalidateAll(core, [patternTarget(pattern)]) }
}

/** Deletes in the background what a deletion of groups has killed. */
export function sweepTiers(core: Core, type: string | undefined): void {
  for (const tier of concerned(core)) tier.sweepBehind(type)
}
