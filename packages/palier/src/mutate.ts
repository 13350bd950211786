import { pause } from './clock.ts'
import {
  type Core,
  fromRecord,
  keepNear,
  makeEntry,
  type NewEntry,
  nearNow,
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
import { readValue, type Snapshot } from './snapshot.ts'
import { tagStamp } from './tags.ts'

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
export function detach(core: Core, target: Target): void {
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
  const deliver = (key: string) => async (): Promise<void> => {
    await core.link.call(store => store.delete([key]))
    core.tell(encodeMessage({ kind: 'keys', names: [key] }))
  }
  for (const key of keys) core.outbox.put(key, deliver(key))
  try {
    await core.link.call(store => store.delete(keys))
    for (const key of keys) core.outbox.drop(key)
    core.tell(encodeMessage({ kind: 'keys', names: keys }))
    return 'acked'
  } catch (error) {
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
  const names = [...stampNames(target), ...tags.map(tagStamp)]
  const base = snapshot.value === null && policy.negativeTtl > 0 ? policy.negativeTtl : policy.ttl
  const ttl = Math.max(1, Math.round(base * (1 - policy.jitter * Math.random())))
  const loadedAt = core.clock.now()
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const captured = core.stamps.capture(names)
    if (captured !== undefined) return { snapshot, captured, loadedAt, cost: 0, ttl }
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
  try {
    entry = await newEntry(core, target, copy)
    const bytes = await toRecord(core, target, entry)
    const ttl = entry.ttl + target.policy.grace
    await core.link.call(store => store.set(target.full, bytes, ttl))
    core.outbox.drop(target.full)
    core.sharedCounters.bytesWritten += bytes.length
    core.tell(encodeMessage({ kind: 'keys', names: [target.full] }))
    return { entry, shared: 'acked' }
  } catch (error) {
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
    const { record } = await core.link.call(store => store.claim(target.full, { token, ttl: LEASE_TTL, steal: true }))
    const reading: Reading =
      record === undefined ? { state: 'dead', reason: 'absent' } : await fromRecord(core, target, record)
    const next = decide(reading.state === 'dead' ? undefined : reading.entry)
    if (next === undefined) {
      await core.link.call(store => store.release(target.full, token))
      return false
    }
    const bytes = await toRecord(core, target, next)
    const ttl = Math.max(1, next.ttl + target.policy.grace)
    if (await core.link.call(store => store.commit(target.full, token, bytes, ttl))) {
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
function again(before: Entry, ttl: number): NewEntry {
  const snapshot = { value: before.value, size: before.size, plain: before.plain }
  const captured = { stamps: before.stamps, mark: before.mark }
  return { snapshot, captured, loadedAt: before.loadedAt, cost: before.cost, ttl }
}

const nothing = (): Promise<void> => Promise.resolve()

/** Gives a fresh entry its whole ttl again, counted from now. False when there is none. */
export function touchEntry(core: Core, target: Target): Promise<boolean> {
  const decide: Change = before =>
    before !== undefined && core.clock.now() < before.freshUntil ? again(before, target.policy.ttl) : undefined
  return changed(core, 'touch', target, () => change(core, target, decide, nothing))
}

/** Ends the freshness of an entry now; during its grace it may still be served. False when there is none. */
export function expireEntry(core: Core, target: Target): Promise<boolean> {
  const decide: Change = before => (before === undefined ? undefined : again(before, 0))
  return changed(core, 'expire', target, () => change(core, target, decide, nothing))
}

/** Gives groups new stamps: everything in them is dead, at once here and as soon as they hear elsewhere. */
export async function renewStamps(core: Core, names: readonly string[]): Promise<Receipt> {
  await core.link.settled
  core.stamps.renew(names)
  if (core.link.store === undefined) return { local: true, shared: 'none' }
  const deliver = (name: string) => async (): Promise<void> => {
    await core.stamps.share([name])
    core.stamps.pin(name, false)
    core.tell(encodeMessage({ kind: 'stamps', names: [name] }))
  }
  for (const name of names) {
    core.stamps.pin(name, true)
    core.outbox.put(`stamp ${name}`, deliver(name))
  }
  try {
    await core.stamps.share(names)
  } catch (error) {
    reportError(core, 'invalidate', error)
    return { local: true, shared: 'pending' }
  }
  for (const name of names) {
    core.stamps.pin(name, false)
    core.outbox.drop(`stamp ${name}`)
  }
  core.tell(encodeMessage({ kind: 'stamps', names }))
  return { local: true, shared: 'acked' }
}

/** Makes a pattern a rule that kills; resolves with its number once the store has it. */
export async function addPattern(
  core: Core,
  glob: string,
  type: string | undefined,
): Promise<{ receipt: Receipt; rule: number | undefined }> {
  await core.link.settled
  const share = core.stamps.addRule(glob, type)
  if (core.link.store === undefined) return { receipt: { local: true, shared: 'none' }, rule: await share() }
  const deliver = async (): Promise<void> => {
    await share()
    core.tell(encodeMessage({ kind: 'stamps', names: ['ns'] }))
  }
  try {
    const rule = await share()
    core.tell(encodeMessage({ kind: 'stamps', names: ['ns'] }))
    return { receipt: { local: true, shared: 'acked' }, rule }
  } catch (error) {
    core.outbox.put(`pattern ${type ?? ''}:${glob}`, deliver)
    reportError(core, 'invalidate', error)
    return { receipt: { local: true, shared: 'pending' }, rule: undefined }
  }
}
