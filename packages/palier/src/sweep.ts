import { type Core, isGone, reportError, type Tier } from './core.ts'
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
      if (parts === undefined) return false
      return isGone(core, stamps, head, parts.type, keyOf(parts.id))
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
  const records = await link.read(store => store.getMany(keys))
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
        if (entry !== undefined && isGone(core, core.tier.stamps, entry, type.name, key)) space.delete(name)
        if (++seen % NEAR_BATCH === 0) await pause(core.clock, 0)
      }
    }
  }
}

/** What a deletion of groups leaves behind is taken away later, so that dead entries take no room; the caller's answer was right before. */
export interface Sweeper {
  /**
   * Sweeps the entries of a type, or all, in the background. `rule` is the number of a pattern: once no load that began before it
   * can commit any more, a second sweep takes what was committed meanwhile, and the rule is dropped.
   */
  behind(type: string | undefined, rule?: number): void
  close(): void
}

interface Sweep {
  /** False when it failed, which was reported. */
  readonly running: Promise<boolean>
  /** Asked for since it began: what died meanwhile may lie where it has been already. */
  next: Promise<boolean> | undefined
}

export function createSweeper(core: Core, tier: Tier): Sweeper {
  const sweeps = new Map<string, Sweep>()
  const cancels = new Set<() => void>()
  let closed = false

  const report = (error: unknown): void => {
    if (!closed) reportError(core, 'sweep', error)
  }

  async function sweepStore(prefix: string): Promise<void> {
    await sweepNear(core)
    const { link } = tier
    if (link === undefined) return
    if (!link.usable()) throw new PalierError('PALIER_STORE_FAILED', `not swept: ${link.reason}`)
    for await (const keys of link.store.scan(prefix)) {
      for (let from = 0; from < keys.length; from += BATCH) {
        if (closed) return
        await sweepBatch(core, tier, link, keys.slice(from, from + BATCH))
        await pause(core.clock, REST)
      }
    }
  }

  /** One sweep at a time over the same entries: those who ask while it runs share the one after it. */
  function sweep(prefix: string): Promise<boolean> {
    const one = sweeps.get(prefix)
    if (one !== undefined) return (one.next ??= one.running.then(() => sweep(prefix)))
    const running = sweepStore(prefix)
      .then(
        () => !closed,
        (error: unknown) => (report(error), false),
      )
      .finally(() => sweeps.delete(prefix))
    sweeps.set(prefix, { running, next: undefined })
    return running
  }

  async function sweepAgain(prefix: string, rule: number): Promise<void> {
    if (tier.link?.usable() === false) throw new PalierError('PALIER_STORE_FAILED', `not swept: ${tier.link.reason}`)
    if (await sweep(prefix)) await tier.stamps.dropRule(rule)
  }

  return {
    behind(type, rule) {
      const prefix = entryPrefix(core.namespace, type)
      // A store that is being told what it missed may not be read yet; the rule kills meanwhile.
      if (tier.link?.usable() !== false) void sweep(prefix)
      if (rule === undefined || closed) return
      const cancel = core.clock.after(LEASE_MAX_AGE + LEASE_TTL, () => {
        cancels.delete(cancel)
        sweepAgain(prefix, rule).catch(report)
      })
      cancels.add(cancel)
    },
    close() {
      closed = true
      for (const cancel of cancels) cancel()
    },
  }
}
