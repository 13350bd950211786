import { type Core, reportError } from './core.ts'
import { entryPrefix, keyOf, splitEntryKey } from './key.ts'
import { decodeRecord, type RecordHead } from './record.ts'
import { pause } from './clock.ts'

/** Keys read and judged at a time, and the rest in between: a sweep is background work on a store others are using. */
const BATCH = 100
const REST = 5
/** Near entries judged before the event loop gets its turn. */
const NEAR_BATCH = 1000

/** Asks the store for the stamps this process has not met: an entry it cannot judge would outlive the rule that killed it. */
async function deadOf(core: Core, heads: readonly RecordHead[]): Promise<readonly string[]> {
  await core.stamps.know([...new Set(heads.flatMap(head => head.stamps.map(stamp => stamp.name)))])
  return heads
    .filter(head => {
      const parts = splitEntryKey(core.namespace, head.key)
      return parts !== undefined && core.stamps.judge(head, parts.type, keyOf(parts.id)) === 'dead'
    })
    .map(head => head.key)
}

async function sweepBatch(core: Core, keys: readonly string[]): Promise<void> {
  const records = await core.link.call(store => store.getMany(keys))
  const heads = records.flatMap(record => (record === undefined ? [] : (decodeRecord(record.bytes) ?? [])))
  const dead = await deadOf(core, heads)
  if (dead.length > 0) await core.link.call(store => store.delete(dead))
}

async function sweepNear(core: Core): Promise<void> {
  let seen = 0
  for (const type of core.types.values()) {
    for (const space of [type.space, type.subjects]) {
      for (const name of space.keys()) {
        const entry = space.peek(name)
        const key = space === type.space ? name : keyOf(name)
        if (entry !== undefined && core.stamps.judge(entry, type.name, key) === 'dead') space.delete(name)
        if (++seen % NEAR_BATCH === 0) await pause(core.clock, 0)
      }
    }
  }
}

async function sweep(core: Core, prefix: string): Promise<void> {
  await sweepNear(core)
  const { store } = core.link
  if (store === undefined) return
  for await (const keys of store.scan(prefix)) {
    for (let from = 0; from < keys.length; from += BATCH) {
      if (core.closed.signal.aborted) return
      await sweepBatch(core, keys.slice(from, from + BATCH))
      await pause(core.clock, REST)
    }
  }
}

/**
 * Deletes in the background what an invalidation has killed, so that dead entries take no room; the caller's answer
 * was right before. An entry refilled between the look and the deletion is merely a miss. `rule` is the pattern's
 * number, which may be dropped afterwards.
 */
export function sweepBehind(core: Core, type: string | undefined, rule: number | undefined): void {
  sweep(core, entryPrefix(core.namespace, type))
    .then(() => (rule === undefined || core.closed.signal.aborted ? undefined : core.stamps.ruleSwept(rule)))
    .catch((error: unknown) => {
      if (!core.closed.signal.aborted) reportError(core, 'sweep', error)
    })
}
