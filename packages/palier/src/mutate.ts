import { pause } from './clock.ts'
import {
  type Core,
  fromRecord,
  keepNear,
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
  toRecord,
} from './core.ts'
import type { Entry } from './entry.ts'
import { PalierError } from './errors.ts'
import { LEASE_TTL, newToken } from './lease.ts'
import { encodeMessage } from './message.ts'
import { textList } from './options.ts'
import type { Delivery } from './outbox.ts'
import { readValue, type Snapshot } from './snapshot.ts'
import { sweepBehind } from './sweep.ts'
import { NAMESPACE, tagStamp } from './tags.ts'

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

const TRIES = 32
/** So many tries are made without a rest: whoever was in between is usually done. */
const AT_ONCE = 4

/** Nothing under way for this key may be joined or kept any more. */
function detach(core: Core, target: Target): void {
  core.loads.detach(target.full)
  core.reads.detach(target.full)
}

function forgetNear(core: Core, target: Target): void {
  detach(core, target)
  target.space.delete(target.nearKey)
}

/** Deletes at the store, or leaves the deletion in the outbox. */
async function deleteShared(core: Core, targets: readonly Target[]): Promise<Receipt['shared']> {
  const keys = targets.map(target => target.full)
  const deliveries = keys.map(key => async (): Promise<void> => {
    await core.link.call(store => store.delete([key]))
    core.tell(encodeMessage({ kind: 'keys', names: [key] }))
  })
  keys.forEach((key, i) => {
    const deliver = deliveries[i]
    if (deliver !== undefined) core.outbox.put(key, deliver)
  })
  try {
    await core.link.call(store => store.delete(keys))
    keys.forEach((key, i) => core.outbox.drop(key, deliveries[i]))
    core.tell(encodeMessage({ kind: 'keys', names: keys }))
    return 'acked'
  } catch (error) {
    keys.forEach((key, i) => {
      const deliver = deliveries[i]
      if (deliver !== undefined) core.outbox.failed(key, deliver)
    })
    reportError(core, 'delete', error, targets[0])
    return 'pending'
  }
}

export async function deleteKeys(core: Core, targets: readonly Target[]): Promise<Receipt> {
  await core.link.settled
  for (const target of targets) {
    forgetNear(core, target)
    target.type.counters.deletes++
  }
  let shared: Receipt['shared'] = 'none'
  if (core.link.store !== undefined && targets.length > 0) shared = await deleteShared(core, targets)
  // Reads that began while the store was at it may have brought the old value back.
  for (const target of targets) forgetNear(core, target)
  core.events.emit('delete', { target: 'key', names: targets.map(target => target.key) })
  return { local: true, shared }
}

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
  const ttl = Math.max(1, Math.round(base * (1 - policy.jitter * Math.random())))
  const loadedAt = core.clock.now()
  if (!nearTrusted(core)) await core.stamps.refresh(names)
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const captured = core.stamps.capture(names)
    if (captured !== undefined) return { snapshot, captured, loadedAt, cost: 0, ttl, grace: policy.grace }
    await core.stamps.know(names)
  }
  throw new PalierError('PALIER_STORE_FAILED', 'the stamps of the entry change without end')
}

/** Puts a value in place of whatever is there. Throws for a value that cannot be kept; a store that fails is in the receipt. */
export async function setValue(core: Core, target: Target, value: unknown): Promise<Receipt> {
  const copy = given(core, target, value)
  await core.link.settled
  detach(core, target)
  target.type.counters.sets++
  let receipt: Receipt
  let kept: NewEntry | undefined
  if (core.link.store === undefined) {
    kept = await newEntry(core, target, copy)
    receipt = { local: true, shared: 'none' }
  } else {
    const written = await setShared(core, target, copy)
    kept = written.entry
    receipt = { local: true, shared: written.shared }
  }
  forgetNear(core, target)
  if (kept !== undefined) keepNear(core, target, makeEntry(core, target, kept))
  core.events.emit('set', { type: target.type.name, key: target.key })
  return receipt
}

interface Written {
  /** What the near tier may keep; undefined when it may keep nothing. */
  readonly entry: NewEntry | undefined
  readonly shared: Receipt['shared']
}

/** A set the store did not take becomes a deletion: the old value must not come back, and the new one is not promised. */
async function setShared(core: Core, target: Target, copy: Given): Promise<Written> {
  let entry: NewEntry | undefined
  const before = core.outbox.find(target.full)
  try {
    entry = await newEntry(core, target, copy)
    const bytes = await toRecord(core, target, entry)
    const ttl = entry.ttl + target.policy.grace
    await core.link.call(store => store.set(target.full, bytes, ttl))
    core.outbox.drop(target.full, before)
    core.sharedCounters.bytesWritten += bytes.length
    core.tell(encodeMessage({ kind: 'keys', names: [target.full] }))
    return { entry, shared: 'acked' }
  } catch (error) {
    // A value too large once encoded is the caller's, and what was there before stays.
    if (error instanceof PalierError && !error.code.startsWith('PALIER_STORE_')) throw error
    reportError(core, 'set', error, target)
    const refused = error instanceof PalierError && error.code === 'PALIER_STORE_REFUSED'
    const deleted = await deleteShared(core, [target])
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
  await core.link.settled
  await prepare()
  detach(core, target)
  if (core.link.store === undefined) {
    // Looked at and changed in one step: nothing is shared, so no stamp is ever unknown.
    const near = nearNow(core, target)
    const next = decide(near === 'unknown' ? undefined : near)
    if (next !== undefined) keepNear(core, target, makeEntry(core, target, next))
    return next !== undefined
  }
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const token = newToken()
    const waiting = core.outbox.find(target.full)
    const { record } = await core.link.call(store => store.claim(target.full, { token, ttl: LEASE_TTL, steal: true }))
    const reading: Reading =
      record === undefined || waiting !== undefined
        ? { state: 'dead', reason: 'absent' }
        : await fromRecord(core, target, record)
    const next = decide(reading.state === 'dead' ? undefined : reading.entry)
    if (next === undefined) {
      await core.link.call(store => store.release(target.full, token))
      return false
    }
    const bytes = await toRecord(core, target, next)
    const ttl = Math.max(1, next.ttl + next.grace)
    if (await core.link.call(store => store.commit(target.full, token, bytes, ttl))) {
      core.outbox.drop(target.full, waiting)
      forgetNear(core, target)
      keepNear(core, target, makeEntry(core, target, next))
      core.tell(encodeMessage({ kind: 'keys', names: [target.full] }))
      return true
    }
    if (attempt >= AT_ONCE) await pause(core.clock, 1 + attempt)
  }
  throw new PalierError('PALIER_STORE_FAILED', `"${target.key}" could not be changed: others change it without end`, {
    key: target.key,
  })
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
function again(target: Target, before: Entry, ttl: number, grace: number): NewEntry {
  const snapshot = { value: before.value, size: before.size - overheadOf(target), plain: before.plain }
  const captured = { stamps: before.stamps, mark: before.mark }
  return { snapshot, captured, loadedAt: before.loadedAt, cost: before.cost, ttl, grace }
}

const nothing = (): Promise<void> => Promise.resolve()

/** `change` for what is there: whoever is loading an absent key keeps the lease. */
async function changePresent(core: Core, target: Target, decide: Change): Promise<boolean> {
  await core.link.settled
  if (core.link.store !== undefined && (await core.link.call(store => store.get(target.full))) === undefined)
    return false
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
      ? again(target, before, times.ttl ?? before.ttl, times.grace ?? before.grace)
      : undefined
  return changed(core, 'touch', target, () => changePresent(core, target, decide))
}

/** Ends the freshness of an entry now; during its grace, or the one given, it may still be served. False when there is none. */
export function expireEntry(core: Core, target: Target, times: Times): Promise<boolean> {
  const decide: Change = before =>
    before === undefined ? undefined : again(target, before, 0, times.grace ?? before.grace)
  return changed(core, 'expire', target, () => changePresent(core, target, decide))
}

/** Gives groups new stamps: everything in them is dead, at once here and as soon as they hear elsewhere. */
export async function renewStamps(core: Core, names: readonly string[]): Promise<Receipt> {
  await core.link.settled
  core.stamps.renew(names)
  if (core.link.store === undefined) return { local: true, shared: 'none' }
  const slot = (name: string): string => `stamp ${name}`
  const deliveries = new Map<string, Delivery>()
  /** The stamps are in the store: nothing here is believed over it any more, unless something newer waits. */
  const acknowledge = (done: readonly string[], changed: readonly string[]): void => {
    for (const name of done) {
      core.outbox.drop(slot(name), deliveries.get(name))
      core.stamps.pin(name, core.outbox.has(slot(name)))
    }
    core.stamps.forget(changed)
    core.tell(encodeMessage({ kind: 'stamps', names: done }))
  }
  for (const name of names) {
    const deliver = async (): Promise<void> => acknowledge([name], await core.stamps.share([name]))
    deliveries.set(name, deliver)
    core.stamps.pin(name, true)
    core.outbox.put(slot(name), deliver)
  }
  try {
    acknowledge(names, await core.stamps.share(names))
    return { local: true, shared: 'acked' }
  } catch (error) {
    for (const [name, deliver] of deliveries) core.outbox.failed(slot(name), deliver)
    reportError(core, 'invalidate', error)
    return { local: true, shared: 'pending' }
  }
}

/** Makes a pattern a rule that kills, and sweeps behind it once the store has it. */
export async function addPattern(core: Core, glob: string, type: string | undefined): Promise<Receipt> {
  await core.link.settled
  const share = core.stamps.addRule(glob, type)
  const deliver = async (): Promise<void> => {
    const rule = await share()
    if (core.link.store !== undefined) core.tell(encodeMessage({ kind: 'stamps', names: [NAMESPACE] }))
    sweepBehind(core, type, rule)
  }
  try {
    await deliver()
    return { local: true, shared: core.link.store === undefined ? 'none' : 'acked' }
  } catch (error) {
    // A slot of its own: each rule that waits goes on killing until it is delivered.
    const slot = `pattern ${newToken()}`
    core.outbox.put(slot, deliver)
    core.outbox.failed(slot, deliver)
    reportError(core, 'invalidate', error)
    return { local: true, shared: 'pending' }
  }
}
