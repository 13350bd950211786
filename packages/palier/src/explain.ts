import { type Core, createTarget, nearTrusted, type Target, type TypeState } from './core.ts'
import type { Stamped } from './entry.ts'
import { entryId, NAMESPACE } from './key.ts'
import { messageOf } from './link.ts'
import type { ExplainedStamp, ExplainedTier, Explanation } from './operator.ts'
import { decodeRecord } from './record.ts'
import type { StoredRecord } from './store.ts'
import { tagsOf } from './walk.ts'

/** What is known of one key, without touching it. A store that cannot be asked is a reason, not a rejection. */
export async function explain(
  core: Core,
  type: TypeState,
  key: string,
  subject: string | undefined,
): Promise<Explanation> {
  await core.settled
  const target = createTarget(core, type, key, subject, entryId(key, subject), type.policy)
  const { link, name } = core.tier
  const near = await explainNear(core, target)
  const shared = link === undefined ? [] : [await explainShared(core, target, name)]
  const tiers = [near, ...shared]
  const state = nextState(core, near, shared[0])
  const next = state === 'fresh' ? 'hit' : state === 'stale' && type.policy.grace > 0 ? 'stale' : 'miss'
  return { type: type.name || 'default', key, next, summary: summaryOf(next, tiers, core), tiers }
}

/** What the next read meets: the near tier first, if it may be believed. */
function nextState(core: Core, near: ExplainedTier, shared: ExplainedTier | undefined): ExplainedTier['state'] {
  if (!core.enabled) return 'absent'
  const inUse = core.tier.link === undefined || nearTrusted(core) ? [near, shared] : [shared]
  const states = inUse.map(tier => tier?.state)
  return states.includes('fresh') ? 'fresh' : states.includes('stale') ? 'stale' : 'absent'
}

function summaryOf(next: Explanation['next'], tiers: readonly ExplainedTier[], core: Core): string {
  if (!core.enabled) return 'the cache is disabled: the next read goes to the source'
  const found = tiers.find(({ state }) => state === (next === 'hit' ? 'fresh' : 'stale'))
  if (next === 'hit') return `the next read is served from ${found?.tier}, for another ${found?.ttl} ms`
  if (next === 'stale')
    return `it is past its ttl; the next read may be served from ${found?.tier} while it is made anew`
  const dead = tiers.find(({ state }) => state === 'dead' || state === 'stale')
  return `the next read makes it anew: ${dead === undefined ? 'no tier holds it' : `${dead.tier}: ${dead.reason}`}`
}

async function explainNear(core: Core, target: Target): Promise<ExplainedTier> {
  const tier = 'near'
  const entry = target.space.peek(target.nearKey)
  if (entry === undefined) return { tier, state: 'absent', reason: 'this process does not hold it' }
  await learn(core, entry.stamps)
  const now = core.clock.now()
  const known = {
    age: Math.round(Math.max(0, now - entry.loadedAt)),
    ttl: Math.round(Math.max(0, entry.freshUntil - now)),
    grace: entry.grace,
    bytes: entry.size,
    cost: entry.cost,
    tags: tagsOf(entry),
    stamps: stampsOf(core, entry.stamps),
    // Where nothing is shared nobody else can have written it.
    ...(core.tier.link === undefined && { writer: core.id }),
  }
  const isOver = now >= entry.deadAt
  return { tier, ...known, ...judged(core, target, entry, isOver, known.ttl) }
}

async function explainShared(core: Core, target: Target, tier: string): Promise<ExplainedTier> {
  let record: StoredRecord | undefined
  try {
    record = await core.tier.link?.read(store => store.get(target.full))
  } catch (error) {
    return { tier, state: 'absent', reason: `it could not be asked: ${messageOf(error)}` }
  }
  if (record === undefined)
    return { tier, state: 'absent', reason: 'it was never stored there, has ended, was deleted or evicted' }
  const head = decodeRecord(record.bytes)
  if (head === undefined || head.key !== target.full) {
    return { tier, state: 'dead', reason: 'what lies there is damaged', bytes: record.bytes.length }
  }
  await learn(core, head.stamps)
  const known = {
    age: Math.round(Math.max(0, head.ttl + head.grace - record.remaining) + head.cost),
    ttl: Math.round(Math.max(0, Math.min(record.remaining - head.grace, head.ttl))),
    grace: head.grace,
    bytes: record.bytes.length,
    cost: head.cost,
    tags: tagsOf(head),
    stamps: stampsOf(core, head.stamps),
    writer: head.writer,
  }
  if (core.tier.outbox.hasKey(target.full, target.type.name)) {
    return {
      tier,
      ...known,
      state: 'dead',
      reason: 'it was deleted here, and the backend has not acknowledged that yet',
    }
  }
  return { tier, ...known, ...judged(core, target, head, false, known.ttl) }
}

/** As a read would. What cannot be asked for stays unknown. */
async function learn(core: Core, entryStamps: readonly Stamped[]): Promise<void> {
  const { stamps } = core.tier
  const names = entryStamps.map(({ name }) => name)
  await (nearTrusted(core) ? stamps.know(names) : stamps.refresh(names)).catch(() => undefined)
}

type Judged = { readonly stamps: readonly Stamped[]; readonly mark: number }

function judged(
  core: Core,
  target: Target,
  entry: Judged,
  isOver: boolean,
  ttl: number,
): { readonly state: ExplainedTier['state']; readonly reason?: string } {
  const { stamps } = core.tier
  const verdict = stamps.judge(entry, target.type.name, target.key)
  if (verdict === 'dead') {
    const gone = stampsOf(core, entry.stamps).filter(({ isCurrent }) => !isCurrent)
    const why = gone.map(({ group, name }) => (name === undefined ? 'everything' : `the ${group} "${name}"`))
    return {
      state: 'dead',
      reason: `${why.length > 0 ? why.join(', ') : 'a pattern that matches it'} was cleared since`,
    }
  }
  if (verdict === 'unknown') return { state: 'dead', reason: 'its stamps could not be asked for' }
  if (isOver) return { state: 'dead', reason: 'its ttl and its grace are over' }
  return ttl > 0 ? { state: 'fresh' } : { state: 'stale', reason: 'its ttl is over' }
}

function stampsOf(core: Core, stamps: readonly Stamped[]): readonly ExplainedStamp[] {
  return stamps.map(({ name, value }) => {
    const isCurrent = core.tier.stamps.currentOf(name) === value
    if (name === NAMESPACE) return { group: 'namespace', isCurrent }
    const group = name.startsWith('t:') ? 'type' : 'tag'
    return { group, name: name.slice(2) || 'default', isCurrent }
  })
}
