import { type Core, reportError } from './core.ts'
import { entryPrefix, keyOf } from './key.ts'
import { decodeRecord } from './record.ts'
import { pause } from './clock.ts'
import { typeOfKey } from './types.ts'

/** Keys read and judged at a time, and the rest in between: a sweep is background work on a store others are using. */
const BATCH = 100
const REST = 5
/** Near entries judged before the event loop gets its turn. */
const NEAR_BATCH = 1000

function isDead(core: Core, bytes: Uint8Array): boolean {
  const head = decodeRecord(bytes)
  const found = head === undefined ? undefined : typeOfKey(core.types, core.namespace, head.key)
  if (head === undefined || found === undefined) return false
  return core.stamps.judge(head, found.type.name, keyOf(found.id)) === 'dead'
}

async function sweepBatch(core: Core, keys: readonly string[]): Promise<void> {
  const records = await core.link.call(store => store.getMany(keys))
  const dead = keys.filter((_key, i) => {
    const record = records[i]
    return record !== undefined && isDead(core, record.bytes)
  })
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
