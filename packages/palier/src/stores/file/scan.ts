import { recordKey } from '../../record.ts'
import { isErrno } from './errors.ts'
import type { FileIo, Turn } from './io.ts'
import { diskBytes, FRAME_BYTES, type Layout, nameKind, remainingOf, SHARDS } from './layout.ts'
import type { Times } from './times.ts'

export interface FoundEntry {
  readonly key: string
  /** Disk usage. */
  readonly bytes: number
}

export interface ScanOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly times: Times
  readonly turn: Turn
}

/** Holds the frame, the fixed part of a record and nearly every key. */
const HEAD = 1024
/** A key may take four bytes for the length of its length; no longer one was ever written than this. */
const LONGEST = 256 * 1024

/** Live entries whose key starts with `prefix`, shard by shard; what cannot be read is left out. */
export async function* scanEntries(
  { io, layout, times, turn }: ScanOptions,
  prefix: string,
): AsyncGenerator<readonly FoundEntry[]> {
  const keyOf = async (path: string): Promise<string | undefined> => {
    for (const bytes of [HEAD, LONGEST]) {
      const head = await io().head(path, bytes)
      if (head === undefined || remainingOf(head, times) <= 0) return undefined
      const key = recordKey(head.subarray(FRAME_BYTES))
      if (key !== undefined || head.length < bytes) return key
    }
    return undefined
  }

  for (let index = 0; index < SHARDS; index++) {
    const shard = layout.shard(index)
    const found: FoundEntry[] = []
    if ((await io().stat(shard))?.isDirectory() !== true) continue
    for (const name of await namesOf(io(), shard)) {
      const path = `${shard}/${name}`
      const key = await keyOf(path)
      if (key?.startsWith(prefix) === true && layout.entry(key) === path) {
        found.push({ key, bytes: diskBytes((await io().stat(path))?.size ?? 0) })
      }
      if (turn.tired()) await turn.rest()
    }
    if (found.length > 0) yield found
    await turn.rest()
  }
}

async function namesOf(io: FileIo, shard: string): Promise<string[]> {
  try {
    const items = await io.list(shard)
    return items.filter(item => item.isFile() && nameKind(item.name) === 'entry').map(item => item.name)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}
