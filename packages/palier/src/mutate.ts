import { pause } from './clock.ts'
import {
  type Core,
  fromRecord,
  keepNear,
  lifetimeOf,
  makeEntry,
  type NewEntry,
  nearNow,
  nearTrusted,
  overheadOf,
  type Reading,
  reportError,
  snapshotOf,
  stampNames,
  type Target,
  type Tier,
  toRecord,
} from './core.ts'
import type { Entry } from './entry.ts'
import { PalierError } from './errors.ts'
import type { Watch } from './flight.ts'
import { detach, forgetNear, invalidate, type Receipt } from './invalidate.ts'
import { tagStamp } from './key.ts'
import { LEASE_TTL, newToken } from './lease.ts'
import type { Link } from './link.ts'
import { encodeMessage } from './message.ts'
import { textList } from './options.ts'
import { readValue, type Snapshot } from './snapshot.ts'
import { keyTarget } from './targets.ts'

const TRIES = 32
/** So many tries are made without a rest: whoever was in between is usually done. */
const AT_ONCE = 4

/** What a caller gave, copied at once: what happens to the original afterwards changes nothing. */
interface Given {
  readonly snapshot: Snapshot
  readonly tags: readonly string[]
}

function given(core: Core, target: Target, value: unknown): Given {
  const { tagsOf } = target.policy
  const snapshot = snapshotOf(core, value)
  return { snapshot, tags: tagsOf === undefined ? [] : textList('tags', tagsOf(readValue(snapshot))) }
}

async function newEntry(core: Core, target: Target, { snapshot, tags }: Given): Promise<NewEntry> {
  const { policy } = target
  // The type's own list as it is, when nothing is added: entries of one list share their captured stamps.
  const own = stampNames(target)
  const names = tags.length === 0 ? own : [...own, ...tags.map(tagStamp)]
  const base = snapshot.value === null && policy.negativeTtl > 0 ? policy.negativeTtl : policy.ttl
  const wanted = Math.max(1, Math.round(base * (1 - policy.jitter * Math.random())))
  const loadedAt = core.clock.now()
  const { stamps } = core.tier
  const lifetime = lifetimeOf(core, { ttl: wanted, grace: policy.grace })
  if (!nearTrusted(core)) await stamps.refresh(names)
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const captured = stamps.capture(names)
    if (captured !== undefined) return { snapshot, captured, loadedAt, cost: 0, ...lifetime }
    await stamps.know(names)
  }
  throw new PalierError('PALIER_STORE_FAILED', 'the stamps of the entry change without end')
}

/** Puts a value in place of whatever is there. Throws for a value that cannot be kept; a store that fails is in the receipt. */
export async function setValue(core: Core, target: Target, value: unknown): Promise<Receipt> {
  const copy = given(core, target, value)
  await core.settled
  detach(core, target)
  target.type.counters.sets++
  const { tier, home } = core
  // What the home tier holds is older than this, and the value itself goes where readers look now.
  const elsewhere = tier === home ? undefined : invalidate(core, home, [keyTarget(target.full)], target)
  // The answer may come after the news of a deletion that came after the set.
  const watch = core.reads.watch(target.full)
  const { entry, shared } = await setAt(core, tier, target, copy).finally(() => watch.end())
  const mayKeep = !watch.detached && core.tier === tier
  forgetNear(core, target)
  if (entry !== undefined && mayKeep) keepNear(core, target, makeEntry(core, target, entry))
  const receipt = { local: true, shared: (await elsewhere) ?? shared }
  core.events.emit('set', { type: target.type.name, key: target.key })
  return receipt
}

interface Written {
  /** What the near tier may keep; undefined when it may keep nothing. */
  readonly entry: NewEntry | undefined
  readonly shared: Receipt['shared']
}

/** A set the store did not take becomes a deletion: the old value must not come back, and the new one is not promised. */
async function setAt(core: Core, tier: Tier, target: Target, copy: Given): Promise<Written> {
  const { link } = tier
  if (link === undefined) return { entry: await newEntry(core, target, copy), shared: 'none' }
  const own = keyTarget(target.full)
  let entry: NewEntry | undefined
  const before = tier.outbox.find(own)
  try {
    entry = await newEntry(core, target, copy)
    const bytes = await toRecord(core, target, entry)
    const life = entry.ttl + entry.grace
    await link.call(store => store.set(target.full, bytes, life))
    tier.outbox.drop(before)
    tier.acknowledged([own])
    core.sharedCounters.bytesWritten += bytes.length
    tier.tell(encodeMessage({ kind: 'keys', names: [target.full] }))
    return { entry, shared: 'acked' }
  } catch (error) {
    // A value too large once encoded is the caller's, and what was there before stays.
    if (error instanceof PalierError && !error.code.startsWith('PALIER_STORE_')) throw error
    reportError(core, 'set', error, target)
    const refused = error instanceof PalierError && error.code === 'PALIER_STORE_REFUSED'
    const deleted = await invalidate(core, tier, [own], target)
    return deleted === 'acked' && refused
      ? { entry, shared: 'refused' }
      : { entry: undefined, shared: deleted === 'acked' ? 'refused' : deleted }
  }
}

type Change = (before: Entry | undefined) => NewEntry | undefined

/**
 * Changes one entry knowing what it was. On a shared store the lease is stolen, so a write or delete in between makes
 * the commit fail and the change is tried again on what is there then. False when `change` declined.
 */
async function change(core: Core, target: Target, decide: Change, prepare: () => Promise<void>): Promise<boolean> {
  await core.settled
  await prepare()
  detach(core, target)
  const { tier, home } = core
  const done = await changeAt(core, tier, target, decide)
  if (done && tier !== home) await invalidate(core, home, [keyTarget(target.full)], target)
  return done
}

async function changeAt(core: Core, tier: Tier, target: Target, decide: Change): Promise<boolean> {
  const { link } = tier
  if (link === undefined) {
    // Looked at and changed in one step: nothing is shared, so no stamp is ever unknown.
    const near = nearNow(core, target)
    const next = decide(near === 'unknown' ? undefined : near)
    if (next !== undefined) keepNear(core, target, makeEntry(core, target, next))
    return next !== undefined
  }
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const watch = core.reads.watch(target.full)
    const outcome = await tryChange(core, tier, link, target, decide, watch).finally(() => watch.end())
    if (outcome !== 'overtaken') return outcome === 'done'
    if (attempt >= AT_ONCE) await pause(core.clock, 1 + attempt)
  }
  throw new PalierError('PALIER_STORE_FAILED', `"${target.key}" could not be changed: others change it without end`, {
    key: target.key,
  })
}

async function tryChange(
  core: Core,
  tier: Tier,
  link: Link,
  target: Target,
  decide: Change,
  watch: Watch,
): Promise<'done' | 'declined' | 'overtaken'> {
  const { outbox } = tier
  const own = keyTarget(target.full)
  const token = newToken()
  const before = outbox.find(own)
  const passOver = outbox.hasKey(target.full, target.type.name)
  const { record } = await link.call(store => store.claim(target.full, { token, ttl: LEASE_TTL, steal: true }))
  const reading: Reading =
    record === undefined || passOver ? { state: 'dead', reason: 'absent' } : await fromRecord(core, target, record)
  const next = decide(reading.state === 'dead' ? undefined : reading.entry)
  if (next === undefined) {
    await link.call(store => store.release(target.full, token))
    return 'declined'
  }
  const bytes = await toRecord(core, target, next)
  const life = Math.max(1, next.ttl + next.grace)
  if (!(await link.call(store => store.commit(target.full, token, bytes, life)))) return 'overtaken'
  outbox.drop(before)
  tier.acknowledged([own])
  const mayKeep = !watch.detached && core.tier === tier
  forgetNear(core, target)
  if (mayKeep) keepNear(core, target, makeEntry(core, target, next))
  tier.tell(encodeMessage({ kind: 'keys', names: [target.full] }))
  return 'done'
}

/** Runs a change whose failing store must not fail the caller. */
async function changed(core: Core, operation: string, target: Target, run: () => Promise<boolean>): Promise<boolean> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof PalierError && !error.code.startsWith('PALIER_STORE_')) throw error
    reportError(core, operation, error, target)
    return false
  }
}

/** Stores the value only if no fresh one is there; of several at once, in any process, one gets true. */
export async function addValue(core: Core, target: Target, value: unknown): Promise<boolean> {
  const copy = given(core, target, value)
  let fresh: NewEntry | undefined
  const prepare = async (): Promise<void> => {
    fresh = await newEntry(core, target, copy)
  }
  const decide: Change = before => (before !== undefined && core.clock.now() < before.freshUntil ? undefined : fresh)
  const added = await changed(core, 'add', target, () => change(core, target, decide, prepare))
  if (added) {
    target.type.counters.sets++
    core.events.emit('set', { type: target.type.name, key: target.key })
  }
  return added
}

/** The entry again with another ttl; its stamps and value stay. */
function again(core: Core, target: Target, before: Entry, ttl: number, grace: number): NewEntry {
  const snapshot = { value: before.value, size: before.size - overheadOf(target), plain: before.plain }
  const captured = { stamps: before.stamps, mark: before.mark }
  return { snapshot, captured, loadedAt: before.loadedAt, cost: before.cost, ...lifetimeOf(core, { ttl, grace }) }
}

const nothing = (): Promise<void> => Promise.resolve()

/** `change` for what is there: whoever is loading an absent key keeps the lease. */
async function changePresent(core: Core, target: Target, decide: Change): Promise<boolean> {
  await core.settled
  const { link } = core.tier
  if (link !== undefined && (await link.read(store => store.get(target.full))) === undefined) return false
  return change(core, target, decide, nothing)
}

/** Times that a call gives instead of the entry's own. */
export interface Times {
  readonly ttl: number | undefined
  readonly grace: number | undefined
}

/** Gives a fresh entry its whole ttl again, or the one given, counted from now. False when there is none. */
export function touchEntry(core: Core, target: Target, times: Times): Promise<boolean> {
  const decide: Change = before =>
    before !== undefined && core.clock.now() < before.freshUntil
      ? again(core, target, before, times.ttl ?? before.ttl, times.grace ?? before.grace)
      : undefined
  return changed(core, 'touch', target, () => changePresent(core, target, decide))
}

/** Ends the freshness of an entry now; during its grace, or the one given, it may still be served. False when there is none. */
export function expireEntry(core: Core, target: Target, times: Times): Promise<boolean> {
  const decide: Change = before =>
    before === undefined ? undefined : again(core, target, before, 0, times.grace ?? before.grace)
  return changed(core, 'expire', target, () => changePresent(core, target, decide))
}
