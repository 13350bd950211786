import { type Core, reportError, type Tier } from './core.ts'
import type { Link } from './link.ts'
import { PalierError } from './errors.ts'
import { entryPrefix, keyOf, splitEntryKey } from './key.ts'
import { LEASE_MAX_AGE, LEASE_TTL, newToken } from './lease.ts'
import { decodeRecord, encodeRecord, type RecordHead, recordHead } from './record.ts'
import { pause } from './clock.ts'

/** Keys read and judged at a time, and the rest in between: a sweep is background work on a store others are using. */
const BATCH = 100
const REST = 5
/** Near entries judged before the event loop gets its turn. */
const NEAR_BATCH = 1000

/** Asks the store for the stamps this process has not met: an entry it cannot judge would outlive the rule that killed it. */
async function deadOf(core: Core, { stamps }: Tier, heads: readonly RecordHead[]): Promise<readonly string[]> {
  await stamps.know([...new Set(heads.flatMap(head => head.stamps.map(stamp => stamp.name)))])
  return heads
    .filter(head => {
      const parts = splitEntryKey(core.namespace, head.key)
      return parts !== undefined && stamps.judge(head, parts.type, keyOf(parts.id)) === 'dead'
    })
    .map(head => head.key)
}

/**
 * Takes away one dead entry and nothing newer: under a lease that is granted only while that very record is there, it is
 * replaced by one that ends at once. A key whose lease is taken is being loaded, and left to that.
 */
async function bury(link: Link, { bytes, head }: Found): Promise<void> {
  const token = newToken()
  const claim = { token, ttl: LEASE_TTL, seen: recordHead(bytes) }
  const { granted } = await link.call(store => store.claim(head.key, claim))
  if (!granted) return
  // With its stamps and mark it stays dead for its last millisecond.
  const nothing = { ...head, ttl: 0, grace: 0, form: 0, size: 0 }
  await link.call(store => store.commit(head.key, token, encodeRecord(nothing, new Uint8Array(0)), 1))
}

interface Found {
  readonly bytes: Uint8Array
  readonly head: RecordHead
}

async function sweepBatch(core: Core, tier: Tier, link: Link, keys: readonly string[]): Promise<void> {
  const records = await link.call(store => store.getMany(keys))
  const found = records.flatMap((record): Found[] => {
    const head = record === undefined ? undefined : decodeRecord(record.bytes)
    return record === undefined || head === undefined ? [] : [{ bytes: record.bytes, head }]
  })
  const dead = new Set(
    await deadOf(
      core,
      tier,
      found.map(one => one.head),
    ),
  )
  await Promise.all(found.filter(one => dead.has(one.head.key)).map(one => bury(link, one)))
}

/** Takes dead entries out of the near tier. What cannot be judged stays, and is judged when it is read. */
export async function sweepNear(core: Core): Promise<void> {
  let seen = 0
  for (const type of core.types.values()) {
    for (const space of [type.space, type.subjects]) {
      for (const name of space.keys()) {
        const entry = space.peek(name)
        const key = space === type.space ? name : keyOf(name)
        if (entry !== undefined && core.tier.stamps.judge(entry, type.name, key) === 'dead') space.delete(name)
        if (++seen % NEAR_BATCH === 0) await pause(core.clock, 0)
      }
    }
  }
}

async function sweep(core: Core, tier: Tier, prefix: string): Promise<void> {
  await sweepNear(core)
  const { link } = tier
  if (link === undefined) return
  if (!link.usable()) throw new PalierError('PALIER_STORE_FAILED', `not swept: ${link.reason}`)
  for await (const keys of link.store.scan(prefix)) {
    for (let from = 0; from < keys.length; from += BATCH) {
      if (core.closed.signal.aborted) return
      await sweepBatch(core, tier, link, keys.slice(from, from + BATCH))
      await pause(core.clock, REST)
    }
  }
}

function report(core: Core): (error: unknown) => void {
  return error => {
    if (!core.closed.signal.aborted) reportError(core, 'sweep', error)
  }
}

/**
 * Deletes in the background what an invalidation has killed, so that dead entries take no room; the caller's answer
 * was right before. `rule` is the number of a pattern: once no load that began before it can commit any more, a second
 * sweep takes what was committed meanwhile, and the rule is dropped.
 */
export function sweepBehind(core: Core, tier: Tier, type: string | undefined, rule?: number): void {
  const prefix = entryPrefix(core.namespace, type)
  // A store that is being told what it missed may not be read yet; the rule kills meanwhile.
  if (tier.link?.usable() !== false) sweep(core, tier, prefix).catch(report(core))
  if (rule === undefined) return
  const cancel = core.clock.after(LEASE_MAX_AGE + LEASE_TTL, () => {
    core.closed.signal.removeEventListener('abort', cancel)
    sweep(core, tier, prefix)
      .then(() => (core.closed.signal.aborted ? undefined : tier.stamps.dropRule(rule)))
      .catch(report(core))
  })
  core.closed.signal.addEventListener('abort', cancel, { once: true })
}
