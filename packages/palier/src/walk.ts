import { createHash } from 'node:crypto'
import { pause } from './clock.ts'
import { type Core, nearTrusted, type TypeState } from './core.ts'
import { PalierError } from './errors.ts'
import { entryPrefix, keyOf, splitEntryKey } from './key.ts'
import { type Link, messageOf } from './link.ts'
import { decodeRecord } from './record.ts'
import type { StoredRecord } from './store.ts'

/** An entry that lives, met on a walk. */
export interface Met {
  /** Empty for the default type. */
  readonly type: string
  readonly key: string
  /** A digest of whose it is; undefined for an entry without a subject. */
  readonly subject: string | undefined
  /** Milliseconds for which it is fresh; 0 when stale. */
  readonly ttl: number
  readonly age: number
  readonly bytes: number
  readonly cost: number
  readonly tags: readonly string[]
}

/** Keys read and judged at a time, and the rest in between: others are using the store. */
const BATCH = 200
const REST = 2

/**
 * Every entry that lives, of one type or of all, in batches and no order: as the store in use has them or, where nothing is
 * shared, this process. Entries that are written meanwhile may be missing, and one may be met twice. Rejects if the store fails.
 */
export async function* walk(core: Core, type: string | undefined): AsyncGenerator<readonly Met[]> {
  const { link } = core.tier
  if (link === undefined) yield* walkNear(core, type)
  else yield* walkStore(core, link, type)
}

/** Pages of the keys that begin so. Rejects at once while the store is left alone, and with PALIER_STORE_* when it fails. */
export async function* scanned(link: Link, prefix: string): AsyncGenerator<readonly string[]> {
  const { store } = link
  if (!link.usable()) throw new PalierError('PALIER_STORE_FAILED', `${store.name} is not used now: ${link.reason}`)
  try {
    yield* store.scan(prefix)
  } catch (cause) {
    if (cause instanceof PalierError) throw cause
    throw new PalierError('PALIER_STORE_FAILED', `${store.name} failed: ${messageOf(cause)}`, { cause })
  }
}

async function* walkStore(core: Core, link: Link, type: string | undefined): AsyncGenerator<readonly Met[]> {
  for await (const keys of scanned(link, entryPrefix(core.namespace, type))) {
    for (let from = 0; from < keys.length; from += BATCH) {
      const some = keys.slice(from, from + BATCH)
      const records = await link.read(store => store.getMany(some))
      yield await alive(core, some, records)
      await pause(core.clock, REST)
    }
  }
}

async function alive(
  core: Core,
  keys: readonly string[],
  records: readonly (StoredRecord | undefined)[],
): Promise<readonly Met[]> {
  const { stamps } = core.tier
  const heads = records.map(record => (record === undefined ? undefined : decodeRecord(record.bytes)))
  const names = [...new Set(heads.flatMap(head => head?.stamps.map(stamp => stamp.name) ?? []))]
  // Without a bus that vouches for them, the stamps known here may be long out of date.
  await (nearTrusted(core) ? stamps.know(names) : stamps.refresh(names))
  return heads.flatMap((head, i): Met[] => {
    const record = records[i]
    const parts = head === undefined ? undefined : splitEntryKey(core.namespace, head.key)
    if (head === undefined || record === undefined || parts === undefined || head.key !== keys[i]) return []
    if (core.tier.outbox.hasKey(head.key, parts.type)) return []
    if (stamps.judge(head, parts.type, keyOf(parts.id)) !== 'alive') return []
    const age = Math.max(0, head.ttl + head.grace - record.remaining) + head.cost
    const ttl = Math.max(0, Math.min(record.remaining - head.grace, head.ttl))
    return [
      { ...named(parts.type, parts.id), ttl, age, bytes: record.bytes.length, cost: head.cost, tags: tagsOf(head) },
    ]
  })
}

async function* walkNear(core: Core, only: string | undefined): AsyncGenerator<readonly Met[]> {
  for (const type of core.types.values()) {
    if (only !== undefined && type.name !== only) continue
    for (const [space, idOf] of spacesOf(type)) {
      let batch: Met[] = []
      for (const name of space.keys()) {
        const entry = space.peek(name)
        const id = idOf(name)
        const now = core.clock.now()
        if (entry === undefined || now >= entry.deadAt) continue
        if (core.tier.stamps.judge(entry, type.name, keyOf(id)) !== 'alive') continue
        const { cost, size: bytes } = entry
        const times = { ttl: Math.max(0, entry.freshUntil - now), age: Math.max(0, now - entry.loadedAt) }
        batch.push({ ...named(type.name, id), ...times, bytes, cost, tags: tagsOf(entry) })
        if (batch.length < BATCH) continue
        yield batch
        batch = []
        await pause(core.clock, 0)
      }
      yield batch
    }
  }
}

/** The near spaces of a type, each with what makes an id of the name inside it. */
function spacesOf(type: TypeState): readonly [TypeState['space'], (name: string) => string][] {
  return [
    [type.space, name => `:${name}`],
    [type.subjects, name => name],
  ]
}

function named(type: string, id: string): Pick<Met, 'type' | 'key' | 'subject'> {
  const end = id.indexOf(':')
  const subject = end <= 0 ? undefined : createHash('sha256').update(id.slice(0, end)).digest('hex').slice(0, 12)
  return { type, key: keyOf(id), subject }
}

export function tagsOf({ stamps }: { readonly stamps: readonly { readonly name: string }[] }): readonly string[] {
  return stamps.filter(({ name }) => name.startsWith('g:')).map(({ name }) => name.slice(2))
}
